"""The gate's checks in their fixed order. Each is pure and answers for one intent.

Written as "allow only if": what cannot be shown to be within its limit is not. A new check is a
function here and its name in `CHECKS`.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from daemon.gate.limits import Limits, OrderLimits
from events import Check, HoldLevel, OrderIntended, OrderType, TimeInForce
from projections import State
from projections.exposure import WorstCase, worst_case
from projections.holds import strictest

NUMBER_MAX = Decimal("1e12")
DECIMAL_PLACES_MAX = 12
_ZERO = Decimal(0)
_NEEDS_LIMIT = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_NEEDS_STOP = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_AUCTIONS = frozenset({TimeInForce.OPG, TimeInForce.CLS})


class Question:
    """One intent and what is needed to judge it. `before` stands earlier in the same batch.

    What cannot be worked out, with a number that is none, fails each check that asks for it.
    """

    def __init__(
        self,
        intent: OrderIntended,
        before: Sequence[OrderIntended],
        state: State,
        limits: Limits,
        now: datetime,
    ) -> None:
        """Bind the intent to the books, the limits and the time."""
        self.intent = intent
        self.before = before
        self.state = state
        self.limits = limits
        self.now = now

    @cached_property
    def price(self) -> Decimal | None:
        """Dollars a share to reckon with: the market's, or the order's own where that is higher.

        None when there is no market price.
        """
        return _reckoning_price(self.intent, self.state)

    @cached_property
    def worst(self) -> WorstCase:
        """The account's worst case in the symbol with this intent, and those before it, added."""
        symbol = self.intent.symbol
        held = self.state.positions.held(symbol).quantity
        return self._with_batch(worst_case(held, self.state.orders.open.values(), symbol), None)

    @cached_property
    def strategy_worst(self) -> WorstCase:
        """The strategy's own worst case in the symbol, likewise."""
        symbol, strategy = self.intent.symbol, self.intent.strategy
        held = self.state.positions.held_by(strategy, symbol).quantity
        orders = self.state.orders.open.values()
        return self._with_batch(worst_case(held, orders, symbol, strategy), strategy)

    def reduces(self, worst: WorstCase) -> bool:
        """Say whether this order, and all of `worst` on its side, stay within the position."""
        if self.intent.quantity < 0:
            return worst.held > 0 and worst.shortest >= 0
        return worst.held < 0 and worst.longest <= 0

    def tightest(self, name: str, *, strategy_too: bool) -> Decimal | None:
        """Return the smallest limit of that name set for account, symbol or strategy."""
        symbol = self.limits.symbols.get(self.intent.symbol)
        strategy = self.limits.strategies.get(self.intent.strategy) if strategy_too else None
        found = [
            limit
            for table in (self.limits.account, symbol, strategy)
            if table is not None and (limit := getattr(table, name)) is not None
        ]
        return min(found) if found else None

    def share_limit(self, limit: Decimal | None) -> Decimal | None:
        """Return a limit in shares restated for splits since the configuration was loaded."""
        factor = self.state.corporate_actions.share_factors.get(self.intent.symbol)
        if limit is None or factor is None:
            return limit
        return limit * factor.new_shares / factor.old_shares

    def _with_batch(self, worst: WorstCase, strategy: str | None) -> WorstCase:
        longest, shortest = worst.longest, worst.shortest
        for intent in (*self.before, self.intent):
            if intent.symbol != self.intent.symbol or strategy not in {None, intent.strategy}:
                continue
            longest += max(intent.quantity, _ZERO)
            shortest += min(intent.quantity, _ZERO)
        return WorstCase(worst.held, longest, shortest)


def valid_input(question: Question) -> Check:
    """Require a known symbol, a finite quantity other than zero, and the prices the type needs."""
    intent = question.intent
    wrong = []
    if intent.symbol not in question.state.symbols:
        wrong.append("the symbol is not configured")
    if not _is_sensible(intent.quantity) or intent.quantity == 0:
        wrong.append(f"the quantity is {intent.quantity}")
    prices = (
        ("limit price", intent.limit_price, intent.order_type in _NEEDS_LIMIT),
        ("stop price", intent.stop_price, intent.order_type in _NEEDS_STOP),
    )
    for name, price, needed in prices:
        if needed and price is None:
            wrong.append(f"a {intent.order_type} order needs a {name}")
        elif price is not None and not needed:
            wrong.append(f"a {intent.order_type} order has no {name}")
        elif price is not None and not (_is_sensible(price) and price > 0):
            wrong.append(f"the {name} is {price}")
    if intent.cancel_after_s is not None and intent.cancel_after_s <= 0:
        wrong.append(f"cancel_after_s is {intent.cancel_after_s}")
    return Check("valid_input", passed=not wrong, note="; ".join(wrong))


def _is_sensible(number: Decimal) -> bool:
    """Say whether `number` is finite, of a size and of a number of places that orders have."""
    if not number.is_finite():
        return False
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "a finite number has one"
    return exponent >= -DECIMAL_PLACES_MAX and abs(number) <= NUMBER_MAX


def holds(question: Question) -> Check:
    """Let nothing pass a HALT but a flatten, and what reduces the position pass a REDUCE."""
    found = question.state.holds.in_scope(question.intent.strategy, question.intent.symbol)
    level = strictest(found)
    if level is None:
        return Check("holds", passed=True)
    if question.intent.closing:
        return Check("holds", passed=True, note=f"{level}: an operator's flatten passes")
    passed = level is HoldLevel.REDUCE and question.reduces(question.worst)
    return Check("holds", passed=passed, note=f"{level}: {', '.join(hold.cause for hold in found)}")


def session_open(question: Question) -> Check:
    """Require the exchange to be open; auction orders may wait for their auction."""
    intent = question.intent
    terms = question.state.symbols.get(intent.symbol)
    if terms is None:
        return Check("session_open", passed=False, note="the symbol is not configured")
    if not terms.enforce_hours or intent.time_in_force in _AUCTIONS:
        return Check("session_open", passed=True)
    is_open = question.state.calendar.takes_orders(
        terms.exchange, question.now, extended=terms.extended_hours
    )
    return Check(
        "session_open", passed=is_open, note="" if is_open else f"{terms.exchange} is closed"
    )


def price_known(question: Question) -> Check:
    """Require a last price: there is never a default one."""
    price = question.price
    return Check(
        "price_known", passed=price is not None, value=price, note="" if price else "no price"
    )


def order_shares(question: Question) -> Check:
    """Limit the size of one order."""
    limit = question.share_limit(question.tightest("max_order_shares", strategy_too=True))
    found = _within("order_shares", abs(question.intent.quantity), limit, "max_order_shares")
    return _unless_closing(question, found)


def order_usd(question: Question) -> Check:
    """Limit the notional of one order, in US dollars."""
    value = _notional(abs(question.intent.quantity), question.price)
    limit = question.tightest("max_order_usd", strategy_too=True)
    return _unless_closing(question, _within("order_usd", value, limit, "max_order_usd"))


def position_shares(question: Question) -> Check:
    """Limit the worst case of held, working, unknown and pending quantity."""
    limit = question.share_limit(question.tightest("max_position_shares", strategy_too=False))
    found = _within("position_shares", question.worst.quantity, limit, "max_position_shares")
    return _unless_reducing(question, question.worst, found)


def position_usd(question: Question) -> Check:
    """Limit the notional of that worst case, in US dollars."""
    value = _notional(question.worst.quantity, question.price)
    limit = question.tightest("max_position_usd", strategy_too=False)
    found = _within("position_usd", value, limit, "max_position_usd")
    return _unless_reducing(question, question.worst, found)


def strategy_position(question: Question) -> Check:
    """Limit the strategy's own worst case, where limits are set for the strategy."""
    own = question.limits.strategies.get(question.intent.strategy, OrderLimits())
    worst = question.strategy_worst
    quantity = worst.quantity
    checks = []
    if own.max_position_shares is not None:
        limit = question.share_limit(own.max_position_shares)
        checks.append(_within("strategy_position", quantity, limit, ""))
    if own.max_position_usd is not None:
        value = _notional(quantity, question.price)
        checks.append(_within("strategy_position", value, own.max_position_usd, ""))
    checks = [_unless_reducing(question, worst, each) for each in checks]
    return next(iter(failed(checks) or checks), Check("strategy_position", passed=True))


def daily_loss(question: Question) -> Check:
    """Once the day's loss reaches its limit, only let orders pass that reduce the position.

    Commissions not yet reported count at the most they can be.
    """
    state = question.state
    loss = max(state.cash.uncharged_max - state.pnl.day_pnl, _ZERO)
    limit = question.limits.account.max_daily_loss_usd
    return _loss_within(question, "daily_loss", loss, limit, "max_daily_loss_usd")


def drawdown(question: Question) -> Check:
    """Once equity is too far below its peak, only let orders pass that reduce the position."""
    pnl = question.state.pnl
    if pnl.peak_equity <= 0:
        return Check("drawdown", passed=False, note="there is no equity")
    value = 1 - (pnl.equity - question.state.cash.uncharged_max) / pnl.peak_equity
    limit = question.limits.account.max_drawdown
    return _loss_within(question, "drawdown", max(value, _ZERO), limit, "max_drawdown")


CHECKS: tuple[Callable[[Question], Check], ...] = (
    valid_input,
    holds,
    session_open,
    price_known,
    order_shares,
    order_usd,
    position_shares,
    position_usd,
    strategy_position,
    daily_loss,
    drawdown,
)


def failed(checks: Iterable[Check]) -> list[Check]:
    """Return the checks that did not pass."""
    return [each for each in checks if not each.passed]


def _reckoning_price(intent: OrderIntended, state: State) -> Decimal | None:
    market = state.market.price(intent.symbol)
    if market is None or not market.is_finite() or market <= 0:
        return None
    price = market
    for own in (intent.limit_price, intent.stop_price):
        if own is not None and own > price:
            price = own
    return price


def _notional(quantity: Decimal, price: Decimal | None) -> Decimal | None:
    return None if price is None else quantity * price


def _within(name: str, value: Decimal | None, limit: Decimal | None, option: str) -> Check:
    """Pass only a known, finite value within a limit that is set."""
    if limit is None:
        return Check(name, passed=False, value=value, note=f"no limit is set: {option}")
    if value is None or not value.is_finite():
        return Check(name, passed=False, limit=limit, note="the value is not known")
    return Check(name, value <= limit, value, limit, limit - value)


def _unless_reducing(question: Question, worst: WorstCase, found: Check) -> Check:
    """Let what only reduces the position stay above a position limit that is set."""
    if found.passed or found.limit is None or found.value is None or not question.reduces(worst):
        return found
    headroom, note = found.limit - found.value, "reduces the position"
    return Check(found.name, True, found.value, found.limit, headroom, note)  # noqa: FBT003 - a Check starts so


def _unless_closing(question: Question, found: Check) -> Check:
    """Let a flatten, whose size is that of the position, stay above an order limit that is set."""
    intent = question.intent
    if found.passed or found.limit is None or found.value is None or not intent.closing:
        return found
    headroom, note = found.limit - found.value, "an operator's flatten passes"
    return Check(found.name, True, found.value, found.limit, headroom, note)  # noqa: FBT003 - a Check starts so


def _loss_within(
    question: Question, name: str, value: Decimal, limit: Decimal | None, option: str
) -> Check:
    """Hold a loss against its limit: at the limit it is reached."""
    if limit is None:
        return Check(name, passed=False, value=value, note=f"no limit is set: {option}")
    if value < limit:
        return Check(name, True, value, limit, limit - value)  # noqa: FBT003 - a Check starts so
    reduces = question.reduces(question.worst)
    return Check(name, reduces, value, limit, limit - value, "limit reached")
