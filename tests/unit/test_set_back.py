"""A clock that was set back: days stay over, and what is waited for is not waited for twice."""

from decimal import Decimal

import pytest

from daemon.core.deadlines import CALENDARS
from daemon.session import clock_behind
from daemon.strategies import Anchor, Every, Schedule
from events import (
    ClockJumped,
    SessionStarted,
    ShortSaleReported,
    Symbol,
    SymbolResumed,
    TimerFired,
    TimerKind,
    utc_from_nanoseconds,
)
from events.codec import Input
from projections import State
from tests.builders import a_calendar, a_config, a_session, records, utc
from tests.core_desk import OPENED, A, CoreDesk, Scripted, kinds, of

LIVE = SessionStarted("1", {}, {}, live_feed=True)
DAYS = tuple(f"2024-01-{day:02}" for day in (2, 3, 4, 5, 8, 9, 10))
NOON = Schedule("noon", Every.SESSION, Anchor.OPEN, 9_000)
MONTHLY = Schedule("monthly", Every.MONTH, Anchor.OPEN, 9_000)
NEWS = ShortSaleReported(A, utc("2024-01-02").date(), None, restricted=False)
"""An input that nothing follows from."""


def a_desk(*timetable: Schedule, days: tuple[str, ...] = DAYS) -> CoreDesk:
    calendar = a_calendar(*map(a_session, days))
    return CoreDesk(Scripted(timetable=timetable), opening=[OPENED, a_config("A"), LIVE, calendar])


def dues(desk: CoreDesk, upto: str, kind: TimerKind = TimerKind.SCHEDULE) -> list[str]:
    """Return when what fires up to then was due."""
    fired: list[str] = []
    while (timer := desk.core.deadlines.take_due(utc(upto))) is not None:
        desk.step(timer, upto)
        fired += [f"{timer.due:%m-%dT%H:%M}"] if timer.kind is kind else []
    return fired


def test_a_day_that_is_over_does_not_end_again_by_a_clock_that_was_set_back() -> None:
    desk = a_desk()
    desk.step(NEWS, "2024-01-03T22:00")
    assert desk.state.pnl.days == 1  # Of two closes at once: it is another day, once.
    # The daemon starts again on the day before, and goes through both closes once more.
    for event, at in (
        (a_calendar(*map(a_session, DAYS)), "2024-01-02T20:00"),
        (NEWS, "2024-01-02T22:00"),
        (NEWS, "2024-01-03T22:00"),
    ):
        desk.step(event, at)
        assert desk.state.pnl.days == 1  # Of two closes at once: it is another day, once.
    desk.step(NEWS, "2024-01-04T22:00")
    assert desk.state.pnl.days == 2


def test_a_close_that_is_moved_within_the_day_still_counts() -> None:
    desk = a_desk()
    early = (a_session(day, close="18:00") for day in DAYS)
    desk.step(a_calendar(*early), "2024-01-02T16:00")
    desk.step(NEWS, "2024-01-02T18:00:01")
    assert desk.state.pnl.days == 1


def test_what_is_waited_for_is_waited_for_from_the_time_it_is() -> None:
    desk = a_desk()
    desk.step(NEWS, "2024-01-04T15:00")
    assert dues(desk, "2024-01-04T16:00", TimerKind.RECONCILE) != []
    desk.step(NEWS, "2024-01-02T15:00")
    # An hour after the last look, which counts as made now.
    assert dues(desk, "2024-01-02T16:30", TimerKind.RECONCILE) != []
    assert desk.state.freshness.since <= utc("2024-01-02T15:00")


def test_what_fires_once_a_day_does_not_fire_again_behind_a_clock_set_back() -> None:
    desk = a_desk(NOON)
    assert dues(desk, "2024-01-03T18:00") == ["01-03T17:00"]
    desk.step(NEWS, "2024-01-03T12:00")
    assert dues(desk, "2024-01-03T18:00") == []
    assert dues(desk, "2024-01-04T18:00") == ["01-04T17:00"]
    looked = desk.state.timers.last_watch(TimerKind.CALENDAR_REFRESH, CALENDARS)
    desk.step(NEWS, "2024-01-04T00:00")
    assert dues(desk, "2024-01-04T05:30", TimerKind.CALENDAR_REFRESH) == []
    assert looked == utc("2024-01-04T05:00")


def test_of_schedules_slept_through_only_the_newest_fires() -> None:
    desk = a_desk(NOON)
    assert dues(desk, "2024-01-09T18:00") == ["01-09T17:00"]
    assert dues(desk, "2024-01-10T18:00") == ["01-10T17:00"]


SINCE_DECEMBER = ("2023-12-29", *DAYS)


@pytest.mark.parametrize("event", [SymbolResumed(A), a_calendar(*map(a_session, SINCE_DECEMBER))])
def test_a_first_due_time_is_not_lost_where_something_is_heard_behind_it(event: Input) -> None:
    desk = a_desk(MONTHLY, days=SINCE_DECEMBER)
    # It is due at 17:00, and before the timers have their turn something else is taken.
    desk.step(event, "2024-01-02T17:00:01")
    assert dues(desk, "2024-01-02T17:00:02") == ["01-02T17:00"]


def test_a_midnight_is_not_lost_where_something_is_heard_behind_it() -> None:
    desk = a_desk()
    desk.step(SymbolResumed(A), "2024-01-03T05:00:01")
    assert dues(desk, "2024-01-03T05:00:02", TimerKind.CALENDAR_REFRESH) == ["01-03T05:00"]


# At a start.


def books(at: str) -> State:
    state = State()
    for record in records(OPENED, at=at):
        state.apply(record)
    return state


def test_a_start_before_the_journals_own_past_is_a_clock_that_was_set_back() -> None:
    state = books("2024-01-03T15:00")
    now = utc("2024-01-03T14:00")
    assert list(clock_behind(state, now)) == [ClockJumped(Decimal(-3_600), Decimal(0))]
    for seconds in (-2, 0, 86_400):
        there = utc_from_nanoseconds(state.at + seconds * 10**9)
        assert list(clock_behind(state, there)) == []
    assert list(clock_behind(State(), now)) == []


def test_such_a_start_waits_on_halt_and_no_day_begins_or_ends_by_it() -> None:
    desk = a_desk()
    desk.step(NEWS, "2024-01-03T15:00")
    ends_at = desk.state.pnl.day_ends_at
    (jump,) = clock_behind(desk.state, utc("2023-12-03T15:00"))
    taken = desk.step(jump, "2023-12-03T15:00")
    assert kinds(taken) == ["clock.jumped", "hold.placed"]
    desk.step(a_calendar(*map(a_session, DAYS)), "2023-12-03T15:00")
    assert desk.state.pnl.day_ends_at == ends_at
    assert of(desk.step(LIVE, "2023-12-03T15:00"), TimerFired) == []
    assert desk.state.symbols.keys() == {Symbol("A")}
