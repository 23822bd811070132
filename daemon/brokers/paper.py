"""The paper broker: fills by stated rules, inside the process, the same every time.

The rules are in ops/paper-broker.md. Its book is a fold of the journal: `connect` rebuilds it from
the state, and what it reports of a bar belongs in the same commit as that bar.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from daemon.brokers import Inbox
from daemon.brokers.commissions import order_cost
from daemon.brokers.fill_rules import (
    STOPS,
    Offer,
    fillable,
    offer_at_rest,
    offer_on_trigger,
    takes_auction_price,
    triggers,
)
from daemon.brokers.paper_book import PaperBook
from daemon.brokers.paper_margin import margin_after
from daemon.brokers.resting_orders import NEVER, RestingOrder, execution_id, rest
from daemon.config.options import BrokerConfig
from daemon.gate import RiskApproved
from daemon.new_york import midnight
from events import (
    BarClosed,
    CashMoved,
    CashMovementKind,
    ClientOrderId,
    CommissionCharged,
    CorporateActionApplied,
    CorporateActionKind,
    LookWhy,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderWorking,
    SessionHours,
    Symbol,
    TimeInForce,
    utc_from_nanoseconds,
)
from events.codec import Input
from projections import State
from projections.order_states import OrderState
from projections.orders import Order, month_of

_ZERO: Final = Decimal(0)
_BASIS_POINTS: Final = 10_000
_ENDED_KEPT: Final = 1_000
"""Ids of ended orders remembered before those the books know as ended too are forgotten."""

_UNANSWERED: Final = frozenset({OrderState.SENDING, OrderState.UNKNOWN})
_SENT: Final = _UNANSWERED | {
    OrderState.ACKNOWLEDGED,
    OrderState.WORKING,
    OrderState.PARTIALLY_FILLED,
}


class PaperBroker:
    """Carries orders out on the bars it is shown. See `daemon.brokers.Broker` for each method.

    Raises:
        ValueError: the share of volume or the slippage makes no sense.
    """

    outside = False

    def __init__(self, config: BrokerConfig) -> None:
        """Fill as `config` says: commission plan, slippage, the share of volume a bar may fill."""
        if not 0 < config.volume_share_max <= 1:
            raise ValueError(f"broker.volume_share_max is {config.volume_share_max}: not in (0, 1]")
        if not 0 <= config.slippage_bps < _BASIS_POINTS:
            raise ValueError(f"broker.slippage_bps is {config.slippage_bps}: not in [0, 10000)")
        self._plan = config.commission
        self._slippage = config.slippage_bps / _BASIS_POINTS
        self._volume_share_max = config.volume_share_max
        self._state = State()
        self._inbox: Inbox
        self._book: PaperBook
        self._resting: dict[ClientOrderId, RestingOrder] = {}
        self._by_symbol: dict[Symbol, list[RestingOrder]] = {}
        self._ended: set[ClientOrderId] = set()
        self._ended_max = _ENDED_KEPT
        self._first_expiry = NEVER
        self._first_payment = NEVER
        self.next_due = NEVER

    def connect(self, state: State, inbox: Inbox) -> None:
        """Rebuild the book from `state`; answer now what a crash left unanswered."""
        self._state = state
        self._inbox = inbox
        self._book = PaperBook(state)
        self._resting, self._by_symbol, self._ended = {}, {}, set()
        self._first_expiry = NEVER
        orders = [*state.orders.open.values(), *state.orders.closed.values()]
        for order in sorted(state.orders.open.values(), key=lambda order: order.sending_seq):
            if order.state in _SENT:
                self._take_up(order)
        self._await_payments()
        if state.cash.uncharged:
            self._charge_what_is_owed(orders)

    def submit(self, approved: RiskApproved) -> None:
        """Take one order whose sending is recorded; one that is known already stands as it is."""
        order_id = approved.intent.client_order_id
        order = self._state.orders.find(order_id)
        assert order is not None, f"{order_id} is not in the books: record its sending first"
        assert order.sending_seq, f"{order_id} has no order.sending: record it first"
        is_known = order_id in self._resting or order_id in self._ended
        if not is_known and order.state in _UNANSWERED:
            self._take(order)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel a resting order at once; one that is over, or unknown, is left as it is."""
        order = self._resting.get(client_order_id)
        if order is not None:
            self._end(order, OrderCancelled(client_order_id, "cancelled on request"))

    def ask_margin(self, request_id: str, intents: Sequence[OrderIntended]) -> None:
        """Say at once what margin the account would need with `intents` filled."""
        self._report(margin_after(self._state, request_id, intents))

    def observe(self, bar: BarClosed) -> None:
        """Let `bar` trade with the orders of its symbol, the oldest first."""
        orders = self._by_symbol.get(bar.symbol)
        if orders is None or not self._state.market.is_news(bar):
            return
        start = bar.start
        is_tradable = self._state.in_session(bar) and not self._state.market.opens_stale(bar)
        room = self._volume_share_max * bar.volume
        for order in tuple(orders):
            if is_tradable and start < order.expires:
                if order.auction is not None:
                    room -= self._auction(order, order.auction, bar, room)
                elif order.decided <= start:
                    room -= self._trade(order, bar, room)
            if order.is_over_after(bar):
                self._expire(order)

    def advance(self, now: datetime) -> None:
        """Expire what belongs to a session that closed before `now`; pay dividends that are due."""
        if now >= self._first_payment:
            self._pay_dividends(now)
        if now <= self._first_expiry:
            return
        for order in tuple(self._resting.values()):
            if order.expires < now:
                self._expire(order)
        expiries = (order.expires for order in self._resting.values())
        self._first_expiry = min(expiries, default=NEVER)
        self._note_due()

    def report_books(self, look_id: str, why: LookWhy, now: datetime) -> None:
        """Report what this broker itself holds and what rests with it."""
        self._inbox(self._book.reported(look_id, why, now, self._resting.values()))

    def corporate_action(self, action: CorporateActionApplied) -> None:
        """Cancel the orders of a symbol that splits: their prices and quantities are of old.

        A dividend gone ex is remembered for its payment.
        """
        self._book.apply(action)
        self._await_payments()
        if action.kind is CorporateActionKind.SPLIT:
            reason = f"cancelled for the {action.new_shares}:{action.old_shares} split"
            for order in tuple(self._by_symbol.get(action.symbol, ())):
                self._end(order, OrderCancelled(order.intent.client_order_id, reason))

    def _report(self, report: Input) -> None:
        """Enter what has happened here, and report it."""
        self._book.note(report)
        self._inbox(report)

    # The book.

    def _take_up(self, order: Order) -> None:
        """Take one open order of the books up again after a restart."""
        order_id = order.client_order_id
        if order.cancel_requested:
            self._report(OrderCancelled(order_id, "cancelled on request"))
        elif order.state in _UNANSWERED:
            self._take(order)
        else:
            resting = rest(order, self._state)
            if isinstance(resting, str):
                self._report(OrderCancelled(order_id, resting))
            else:
                self._keep(resting)

    def _take(self, order: Order) -> None:
        """Answer an order that is new here: acknowledge it, or say why not."""
        resting = rest(order, self._state)
        if isinstance(resting, str):
            self._report(OrderRejected(order.client_order_id, resting))
        else:
            self._keep(resting)
            self._report(OrderAcknowledged(order.client_order_id))

    def _keep(self, order: RestingOrder) -> None:
        self._resting[order.intent.client_order_id] = order
        self._by_symbol.setdefault(order.intent.symbol, []).append(order)
        self._first_expiry = min(self._first_expiry, order.expires)
        self._note_due()

    def _end(self, order: RestingOrder, report: OrderCancelled | OrderExpired | None) -> None:
        """Forget an order that is over. Its id stays known as long as the books may ask for it."""
        order_id = order.intent.client_order_id
        symbol = order.intent.symbol
        del self._resting[order_id]
        of_symbol = self._by_symbol[symbol]
        of_symbol.remove(order)
        if not of_symbol:
            del self._by_symbol[symbol]
        self._ended.add(order_id)
        if len(self._ended) >= self._ended_max:
            self._ended &= self._state.orders.open.keys()
            self._ended_max = 2 * len(self._ended) + _ENDED_KEPT
        if report is not None:
            self._report(report)

    def _expire(self, order: RestingOrder) -> None:
        order_id = order.intent.client_order_id
        if order_id in self._resting:
            tif = order.intent.time_in_force
            what = "its auction" if order.auction is not None else "its session"
            self._end(order, OrderExpired(order_id, f"{tif}: {what} is over"))

    # Trading.

    def _auction(
        self, order: RestingOrder, hours: SessionHours, bar: BarClosed, room: Decimal
    ) -> Decimal:
        """Let the order take part if `bar` holds its auction; return the quantity filled."""
        if order.intent.time_in_force is TimeInForce.OPG:
            is_held, price, at = bar.start == hours.open, bar.open, hours.open
        else:
            is_held, price, at = bar.end == hours.close, bar.close, hours.close
        if is_held and takes_auction_price(order.intent, price):
            return self._fill(order, price, at, room)
        return _ZERO

    def _trade(self, order: RestingOrder, bar: BarClosed, room: Decimal) -> Decimal:
        """Let the order trade in the bar's continuous session; return the quantity filled."""
        offer = self._offer(order, bar) if bar.volume else None
        filled = _ZERO
        if offer is not None:
            at = bar.start if offer.at_open else bar.end
            filled = self._fill(order, offer.price, at, room)
        if order.remaining and order.intent.time_in_force is TimeInForce.IOC:
            reason = "IOC: the rest did not fill on its first bar"
            self._end(order, OrderCancelled(order.intent.client_order_id, reason))
        return filled

    def _offer(self, order: RestingOrder, bar: BarClosed) -> Offer | None:
        intent = order.intent
        if intent.order_type not in STOPS or order.triggered:
            return offer_at_rest(intent, bar, self._slippage)
        if not triggers(intent, bar):
            return None
        order.triggered = True
        self._report(OrderWorking(intent.client_order_id))
        return offer_on_trigger(intent, bar, self._slippage)

    def _fill(self, order: RestingOrder, price: Decimal, at: datetime, room: Decimal) -> Decimal:
        """Fill what `room` allows at `price`, charge for it, and return the quantity."""
        quantity = fillable(order.remaining, room, is_whole=order.is_whole)
        if not quantity:
            return _ZERO
        intent = order.intent
        order.fills += 1
        order.remaining -= quantity
        order.value += quantity * price
        execution = execution_id(intent.client_order_id, order.fills)
        self._report(
            OrderFilled(
                intent.client_order_id,
                execution,
                intent.symbol,
                quantity if intent.quantity > 0 else -quantity,
                price,
                at,
            )
        )
        traded = abs(intent.quantity) - order.remaining
        amount = self._due(month_of(at), traded, order.value, order.charged)
        order.charged += amount
        self._report(CommissionCharged(intent.client_order_id, execution, amount))
        if not order.remaining:
            self._end(order, None)
        return quantity

    # Dividends.

    def _await_payments(self) -> None:
        """Note when the next dividend of the books is paid; one without a pay date waits."""
        days = (action.pay_date for action in self._state.corporate_actions.unpaid.values())
        self._first_payment = min((midnight(day) for day in days if day is not None), default=NEVER)
        self._note_due()

    def _note_due(self) -> None:
        self.next_due = min(self._first_expiry, self._first_payment)

    def _pay_dividends(self, now: datetime) -> None:
        """Pay (or, for a short, collect) every dividend whose day has come."""
        for action in tuple(self._state.corporate_actions.unpaid.values()):
            if action.pay_date is not None and midnight(action.pay_date) <= now:
                amount = self._state.cash.receivables[action.action_id]
                self._report(CashMoved(CashMovementKind.DIVIDEND, amount, action.action_id))
        self._await_payments()

    # Commissions.

    def _due(self, month: str, shares: Decimal, value: Decimal, charged: Decimal) -> Decimal:
        """Return what an order that traded `shares` still owes: its whole cost less `charged`."""
        before = max(self._state.orders.month_shares.get(month, _ZERO) - shares, _ZERO)
        return max(order_cost(self._plan, shares, value, before) - charged, _ZERO)

    def _charge_what_is_owed(self, orders: list[Order]) -> None:
        """Charge the fills the books hold without their commission: a crash lost its report."""
        uncharged = set(self._state.cash.uncharged)
        month = month_of(utc_from_nanoseconds(self._state.at))
        for order in orders:
            charged = order.commission
            for execution in order.executions:
                if execution in uncharged:
                    amount = self._due(month, abs(order.filled), abs(order.fill_value), charged)
                    charged += amount
                    self._report(CommissionCharged(order.client_order_id, execution, amount))
            if order.client_order_id in self._resting:
                self._resting[order.client_order_id].charged = charged
