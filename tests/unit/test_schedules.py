"""When schedules come due: a table of sessions in, moments out. Times are UTC."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from daemon.core.schedules import newest_due, next_due
from daemon.strategies import Anchor, Every, Schedule
from events import SessionHours
from projections.calendar import Calendar, Sessions
from tests.builders import a_calendar, a_session, utc

HOUR = 3600

# New York's winter: 14:30 to 21:00. Wednesday the 29th of November to Tuesday the 5th of December
# 2023, with the Friday made a half day.
WEEK = (
    a_session("2023-11-29"),
    a_session("2023-11-30"),
    a_session("2023-12-01", close="18:00"),
    a_session("2023-12-04"),
    a_session("2023-12-05"),
)


def table(*sessions: SessionHours) -> Sessions:
    calendar = Calendar()
    calendar.load(a_calendar(*sessions))
    return calendar.exchanges["NYSE"]


def dues(schedule: Schedule, sessions: Sessions, after: str = "2023-01-01T00:00") -> Iterator[str]:
    """Yield all due times after `after`, each asked for from the one before."""
    due = next_due(schedule, sessions, utc(after))
    while due is not None:
        yield f"{due:%m-%dT%H:%M}"
        due = next_due(schedule, sessions, due)


@pytest.mark.parametrize(
    ("anchor", "offset_s", "expected"),
    [
        (Anchor.OPEN, 0, ["11-29T14:30", "11-30T14:30", "12-01T14:30", "12-04T14:30"]),
        (Anchor.OPEN, HOUR, ["11-29T15:30", "11-30T15:30", "12-01T15:30", "12-04T15:30"]),
        (Anchor.OPEN, -HOUR, ["11-29T13:30", "11-30T13:30", "12-01T13:30", "12-04T13:30"]),
        # The half day's close is at 18:00, and what counts from it comes three hours earlier.
        (Anchor.CLOSE, 0, ["11-29T21:00", "11-30T21:00", "12-01T18:00", "12-04T21:00"]),
        (Anchor.CLOSE, -600, ["11-29T20:50", "11-30T20:50", "12-01T17:50", "12-04T20:50"]),
        (Anchor.CLOSE, 4 * HOUR, ["11-30T01:00", "12-01T01:00", "12-01T22:00", "12-05T01:00"]),
        # A day less a second either way still belongs to its own session.
        (Anchor.OPEN, 1 - 24 * HOUR, ["11-28T14:30", "11-29T14:30", "11-30T14:30", "12-03T14:30"]),
        (Anchor.CLOSE, 24 * HOUR - 1, ["11-30T20:59", "12-01T20:59", "12-02T17:59", "12-05T20:59"]),
    ],
)
def test_a_schedule_comes_due_once_in_every_session(
    anchor: Anchor, offset_s: int, expected: list[str]
) -> None:
    schedule = Schedule("s", Every.SESSION, anchor, offset_s)
    assert list(dues(schedule, table(*WEEK)))[:4] == expected
    assert len(list(dues(schedule, table(*WEEK)))) == len(WEEK)


def test_a_weekly_schedule_comes_due_in_the_first_session_of_the_week() -> None:
    # What came before the first of the table nobody knows: it starts no week.
    weekly = Schedule("s", Every.WEEK, Anchor.CLOSE, -600)
    assert list(dues(weekly, table(*WEEK))) == ["12-04T20:50"]
    # Labor Day: Monday the 4th of September is closed.
    holiday = table(a_session("2023-09-01"), a_session("2023-09-05"), a_session("2023-09-06"))
    assert list(dues(weekly, holiday)) == ["09-05T20:50"]


def test_a_week_is_the_same_number_of_another_year_and_still_another_week() -> None:
    # Monday 2024-01-01 is closed: the week begins on Tuesday, in week 1 like 2023-01-03.
    year = table(a_session("2023-01-03"), a_session("2024-01-02"))
    assert list(dues(Schedule("s", Every.WEEK), year)) == ["01-02T14:30"]
    # One week that spans the years has one first session.
    turn = table(a_session("2019-12-27"), a_session("2019-12-30"), a_session("2020-01-02"))
    assert list(dues(Schedule("s", Every.WEEK), turn, "2019-01-01T00:00")) == ["12-30T14:30"]


def test_a_monthly_schedule_comes_due_in_the_first_session_of_the_month() -> None:
    monthly = Schedule("s", Every.MONTH)
    assert list(dues(monthly, table(*WEEK))) == ["12-01T14:30"]
    # The first half day of a month counts from its own close.
    closing = Schedule("s", Every.MONTH, Anchor.CLOSE, -HOUR)
    assert list(dues(closing, table(*WEEK))) == ["12-01T17:00"]
    year = table(a_session("2023-01-31"), a_session("2024-01-02"), a_session("2024-01-03"))
    assert list(dues(monthly, year)) == ["01-02T14:30"]


def test_the_due_time_itself_is_not_after_itself() -> None:
    schedule, sessions = Schedule("s", Every.SESSION), table(*WEEK)
    at = utc("2023-11-30T14:30")
    before = at - timedelta(microseconds=1)
    assert next_due(schedule, sessions, before) == at
    assert next_due(schedule, sessions, at) == utc("2023-12-01T14:30")


@pytest.mark.parametrize(
    ("after", "now", "expected"),
    [
        ("11-29T14:30", "11-29T14:30", "11-30T14:30"),  # nothing missed: the next one
        ("11-29T14:30", "11-30T14:29", "11-30T14:30"),
        ("11-29T14:30", "11-30T14:30", "11-30T14:30"),  # due at this very moment
        ("11-29T14:30", "12-01T14:29", "11-30T14:30"),
        ("11-29T14:30", "12-01T14:30", "12-01T14:30"),
        ("11-29T14:30", "12-04T12:00", "12-01T14:30"),  # over the weekend
        ("11-29T14:30", "12-31T00:00", "12-05T14:30"),  # past the table
        ("12-05T14:30", "12-31T00:00", None),
    ],
)
def test_of_what_was_missed_only_the_newest_is_due(
    after: str, now: str, expected: str | None
) -> None:
    due = newest_due(
        Schedule("s", Every.SESSION), table(*WEEK), utc(f"2023-{after}"), utc(f"2023-{now}")
    )
    assert due == (expected and utc(f"2023-{expected}"))


def test_past_the_table_nothing_is_due() -> None:
    schedule = Schedule("s", Every.SESSION)
    assert next_due(schedule, table(*WEEK), utc("2023-12-05T14:30")) is None
    assert next_due(schedule, Sessions(), utc("2023-12-05T14:30")) is None


def test_the_clock_change_moves_what_is_due_with_the_session() -> None:
    # 2024-03-10 is the Sunday: Friday opens at 14:30, Monday at 13:30.
    sessions = table(a_session("2024-03-08"), a_session("2024-03-11", open_="13:30", close="20:00"))
    assert list(dues(Schedule("s", Every.SESSION), sessions)) == ["03-08T14:30", "03-11T13:30"]
