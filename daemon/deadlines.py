"""What comes due: schedules, order deadlines and corporate actions, derived from the books.

Nothing here is state of its own: after a restart the same books give the same deadlines.
"""

import heapq
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

from daemon.new_york import midnight
from daemon.schedules import next_due
from daemon.strategy_runs import StrategyRun
from events import (
    ClientOrderId,
    CorporateActionAnnounced,
    TimerFired,
    TimerKind,
    utc_from_nanoseconds,
)
from projections import State
from projections.calendar import Sessions
from projections.order_states import OrderState
from projections.orders import Order

NEVER: Final = datetime.max.replace(tzinfo=UTC)

SAME_SESSION: Final = timedelta(hours=12)
"""Due times this close are of one session, whose hours have been changed in between."""

_INSTANT: Final = timedelta(microseconds=1)

_Entry = tuple[datetime, str, str]
"""Due time, kind, subject: sorts the same in every process."""


class Deadlines:
    """A heap of due times over the books; what no longer matters is dropped when it surfaces."""

    def __init__(self, state: State, runs: Collection[StrategyRun], answer_deadline_s: int) -> None:
        """Watch `state` for `runs`; an answer is overdue after `answer_deadline_s`."""
        self._state = state
        self._runs = runs
        self._answer_deadline = timedelta(seconds=answer_deadline_s)
        self._heap: list[_Entry] = []
        self.next_due = NEVER
        self.restart()

    def restart(self) -> None:
        """Derive every deadline afresh: at start, and when calendar or configuration changed."""
        self._heap = []
        for run in self._runs:
            for subject in run.schedules:
                self._watch_schedule(run, subject)
        for order in self._state.orders.open.values():
            self.watch_order(order)
            self.watch_cancel(order)
        for action in self._state.corporate_actions.pending.values():
            self.watch_action(action)
        self._refresh()

    def watch_order(self, order: Order) -> None:
        """Set the deadlines of an order that is being sent."""
        if not order.sent_at:
            return
        sent = utc_from_nanoseconds(order.sent_at)
        if order.state is OrderState.SENDING:
            self._push(
                sent + self._answer_deadline, TimerKind.ANSWER_DEADLINE, order.client_order_id
            )
        if order.intent.cancel_after_s is not None and not order.cancel_requested:
            due = sent + timedelta(seconds=order.intent.cancel_after_s)
            self._push(due, TimerKind.CANCEL_AFTER, order.client_order_id)

    def watch_cancel(self, order: Order) -> None:
        """Set the deadline for the answer to a cancel."""
        if order.cancel_sent_at:
            due = utc_from_nanoseconds(order.cancel_sent_at) + self._answer_deadline
            self._push(due, TimerKind.ANSWER_DEADLINE, order.client_order_id)

    def watch_action(self, action: CorporateActionAnnounced) -> None:
        """Set the moment a corporate action moves the books: the ex date's first, in New York."""
        self._push(midnight(action.ex_date), TimerKind.CORPORATE_ACTION, action.action_id)

    def after(self, timer: TimerFired) -> None:
        """Set what follows a timer that has fired: a schedule's next due time."""
        if timer.kind is TimerKind.SCHEDULE:
            for run in self._runs:
                if timer.subject in run.schedules:
                    self._watch_schedule(run, timer.subject)
        self._refresh()

    def take_due(self, before: datetime) -> TimerFired | None:
        """Return the next timer due before `before`, None when there is none."""
        while self._heap and self._heap[0][0] < before:
            due, kind, subject = heapq.heappop(self._heap)
            timer = TimerFired(TimerKind(kind), subject, due)
            if self._matters(timer):
                self._refresh()
                return timer
        self._refresh()
        return None

    def _matters(self, timer: TimerFired) -> bool:
        match timer.kind:
            case TimerKind.SCHEDULE:
                fired = self._state.timers.fired.get(timer.subject)
                return fired is None or fired.due < timer.due
            case TimerKind.CORPORATE_ACTION:
                return timer.subject in self._state.corporate_actions.pending
            case TimerKind.CANCEL_AFTER:
                order = self._state.orders.open.get(ClientOrderId(timer.subject))
                return order is not None and not order.cancel_requested
            case TimerKind.ANSWER_DEADLINE:
                order = self._state.orders.open.get(ClientOrderId(timer.subject))
                if order is None or order.state is OrderState.UNKNOWN:
                    return False
                return order.cancel_requested or order.state is OrderState.SENDING
            case _:
                assert_never(timer.kind)

    def _watch_schedule(self, run: StrategyRun, subject: str) -> None:
        sessions = self._account_sessions()
        if sessions is None:
            return
        fired = self._state.timers.fired.get(subject)
        if fired is not None:
            after = fired.due + SAME_SESSION
        else:
            # What is due at this very moment has not fired: a restart may have come in between.
            after = utc_from_nanoseconds(self._state.at) - _INSTANT
        due = next_due(run.schedules[subject], sessions, after)
        if due is not None:
            self._push(due, TimerKind.SCHEDULE, subject)

    def _account_sessions(self) -> Sessions | None:
        """Return the sessions schedules go by: New York's, else whatever is loaded."""
        exchanges = self._state.calendar.exchanges
        for name in ("NYSE", "NASDAQ", *exchanges):
            if name in exchanges:
                return exchanges[name]
        return None

    def _push(self, due: datetime, kind: TimerKind, subject: str) -> None:
        heapq.heappush(self._heap, (due, kind.value, subject))
        self.next_due = min(self.next_due, due)

    def _refresh(self) -> None:
        self.next_due = self._heap[0][0] if self._heap else NEVER
