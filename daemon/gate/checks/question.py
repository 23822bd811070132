"""What every check is asked: one intent, and what is needed to judge it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar, cast

import msgspec

from daemon.gate.checks.sums import Exposure, Orders, dearest, exposure
from daemon.gate.limits import Limits, OrderLimits
from events import OrderIntended, Symbol, SymbolTerms, TimeInForce, utc_from_nanoseconds
from projections import State
from projections.closing import closing_terms
from projections.exposure import WorstCase, worst_case
from projections.order_states import OrderState

_ZERO = Decimal(0)
_NO_LIMITS = OrderLimits()
_INTENDED, _ASKED = OrderState.INTENDED, OrderState.MARGIN_ASKED
_UNKNOWN = OrderState.UNKNOWN
_OPENING, _CLOSING = TimeInForce.OPG, TimeInForce.CLS
Part = TypeVar("Part")


class Moment(msgspec.Struct, frozen=True, gc=False):
    """When it is.

    `now` is the time of the input that led here, or of the books where that is later: a bar that
    arrives late is asked about at the time of its end. `is_regular` says that an order sent now
    meets the exchange of a known symbol in regular hours.
    """

    now: datetime
    is_regular: bool


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

    `terms` say where its symbol trades, None when it is not configured; `last` is its last price
    and `price` the one to reckon with, the order's own where that is higher: None when there is no
    market price. `own_prices` are the intent's limit and stop price, `tables` the limits of
    account, symbol and strategy, `asked_at` the time of the input. `exposure` is the account's if
    all that is on order fills, None where a price is missing. A part that cannot be worked out,
    with a number that is none, fails each check that asks for it.
    """

    def __init__(
        self,
        batch: Sequence[OrderIntended],
        index: int,
        state: State,
        limits: Limits,
        now: datetime,
    ) -> None:
        """Bind the intent to the books, the limits and the time, and work out the parts."""
        self.intent = intent = batch[index]
        self.batch = batch
        self.index = index
        self.state = state
        self.limits = limits
        self.asked_at = now
        symbol, in_force = intent.symbol, intent.time_in_force
        self.terms: SymbolTerms | None = state.symbols.get(symbol)
        if self.terms is None and intent.closing:
            self.terms = closing_terms(state, symbol)
        self.is_auction = in_force is _OPENING or in_force is _CLOSING
        self.tables: tuple[OrderLimits, OrderLimits, OrderLimits] = (
            limits.account,
            limits.symbols.get(symbol, _NO_LIMITS),
            limits.strategies.get(intent.strategy, _NO_LIMITS),
        )
        own = (intent.limit_price, intent.stop_price)
        self.own_prices = [price for price in own if price is not None]
        self.last = self.price_of(symbol)
        self.price = _price(self.last, intent, self.own_prices)
        self.moment = _worked_out(_moment, self)
        self.standing = _worked_out(_standing, self)
        self.exposure = _worked_out(_exposure, self)
        self.money = _worked_out(_money, self)

    @property
    def is_flatten(self) -> bool:
        """Say whether an operator flattens with it: it is meant to, and only reduces."""
        return self.intent.closing and self.standing.reduces

    def strategy_worst(self) -> WorstCase:
        """Return the strategy's own worst case in the symbol with the batch up to this intent."""
        strategy = self.intent.strategy
        held = self.state.positions.held_by(strategy, self.intent.symbol).quantity
        return worst_case(held, [own for by, own in self.standing.here if by.strategy == strategy])

    def reserved(self, upto: int) -> Orders:
        """Return what may still fill: all that is pending, and the batch up to before `upto`.

        A flatten is made beside an unknown order of its symbol only where the operator has said
        that the broker has no such order any more: there it counts for nothing.
        """
        found = [(intent, intent.quantity) for intent in self.batch[:upto]]
        gone = self.intent.symbol if self.intent.closing else None
        for order in self.state.orders.open.values():
            # What is open and only intended is judged at this very moment. Everything else counts,
            # whatever became of it since, but for the batch itself, back with its margin.
            state, intent = order.state, order.terms
            if state is _INTENDED or (state is _ASKED and self._is_of_batch(intent)):
                continue
            if state is _UNKNOWN and intent.symbol == gone:
                continue
            found.append((intent, intent.quantity - order.filled))
        # What the broker has and the books have not counts as if it were on order.
        found += self.state.reconciliation.elsewhere
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
        bar = self.state.market.last.get(symbol)
        if bar is None or not bar.close.is_finite() or bar.close <= _ZERO:
            return None
        return bar.close

    def _is_of_batch(self, intent: OrderIntended) -> bool:
        return any(each.client_order_id == intent.client_order_id for each in self.batch)


class _Unknown:
    """Stands for a part that cannot be worked out: who looks into it fails for the same reason."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> object:
        raise self._error


def _worked_out(work_out: Callable[[Question], Part], question: Question) -> Part:
    try:
        return work_out(question)
    except Exception as error:  # noqa: BLE001 - whatever it is, it fails who asks for the part
        return cast("Part", _Unknown(error))


def _moment(question: Question) -> Moment:
    state, terms = question.state, question.terms
    asked, booked = question.asked_at, utc_from_nanoseconds(state.at)
    now = asked if asked > booked else booked  # noqa: FURB136 - max() costs twice as much
    is_regular = terms is not None and state.calendar.takes_orders(
        terms.exchange, now, extended=False
    )
    return Moment(now, is_regular)


def _standing(question: Question) -> Standing:
    on_order = question.reserved(question.index + 1)
    symbol, is_sale = question.intent.symbol, question.intent.quantity < _ZERO
    here = [each for each in on_order if each[0].symbol == symbol]
    held = question.state.positions.held(symbol).quantity
    worst = worst_case(held, [reserved for _, reserved in here])
    reduces = _reduces(worst, is_sale=is_sale)
    return Standing(on_order, here, worst, worst.quantity, is_sale, reduces)


def _exposure(question: Question) -> Exposure | None:
    return exposure(question.state, question.standing.on_order)


def _money(question: Question) -> Money:
    cash, account = question.state.cash, question.state.margin.account
    uncharged = cash.uncharged_max if cash.uncharged else _ZERO
    equity = question.state.pnl.equity - uncharged
    available = equity if account is None else min(equity, account.net_liquidation)
    return Money(uncharged, equity, available)


def _price(last: Decimal | None, intent: OrderIntended, own: Sequence[Decimal]) -> Decimal | None:
    for price in own:
        if not price.is_finite():
            return None
    return dearest(last, intent) if own and last is not None else last


def _reduces(worst: WorstCase, *, is_sale: bool) -> bool:
    if is_sale:
        return worst.held > _ZERO and worst.shortest >= _ZERO
    return worst.held < _ZERO and worst.longest <= _ZERO
