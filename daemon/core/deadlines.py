"""What comes due: schedules, order deadlines and corporate actions, derived from the books.

Nothing here is state of its own: after a restart the same books give the same deadlines.
"""

import heapq
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

from daemon.core import connection_watch
from daemon.core.data_watch import bar_due, look_due
from daemon.core.looks import BOOKS, ReconciliationTerms, next_look
from daemon.core.schedules import newest_due
from daemon.core.strategy_runs import StrategyRun
from daemon.new_york import day_of, midnight
from events import (
    ClientOrderId,
    CorporateActionAnnounced,
    HoldLifts,
    Symbol,
    TimerFired,
    TimerKind,
    utc_from_nanoseconds,
)
from projections import State
from projections.broker_errors import BROKER_ERROR
from projections.calendar import Sessions
from projections.order_states import OrderState
from projections.orders import Order

NEVER: Final = datetime.max.replace(tzinfo=UTC)

SAME_SESSION: Final = timedelta(hours=12)
"""Due times this close are of one session, whose hours have been changed in between."""

CALENDARS: Final = "calendars"
"""What the timer that makes the calendars anew is about."""

BROKER: Final = "broker"
"""What the timer is about that looks whether the broker has been free of errors for long enough."""

_WATCHES: Final = frozenset(
    {TimerKind.BAR_DEADLINE, TimerKind.DATA_WATCH, TimerKind.BROKER_WATCH, TimerKind.RECONCILE}
)
"""Of these there is one next time a subject, which moves."""
_NEVER_BEGAN: Final = utc_from_nanoseconds(0)
_INSTANT: Final = timedelta(microseconds=1)
_APART: Final = timedelta(seconds=1)

_Entry = tuple[datetime, str, str]
"""Due time, kind, subject: sorts the same in every process."""


class Deadlines:
    """A heap of due times over the books; what no longer matters is dropped when it surfaces."""

    def __init__(
        self,
        state: State,
        runs: Collection[StrategyRun],
        answer_deadline_s: int,
        broker_quiet_s: int,
        reconciliation: ReconciliationTerms,
    ) -> None:
        """Watch `state` for `runs`; an answer is overdue after `answer_deadline_s`.

        The broker counts as sound again `broker_quiet_s` after its last error. Its books are looked
        at by the terms of `reconciliation`.
        """
        self._state = state
        self._runs = runs
        self._answer_deadline = timedelta(seconds=answer_deadline_s)
        self.broker_quiet_s = broker_quiet_s
        self._reconciliation = reconciliation
        self._heap: list[_Entry] = []
        self._watched: dict[tuple[str, str], datetime] = {}
        self.next_due = NEVER
        self.restart()

    def restart(self) -> None:
        """Derive every deadline afresh: at start, and when calendar or configuration changed."""
        self._heap = []
        self._watched = {}
        for run in self._runs:
            for subject in run.schedules:
                self._watch_schedule(run, subject)
        for order in self._state.orders.open.values():
            self.watch_order(order)
            self.watch_cancel(order)
        for request_id in self._state.margin.requests:
            self.watch_margin(request_id)
        for action in self._state.corporate_actions.pending.values():
            self.watch_action(action)
        if self._state.freshness.watching:
            for symbol in self._state.symbols:
                self._watch(TimerKind.BAR_DEADLINE, symbol)
                self.watch_age(symbol)
        if self._state.freshness.live:
            self._watch_calendar()
        self.watch_broker()
        self.watch_connection()
        self.watch_books()
        self._refresh()

    def watch_connection(self) -> None:
        """Set when a connection that was lost is trusted again."""
        due = connection_watch.trusted_at(self._state)
        if due is not None:
            self._push(due, TimerKind.CONNECTION_WATCH, connection_watch.SUBJECT)

    def watch_order(self, order: Order) -> None:
        """Set the deadlines of an order that is being sent."""
        if not order.sent_at:
            return
        if order.state is OrderState.SENDING:
            due = self._answer_due(order.sent_at)
            self._push(due, TimerKind.ANSWER_DEADLINE, order.client_order_id)
        if order.intent.cancel_after_s is not None and _may_time_out(order):
            sent = utc_from_nanoseconds(order.sent_at)
            due = sent + timedelta(seconds=order.intent.cancel_after_s)
            self._push(due, TimerKind.CANCEL_AFTER, order.client_order_id)

    def watch_cancel(self, order: Order) -> None:
        """Set the deadline for the answer to a cancel."""
        if order.cancel_sent_at:
            due = self._answer_due(order.cancel_sent_at)
            self._push(due, TimerKind.ANSWER_DEADLINE, order.client_order_id)

    def watch_margin(self, request_id: str) -> None:
        """Set when a question about margin is decided without the broker, now if it must be."""
        request = self._state.margin.requests.get(request_id)
        if request is not None:
            now = utc_from_nanoseconds(self._state.at)
            due = request.due if request.answer is None else min(request.due, now)
            self._push(due, TimerKind.MARGIN_DEADLINE, request_id)

    def watch_action(self, action: CorporateActionAnnounced) -> None:
        """Set the moment a corporate action moves the books: the ex date's first, in New York."""
        self._push(midnight(action.ex_date), TimerKind.CORPORATE_ACTION, action.action_id)

    def watch_age(self, symbol: Symbol) -> None:
        """Set when to look at the age of a symbol's data next.

        Bars move that time on without a word here: it is found out when the time has come. Only a
        bar of a stale symbol has to be told.
        """
        self._watch(TimerKind.DATA_WATCH, symbol)

    def watch_broker(self) -> None:
        """Set when to look whether the broker has been free of errors for long enough."""
        self._watch(TimerKind.BROKER_WATCH, BROKER)

    def watch_books(self) -> None:
        """Set when the broker's books are looked at next: a fill or a look has moved that."""
        self._watch(TimerKind.RECONCILE, BOOKS)

    def after(self, timer: TimerFired) -> None:
        """Set what follows a timer that has fired: a schedule's next due time."""
        if timer.kind is TimerKind.SCHEDULE:
            for run in self._runs:
                if timer.subject in run.schedules:
                    self._watch_schedule(run, timer.subject)
        elif timer.kind is TimerKind.CALENDAR_REFRESH:
            self._watch_calendar()
        elif timer.kind in _WATCHES:
            self._watch(timer.kind, timer.subject)
        self._refresh()

    def take_due(self, before: datetime) -> TimerFired | None:
        """Return the next timer due before `before`, None when there is none."""
        while self._heap and self._heap[0][0] < before:
            due, kind, subject = heapq.heappop(self._heap)
            timer = TimerFired(TimerKind(kind), subject, due)
            if timer.kind in _WATCHES:
                if self._watched.get((kind, subject)) != due:
                    continue  # Another time has been set since.
                del self._watched[kind, subject]
            if timer.kind is TimerKind.SCHEDULE and self._is_passed_over(timer, before):
                continue
            if self._matters(timer):
                self._refresh()
                return timer
            if timer.kind in _WATCHES:
                self._watch(timer.kind, subject)
        self._refresh()
        return None

    def _is_passed_over(self, timer: TimerFired, now: datetime) -> bool:
        """Set what is due instead where a later one is due too: the machine may have slept.

        Recorded bars go through time without a leap, however far apart they are.
        """
        sessions, run = self._account_sessions(), self._run_of(timer.subject)
        if not self._state.freshness.live or sessions is None or run is None:
            return False
        after = timer.due - _INSTANT
        newest = newest_due(run.schedules[timer.subject], sessions, after, now - _INSTANT)
        if newest is None or newest <= timer.due:
            return False
        self._push(newest, TimerKind.SCHEDULE, timer.subject)
        return True

    def _run_of(self, subject: str) -> StrategyRun | None:
        return next((run for run in self._runs if subject in run.schedules), None)

    def overdue(self, timer: TimerFired) -> str:
        """Say which answer `timer` has waited for in vain; "" where there is no such wait any more.

        A deadline belongs to one sending: it says nothing of a cancel that was sent later.
        """
        order = self._state.orders.open.get(ClientOrderId(timer.subject))
        if order is None:
            return ""
        if order.cancel_sent_at and self._answer_due(order.cancel_sent_at) == timer.due:
            return "the cancel was not answered in time"
        if order.state is OrderState.SENDING and self._answer_due(order.sent_at) == timer.due:
            return "the order was not answered in time"
        return ""

    def _matters(self, timer: TimerFired) -> bool:  # noqa: PLR0911 - one branch a kind
        match timer.kind:
            case TimerKind.SCHEDULE:
                fired = self._state.timers.fired.get(timer.subject)
                return fired is None or fired.due < timer.due
            case TimerKind.CORPORATE_ACTION:
                return timer.subject in self._state.corporate_actions.pending
            case TimerKind.CANCEL_AFTER:
                order = self._state.orders.open.get(ClientOrderId(timer.subject))
                return order is not None and _may_time_out(order)
            case TimerKind.ANSWER_DEADLINE:
                return self.overdue(timer) != ""
            case (
                TimerKind.BAR_DEADLINE
                | TimerKind.DATA_WATCH
                | TimerKind.BROKER_WATCH
                | TimerKind.RECONCILE
            ):
                return self._watch_due(timer.kind, timer.subject) == timer.due
            case TimerKind.MARGIN_DEADLINE:
                return timer.subject in self._state.margin.requests
            case TimerKind.CONNECTION_WATCH:
                return connection_watch.trusted_at(self._state) == timer.due
            case TimerKind.CALENDAR_REFRESH:
                looked = self._state.timers.last_watch(timer.kind, timer.subject)
                return looked is None or looked < timer.due
            case _:
                assert_never(timer.kind)

    def _watch_schedule(self, run: StrategyRun, subject: str) -> None:
        sessions = self._account_sessions()
        if sessions is None:
            return
        now = utc_from_nanoseconds(self._state.at)
        fired = self._state.timers.fired.get(subject)
        # What is due at this very moment has not fired: a restart may have come in between.
        after = self._began - _INSTANT if fired is None else fired.due + SAME_SESSION
        # Of those a stop has missed only the newest fires: the strategy acts on today's prices.
        due = newest_due(run.schedules[subject], sessions, after, now)
        if due is not None:
            self._push(due, TimerKind.SCHEDULE, subject)

    def _watch_due(self, kind: TimerKind, symbol: str) -> datetime | None:
        if kind is TimerKind.BROKER_WATCH:
            return self._broker_due()
        if kind is TimerKind.RECONCILE:
            return next_look(self._state, self._reconciliation)
        due_of = bar_due if kind is TimerKind.BAR_DEADLINE else look_due
        return due_of(self._state, Symbol(symbol))

    def _watch(self, kind: TimerKind, symbol: str) -> None:
        """Set the one next time of that kind for `symbol`; what was set before counts no more."""
        due, key = self._watch_due(kind, symbol), (kind.value, symbol)
        if due is not None and self._watched.get(key) != due:
            self._watched[key] = due
            self._push(due, kind, symbol)

    def _broker_due(self) -> datetime | None:
        """Return when the broker will have been free of errors for long enough; None: no matter."""
        held = self._state.holds.active.values()
        if not any(
            each.cause == BROKER_ERROR and each.lifts is HoldLifts.CONDITION for each in held
        ):
            return None
        last_error = utc_from_nanoseconds(self._state.broker_errors.last_at)
        due = last_error + timedelta(seconds=self.broker_quiet_s)
        looked = self._state.timers.last_watch(TimerKind.BROKER_WATCH, BROKER)
        return due if looked is None else max(due, looked + _APART)

    def _watch_calendar(self) -> None:
        """Set when the calendars are made anew: as a day begins in New York, and nobody trades."""
        looked = self._state.timers.last_watch(TimerKind.CALENDAR_REFRESH, CALENDARS)
        since = self._began if looked is None else max(self._began, looked)
        now = utc_from_nanoseconds(self._state.at)
        day = day_of(max(since, now))
        # Of the days that began unseen only the last counts.
        due = midnight(day) if midnight(day) > since else midnight(day + timedelta(days=1))
        self._push(due, TimerKind.CALENDAR_REFRESH, CALENDARS)

    @property
    def _began(self) -> datetime:
        """Since when what comes due is waited for: the session's start, else now."""
        began = self._state.freshness.since
        return began if began > _NEVER_BEGAN else utc_from_nanoseconds(self._state.at)

    def _account_sessions(self) -> Sessions | None:
        """Return the sessions schedules go by: New York's, else whatever is loaded."""
        exchanges = self._state.calendar.exchanges
        for name in ("NYSE", "NASDAQ", *exchanges):
            if name in exchanges:
                return exchanges[name]
        return None

    def _answer_due(self, sent_at: int) -> datetime:
        return utc_from_nanoseconds(sent_at) + self._answer_deadline

    def _push(self, due: datetime, kind: TimerKind, subject: str) -> None:
        heapq.heappush(self._heap, (due, kind.value, subject))
        self.next_due = min(self.next_due, due)

    def _refresh(self) -> None:
        self.next_due = self._heap[0][0] if self._heap else NEVER


def _may_time_out(order: Order) -> bool:
    """Say whether the order is still to be cancelled when the time of `cancel_after_s` comes."""
    return not (order.cancel_requested or order.cancel_after_over)
