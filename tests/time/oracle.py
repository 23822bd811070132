"""New York's days by hand: what the daemon's calendar and schedules are compared with.

Nothing of it comes from the calendar library or from `daemon`: weekdays, a list of days off, and
the hours on New York's clocks.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from daemon.strategies import Anchor, Every, Schedule

NEW_YORK = ZoneInfo("America/New_York")
DAY = timedelta(days=1)
FIRST, LAST = date(2023, 10, 1), date(2025, 5, 31)
CLOSED = frozenset(
    map(
        date.fromisoformat,
        (
            *("2023-11-23", "2023-12-25", "2024-01-01", "2024-01-15", "2024-02-19", "2024-03-29"),
            *("2024-05-27", "2024-06-19", "2024-07-04", "2024-09-02", "2024-11-28", "2024-12-25"),
            *("2025-01-01", "2025-01-09", "2025-01-20", "2025-02-17", "2025-04-18", "2025-05-26"),
        ),
    )
)
HALF_DAYS = frozenset(
    map(date.fromisoformat, ("2023-11-24", "2024-07-03", "2024-11-29", "2024-12-24"))
)


class Session(msgspec.Struct, frozen=True):
    """A trading day; its hours are in UTC."""

    day: date
    opens: datetime
    closes: datetime


def _there(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


def _sessions() -> tuple[Session, ...]:
    days = (FIRST + number * DAY for number in range((LAST - FIRST).days))
    return tuple(
        Session(day, _there(day, time(9, 30)), _there(day, time(13 if day in HALF_DAYS else 16)))
        for day in days
        if day.weekday() < 5 and day not in CLOSED
    )


SESSIONS = _sessions()


def dues(schedule: Schedule, known_until: datetime) -> list[datetime]:
    """Return when `schedule` is due, in sessions that close by `known_until`, in their order."""
    found: list[datetime] = []
    before: object = None
    for session in SESSIONS:
        period: object = session.day
        if schedule.every is Every.WEEK:
            period = session.day - session.day.weekday() * DAY
        elif schedule.every is Every.MONTH:
            period = (session.day.year, session.day.month)
        # Of the first period of all nobody knows where it began.
        is_first = schedule.every is Every.SESSION or before is not None
        if period != before and is_first and session.closes <= known_until:
            anchor = session.opens if schedule.anchor is Anchor.OPEN else session.closes
            found.append(anchor + timedelta(seconds=schedule.offset_s))
        before = period
    return found


def midnights() -> list[datetime]:
    """Return when each day begins in New York."""
    return [_there(FIRST + number * DAY, time()) for number in range((LAST - FIRST).days)]


def is_open(moment: datetime, grace: timedelta) -> bool:
    """Say whether New York trades at `moment`, or does within `grace` of it."""
    return any(each.opens - grace <= moment <= each.closes + grace for each in SESSIONS)
