"""Orders by client order id: state, what is filled and what may still fill."""

from datetime import datetime
from decimal import Decimal
from typing import assert_never

import msgspec

from events import (
    CancelSending,
    CancelWithheld,
    ClientOrderId,
    CommissionCharged,
    CommissionCorrected,
    ExecutionId,
    FillCorrected,
    IntentApproved,
    IntentRefused,
    MarginRequested,
    OrderAcknowledged,
    OrderAdopted,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderSending,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    OrderWrittenOff,
    Symbol,
    TimerFired,
    TimerKind,
)
from projections.amendments import worst_terms
from projections.executions import Executions, Remembered
from projections.order_states import RESERVED, TERMINAL, OrderState, next_state

CLOSED_KEPT = 1_000
"""Finished orders remembered whole; of older ones only whose they were, the rest in the journal."""

OrderWord = (
    OrderWithheld
    | OrderAcknowledged
    | OrderWorking
    | OrderRejected
    | OrderCancelled
    | OrderExpired
    | OrderUnknown
    | OrderAmended
    | OrderAdopted
    | OrderWrittenOff
    | CancelWithheld
)
"""What is said of an order that moves nothing but the order."""
OrderPathEvent = (
    OrderIntended
    | IntentApproved
    | IntentRefused
    | OrderSending
    | OrderWithheld
    | OrderAcknowledged
    | OrderWorking
    | OrderRejected
    | OrderCancelled
    | OrderExpired
    | OrderUnknown
    | CancelSending
    | OrderFilled
    | FillCorrected
    | CommissionCharged
    | CommissionCorrected
    | OrderAmended
    | OrderAdopted
    | OrderWrittenOff
    | CancelWithheld
)

_ZERO = Decimal(0)
_ALIVE = RESERVED - {OrderState.UNKNOWN}


class Order(msgspec.Struct, frozen=True):
    """One order as known. `filled` is signed like the intent; `fill_value` sums quantity x price.

    `cancel_requested` says that a cancel was sent, and that no sign of life has shown it to be lost
    since. `amended` is what somebody else has made of it, None where nobody has, and `worst` the
    terms to reckon with then. The fields from `trace` on say where in the journal it happened; they
    are no part of the books. `cancel_sent_at` is 0 while no answer to a cancel is awaited;
    `cancel_after_over` says that the time of `cancel_after_s` has come. `heard_at` is when the
    broker last said that it has the order. `is_written_off` says that it was declared over without
    a word of the broker's about its end.
    """

    intent: OrderIntended
    state: OrderState = OrderState.INTENDED
    filled: Decimal = _ZERO
    fill_value: Decimal = _ZERO
    commission: Decimal = _ZERO
    executions: tuple[ExecutionId, ...] = ()
    cancel_requested: bool = False
    reason: str = ""
    amended: OrderAmended | None = None
    worst: OrderIntended | None = None
    trace: int = 0
    intended_seq: int = 0
    asked_seq: int = 0
    sending_seq: int = 0
    sent_at: int = 0
    cancel_sent_at: int = 0
    cancel_after_over: bool = False
    heard_at: int = 0
    is_written_off: bool = False

    @property
    def client_order_id(self) -> ClientOrderId:
        """The order's identity."""
        return self.intent.client_order_id

    @property
    def symbol(self) -> Symbol:
        """What it trades."""
        return self.intent.symbol

    @property
    def terms(self) -> OrderIntended:
        """What to reckon with: as intended, or the worst of that and what it was changed to."""
        return self.worst or self.intent

    @property
    def remaining(self) -> Decimal:
        """The signed quantity that may still fill if the order is alive."""
        return self.terms.quantity - self.filled

    @property
    def reserved(self) -> Decimal:
        """The signed quantity counted as exposure: what remains while it may still fill."""
        return self.remaining if self.state in RESERVED else _ZERO

    @property
    def average_fill_price(self) -> Decimal | None:
        """Dollars a share over all fills, None before the first."""
        return self.fill_value / self.filled if self.filled else None


def month_of(moment: datetime) -> str:
    """Return the month of `moment` as 2024-01."""
    return f"{moment.year}-{moment.month:02}"


class Orders(msgspec.Struct):
    """All open orders and the last finished ones.

    `impossible` counts reports that cannot be about the order they name: the life table has no row
    for them, or a fill has the wrong symbol or side; the core puts a hold behind each.
    `forgotten` has the strategies of orders that were sent and are kept no more, by order id.
    `foreign_executions` are the last fills of orders this journal never sent.
    `month_shares` are the shares filled, unsigned, by UTC month (2024-01) of execution, of the last
    two months with any: commission tiers go by them.
    """

    open: dict[ClientOrderId, Order] = {}
    closed: dict[ClientOrderId, Order] = {}
    executions: Executions = msgspec.field(default_factory=Executions)
    forgotten: Remembered = msgspec.field(default_factory=Remembered)
    foreign_executions: dict[ExecutionId, OrderFilled] = {}
    month_shares: dict[str, Decimal] = {}
    intended: int = 0
    refused: int = 0
    sent: int = 0
    fills: int = 0
    impossible: int = 0

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """Return the order of that id, open or recently finished."""
        return self.open.get(client_order_id) or self.closed.get(client_order_id)

    def strategy_of(self, client_order_id: ClientOrderId) -> str | None:
        """Return whose order it is, also where the order itself is forgotten."""
        order = self.find(client_order_id)
        return order.intent.strategy if order else self.forgotten.get(client_order_id)

    def open_for(self, symbol: Symbol) -> list[Order]:
        """Return the open orders for `symbol`, oldest first."""
        return [order for order in self.open.values() if order.intent.symbol == symbol]

    @property
    def at_broker(self) -> list[Order]:
        """The open orders that a broker may have, oldest first."""
        return [order for order in self.open.values() if order.sending_seq]

    def is_repeat(self, event: OrderFilled | CommissionCharged) -> bool:
        """Say whether this execution, or its commission, is already counted."""
        return self.executions.is_repeat(event)

    def apply(self, event: OrderPathEvent, seq: int, at: int, trace: int | None) -> None:
        """Take one event of the order path into the book; an execution must be no repeat."""
        match event:
            case OrderIntended():
                self._intend(event, seq, seq if trace is None else trace)
            case OrderFilled():
                self._fill(event)
            case CommissionCharged():
                self._charge(event)
            case FillCorrected():
                self._correct_fill(event)
            case CommissionCorrected():
                self._correct_charge(event)
            case OrderSending():
                self.sent += 1
                self._move(event, sending_seq=seq, sent_at=at)
            case CancelSending():
                self._note_cancel(event, at)
            case IntentRefused():
                self.refused += 1
                self._move(event)
            case IntentApproved():
                self._move(event)
            case OrderAcknowledged() | OrderWorking():
                self._move(event, heard_at=at)
            case OrderUnknown():
                # Nobody waits for the answer to a cancel any more.
                self._move(event, reason=self._why_unknown(event), cancel_sent_at=0)
            case OrderWithheld() | OrderRejected():
                self._move(event, reason=event.reason)
            case OrderCancelled() | OrderExpired():
                self._move(event, reason=event.reason)
            case OrderWrittenOff():
                self._move(event, reason=event.why, is_written_off=True)
            case CancelWithheld():
                self._put_back(event)
            case OrderAmended():
                self._amend(event)
            case OrderAdopted():
                self._adopt(event, seq, at)
            case _:
                assert_never(event)

    def ask_margin(self, event: MarginRequested, seq: int) -> None:
        """Reserve the orders of a batch whose margin is asked for."""
        for order_id in event.orders:
            order = self.find(order_id)
            state = next_state(order.state, MarginRequested, wholly_filled=False) if order else None
            if order is None or state is None:
                self.impossible += 1
            else:
                self._put(msgspec.structs.replace(order, state=state, asked_seq=seq))

    def note_timer(self, event: TimerFired) -> None:
        """Take note that an order's time is over: it is asked to end only once for that."""
        if event.kind is TimerKind.CANCEL_AFTER:
            order = self.open.get(ClientOrderId(event.subject))
            if order is not None:
                self._put(msgspec.structs.replace(order, cancel_after_over=True))

    def _intend(self, event: OrderIntended, seq: int, trace: int) -> None:
        if self.find(event.client_order_id) is None:
            self.intended += 1
            self.open[event.client_order_id] = Order(event, intended_seq=seq, trace=trace)

    def _amend(self, event: OrderAmended) -> None:
        """Reckon with the worst of what was intended and what the order was changed to."""
        order = self.open.get(event.client_order_id)
        if order is None or event.quantity * order.intent.quantity <= 0:
            self.impossible += 1
            return
        worst = worst_terms(order.intent, event)
        self._put(msgspec.structs.replace(order, amended=event, worst=worst))

    def _adopt(self, event: OrderAdopted, seq: int, at: int) -> None:
        """Take an order as it is open at the broker; what is known of it already stays known."""
        known = self.find(event.client_order_id) or Order(
            event.intent, trace=seq, intended_seq=seq, sending_seq=seq, sent_at=at
        )
        state = OrderState.PARTIALLY_FILLED if known.filled else OrderState.WORKING
        self._put(
            msgspec.structs.replace(
                known,
                intent=event.intent,
                state=state,
                amended=None,
                worst=None,
                cancel_requested=False,
                cancel_sent_at=0,
                is_written_off=False,
            )
        )

    def _fill(self, event: OrderFilled) -> None:
        self.executions.remember(event)
        self.fills += 1
        self._count_month(event)
        order = self.find(event.client_order_id)
        if order is None:
            if event.client_order_id not in self.forgotten:
                self._keep_foreign(event)
            return
        intent = order.intent
        filled = order.filled + event.quantity
        # An order ends with the quantity that the broker has it with.
        whole = intent.quantity if order.amended is None else order.amended.quantity
        wholly = filled >= whole if whole > 0 else filled <= whole
        state = next_state(order.state, OrderFilled, wholly_filled=wholly)
        is_other_side = (event.quantity > 0) != (intent.quantity > 0)
        if state is None or is_other_side or event.symbol != intent.symbol:
            self.impossible += 1
        self._put(
            msgspec.structs.replace(
                order,
                state=state or order.state,
                cancel_requested=_is_cancel_standing(order, state),
                filled=filled,
                fill_value=order.fill_value + event.quantity * event.price,
                executions=(*order.executions, event.execution_id),
            )
        )

    def _keep_foreign(self, event: OrderFilled) -> None:
        foreign = self.foreign_executions
        foreign[event.execution_id] = event
        if len(foreign) >= 2 * CLOSED_KEPT:  # In blocks, as orders are forgotten.
            for oldest in list(foreign)[:CLOSED_KEPT]:
                del foreign[oldest]

    def _count_month(self, fill: OrderFilled) -> None:
        month = month_of(fill.executed_at)
        if month not in self.month_shares:
            newest = sorted(self.month_shares)[-1:]
            self.month_shares = {kept: self.month_shares[kept] for kept in newest}
        before = self.month_shares.get(month, _ZERO)
        self.month_shares[month] = before + abs(fill.quantity)

    def _charge(self, event: CommissionCharged) -> None:
        self.executions.remember(event)
        order = self.find(event.client_order_id)
        if order is not None:
            self._put(msgspec.structs.replace(order, commission=order.commission + event.amount))

    def _correct_fill(self, event: FillCorrected) -> None:
        self.executions.remember(event)
        order = self.find(event.client_order_id)
        if order is not None:
            before = event.was_quantity * event.was_price
            self._put(
                msgspec.structs.replace(
                    order,
                    filled=order.filled + event.quantity - event.was_quantity,
                    fill_value=order.fill_value + event.quantity * event.price - before,
                )
            )

    def _correct_charge(self, event: CommissionCorrected) -> None:
        self.executions.remember(event)
        order = self.find(event.client_order_id)
        if order is not None:
            commission = order.commission + event.amount - event.was
            self._put(msgspec.structs.replace(order, commission=commission))

    def _note_cancel(self, event: CancelSending, at: int) -> None:
        order = self.open.get(event.client_order_id)
        if order is not None:
            # Why an order is unknown stays so until somebody has an answer to that.
            reason = order.reason if order.state is OrderState.UNKNOWN else event.reason
            self._put(
                msgspec.structs.replace(
                    order, cancel_requested=True, cancel_sent_at=at, reason=reason
                )
            )

    def _put_back(self, event: CancelWithheld) -> None:
        """Wait for no answer to a cancel that has not left: the order goes on as it was."""
        order = self.open.get(event.client_order_id)
        if order is not None:
            changes = {"cancel_requested": False, "cancel_sent_at": 0, "reason": event.reason}
            self._put(msgspec.structs.replace(order, **changes))

    def _why_unknown(self, event: OrderUnknown) -> str:
        """Return the first reason: what stays unknown became so then."""
        order = self.find(event.client_order_id)
        if order is not None and order.state is OrderState.UNKNOWN:
            return order.reason
        return event.reason

    def _move(self, event: OrderPathEvent, **changes: object) -> None:
        order = self.find(event.client_order_id)
        state = next_state(order.state, type(event), wholly_filled=False) if order else None
        if order is None or state is None:
            self.impossible += 1
            return
        standing = _is_cancel_standing(order, state)
        self._put(msgspec.structs.replace(order, state=state, cancel_requested=standing, **changes))

    def _put(self, order: Order) -> None:
        client_order_id = order.intent.client_order_id
        if order.state not in TERMINAL:
            self.closed.pop(client_order_id, None)
            self.open[client_order_id] = order
            return
        self.open.pop(client_order_id, None)
        self.closed[client_order_id] = order
        # Forgetting in blocks keeps the cost of an order's end constant.
        if len(self.closed) >= 2 * CLOSED_KEPT:
            for oldest in list(self.closed)[:CLOSED_KEPT]:
                forgotten = self.closed.pop(oldest)
                if forgotten.sending_seq and forgotten.state is not OrderState.WITHHELD:
                    self.forgotten.add(oldest, forgotten.intent.strategy)


def _is_cancel_standing(order: Order, after: OrderState | None) -> bool:
    """Say whether a cancel is still asked for once `order` is `after`.

    A sign of life of an order that was unknown shows that an earlier cancel was lost: another one
    may be sent. One whose answer is awaited stands.
    """
    if not order.cancel_requested or order.cancel_sent_at:
        return order.cancel_requested
    return order.state is not OrderState.UNKNOWN or after not in _ALIVE
