"""What every check is asked: one intent, and what is needed to judge it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from daemon.gate.limits import Limits, OrderLimits
from events import OrderIntended, Symbol, SymbolTerms, TimeInForce, utc_from_nanoseconds
from projections import State
from projections.exposure import WorstCase
from projections.margin import MarginAnswer
from projections.order_states import OrderState

_ZERO = Decimal(0)
_NO_LIMITS = OrderLimits()
_INTENDED = OrderState.INTENDED
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
        owner.__dict__[self._name] = found
        return found


class Question:
    """One intent of `batch`, the one at `index`, and what is needed to judge it.

    What cannot be worked out, with a number that is none, fails each check that asks for it.
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
        self.intent = batch[index]
        self.batch = batch
        self.index = index
        self.state = state
        self.limits = limits
        self.now = now

    @once
    def clock(self) -> datetime:
        """Return the time it is: of the input that led here, or of the books where that is later.

        A bar that arrives late is asked about at the time of its end.
        """
        return max(self.now, utc_from_nanoseconds(self.state.at))

    @once
    def rate_window_from(self) -> int | None:
        """Return where the window for rates begins, ns UTC, None where none is set."""
        window = self.limits.rates.window_s
        return None if window is None else self.state.at - window * 10**9

    @once
    def terms(self) -> SymbolTerms | None:
        """Return where the symbol trades, None when it is not configured."""
        return self.state.symbols.get(self.intent.symbol)

    @once
    def last(self) -> Decimal | None:
        """Return the symbol's last price, None when there is none."""
        return _sound(self.state.market.price(self.intent.symbol))

    @once
    def price(self) -> Decimal | None:
        """Return the price to reckon with: the market's, or the order's own where that is higher.

        None when there is no market price.
        """
        return None if self.last is None else dearest(self.last, self.intent)

    @once
    def pending(self) -> list[tuple[OrderIntended, Decimal]]:
        """Return every order that may still fill, and how much of it; not this batch."""
        asked = self.state.margin.asked
        found = []
        for order in self.state.orders.open.values():
            intent = order.intent
            if order.state is not _INTENDED:
                # What is open and was approved is reserved, whatever became of it since.
                found.append((intent, intent.quantity - order.filled))
            elif intent.client_order_id in asked and not self._is_of_batch(intent):
                # From the moment its margin is asked for, an order counts in full.
                found.append((intent, intent.quantity))
        # What the broker has and the books have not counts as if it were on order.
        found += self.state.reconciliation.elsewhere
        return found

    def reserved(self, upto: int) -> list[tuple[OrderIntended, Decimal]]:
        """Return what may still fill: all that is pending, and the batch up to before `upto`."""
        return [*self.pending, *((intent, intent.quantity) for intent in self.batch[:upto])]

    @once
    def on_order(self) -> list[tuple[OrderIntended, Decimal]]:
        """Return what may still fill, with the batch up to this intent."""
        return self.reserved(self.index + 1)

    @once
    def here(self) -> list[tuple[OrderIntended, Decimal]]:
        """Return what of it is in this intent's symbol."""
        symbol = self.intent.symbol
        return [each for each in self.on_order if each[0].symbol == symbol]

    @once
    def worst(self) -> WorstCase:
        """Return the account's worst case in the symbol with the batch up to this intent."""
        return _worst(self.state.positions.held(self.intent.symbol).quantity, self.here)

    @once
    def strategy_worst(self) -> WorstCase:
        """Return the strategy's own worst case in the symbol, likewise."""
        strategy = self.intent.strategy
        held = self.state.positions.held_by(strategy, self.intent.symbol).quantity
        return _worst(held, [each for each in self.here if each[0].strategy == strategy])

    @once
    def worst_quantity(self) -> Decimal:
        """Return the unsigned quantity of the worst case."""
        return self.worst.quantity

    @once
    def is_auction(self) -> bool:
        """Say whether the order takes part in an auction only."""
        in_force = self.intent.time_in_force
        return in_force is _OPENING or in_force is _CLOSING

    @once
    def reduces_position(self) -> bool:
        """Say whether this order, and all on its side, stay within the account's position."""
        return self.reduces(self.worst)

    @once
    def is_sale(self) -> bool:
        """Say whether it sells; what it is that has no size, another check refuses."""
        return self.intent.quantity < _ZERO

    @once
    def is_flatten(self) -> bool:
        """Say whether an operator flattens with it: it is meant to, and only reduces."""
        return self.intent.closing and self.reduces_position

    def reduces(self, worst: WorstCase) -> bool:
        """Say whether this order, and all of `worst` on its side, stay within the position."""
        if self.is_sale:
            return worst.held > _ZERO and worst.shortest >= _ZERO
        return worst.held < _ZERO and worst.longest <= _ZERO

    @once
    def uncharged(self) -> Decimal:
        """Return what commissions not yet reported can be at the most."""
        cash = self.state.cash
        return cash.uncharged_max if cash.uncharged else _ZERO

    @once
    def equity(self) -> Decimal:
        """Return equity, with commissions not yet reported taken off at the most they can be."""
        return self.state.pnl.equity - self.uncharged

    @once
    def leverage_usd(self) -> Decimal | None:
        """Return the exposure that leverage allows, US dollars, None where no limit is set."""
        most = self.limits.account.max_leverage
        return None if most is None else most * self.equity

    @once
    def available(self) -> Decimal:
        """Return what margin may be taken from: equity, or what the broker says where less."""
        account = self.state.margin.account
        return self.equity if account is None else min(self.equity, account.net_liquidation)

    @once
    def is_regular(self) -> bool:
        """Say whether an order sent now meets the exchange of a known symbol in regular hours."""
        assert self.terms is not None, "asked of configured symbols only"
        return self.state.calendar.takes_orders(self.terms.exchange, self.now, extended=False)

    @once
    def margin_answer(self) -> MarginAnswer | None:
        """Return what the broker said of this order's margin, None where nothing yet."""
        return self.state.margin.answer_to(self.intent.client_order_id)

    @once
    def tables(self) -> tuple[OrderLimits, OrderLimits, OrderLimits]:
        """Return the limits of account, symbol and strategy."""
        limits, intent = self.limits, self.intent
        return (
            limits.account,
            limits.symbols.get(intent.symbol, _NO_LIMITS),
            limits.strategies.get(intent.strategy, _NO_LIMITS),
        )

    def tightest(self, name: str, *, strategy_too: bool) -> Decimal | None:
        """Return the smallest limit of that name set for account, symbol or strategy."""
        account, symbol, strategy = self.tables
        limit: Decimal | None = getattr(account, name)
        if symbol is _NO_LIMITS and strategy is _NO_LIMITS:
            return limit
        for table in (symbol, strategy) if strategy_too else (symbol,):
            own = getattr(table, name)
            if own is not None and (limit is None or own < limit):
                limit = own
        return limit

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


def _worst(held: Decimal, orders: Sequence[tuple[OrderIntended, Decimal]]) -> WorstCase:
    longest = shortest = held
    for _, reserved in orders:
        if reserved > _ZERO:
            longest += reserved
        else:
            shortest += reserved
    return WorstCase(held, longest, shortest)


def dearest(price: Decimal, intent: OrderIntended) -> Decimal:
    """Return `price`, or the intent's own limit or stop price where that is higher."""
    for own in (intent.limit_price, intent.stop_price):
        if own is not None and own > price:
            price = own
    return price


def _sound(price: Decimal | None) -> Decimal | None:
    return price if price is not None and price.is_finite() and price > _ZERO else None
