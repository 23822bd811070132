"""The core: takes one input, folds it, lets strategies and gate answer, folds each answer at once.

Pure and synchronous. It reads no clock, waits for nothing and touches nothing outside; what has to
happen outside is left with the recorder, to be carried out once the records are durable.
"""

from collections.abc import Iterable, Sequence
from typing import assert_never

import msgspec

from daemon.core import connection_watch
from daemon.core.circuit_breaker import CircuitBreaker
from daemon.core.corporate_actions import applied_action, objection, objection_at_price
from daemon.core.data_watch import (
    data_holds,
    ending_calendar,
    missing_bar,
    passed_over,
    renewed_calendars,
)
from daemon.core.deadlines import Deadlines
from daemon.core.hold_desk import HoldDesk
from daemon.core.impaired_data import impaired_data
from daemon.core.looks import ReconciliationTerms
from daemon.core.operator_desk import OperatorDesk
from daemon.core.order_desk import OrderDesk
from daemon.core.promotion import PromotionRule
from daemon.core.reconciliation_desk import ReconciliationDesk
from daemon.core.recorder import Recorder, RefreshCalendars
from daemon.core.report_desk import BrokerReport, ReportDesk
from daemon.core.start_doubts import (
    doubt_of_config,
    doubt_of_restore,
    doubt_of_session,
    doubts_of_journal,
)
from daemon.core.strategy_desk import StrategyDesk
from daemon.core.strategy_runs import StrategyRun
from daemon.gate import Limits
from daemon.gate.limits import AccountType
from events import (
    AT_START,
    AccountReported,
    BarClosed,
    BarMissing,
    CalendarLoaded,
    ClientOrderId,
    ClockJumped,
    ConfigLoaded,
    ContractResolved,
    CorporateActionAnnounced,
    DiskLow,
    HoldLifted,
    HoldPlaced,
    IntentRefused,
    JournalRestored,
    MarketDataImpaired,
    OperatorCommand,
    OrderUnknown,
    PermitLost,
    SessionStarted,
    SessionStopping,
    ShortSaleReported,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    TimerFired,
    TimerKind,
    TradingHoursReported,
    Trip,
)
from events.codec import Input
from projections import State
from projections.corporate_actions import IMPOSSIBLE


class CoreSettings(msgspec.Struct, frozen=True):
    """What the core takes from the configuration."""

    limits: Limits = Limits()
    answer_deadline_s: int = 30
    promotion: PromotionRule = PromotionRule()
    reconciliation: ReconciliationTerms = ReconciliationTerms()


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
        self.deadlines = Deadlines(
            state, runs, settings.answer_deadline_s, quiet_s, settings.reconciliation
        )
        self.orders = OrderDesk(self.recorder, self.deadlines, settings.limits)
        self.holds = HoldDesk(self.recorder, self.orders)
        self.recorder.day_over = self.holds.lift_of_the_day
        self.breaker = CircuitBreaker(self.recorder, self.holds, self.deadlines, settings.limits)
        self.orders.after_refusal = self.breaker.after_refusal
        self.desk = StrategyDesk(self.recorder, runs, self.orders, self.holds)
        self.operator = OperatorDesk(
            self.recorder,
            self.orders,
            self.holds,
            frozenset(self.desk.runs),
            settings.promotion,
            settings.reconciliation,
        )
        self.reconciliation = ReconciliationDesk(
            self.recorder, self.holds, self.breaker, settings.reconciliation
        )
        self._take_account_type(settings.limits)
        self.operator.after_adjustment = self.desk.on_adjusted
        self.reports = ReportDesk(
            self.recorder,
            self.deadlines,
            self.orders,
            self.holds,
            self.breaker,
            self.desk,
            self.operator,
            self.reconciliation,
        )

    def use(self, settings: CoreSettings) -> None:
        """Go on under other limits; strategies and deadlines stay what they are."""
        self.orders.limits = settings.limits
        self.operator.rule = settings.promotion
        self.breaker.use(settings.limits)
        self._take_account_type(settings.limits)
        self.deadlines.broker_quiet_s = settings.limits.trips.broker_quiet_s

    def _take_account_type(self, limits: Limits) -> None:
        self.reconciliation.is_cash_account = limits.margin.account_type is AccountType.CASH

    def step(self, event: Input, at: int) -> None:
        """Take one input at wall time `at` (ns UTC). A repeat of what is known changes nothing."""
        pnl = self.state.pnl
        equity = pnl.equity
        was_set_back = at < self.state.at
        if isinstance(event, BarClosed):
            self._bar(event, at)  # By far the most frequent: asked about alone, and first.
        else:
            self._take(event, at)
        if was_set_back:
            self.deadlines.restart()  # What is to come is reckoned from the time it is.
        if pnl.equity is not equity:
            self.breaker.look()
        while self.orders.refused:
            self._refused_later(self.orders.refused.pop(0))

    def _take(self, event: Input, at: int) -> None:  # noqa: C901, PLR0912 - one flat branch a kind of input
        if isinstance(event, BrokerReport):
            self.reports.take(event, at)
            return
        match event:
            case TimerFired():
                self._timer(event, at)
            case CorporateActionAnnounced():
                self._announcement(event, at)
            case (
                ContractResolved()
                | ShortSaleReported()
                | AccountReported()
                | TradingHoursReported()
            ):
                self.recorder.take(event, at)  # It is read when asked; nothing comes due by it.
            case MarketDataImpaired():
                self.recorder.take(event, at)
                self._emit_all(impaired_data(self.state, event, self.recorder.root))
            case SymbolHalted() | SymbolResumed():
                self.recorder.take(event, at)
                self.deadlines.restart()  # In a halt no bar is due, behind it they are again.
            case JournalRestored():
                self.recorder.take(event, at)
                self._start_on_halt(doubt_of_restore(event))
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

    def _announcement(self, action: CorporateActionAnnounced, at: int) -> None:
        actions = self.state.corporate_actions
        if actions.is_repeat(action):
            self.reports.take_again(action, actions.contradicted_by(action), at)
            return
        self.recorder.take(action, at)
        wrong = objection(action)
        if wrong:
            self._refuse_action(action, wrong)
        else:
            self.deadlines.watch_action(action)

    def _refused_later(self, refusal: IntentRefused) -> None:
        """Tell who intended it of a refusal that has come after the intent's own input."""
        order = self.state.orders.find(refusal.client_order_id)
        if order is not None:
            self.desk.on_refusal(refusal, order.intent)
            self.operator.after_order(order.client_order_id, order.symbol)

    def _timer(self, timer: TimerFired, at: int) -> None:  # noqa: C901, PLR0912 - one flat branch a kind of timer
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
            case TimerKind.CONNECTION_WATCH:
                self._emit_all(connection_watch.trusted(self.state))
            case TimerKind.CALENDAR_REFRESH:
                self._emit_all(ending_calendar(self.state, self.recorder.root))
                self.recorder.effects.append(RefreshCalendars())
            case TimerKind.BROKER_WATCH:
                self.breaker.let_broker_go_on()
            case TimerKind.RECONCILE:
                self.reconciliation.ask()
            case _:
                assert_never(timer.kind)
        self.deadlines.after(timer)

    def _give_up_waiting(self, timer: TimerFired) -> None:
        order_id = ClientOrderId(timer.subject)
        why = self.deadlines.overdue(timer)
        if why:
            self.recorder.emit(OrderUnknown(order_id, why), self.state.orders.open[order_id])
            self.breaker.look_at_broker()

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

    def _refuse_action(self, action: CorporateActionAnnounced, why: str) -> None:
        """Hold the symbol of an action that cannot be so, and wait no more for it."""
        text = f"{why}; it is not booked: compare what is held with the broker"
        self.holds.halt_symbol(action.symbol, IMPOSSIBLE, text, action.action_id)
