"""The core: takes one input, folds it, lets strategies and gate answer, folds each answer at once.

Pure and synchronous. It reads no clock, waits for nothing and touches nothing outside; what has to
happen outside is left with the recorder, to be carried out once the records are durable.
"""

from collections.abc import Iterable, Sequence
from typing import assert_never

import msgspec

from daemon.circuit_breaker import CircuitBreaker
from daemon.corporate_actions import applied_action, objection, objection_at_price
from daemon.data_watch import (
    data_holds,
    ending_calendar,
    missing_bar,
    passed_over,
    renewed_calendars,
)
from daemon.deadlines import Deadlines
from daemon.gate import Limits
from daemon.hold_desk import HoldDesk
from daemon.operator_desk import OperatorDesk
from daemon.order_desk import OrderDesk
from daemon.promotion import PromotionRule
from daemon.recorder import Recorder, RefreshCalendars
from daemon.start_doubts import doubt_of_config, doubt_of_session, doubts_of_journal
from daemon.strategy_desk import StrategyDesk
from daemon.strategy_runs import StrategyRun
from events import (
    AT_START,
    AccountReported,
    BarClosed,
    BarMissing,
    BrokerUnparsed,
    CalendarLoaded,
    CashMoved,
    ClientOrderId,
    ClockJumped,
    CommissionCharged,
    ConfigLoaded,
    ContractResolved,
    CorporateActionAnnounced,
    DiskLow,
    HoldLifted,
    HoldPlaced,
    IntentRefused,
    MarginReported,
    MarginUnavailable,
    OperatorCommand,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    PermitLost,
    SessionStarted,
    SessionStopping,
    ShortSaleReported,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    TimerFired,
    TimerKind,
    Trip,
)
from events.codec import TAGS, Input, encode
from projections import State
from projections.corporate_actions import IMPOSSIBLE
from projections.order_states import OrderState, next_state
from projections.orders import Order

OrderReport = (
    OrderAcknowledged | OrderWorking | OrderRejected | OrderCancelled | OrderExpired | OrderWithheld
)
Identified = OrderFilled | CommissionCharged | CashMoved | CorporateActionAnnounced
"""Inputs of which there is one an id, whoever reports it how often."""


class CoreSettings(msgspec.Struct, frozen=True):
    """What the core takes from the configuration."""

    limits: Limits = Limits()
    answer_deadline_s: int = 30
    promotion: PromotionRule = PromotionRule()


class Core:
    """Holds the books, the strategies and the deadlines; `recorder` has what came of the inputs."""

    def __init__(
        self,
        state: State,
        runs: Sequence[StrategyRun],
        settings: CoreSettings,
        recorder: Recorder | None = None,
    ) -> None:
        """Go on from `state` with `runs` in the order in which they are to be asked."""
        self.state = state
        self.recorder = recorder or Recorder(state)
        quiet_s = settings.limits.trips.broker_quiet_s
        self.deadlines = Deadlines(state, runs, settings.answer_deadline_s, quiet_s)
        self.orders = OrderDesk(self.recorder, self.deadlines, settings.limits)
        self.holds = HoldDesk(self.recorder, self.orders)
        self.recorder.day_over = self.holds.lift_of_the_day
        self.breaker = CircuitBreaker(self.recorder, self.holds, self.deadlines, settings.limits)
        self.orders.after_refusal = self.breaker.after_refusal
        self.desk = StrategyDesk(self.recorder, runs, self.orders, self.holds)
        self.operator = OperatorDesk(
            self.recorder, self.orders, self.holds, frozenset(self.desk.runs), settings.promotion
        )

    def use(self, settings: CoreSettings) -> None:
        """Go on under other limits; strategies and deadlines stay what they are."""
        self.orders.limits = settings.limits
        self.operator.rule = settings.promotion
        self.breaker.use(settings.limits)
        self.deadlines.broker_quiet_s = settings.limits.trips.broker_quiet_s

    def step(self, event: Input, at: int) -> None:
        """Take one input at wall time `at` (ns UTC). A repeat of what is known changes nothing."""
        pnl = self.state.pnl
        equity = pnl.equity
        self._take(event, at)
        if pnl.equity is not equity:
            self.breaker.look()
        while self.orders.refused:
            self._refused_later(self.orders.refused.pop(0))

    def _take(self, event: Input, at: int) -> None:  # noqa: C901, PLR0912, PLR0915 - one flat branch a kind of input
        match event:
            case BarClosed():
                self._bar(event, at)
            case OrderFilled():
                self._fill(event, at)
            case CommissionCharged():
                self._commission(event, at)
            case (
                OrderAcknowledged()
                | OrderWorking()
                | OrderRejected()
                | OrderCancelled()
                | OrderExpired()
                | OrderWithheld()
            ):
                self._report(event, at)
            case TimerFired():
                self._timer(event, at)
            case BrokerUnparsed():
                self._unparsed(event, at)
            case CashMoved():
                self._cash(event, at)
            case CorporateActionAnnounced():
                self._announcement(event, at)
            case ContractResolved() | ShortSaleReported() | AccountReported():
                self.recorder.take(event, at)  # The gate reads it; nothing comes due by it.
            case SymbolHalted() | SymbolResumed():
                self.recorder.take(event, at)
                self.deadlines.restart()  # In a halt no bar is due, behind it they are again.
            case MarginReported() | MarginUnavailable():
                self._margin(event, at)
            case SessionStarted():
                self._session(event, at)
            case CalendarLoaded():
                self.recorder.take(event, at)
                self._emit_all(renewed_calendars(self.state))
                self.deadlines.restart()
            case OperatorCommand():
                self.operator.take(event, at)
            case SessionStopping():
                self.recorder.take(event, at)
                for order in self.state.orders.at_broker:
                    self.orders.cancel(order.client_order_id, f"the daemon stops: {event.reason}")
            case PermitLost():
                self.operator.lose_permit(event, at)
            case ClockJumped():
                self.recorder.take(event, at)
                self.breaker.clock_jumped(event)
            case DiskLow():
                self.recorder.take(event, at)
                self.breaker.disk_low(event)
            case ConfigLoaded():
                doubt = doubt_of_config(self.state, event)
                self.recorder.take(event, at)
                self._start_on_halt(doubt)
                self.deadlines.restart()
            case _:
                self.recorder.take(event, at)
                self.deadlines.restart()

    def _start_on_halt(self, doubt: str) -> None:
        if doubt:
            self.holds.doubt_books(AT_START, doubt, doubt)

    # Inputs, each folded first and answered then.

    def _session(self, started: SessionStarted, at: int) -> None:
        doubt = doubt_of_session(self.state, started)
        self.recorder.take(started, at)
        self._start_on_halt(doubt)
        found = doubts_of_journal(self.state, started)
        if found:
            self.holds.doubt_books(Trip.JOURNAL_DOUBT, found, found)
        for name, why in started.diverged.items():
            self.desk.fail_strategy(name, why)
        self._emit_all(data_holds(self.state, self.recorder.root))
        self.deadlines.restart()

    def _bar(self, bar: BarClosed, at: int) -> None:
        state, symbol = self.state, bar.symbol
        if not state.market.is_news(bar):
            self.recorder.repeats_dropped += 1
            return
        watching = state.freshness.watching
        missing = passed_over(state, bar) if watching else ()
        self.recorder.take(bar, at)
        if state.market.last.get(symbol) is not bar:
            return  # Off session: recorded, no price, not shown.
        if watching:
            self._emit_all(missing)
            if symbol in state.freshness.stale:
                self.deadlines.watch_age(symbol)
        self.desk.on_bar(bar)

    def _fill(self, fill: OrderFilled, at: int) -> None:
        orders = self.state.orders
        if orders.is_repeat(fill):
            self._again(fill, orders.executions.contradicted_by(fill), at)
            return
        order = orders.find(fill.client_order_id)
        impossible = orders.impossible
        self.recorder.take(fill, at, order)
        self._suspect_fill(fill, order, is_impossible=orders.impossible > impossible)
        if order is not None and order.state is OrderState.UNKNOWN:
            self._watch_again(order)
        strategy = orders.strategy_of(fill.client_order_id)
        if strategy is not None:
            self.desk.on_fill(fill, strategy)
        self.operator.after_order(fill.client_order_id, fill.symbol)

    def _commission(self, charge: CommissionCharged, at: int) -> None:
        if self.state.orders.is_repeat(charge):
            self._again(charge, self.state.orders.executions.contradicted_by(charge), at)
            return
        self.recorder.take(charge, at, self.state.orders.find(charge.client_order_id))

    def _cash(self, moved: CashMoved, at: int) -> None:
        if self.state.cash.is_repeat(moved):
            self._again(moved, self.state.cash.contradicted_by(moved), at)
            return
        self.recorder.take(moved, at)

    def _announcement(self, action: CorporateActionAnnounced, at: int) -> None:
        actions = self.state.corporate_actions
        if actions.is_repeat(action):
            self._again(action, actions.contradicted_by(action), at)
            return
        self.recorder.take(action, at)
        wrong = objection(action)
        if wrong:
            self._refuse_action(action, wrong)
        else:
            self.deadlines.watch_action(action)

    def _unparsed(self, report: BrokerUnparsed, at: int) -> None:
        self.recorder.take(report, at)
        self.breaker.look_at_broker()
        if report.contradicts:
            why = f"recorded is {report.contradicts}; now it is {report.raw}"
            self.holds.doubt_broker("contradicting report", why, report.contradicts)
        else:
            self.holds.doubt_broker("unparsed report", f"{report.why}: {report.raw}", "")

    def _margin(self, answer: MarginReported | MarginUnavailable, at: int) -> None:
        """Record an answer; the first one in time takes its batch to the gate again."""
        request = self.state.margin.requests.get(answer.request_id)
        order = self.state.orders.find(request.orders[0]) if request is not None else None
        self.recorder.take(answer, at, order)
        self.orders.decide_again(answer.request_id)

    def _refused_later(self, refusal: IntentRefused) -> None:
        """Tell who intended it of a refusal that has come after the intent's own input."""
        order = self.state.orders.find(refusal.client_order_id)
        if order is not None:
            self.desk.on_refusal(refusal, order.intent)
            self.operator.after_order(order.client_order_id, order.symbol)

    def _again(self, report: Identified, known: str, at: int) -> None:
        """Drop what was recorded before; what contradicts that is kept raw and holds everything."""
        if not known:
            self.recorder.repeats_dropped += 1
            return
        why = f"{TAGS[type(report)]} {report.key()} is recorded as something else"
        self._unparsed(BrokerUnparsed(encode(report).decode(), why, known), at)

    def _report(self, report: OrderReport, at: int) -> None:
        order_id = report.client_order_id
        order = self.state.orders.find(order_id)
        after = order and next_state(order.state, type(report), wholly_filled=False)
        is_old = order is None and order_id in self.state.orders.forgotten
        if is_old or (order is not None and after is order.state):
            self.recorder.repeats_dropped += 1
            return
        self.recorder.take(report, at, order)
        if after is None:
            is_now = order.state if order else "not ours"
            why = f"{TAGS[type(report)]} for {order_id}, which is {is_now}"
            self.holds.doubt_broker("impossible report", why, order_id)
        elif order is not None and order.state is OrderState.UNKNOWN:
            self._watch_again(order)
        self.breaker.look_at_broker()
        if order is not None:
            self.operator.after_order(order.client_order_id, order.symbol)

    def _timer(self, timer: TimerFired, at: int) -> None:  # noqa: C901 - one flat branch a kind of timer
        self.recorder.take(timer, at)
        match timer.kind:
            case TimerKind.SCHEDULE:
                self.desk.on_schedule(timer)
            case TimerKind.CANCEL_AFTER:
                self.orders.cancel(ClientOrderId(timer.subject), "cancel_after_s is over")
            case TimerKind.ANSWER_DEADLINE:
                self._give_up_waiting(timer)
            case TimerKind.CORPORATE_ACTION:
                self._apply_action(timer.subject)
            case TimerKind.BAR_DEADLINE:
                missing = missing_bar(self.state, Symbol(timer.subject), timer.due)
                if missing is not None:
                    self.recorder.emit(missing)
            case TimerKind.DATA_WATCH:
                self._emit_all(data_holds(self.state, self.recorder.root))
            case TimerKind.MARGIN_DEADLINE:
                self.orders.decide_again(timer.subject)
            case TimerKind.CALENDAR_REFRESH:
                self._emit_all(ending_calendar(self.state, self.recorder.root))
                self.recorder.effects.append(RefreshCalendars())
            case TimerKind.BROKER_WATCH:
                self.breaker.let_broker_go_on()
            case _:
                assert_never(timer.kind)
        self.deadlines.after(timer)

    def _give_up_waiting(self, timer: TimerFired) -> None:
        order_id = ClientOrderId(timer.subject)
        why = self.deadlines.overdue(timer)
        if why:
            self.recorder.emit(OrderUnknown(order_id, why), self.state.orders.open[order_id])
            self.breaker.look_at_broker()

    def _watch_again(self, was_unknown: Order) -> None:
        """Set the deadlines of an order that has shown to be alive after all."""
        order = self.state.orders.open.get(was_unknown.client_order_id)
        if order is not None:
            self.deadlines.watch_order(order)

    def _apply_action(self, action_id: str) -> None:
        announced = self.state.corporate_actions.pending.get(action_id)
        if announced is None:
            return
        wrong = objection_at_price(announced, self.state.market.price(announced.symbol))
        if wrong:
            self._refuse_action(announced, wrong)
            return
        applied = applied_action(announced, self.state)
        self.recorder.emit(applied)
        self.recorder.effects.append(applied)
        if (applied.new_shares, applied.old_shares) != (1, 1):
            self.desk.on_split(applied)

    def _emit_all(self, events: Iterable[BarMissing | HoldPlaced | HoldLifted]) -> None:
        # All worked out first: each is folded when it is recorded.
        for event in tuple(events):
            self.recorder.emit(event)

    def _suspect_fill(self, fill: OrderFilled, order: Order | None, *, is_impossible: bool) -> None:
        """Hold everything where a fill cannot be right, or nobody can tell any more.

        It is of nobody's order, of one never sent, of another symbol or side, too much, or of an
        order that ended too long ago.
        """
        order_id = fill.client_order_id
        now = self.state.orders.find(order_id)
        if order is None or now is None:
            whose = self.state.orders.strategy_of(order_id)
            if whose is None:
                why = f"{fill.execution_id} is of no order of ours"
                self.holds.doubt_broker("foreign fill", why, order_id)
            else:
                why = f"{order_id} of {whose} ended so long ago that its fill cannot be checked"
                self.holds.doubt_broker("late fill", why, order_id)
        elif order.state in {OrderState.REFUSED, OrderState.WITHHELD}:
            self.holds.doubt_broker("impossible fill", f"{order_id} was never sent", order_id)
        elif is_impossible:
            why = f"{order_id} is not of {fill.quantity} {fill.symbol}"
            self.holds.doubt_broker("impossible fill", why, order_id)
        elif abs(now.filled) > abs(now.intent.quantity):
            self.holds.doubt_broker("over-fill", f"{order_id} filled {now.filled}", order_id)

    def _refuse_action(self, action: CorporateActionAnnounced, why: str) -> None:
        """Hold the symbol of an action that cannot be so, and wait no more for it."""
        text = f"{why}; it is not booked: compare what is held with the broker"
        self.holds.halt_symbol(action.symbol, IMPOSSIBLE, text, action.action_id)
