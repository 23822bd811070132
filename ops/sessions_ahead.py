"""The session that is open or comes next: when, whether it is short, what keeps it away."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from daemon.new_york import day_of
from events import SessionHours
from ops.holidays import holiday
from projections import State
from projections.calendar import ALWAYS_OPEN, Sessions

FULL_DAY: Final = timedelta(hours=6, minutes=30)
_SATURDAY: Final = 5


class ClosedDay(msgspec.Struct, frozen=True):
    """A weekday without a session; its name is empty where it is no holiday we know."""

    day: date
    name: str


class SessionStanding(msgspec.Struct, frozen=True):
    """The session of an exchange that is open or comes next; None past what is known.

    `changes_in_s` is how long until it opens, or else closes. `closed_days` are the weekdays from
    today on that lie before it.
    """

    exchange: str
    is_open: bool
    opens: datetime | None = None
    closes: datetime | None = None
    changes_in_s: float | None = None
    is_half_day: bool = False
    closed_days: tuple[ClosedDay, ...] = ()


def sessions_ahead(state: State, now: datetime) -> Iterator[SessionStanding]:
    """Yield how each exchange in use stands at `now`."""
    for exchange in sorted({terms.exchange for terms in state.symbols.values()}):
        sessions = state.calendar.exchanges.get(exchange)
        if exchange == ALWAYS_OPEN:
            yield SessionStanding(exchange, is_open=True)
        elif sessions is None or (hours := sessions.first_ending_after(now)) is None:
            yield SessionStanding(exchange, is_open=False)
        else:
            yield _standing(exchange, sessions, hours, now)


def _standing(
    exchange: str, sessions: Sessions, hours: SessionHours, now: datetime
) -> SessionStanding:
    is_open = hours.open <= now
    changes = hours.close if is_open else hours.open
    return SessionStanding(
        exchange,
        is_open,
        hours.open,
        hours.close,
        (changes - now) / timedelta(seconds=1),
        hours.close - hours.open < FULL_DAY,
        tuple(_closed_days(sessions, day_of(now), hours.day)),
    )


def _closed_days(sessions: Sessions, today: date, opens: date) -> Iterator[ClosedDay]:
    """Yield the weekdays from `today` to before the day `opens` that have no session."""
    known = {hours.day for hours in sessions.hours}
    for number in range((opens - today).days):
        day = today + timedelta(days=number)
        if day.weekday() < _SATURDAY and day not in known:
            yield ClosedDay(day, holiday(day))
