"""When the simulated exchange is open, and how the gateway writes that down. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from daemon.new_york import moment
from events import SessionHours

NEW_YORK: Final = ZoneInfo("America/New_York")
ZONE_NAME: Final = "US/Eastern"
"""What the real gateway calls New York."""

_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)
_SEARCHED_DAYS: Final = 14
"""No exchange has been closed for longer than this since 1914."""


class Hours:
    """The sessions of the exchange: every weekday, but for the days it was told otherwise."""

    def __init__(self, known: Iterable[SessionHours] = ()) -> None:
        """Take `known` sessions; between the first and the last, a day without one is closed."""
        self._known = {hours.day: hours for hours in known}
        self._first = min(self._known, default=date.max)
        self._last = max(self._known, default=date.min)
        self._current: SessionHours | None = None

    def session(self, day: date) -> SessionHours | None:
        """Return the session of `day`; None when the exchange is closed."""
        if self._first <= day <= self._last:
            return self._known.get(day)
        return None if day.weekday() >= _SATURDAY else _usual(day)

    def at(self, now: datetime) -> SessionHours | None:
        """Return the session in whose extended hours `now` lies."""
        current = self._current
        if current is None or not current.extended_open <= now < current.extended_close:
            current = self.session(new_york_day(now))
            self._current = current
        if current is None or not current.extended_open <= now < current.extended_close:
            return None
        return current

    def is_regular(self, now: datetime) -> bool:
        """Tell whether the exchange is in its regular hours."""
        session = self.at(now)
        return session is not None and session.open <= now < session.close

    def next_session(self, now: datetime) -> SessionHours:
        """Return the session that is still to close its regular hours, the running one included."""
        return next(hours for hours in self.sessions(new_york_day(now)) if now < hours.close)

    def sessions(self, first: date, days: int = _SEARCHED_DAYS) -> Iterator[SessionHours]:
        """Yield the sessions of `days` days from `first` on."""
        for number in range(days):
            session = self.session(first + number * _DAY)
            if session is not None:
                yield session

    def spelled(self, first: date, days: int, *, regular: bool) -> str:
        """Return hours as details hold them: `20240105:0930-20240105:1600;20240106:CLOSED`."""
        parts = []
        for number in range(days):
            day = first + number * _DAY
            session = self.session(day)
            if session is None:
                parts.append(f"{day:%Y%m%d}:CLOSED")
                continue
            begins = session.open if regular else session.extended_open
            ends = session.close if regular else session.extended_close
            parts.append("-".join(f"{new_york(each):%Y%m%d:%H%M}" for each in (begins, ends)))
        return ";".join(parts)


def new_york(moment_utc: datetime) -> datetime:
    """Return the same moment on New York's clocks."""
    return moment_utc.astimezone(NEW_YORK)


def new_york_day(moment_utc: datetime) -> date:
    """Return New York's date at that moment."""
    return new_york(moment_utc).date()


def _usual(day: date) -> SessionHours:
    return SessionHours(
        day,
        moment(day, time(9, 30)),
        moment(day, time(16)),
        moment(day, time(4)),
        moment(day, time(20)),
    )
