"""The room each limit leaves now: what the gate itself would measure of an order of no size.

So the figures are the gate's own, and there is no second reckoning of them. Counts include the
order that would come next.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from daemon import gate
from daemon.config.file import from_event
from daemon.gate import Limits
from events import (
    BY_HAND,
    Check,
    ClientOrderId,
    ConfigLoaded,
    OrderIntended,
    OrderType,
    Symbol,
    TimeInForce,
)
from projections import State

ACCOUNT: Final = (
    "order_rate",
    "message_rate",
    "orders_a_day",
    "day_trades",
    "gross_usd",
    "net_usd",
    "leverage",
    "emergency_leverage",
    "margin_usd",
    "batch_margin_usd",
    "daily_loss",
    "drawdown",
)
"""The checks that measure the whole account: the same whatever is ordered."""
OF_SYMBOL: Final = ("position_shares", "position_usd")
OF_STRATEGY: Final = ("runaway",)
OF_BOTH: Final = ("turnover", "strategy_position")
_ZERO: Final = Decimal(0)


class Headroom(msgspec.Struct, frozen=True):
    """One limit: what is measured, of how much, and what is left; `share` of it is used.

    `of` names the symbol or the strategy, or both, that are nearest to it; the account's are empty.
    """

    limit_name: str
    of: str
    value: Decimal
    limit: Decimal
    headroom: Decimal
    share: Decimal


class MarginUse(msgspec.Struct, frozen=True):
    """The margin that is needed, as a share of what there is, and the share that is too much."""

    share: Decimal
    alert_share: Decimal

    @property
    def is_high(self) -> bool:
        """Say whether a person should look."""
        return self.share >= self.alert_share


def limits_of(state: State) -> Limits:
    """Return the limits in force, as the journal has them."""
    return from_event(ConfigLoaded(state.identity.config, state.symbols)).config.limits


def headrooms(state: State, limits: Limits, now: datetime) -> list[Headroom]:
    """Return every limit that something can be held against, the tightest first."""
    tightest: dict[str, Headroom] = {}
    for strategy, symbol in _in_use(state):
        for check in _asked(state, limits, now, strategy, symbol):
            found = _headroom(check, strategy, symbol)
            if found is None:
                continue
            known = tightest.get(found.limit_name)
            if known is None or found.share > known.share:
                tightest[found.limit_name] = found
    return sorted(tightest.values(), key=lambda each: -each.share)


def margin_use(headroom: Iterable[Headroom], limits: Limits) -> MarginUse | None:
    """Return how much of what there is the margin needs; None where that is not measured."""
    rules = limits.margin
    for each in headroom:
        is_of_something = each.limit > _ZERO or each.value > _ZERO
        if (
            each.limit_name == "margin_usd"
            and is_of_something
            and rules.cushion is not None
            and rules.cushion < 1
        ):
            # The limit leaves the cushion free; the use is of all there is.
            return MarginUse(each.share * (1 - rules.cushion), rules.alert_share)
    return None


def _in_use(state: State) -> list[tuple[str, Symbol]]:
    """Return which strategies hold, ordered or traded which symbols; one at least."""
    found = {
        (name, symbol)
        for name, book in state.positions.by_strategy.items()
        for symbol, position in book.items()
        if position.quantity
    }
    found |= {
        (BY_HAND, symbol) for symbol, each in state.positions.account.items() if each.quantity
    }
    found |= {(order.intent.strategy, order.symbol) for order in state.orders.open.values()}
    found |= {(name, symbol) for name, sent in state.activity.sent.items() for symbol in sent}
    idle = [(BY_HAND, symbol) for symbol in sorted(state.symbols)[:1]]
    return sorted(found) or idle


def _asked(
    state: State, limits: Limits, now: datetime, strategy: str, symbol: Symbol
) -> Iterator[Check]:
    """Yield what the gate measures of an order that would change nothing."""
    nothing = OrderIntended(
        ClientOrderId("headroom"),
        strategy,
        symbol,
        _ZERO,
        OrderType.MARKET,
        TimeInForce.DAY,
        "",
        0,
    )
    for decision in gate.check((nothing,), state, limits, now):
        yield from decision.checks


def _headroom(check: Check, strategy: str, symbol: Symbol) -> Headroom | None:
    whose = dict.fromkeys(ACCOUNT, "") | dict.fromkeys(OF_SYMBOL, symbol)
    if strategy != BY_HAND:
        whose |= dict.fromkeys(OF_STRATEGY, strategy)
        whose |= dict.fromkeys(OF_BOTH, f"{strategy} {symbol}")
    of, value, limit, headroom = whose.get(check.name), check.value, check.limit, check.headroom
    if of is None or value is None or limit is None or headroom is None:
        return None
    share = value / limit if limit > _ZERO else Decimal(1)
    return Headroom(check.name, of, value, limit, headroom, share)
