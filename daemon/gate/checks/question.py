"""What every check is asked: one intent, and what is needed to judge it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from daemon.gate.checks.sums import Exposure, Orders, dearest, exposure
from daemon.gate.limits import Limits, OrderLimits
from events import OrderIntended, Symbol, SymbolTerms, TimeInForce, utc_from_nanoseconds
from projections import State
from projections.exposure import WorstCase
from projections.order_states import OrderState

_ZERO = Decimal(0)
_NO_LIMITS = OrderLimits()
_INTENDED, _ASKED = OrderState.INTENDED, OrderState.MARGIN_ASKED
_OPENING, _CLOSING = TimeInForce.OPG, TimeInForce.CLS
Answer = TypeVar("Answer")


class once(Generic[Answer]):  # noqa: N801 - used as a decorator, like property
    """A property that is worked out when it is first asked for.

    functools' own takes a lock each time, which would be a third of the gate's cost.
    """

    def __init__(self, work_out: Callable[[Any], Answer]) -> None:
        """Take the method that works it out."""
        self._work_out = work_out
        self._name = work_out.__name__
        self.__doc__ = work_out.__doc__

    def __get__(self, owner: Any, kind: type) -> Answer:  # noqa: ANN401 - whose it is, any
        """Work it out and keep it; the next one to ask finds it on the object itself."""
        found: Answer = self._work_out(owner)
        setattr(owner, self._name, found)
        return found


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Where the batch up to the intent may lead its symbol.

    `on_order` is every order that may still fill, with the signed quantity that may, and `here`
    those in the intent's symbol. `is_sale` says that the intent sells; what has no size, another
    check refuses. It `reduces` where it, and all on its side, stay within the account's position.
    """

    on_order: Orders
    here: Orders
    worst: WorstCase
    worst_quantity: Decimal
    is_sale: bool
    reduces: bool


class Money(msgspec.Struct, frozen=True, gc=False):
    """What there is, US dollars. `uncharged` is what commissions to come can be at the most.

    `equity` has them taken off; `available` is what margin may be taken from, equity or what the
    broker says where less.
    """

    uncharged: Decimal
    equity: Decimal
    available: Decimal


class Question:
    """One intent of `batch`, the one at `index`, and what is needed to judge it.

    `terms` say where its symbol trades, None when it is not configured; `last` is its last price,
    None when there is none; `own_prices` are the intent's limit and stop price. `tables` are the
    limits of account, symbol and strategy. What cannot be worked out, with a number that is none,
    fails each check that asks for it.
    """

    def __init__(
        self,
        batch: Sequence[OrderIntended],
        index: int,
        state: State,
        limits: Limits,
        now: datetime,
    ) -> None:
        """Bind the intent to the books, the limits and the time."""
        self.intent = intent = batch[index]
        self.batch = batch
        self.index = index
        self.state = state
        self.limits = limits
        self.now = now
        symbol = intent.symbol
        self.terms: SymbolTerms | None = state.symbols.get(symbol)
        bar = state.market.last.get(symbol)
        self.last = None if bar is None else _sound(bar.close)
        own = (intent.limit_price, intent.stop_price)
        self.own_prices = [price for price in own if price is not None]
        in_force = intent.time_in_force
        self.is_auction = in_force is _OPENING or in_force is _CLOSING
        self.tables: tuple[OrderLimits, OrderLimits, OrderLimits] = (
            limits.account,
            limits.symbols.get(symbol, _NO_LIMITS),
            limits.strategies.get(intent.strategy, _NO_LIMITS),
        )

    @once
    def clock(self) -> datetime:
        """Return the time it is: of the input that led here, or of the books where that is later.

        A bar that arrives late is asked about at the time of its end.
        """
        return max(self.now, utc_from_nanoseconds(self.state.at))

    @once
    def price(self) -> Decimal | None:
        """Return the price to reckon with: the market's, or the order's own where that is higher.

        None when there is no market price.
        """
        return None if self.last is None else dearest(self.last, self.intent)

    @once
    def standing(self) -> Standing:
        """Return where all that may fill, with the batch up to this intent, leads its symbol."""
        on_order = self.reserved(self.index + 1)
        symbol, is_sale = self.intent.symbol, self.intent.quantity < _ZERO
        here = [each for each in on_order if each[0].symbol == symbol]
        worst = _worst(self.state.positions.held(symbol).quantity, here)
        reduces = _reduces(worst, is_sale=is_sale)
        return Standing(on_order, here, worst, worst.quantity, is_sale, reduces)

    @once
    def exposure(self) -> Exposure | None:
        """Return the account's exposure if all of that may fill, None where a price is missing."""
        return exposure(self.state, self.standing.on_order)

    @once
    def money(self) -> Money:
        """Return what the account has."""
        cash, account = self.state.cash, self.state.margin.account
        uncharged = cash.uncharged_max if cash.uncharged else _ZERO
        equity = self.state.pnl.equity - uncharged
        available = equity if account is None else min(equity, account.net_liquidation)
        return Money(uncharged, equity, available)

    @once
    def strategy_worst(self) -> WorstCase:
        """Return the strategy's own worst case in the symbol, likewise."""
        strategy = self.intent.strategy
        held = self.state.positions.held_by(strategy, self.intent.symbol).quantity
        return _worst(held, [each for each in self.standing.here if each[0].strategy == strategy])

    @once
    def is_regular(self) -> bool:
        """Say whether an order sent now meets the exchange of a known symbol in regular hours."""
        assert self.terms is not None, "asked of configured symbols only"
        return self.state.calendar.takes_orders(self.terms.exchange, self.now, extended=False)

    @property
    def is_flatten(self) -> bool:
        """Say whether an operator flattens with it: it is meant to, and only reduces."""
        return self.intent.closing and self.standing.reduces

    def reserved(self, upto: int) -> Orders:
        """Return what may still fill: all that is pending, and the batch up to before `upto`."""
        found = [(intent, intent.quantity) for intent in self.batch[:upto]]
        for order in self.state.orders.open.values():
            # What is open and only intended is judged at this very moment. Everything else counts,
            # whatever became of it since, but for the batch itself, back with its margin.
            state, intent = order.state, order.intent
            if state is _INTENDED or (state is _ASKED and self._is_of_batch(intent)):
                continue
            found.append((intent, intent.quantity - order.filled))
        return found

    def reduces(self, worst: WorstCase) -> bool:
        """Say whether this order, and all of `worst` on its side, stay within the position."""
        return _reduces(worst, is_sale=self.standing.is_sale)

    def share_limit(self, limit: Decimal | None) -> Decimal | None:
        """Return a limit in shares restated for splits since the configuration was loaded."""
        factors = self.state.corporate_actions.share_factors
        factor = factors.get(self.intent.symbol) if factors else None
        if limit is None or factor is None:
            return limit
        return limit * factor.new_shares / factor.old_shares

    def price_of(self, symbol: Symbol) -> Decimal | None:
        """Return the last price of any symbol, None when there is none."""
        return _sound(self.state.market.price(symbol))

    def _is_of_batch(self, intent: OrderIntended) -> bool:
        return any(each.client_order_id == intent.client_order_id for each in self.batch)


def _reduces(worst: WorstCase, *, is_sale: bool) -> bool:
    if is_sale:
        return worst.held > _ZERO and worst.shortest >= _ZERO
    return worst.held < _ZERO and worst.longest <= _ZERO


def _worst(held: Decimal, orders: Orders) -> WorstCase:
    longest = shortest = held
    for _, reserved in orders:
        if reserved > _ZERO:
            longest += reserved
        else:
            shortest += reserved
    return WorstCase(held, longest, shortest)


def _sound(price: Decimal | None) -> Decimal | None:
    return price if price is not None and price.is_finite() and price > _ZERO else None
