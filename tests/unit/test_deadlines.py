"""What comes due, derived from the books alone: at most once, and the same after a restart."""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec
import pytest

from daemon.core.deadlines import NEVER, Deadlines
from daemon.core.looks import ReconciliationTerms
from daemon.core.strategy_runs import StrategyRun
from daemon.strategies import Anchor, Every, Schedule, Strategy
from events import (
    CancelSending,
    ClientOrderId,
    CorporateActionAnnounced,
    CorporateActionKind,
    OrderAcknowledged,
    OrderCancelled,
    OrderUnknown,
    SessionStarted,
    Symbol,
    TimerFired,
    TimerKind,
)
from events.codec import JournalEvent
from projections import State
from tests.builders import (
    a_calendar,
    a_fill,
    a_session,
    a_split,
    an_intent,
    an_order,
    fold,
    state_after,
    utc,
)

WEEK = a_calendar(
    a_session("2024-01-02"),
    a_session("2024-01-03"),
    a_session("2024-01-04"),
    a_session("2024-01-05"),
)
ANSWER_S = 30
QUIET_S = 300


class Scheduled(Strategy):
    """Wants the timers it is given."""

    wanted: tuple[Schedule, ...] = ()

    def schedules(self) -> Sequence[Schedule]:
        return self.wanted


def a_run(*wanted: Schedule, name: str = "trend") -> StrategyRun:
    return StrategyRun(name, Scheduled(wanted), "hash", frozenset({Symbol("A")}))


OPENING = Schedule("opening", Every.SESSION)
CLOSING = Schedule("closing", Every.SESSION, Anchor.CLOSE, -600)


def watching(state: State, *runs: StrategyRun) -> Deadlines:
    return Deadlines(state, runs, ANSWER_S, QUIET_S, ReconciliationTerms())


def fire(deadlines: Deadlines, state: State, before: str) -> list[str]:
    """Fire everything due before `before` as the core does: take, fold, go on."""
    fired = []
    while (timer := deadlines.take_due(utc(before))) is not None:
        fold(state, timer, at=f"{timer.due:%Y-%m-%dT%H:%M:%S}")
        deadlines.after(timer)
        fired.append(f"{timer.kind} {timer.subject} {timer.due:%dT%H:%M:%S}")
    return fired


# Schedules.


def test_each_schedule_fires_once_a_session_in_order_of_time() -> None:
    state = state_after(WEEK)
    deadlines = watching(state, a_run(CLOSING, OPENING))
    assert deadlines.next_due == utc("2024-01-02T14:30")
    assert fire(deadlines, state, "2024-01-04T00:00") == [
        "schedule trend/opening 02T14:30:00",
        "schedule trend/closing 02T20:50:00",
        "schedule trend/opening 03T14:30:00",
        "schedule trend/closing 03T20:50:00",
    ]
    assert deadlines.next_due == utc("2024-01-04T14:30")
    assert fire(deadlines, state, "2024-01-04T14:30") == []


def test_two_strategies_with_a_schedule_of_one_name_are_two_schedules() -> None:
    state = state_after(WEEK)
    deadlines = watching(state, a_run(OPENING), a_run(OPENING, name="balance"))
    assert fire(deadlines, state, "2024-01-02T15:00") == [
        "schedule balance/opening 02T14:30:00",
        "schedule trend/opening 02T14:30:00",
    ]


def test_after_a_restart_a_schedule_that_has_fired_does_not_fire_again() -> None:
    state = state_after(WEEK)
    assert fire(watching(state, a_run(OPENING)), state, "2024-01-02T14:31") != []
    again = msgspec.json.decode(msgspec.json.encode(state), type=State)
    deadlines = watching(again, a_run(OPENING))
    assert fire(deadlines, again, "2024-01-02T23:00") == []
    assert deadlines.next_due == utc("2024-01-03T14:30")


def test_a_schedule_missed_by_a_stop_fires_when_the_daemon_is_back() -> None:
    state = state_after(WEEK)
    assert fire(watching(state, a_run(CLOSING)), state, "2024-01-03T00:00") != []
    # Stopped until the evening of the 3rd.
    deadlines = watching(state, a_run(CLOSING))
    assert fire(deadlines, state, "2024-01-03T23:00") == ["schedule trend/closing 03T20:50:00"]


def test_of_the_schedules_a_long_stop_has_missed_only_the_newest_fires_and_once() -> None:
    state = state_after(WEEK)
    assert fire(watching(state, a_run(CLOSING, OPENING)), state, "2024-01-02T15:00") != []
    # Stopped on Tuesday at 15:00, started again on Friday at 14:45, after that day's opening.
    fold(state, SessionStarted("1", {}, {}), at="2024-01-05T14:45")
    deadlines = watching(state, a_run(CLOSING, OPENING))
    assert fire(deadlines, state, "2024-01-05T14:45") == ["schedule trend/opening 05T14:30:00"]
    # The other one has never fired yet, so it starts from now.
    assert fire(deadlines, state, "2024-01-06T00:00") == ["schedule trend/closing 05T20:50:00"]


def test_a_schedule_that_has_fired_before_makes_up_for_the_newest_it_has_missed() -> None:
    state = state_after(WEEK)
    assert fire(watching(state, a_run(CLOSING)), state, "2024-01-02T21:00") != []
    fold(state, SessionStarted("1", {}, {}), at="2024-01-05T14:45")
    deadlines = watching(state, a_run(CLOSING))
    assert fire(deadlines, state, "2024-01-05T14:45") == ["schedule trend/closing 04T20:50:00"]
    deadlines.restart()
    assert fire(deadlines, state, "2024-01-06T00:00") == ["schedule trend/closing 05T20:50:00"]


def test_a_clock_that_stood_still_has_missed_nothing() -> None:
    # Bars of the past bring their own time: whatever lies between two of them comes due in order.
    state = state_after(WEEK)
    assert len(fire(watching(state, a_run(CLOSING)), state, "2024-01-06T00:00")) == 4


def test_a_new_schedule_starts_from_now_and_not_from_the_past() -> None:
    state = fold(State(), WEEK, at="2024-01-03T15:00")
    assert watching(state, a_run(OPENING)).next_due == utc("2024-01-04T14:30")


def test_a_schedule_due_at_the_very_moment_of_a_restart_fires() -> None:
    state = fold(State(), WEEK, at="2024-01-03T14:30")
    deadlines = watching(state, a_run(OPENING))
    assert fire(deadlines, state, "2024-01-03T15:00") == ["schedule trend/opening 03T14:30:00"]


@pytest.mark.parametrize(
    ("before", "now", "first", "then"),
    [
        # It closes early, the schedule has fired; then the news is taken back.
        ("18:00", "21:00", "02T17:50:00", "03T20:50:00"),
        # The other way round there is nothing left of the session.
        ("21:00", "18:00", "02T20:50:00", "03T20:50:00"),
    ],
)
def test_a_session_whose_hours_are_changed_after_the_schedule_fired_is_still_one_session(
    before: str, now: str, first: str, then: str
) -> None:
    state = state_after(a_calendar(a_session("2024-01-02", before), a_session("2024-01-03")))
    deadlines = watching(state, a_run(CLOSING))
    assert fire(deadlines, state, "2024-01-02T22:00") == [f"schedule trend/closing {first}"]
    fold(state, a_calendar(a_session("2024-01-02", now), a_session("2024-01-03")))
    deadlines.restart()
    assert fire(deadlines, state, "2024-01-03T22:00") == [f"schedule trend/closing {then}"]


def test_a_half_day_after_a_full_day_is_another_session_though_less_than_a_day_later() -> None:
    state = state_after(a_calendar(a_session("2024-07-02"), a_session("2024-07-03", "18:00")))
    assert fire(watching(state, a_run(CLOSING)), state, "2024-07-04T00:00") == [
        "schedule trend/closing 02T20:50:00",
        "schedule trend/closing 03T17:50:00",
    ]


def test_a_change_of_hours_before_the_schedule_fires_moves_it() -> None:
    state = state_after(WEEK)
    deadlines = watching(state, a_run(CLOSING))
    fold(state, a_calendar(a_session("2024-01-02", "18:00"), a_session("2024-01-03")))
    deadlines.restart()
    assert deadlines.next_due == utc("2024-01-02T17:50")
    assert fire(deadlines, state, "2024-01-02T22:00") == ["schedule trend/closing 02T17:50:00"]


def test_schedules_go_by_new_york_else_by_what_is_loaded() -> None:
    always = a_calendar(a_session("2024-01-02", "23:59", "00:01"), exchange="24/7")
    nasdaq = a_calendar(a_session("2024-01-02", open_="14:31"), exchange="NASDAQ")
    for events, due in (
        ((always,), "00:01"),
        ((always, nasdaq), "14:31"),
        ((nasdaq, always, WEEK), "14:30"),
    ):
        state = fold(State(), *events, at="2024-01-01T00:00")
        assert watching(state, a_run(OPENING)).next_due == utc(f"2024-01-02T{due}")


def test_without_a_calendar_or_past_its_end_nothing_is_due() -> None:
    assert watching(State(), a_run(OPENING)).next_due == NEVER
    state = fold(State(), WEEK, at="2024-01-05T21:00")
    assert watching(state, a_run(OPENING)).next_due == NEVER


# Orders.


def sent(*more: JournalEvent, cancel_after_s: int | None = None) -> State:
    """Return books with order o1 sent at 15:00, and what came `more`, at 15:01."""
    intent, approved, sending = an_order()
    intent = msgspec.structs.replace(an_intent(), cancel_after_s=cancel_after_s)
    state = fold(State(), intent, approved, sending, at="2024-01-02T15:00")
    return fold(state, *more, at="2024-01-02T15:01")


O1 = ClientOrderId("o1")
ACKNOWLEDGED = OrderAcknowledged(O1)
CANCEL = CancelSending(O1, "test")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((), ["answer-deadline o1 02T15:00:30"]),
        ((ACKNOWLEDGED,), []),
        ((OrderUnknown(O1, "no answer"),), []),
        ((ACKNOWLEDGED, OrderCancelled(O1, "gone")), []),
        ((a_fill(),), []),
        # Asked to be cancelled at 15:01, so the answer to that is due at 15:01:30.
        ((ACKNOWLEDGED, CANCEL), ["answer-deadline o1 02T15:01:30"]),
        ((ACKNOWLEDGED, CANCEL, OrderUnknown(O1, "no answer")), []),
        ((ACKNOWLEDGED, CANCEL, OrderCancelled(O1, "gone")), []),
    ],
)
def test_an_answer_is_waited_for_as_long_as_there_is_none(
    more: tuple[JournalEvent, ...], expected: list[str]
) -> None:
    state = sent(*more)
    assert fire(watching(state), state, "2024-01-02T16:00") == expected


def test_an_answer_that_comes_in_time_ends_the_wait() -> None:
    state = sent()
    deadlines = watching(state)
    assert deadlines.next_due == utc("2024-01-02T15:00:30")
    fold(state, ACKNOWLEDGED, at="2024-01-02T15:00:10")
    assert deadlines.take_due(utc("2024-01-02T16:00")) is None
    assert deadlines.next_due == NEVER


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((ACKNOWLEDGED,), ["cancel-after o1 02T15:10:00"]),
        ((ACKNOWLEDGED, a_fill("40")), ["cancel-after o1 02T15:10:00"]),
        ((ACKNOWLEDGED, a_fill()), []),
        ((ACKNOWLEDGED, CANCEL), ["answer-deadline o1 02T15:01:30"]),
        ((ACKNOWLEDGED, OrderCancelled(O1, "gone")), []),
    ],
)
def test_an_order_is_cancelled_after_its_time_unless_it_is_over(
    more: tuple[JournalEvent, ...], expected: list[str]
) -> None:
    state = sent(*more, cancel_after_s=600)
    (first, *rest) = fire(watching(state), state, "2024-01-02T15:10:01") or [""]
    assert [first, *rest] == (expected or [""])


@pytest.mark.parametrize("news", [a_fill(), CANCEL, OrderCancelled(O1, "gone")])
def test_an_order_that_is_over_in_time_is_not_cancelled(news: JournalEvent) -> None:
    state = sent(ACKNOWLEDGED, cancel_after_s=600)
    deadlines = watching(state)
    assert deadlines.next_due == utc("2024-01-02T15:10")
    fold(state, news, at="2024-01-02T15:05")
    assert fire(deadlines, state, "2024-01-02T16:00") == []


# Corporate actions.


def test_a_split_applies_when_its_day_begins_in_new_york() -> None:
    split = CorporateActionAnnounced(
        "split 7:1", Symbol("A"), date(2024, 1, 3), CorporateActionKind.SPLIT, 7, 1
    )
    state = state_after(split)
    deadlines = watching(state)
    due = utc("2024-01-03T05:00")
    assert deadlines.next_due == due
    assert deadlines.take_due(due) is None
    timer = deadlines.take_due(due + timedelta(microseconds=1))
    assert timer == TimerFired(TimerKind.CORPORATE_ACTION, "split 7:1", due)
    fold(state, a_split("7:1", "0", "0"))
    assert watching(state).next_due == NEVER


def test_an_action_applied_before_its_time_is_not_applied_again() -> None:
    kind = CorporateActionKind.SPLIT
    state = state_after(
        CorporateActionAnnounced("split 7:1", Symbol("A"), date(2024, 1, 3), kind, 7, 1)
    )
    deadlines = watching(state)
    fold(state, a_split("7:1", "0", "0"))
    assert fire(deadlines, state, "2024-01-04T00:00") == []


def test_what_is_due_at_one_moment_comes_in_one_order_in_every_process() -> None:
    actions = [
        CorporateActionAnnounced(name, Symbol("A"), date(2024, 1, 3), CorporateActionKind.DIVIDEND)
        for name in ("b", "a", "c")
    ]
    deadlines = watching(state_after(*actions))
    taken = [deadlines.take_due(utc("2024-01-04T00:00")) for _ in range(3)]
    assert [timer.subject for timer in taken if timer] == ["a", "b", "c"]
