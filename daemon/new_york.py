"""New York's days and hours in UTC: corporate actions and trading hours are said in them."""

from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

_ZONE: Final = ZoneInfo("America/New_York")


def moment(day: date, at: time) -> datetime:
    """Return when it is `at` in New York on `day`, in UTC."""
    return datetime.combine(day, at, _ZONE).astimezone(UTC)


def midnight(day: date) -> datetime:
    """Return when `day` begins in New York, in UTC: before any of that day's trading."""
    return moment(day, time())


def day_of(moment: datetime) -> date:
    """Return which day it is in New York at `moment`."""
    return moment.astimezone(_ZONE).date()
