"""The calendar library's sessions against facts written down by hand; times are UTC.

New York is five hours behind UTC in winter, four in summer.
"""

import subprocess
import sys
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path

import pytest

from daemon.calendar import load_calendar
from daemon.config.file import ConfigError
from daemon.config.options import SessionsConfig
from daemon.new_york import midnight, moment
from events import CalendarLoaded, SessionHours
from tests.builders import utc

PLAIN = SessionsConfig()
ROOT = Path(__file__).parents[2]


def loaded(
    first: str, last: str, *, exchange: str = "NYSE", sessions: SessionsConfig = PLAIN
) -> CalendarLoaded:
    return load_calendar(exchange, date.fromisoformat(first), date.fromisoformat(last), sessions)


def days(first: str, last: str) -> list[str]:
    return [str(each.day) for each in loaded(first, last).sessions]


@cache
def every(exchange: str) -> dict[str, SessionHours]:
    """Return the sessions of 26 years by day."""
    sessions = loaded("2000-01-01", "2025-12-31", exchange=exchange).sessions
    return {str(each.day): each for each in sessions}


def hours(day: str, exchange: str = "NYSE") -> str:
    """Return the regular hours of `day`."""
    session = every(exchange)[day]
    return f"{session.open:%H:%M} {session.close:%H:%M}"


@pytest.mark.parametrize("exchange", ["NYSE", "NASDAQ"])
def test_a_full_day_is_half_past_nine_to_four_in_new_york(exchange: str) -> None:
    assert hours("2024-01-02", exchange) == "14:30 21:00"
    assert hours("2024-07-01", exchange) == "13:30 20:00"


@pytest.mark.parametrize("exchange", ["NYSE", "NASDAQ"])
@pytest.mark.parametrize(
    ("day", "close"),
    [
        ("2013-07-03", "17:00"),  # Before Independence Day.
        ("2012-11-23", "18:00"),  # After Thanksgiving.
        ("2015-12-24", "18:00"),
        ("2024-07-03", "17:00"),
        ("2024-11-29", "18:00"),
        ("2000-07-03", "17:00"),
        ("2000-11-24", "18:00"),
    ],
)
def test_a_half_day_closes_at_one_in_new_york(exchange: str, day: str, close: str) -> None:
    session = every(exchange)[day]
    assert session.close == utc(f"{day}T{close}")
    # What trades on until 20:00 otherwise ends at 17:00, four hours after the close as ever.
    assert session.extended_close == session.close + timedelta(hours=4)


@pytest.mark.parametrize("exchange", ["NYSE", "NASDAQ"])
@pytest.mark.parametrize(
    "day",
    [
        "2024-01-01",
        "2024-01-15",  # Martin Luther King.
        "2024-02-19",  # Washington.
        "2024-03-29",  # Good Friday.
        "2024-05-27",  # Memorial Day.
        "2024-06-19",  # Juneteenth, a holiday since 2022 ...
        "2024-07-04",
        "2024-09-02",  # Labor Day.
        "2024-11-28",  # Thanksgiving.
        "2024-12-25",
        "2024-01-06",  # A Saturday.
        "2001-09-11",
        "2001-09-14",
        "2004-06-11",  # President Reagan.
        "2012-10-29",  # Hurricane Sandy.
        "2012-10-30",
        "2018-12-05",  # President Bush.
        "2025-01-09",  # President Carter.
    ],
)
def test_the_exchange_is_closed_on(exchange: str, day: str) -> None:
    assert day not in every(exchange)


@pytest.mark.parametrize("day", ["2020-06-19", "2001-09-10", "2001-09-17", "2012-10-31"])
def test_the_exchange_is_open_on(day: str) -> None:
    # Juneteenth before it was a holiday, and the days around the long closures.
    assert day in every("NYSE")


@pytest.mark.parametrize(
    ("winter", "summer"),
    [
        ("2024-03-08", "2024-03-11"),  # Sunday the 10th of March ...
        ("2024-11-04", "2024-11-01"),  # ... to Sunday the 3rd of November.
        ("2000-03-31", "2000-04-03"),  # Until 2006 from the first Sunday of April ...
        ("2000-10-30", "2000-10-27"),  # ... to the last of October.
    ],
)
def test_the_clock_changes_between_two_sessions(winter: str, summer: str) -> None:
    assert (hours(winter), hours(summer)) == ("14:30 21:00", "13:30 20:00")


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        ("2000-01-01", "2000-12-31", 252),
        ("2001-01-01", "2001-12-31", 248),  # Four days lost in September.
        ("2023-01-01", "2023-12-31", 250),
        ("1998-01-02", "1998-01-02", 1),
        ("1970-01-02", "1970-01-02", 1),
    ],
)
def test_the_bounds_are_kept_however_old(first: str, last: str, count: int) -> None:
    # Left to itself the library starts twenty years ago.
    found = days(first, last)
    assert len(found) == count
    assert first <= found[0]
    assert found[-1] <= last


def test_both_bounds_are_included_and_may_fall_on_a_closed_day() -> None:
    assert days("2024-01-05", "2024-01-08") == ["2024-01-05", "2024-01-08"]
    assert days("2024-01-06", "2024-01-07") == []


def test_extended_hours_are_four_to_eight_in_new_york() -> None:
    winter, summer = (every("NYSE")[day] for day in ("2024-01-02", "2024-07-01"))
    assert winter.extended_open == utc("2024-01-02T09:00")
    assert winter.extended_close == utc("2024-01-03T01:00")
    assert summer.extended_open == utc("2024-07-01T08:00")
    assert summer.extended_close == utc("2024-07-02T00:00")


def test_around_the_clock_every_utc_day_is_a_session() -> None:
    sessions = loaded("2024-02-28", "2024-03-01", exchange="24/7").sessions
    assert [str(each.day) for each in sessions] == ["2024-02-28", "2024-02-29", "2024-03-01"]
    for each in sessions:
        assert each.open == each.extended_open == utc(f"{each.day}T00:00")
        assert each.close == each.extended_close == each.open + timedelta(days=1)


def test_the_journal_is_told_where_the_sessions_come_from() -> None:
    sources = {
        exchange: loaded("2024-01-02", "2024-01-02", exchange=exchange).source
        for exchange in ("NYSE", "NASDAQ", "24/7")
    }
    assert sources["NYSE"].startswith("exchange_calendars ")
    assert sources["NYSE"].endswith(" XNYS")
    assert sources["NASDAQ"].endswith(" XNAS")
    assert sources["24/7"] == "every UTC day"


# What the operator adds.


def test_an_extra_closure_takes_its_session_away() -> None:
    news = SessionsConfig(extra_closures=(date(2024, 1, 3),))
    sessions = loaded("2024-01-02", "2024-01-04", sessions=news).sessions
    assert [str(each.day) for each in sessions] == ["2024-01-02", "2024-01-04"]


def test_an_extra_early_close_ends_its_session_in_new_york_time() -> None:
    news = SessionsConfig(extra_early_closes={date(2024, 7, 2): time(13)})
    before, early = loaded("2024-07-01", "2024-07-02", sessions=news).sessions
    assert before.close == utc("2024-07-01T20:00")
    assert (early.open, early.close) == (utc("2024-07-02T13:30"), utc("2024-07-02T17:00"))
    assert early.extended_close == utc("2024-07-02T21:00")


def test_news_about_other_days_changes_nothing() -> None:
    news = SessionsConfig(
        extra_closures=(date(2024, 1, 3),), extra_early_closes={date(2024, 1, 6): time(13)}
    )
    plain = loaded("2024-01-04", "2024-01-05").sessions
    assert loaded("2024-01-04", "2024-01-05", sessions=news).sessions == plain


def test_all_news_that_makes_no_sense_is_listed_at_once() -> None:
    news = SessionsConfig(
        extra_closures=(date(2024, 1, 6), date(2024, 1, 3)),
        extra_early_closes={
            date(2024, 1, 1): time(13),
            date(2024, 1, 2): time(9, 30),
            date(2024, 1, 4): time(16),
            date(2024, 1, 5): time(13),
        },
    )
    with pytest.raises(ConfigError) as error:
        loaded("2024-01-01", "2024-01-08", sessions=news)
    wrong = "New York is no early close: it must be after 14:30 and before 21:00 UTC"
    assert error.value.problems == [
        "sessions.extra_closures: 2024-01-06 is no session",
        "sessions.extra_early_closes: 2024-01-01 is no session",
        f"sessions.extra_early_closes: 2024-01-02 09:30:00 {wrong}",
        f"sessions.extra_early_closes: 2024-01-04 16:00:00 {wrong}",
    ]


# New York's time.


@pytest.mark.parametrize(
    ("day", "begins"),
    [
        ("2024-01-02", "2024-01-02T05:00"),
        ("2024-07-01", "2024-07-01T04:00"),
        ("2024-03-10", "2024-03-10T05:00"),  # The clock goes forward at two in the night ...
        ("2024-03-11", "2024-03-11T04:00"),  # ... so this day begins 23 hours later.
        ("2024-11-03", "2024-11-03T04:00"),
        ("2024-11-04", "2024-11-04T05:00"),  # 25 hours later.
        ("2014-06-09", "2014-06-09T04:00"),
    ],
)
def test_a_day_begins_at_midnight_in_new_york(day: str, begins: str) -> None:
    found = midnight(date.fromisoformat(day))
    assert (found, found.utcoffset()) == (utc(begins), timedelta(0))


def test_a_time_of_day_in_new_york_is_one_moment() -> None:
    assert moment(date(2024, 1, 2), time(9, 30)) == datetime.fromisoformat("2024-01-02T14:30Z")
    assert moment(date(2024, 7, 1), time(20)) == datetime.fromisoformat("2024-07-02T00:00Z")


def test_a_start_loads_the_library_for_an_exchange_with_hours_alone() -> None:
    code = "import sys, daemon.app; sys.exit('exchange_calendars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
