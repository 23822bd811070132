"""The session that is open or comes next, in time and in words; holidays by their names."""

from datetime import date, timedelta

import pytest

from daemon.calendar import load_calendar
from daemon.config.options import SessionsConfig
from events import ConfigLoaded, SymbolTerms
from ops.holidays import holiday
from ops.sessions_ahead import ClosedDay, SessionStanding, sessions_ahead
from ops.status_lines import session_text
from projections import State
from tests.builders import fold, utc

FIRST, LAST = date(2025, 11, 1), date(2026, 12, 31)


def standing(
    at: str, exchange: str = "NYSE", sessions: SessionsConfig | None = None
) -> SessionStanding:
    """Return how an exchange stands at `at`, by the calendar library's own table."""
    calendar = load_calendar(exchange, FIRST, LAST, sessions or SessionsConfig())
    terms = SymbolTerms(exchange, enforce_hours=True, extended_hours=False)
    state = fold(State(), ConfigLoaded({}, {"A": terms}), calendar)  # type: ignore[dict-item] # a symbol
    (found,) = sessions_ahead(state, utc(at))
    return found


@pytest.mark.parametrize(
    ("at", "said"),
    [
        # A Wednesday; New York is five hours behind.
        ("2026-01-07T18:30", "open, closes in 2.5 h, 2026-01-07 21:00:00 UTC"),
        (
            "2026-01-07T21:30",
            "opens in 17 h, 2026-01-08 14:30:00 UTC, closes 2026-01-08 21:00:00 UTC",
        ),
        (
            "2026-01-07T14:29",
            "opens in 1 min, 2026-01-07 14:30:00 UTC, closes 2026-01-07 21:00:00 UTC",
        ),
        # The evening before Thanksgiving; the day after it is a half day.
        (
            "2026-11-25T22:00",
            (
                "opens in 1.7 days, 2026-11-27 14:30:00 UTC, a half day, "
                "closes 2026-11-27 18:00:00 UTC; 2026-11-26 is closed (Thanksgiving Day)"
            ),
        ),
        ("2026-11-27T17:00", "open, a half day, closes in 1 h, 2026-11-27 18:00:00 UTC"),
        # On the holiday itself, and over a weekend, whose days are no news.
        (
            "2026-07-03T15:00",
            (
                "opens in 2.9 days, 2026-07-06 13:30:00 UTC, closes 2026-07-06 20:00:00 UTC; "
                "2026-07-03 is closed (Independence Day)"
            ),
        ),
        (
            "2026-01-10T15:00",
            "opens in 2 days, 2026-01-12 14:30:00 UTC, closes 2026-01-12 21:00:00 UTC",
        ),
    ],
)
def test_the_next_event_of_a_session_is_said(at: str, said: str) -> None:
    assert session_text(standing(at)) == said


def test_an_extra_closure_has_no_name() -> None:
    mourning = SessionsConfig(extra_closures=(date(2026, 1, 8),))
    found = standing("2026-01-07T22:00", sessions=mourning)
    assert found.closed_days == (ClosedDay(date(2026, 1, 8), ""),)
    assert session_text(found).endswith("; 2026-01-08 is closed")


def test_what_always_trades_has_no_session_and_past_the_calendar_none_is_known() -> None:
    assert session_text(standing("2026-01-10T15:00", "24/7")) == "always open"
    late = standing("2027-01-10T15:00")
    assert session_text(late) == "none known: the calendar in the journal ends before"
    assert (late.is_open, late.changes_in_s) == (False, None)


def test_every_closed_weekday_of_a_quarter_century_has_its_name_but_the_days_nobody_foresaw() -> (
    None
):
    first, last = date(2000, 1, 1), date(2026, 12, 31)
    calendar = load_calendar("NYSE", first, last, SessionsConfig())
    sessions = {hours.day for hours in calendar.sessions}
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    weekdays = [day for day in days if day.weekday() < 5]
    assert [day for day in weekdays if day in sessions and holiday(day)] == []
    unnamed = [f"{day}" for day in weekdays if day not in sessions and not holiday(day)]
    assert unnamed == [
        *("2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14"),  # The attacks.
        "2004-06-11",  # Mourning for Reagan,
        "2007-01-02",  # Ford,
        *("2012-10-29", "2012-10-30"),  # A hurricane.
        "2018-12-05",  # Bush,
        "2025-01-09",  # Carter.
    ]
