"""The report desk: takes what the broker says, each report folded first and answered then.

Brokers say things late, twice and out of order. A repeat is dropped and counted; what cannot be so
is kept as it came, and holds.
"""

from typing import Final, assert_never

from daemon.core import connection_watch
from daemon.core.circuit_breaker import CircuitBreaker
from daemon.core.corrections import correction, is_outdated
from daemon.core.deadlines import Deadlines
from daemon.core.hold_desk import HoldDesk
from daemon.core.operator_desk import OperatorDesk
from daemon.core.order_desk import OrderDesk
from daemon.core.reconciliation_desk import ReconciliationDesk
from daemon.core.recorder import Recorder
from daemon.core.strategy_desk import StrategyDesk
from events import (
    BooksReported,
    BrokerConnected,
    BrokerDisconnected,
    BrokerHeard,
    BrokerUnparsed,
    CancelWithheld,
    CashMoved,
    CommissionCharged,
    CommissionCorrected,
    CorporateActionAnnounced,
    FillCorrected,
    MarginReported,
    MarginUnavailable,
    OrderAcknowledged,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderNumbered,
    OrderNumbersWentBack,
    OrderRejected,
    OrderWithheld,
    OrderWorking,
)
from events.codec import TAGS, encode
from projections.amendments import AMENDED, amendment_text
from projections.order_states import OrderState, next_state
from projections.orders import Order

OrderReport = (
    OrderAcknowledged | OrderWorking | OrderRejected | OrderCancelled | OrderExpired | OrderWithheld
)
Identified = OrderFilled | CommissionCharged | CashMoved | CorporateActionAnnounced
"""Inputs of which there is one an id, whoever reports it how often."""
BrokerReport = (
    OrderFilled
    | CommissionCharged
    | OrderReport
    | OrderAmended
    | CancelWithheld
    | FillCorrected
    | CommissionCorrected
    | CashMoved
    | MarginReported
    | MarginUnavailable
    | BooksReported
    | BrokerHeard
    | OrderNumbered
    | OrderNumbersWentBack
    | BrokerConnected
    | BrokerDisconnected
    | BrokerUnparsed
)
"""What a broker says that something follows from."""

NUMBERS_WENT_BACK: Final = "order numbers went back"
"""The cause of the hold behind a broker that would give out a number which is used."""


class ReportDesk:
    """Records what the broker reports, and what follows from it at the other desks."""

    def __init__(  # noqa: PLR0913, PLR0917 - a report may matter to all of them
        self,
        recorder: Recorder,
        deadlines: Deadlines,
        orders: OrderDesk,
        holds: HoldDesk,
        breaker: CircuitBreaker,
        strategies: StrategyDesk,
        operator: OperatorDesk,
        reconciliation: ReconciliationDesk,
    ) -> None:
        """Record with `recorder`, and tell the others."""
        self._recorder = recorder
        self._state = recorder.state
        self._deadlines = deadlines
        self._orders = orders
        self._holds = holds
        self._breaker = breaker
        self._strategies = strategies
        self._operator = operator
        self._reconciliation = reconciliation

    def take(self, report: BrokerReport, at: int) -> None:  # noqa: C901, PLR0912 - one flat branch a kind
        """Take one report at wall time `at` (ns UTC)."""
        match report:
            case OrderFilled():
                self._fill(report, at)
            case CommissionCharged():
                self._commission(report, at)
            case (
                OrderAcknowledged()
                | OrderWorking()
                | OrderRejected()
                | OrderCancelled()
                | OrderExpired()
                | OrderWithheld()
            ):
                self._report(report, at)
            case OrderAmended():
                self._amended(report, at)
            case CancelWithheld():
                self._cancel_withheld(report, at)
            case BrokerHeard() | OrderNumbered():
                order = self._state.orders.find(report.client_order_id)
                self._recorder.take(report, at, order)
            case OrderNumbersWentBack():
                self._numbers_went_back(report, at)
            case MarginReported() | MarginUnavailable():
                self._margin(report, at)
            case FillCorrected() | CommissionCorrected():
                self._correct(report, at)
            case BooksReported():
                self._books(report, at)
            case CashMoved():
                self._cash(report, at)
            case BrokerConnected() | BrokerDisconnected():
                self._connection(report, at)
            case BrokerUnparsed():
                self._unparsed(report, at)
            case _:
                assert_never(report)

    def _fill(self, fill: OrderFilled, at: int) -> None:
        orders = self._state.orders
        if orders.is_repeat(fill):
            self._reported_again(fill, at)
            return
        order = orders.find(fill.client_order_id)
        impossible = orders.impossible
        self._recorder.take(fill, at, order)
        self._suspect_fill(fill, order, is_impossible=orders.impossible > impossible)
        if fill.is_liquidation:
            self._breaker.liquidated(fill.execution_id)
        if order is not None and order.state is OrderState.UNKNOWN:
            self._watch_again(order)
        strategy = orders.strategy_of(fill.client_order_id)
        if strategy is not None:
            self._strategies.on_fill(fill, strategy)
        self._operator.after_order(fill.client_order_id, fill.symbol)
        if self._state.freshness.live:
            self._deadlines.watch_books()

    def _suspect_fill(self, fill: OrderFilled, order: Order | None, *, is_impossible: bool) -> None:
        """Hold everything where a fill cannot be right, or nobody can tell any more.

        It is of nobody's order, of one never sent, of another symbol or side, too much, or of an
        order that ended too long ago or was declared over.
        """
        order_id = fill.client_order_id
        now = self._state.orders.find(order_id)
        if order is None or now is None:
            whose = self._state.orders.strategy_of(order_id)
            if whose is None and fill.is_liquidation:
                return  # That is a trip of its own.
            if whose is None:
                why = f"{fill.execution_id} is of no order of ours"
                self._holds.doubt_broker("foreign fill", why, order_id)
            else:
                why = f"{order_id} of {whose} ended so long ago that its fill cannot be checked"
                self._holds.doubt_broker("late fill", why, order_id)
        elif order.state in {OrderState.REFUSED, OrderState.WITHHELD}:
            self._holds.doubt_broker("impossible fill", f"{order_id} was never sent", order_id)
        elif is_impossible:
            why = f"{order_id} is not of {fill.quantity} {fill.symbol}"
            self._holds.doubt_broker("impossible fill", why, order_id)
        elif abs(now.filled) > abs(now.terms.quantity):
            self._holds.doubt_broker("over-fill", f"{order_id} filled {now.filled}", order_id)
        elif order.is_written_off:
            # What the broker held was taken over when it was written off, this fill perhaps in it.
            why = f"{order_id} was written off and has filled: its shares may be counted twice"
            self._holds.doubt_broker("late fill", f"{why}; see `traded reconcile --now`", order_id)

    def _watch_again(self, was_unknown: Order) -> None:
        """Set the deadlines of an order that has shown to be alive after all."""
        order = self._state.orders.open.get(was_unknown.client_order_id)
        if order is not None:
            self._deadlines.watch_order(order)

    def _report(self, report: OrderReport, at: int) -> None:
        order_id = report.client_order_id
        order = self._state.orders.find(order_id)
        after = order and next_state(order.state, type(report), wholly_filled=False)
        is_old = order is None and order_id in self._state.orders.forgotten
        if is_old or (order is not None and after is order.state):
            self._recorder.repeats_dropped += 1
            return
        self._recorder.take(report, at, order)
        if after is None:
            is_now = order.state if order else "not ours"
            why = f"{TAGS[type(report)]} for {order_id}, which is {is_now}"
            self._holds.doubt_broker("impossible report", why, order_id)
        elif order is not None and order.state is OrderState.UNKNOWN:
            self._watch_again(order)
        self._breaker.look_at_broker()
        if order is not None:
            self._operator.after_order(order.client_order_id, order.symbol)

    def _amended(self, report: OrderAmended, at: int) -> None:
        """Take what somebody else has made of an order of ours: its symbol is an operator's now."""
        order_id = report.client_order_id
        order = self._state.orders.find(order_id)
        if order is not None and order.amended == report:
            self._recorder.repeats_dropped += 1
            return
        impossible = self._state.orders.impossible
        self._recorder.take(report, at, order)
        if order is None or self._state.orders.impossible > impossible:
            why = f"order.amended for {order_id}, which is {order.state if order else 'not ours'}"
            self._holds.doubt_broker("impossible report", why, order_id)
            return
        changed = amendment_text(order.intent, report)
        why = f"somebody else has changed {order_id}: {changed}"
        self._holds.halt_symbol(order.symbol, AMENDED, why, order_id)

    def _cancel_withheld(self, report: CancelWithheld, at: int) -> None:
        """Take that a cancel cannot be sent: whoever flattens waits for it no more."""
        order = self._state.orders.open.get(report.client_order_id)
        if order is None or not order.cancel_requested:
            self._recorder.repeats_dropped += 1
            return
        self._recorder.take(report, at, order)
        self._operator.after_lost_cancel(order.symbol, report)

    def _commission(self, charge: CommissionCharged, at: int) -> None:
        if self._state.orders.is_repeat(charge):
            self._reported_again(charge, at)
            return
        self._recorder.take(charge, at, self._state.orders.find(charge.client_order_id))

    def _reported_again(self, report: OrderFilled | CommissionCharged, at: int) -> None:
        """Take what is said again of a counted execution: a higher revision replaces it."""
        executions = self._state.orders.executions
        again = correction(executions, report)
        if again is not None:
            self._correct(again, at)
        else:
            is_old = is_outdated(executions, report)
            self.take_again(report, "" if is_old else executions.contradicted_by(report), at)

    def _correct(self, corrected: FillCorrected | CommissionCorrected, at: int) -> None:
        order = self._state.orders.find(corrected.client_order_id)
        self._recorder.take(corrected, at, order)
        now = self._state.orders.find(corrected.client_order_id)
        if now is not None and abs(now.filled) > abs(now.terms.quantity):
            order_id = corrected.client_order_id
            self._holds.doubt_broker("over-fill", f"{order_id} filled {now.filled}", order_id)

    def _cash(self, moved: CashMoved, at: int) -> None:
        if self._state.cash.is_repeat(moved):
            self.take_again(moved, self._state.cash.contradicted_by(moved), at)
            return
        self._recorder.take(moved, at)

    def _connection(self, event: BrokerConnected | BrokerDisconnected, at: int) -> None:
        self._recorder.take(event, at)
        if not event.sends:
            return
        if isinstance(event, BrokerDisconnected):
            hold = connection_watch.lost(self._state, self._recorder.root)
            if hold is not None:
                self._holds.place(hold)
        self._deadlines.watch_connection()

    def _numbers_went_back(self, report: OrderNumbersWentBack, at: int) -> None:
        """Hold everything: orders may be lost, which only a person can tell for sure."""
        self._recorder.take(report, at)
        back = f"the broker's next order number is {report.order_id_next}"
        lost = f"{back}, and {report.order_id_used} is used: it may have lost orders"
        see = "compare its orders with `traded orders` and `traded reconcile --now`, then lift this"
        self._holds.halt_all(NUMBERS_WENT_BACK, f"{lost}; no number is used again; {see}")

    def _books(self, look: BooksReported, at: int) -> None:
        for order in self._reconciliation.take(look, at):
            self._operator.after_order(order.client_order_id, order.symbol)
        self._deadlines.watch_books()

    def _margin(self, answer: MarginReported | MarginUnavailable, at: int) -> None:
        """Record an answer; the first one in time takes its batch to the gate again."""
        request = self._state.margin.requests.get(answer.request_id)
        order = self._state.orders.find(request.orders[0]) if request is not None else None
        self._recorder.take(answer, at, order)
        self._orders.decide_again(answer.request_id)

    def _unparsed(self, report: BrokerUnparsed, at: int) -> None:
        self._recorder.take(report, at)
        self._breaker.look_at_broker()
        if report.contradicts:
            why = f"recorded is {report.contradicts}; now it is {report.raw}"
            self._holds.doubt_broker("contradicting report", why, report.contradicts)
        else:
            self._holds.doubt_broker("unparsed report", f"{report.why}: {report.raw}", "")

    def take_again(self, report: Identified, known: str, at: int) -> None:
        """Drop what was recorded before; what contradicts that is kept raw and holds everything."""
        if not known:
            self._recorder.repeats_dropped += 1
            return
        why = f"{TAGS[type(report)]} {report.key()} is recorded as something else"
        self._unparsed(BrokerUnparsed(encode(report).decode(), why, known), at)
