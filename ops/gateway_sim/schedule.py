"""When the gateway is away by the calendar: its own restart, IB's nightly reset, the weekly login.

The real gateway restarts itself once a day at a time of its host; IB's servers are reset each
night, and at the weekend for longer; once a week its login expires, and the next restart waits for
a person. Pure: it only says when.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ops.gateway_sim.hours import NEW_YORK

_SATURDAY: Final = 5
_SUNDAY: Final = 6
_DAY: Final = timedelta(days=1)

RESET_FROM: Final = time(0, 15)
RESET_UNTIL: Final = time(1, 45)
WEEKEND_RESET_FROM: Final = time(23)
WEEKEND_RESET_UNTIL: Final = time(3)
LOGIN_EXPIRES: Final = time(1)
"""On Sundays, New York."""


class OccasionKind(StrEnum):
    """Why the gateway is away."""

    RESTART = "restart"
    """Every connection is reset, and none is taken for a while."""
    LOGIN = "login"
    """As a restart, but it takes until a person has logged in."""
    SERVERS = "servers"
    """IB's servers are away: 1100 at the beginning, 1102 at the end. Connections stay."""


class Occasion(msgspec.Struct, frozen=True, order=True):
    """From when to when the gateway is away, and why."""

    at: datetime
    until: datetime
    kind: OccasionKind


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is away when. The defaults are a freshly installed gateway's in New York."""

    restarts_at: time | None = time(23, 45)
    """None: the gateway never restarts by itself."""
    zone: str = "America/New_York"
    """Of the host the gateway runs on."""
    restart_takes: timedelta = timedelta(minutes=1)
    login_takes: timedelta = timedelta(hours=8)
    """How long it takes until a person has logged in, after the week's login has expired."""
    has_server_resets: bool = True
    has_weekly_login: bool = True

    def between(self, since: datetime, until: datetime) -> list[Occasion]:
        """Return what begins in (since, until], in order."""
        first = since.astimezone(NEW_YORK).date() - _DAY
        days = (until.astimezone(NEW_YORK).date() - first).days + 2
        found = [
            occasion
            for number in range(days)
            for occasion in self._of_day(first + number * _DAY)
            if since < occasion.at <= until
        ]
        return sorted(found)

    def _of_day(self, day: date) -> Iterator[Occasion]:
        if self.restarts_at is not None:
            zone = ZoneInfo(self.zone)
            at, before = (
                datetime.combine(each, self.restarts_at, zone).astimezone(UTC)
                for each in (day, day - _DAY)
            )
            if self.has_weekly_login and before < _last_expiry(at):
                yield Occasion(at, at + self.login_takes, OccasionKind.LOGIN)
            else:
                yield Occasion(at, at + self.restart_takes, OccasionKind.RESTART)
        if not self.has_server_resets:
            return
        if day.weekday() == _SATURDAY:
            # What began on Friday evening is one long absence.
            begins = _new_york(day - _DAY, WEEKEND_RESET_FROM)
            yield Occasion(begins, _new_york(day, WEEKEND_RESET_UNTIL), OccasionKind.SERVERS)
        else:
            begins = _new_york(day, RESET_FROM)
            yield Occasion(begins, _new_york(day, RESET_UNTIL), OccasionKind.SERVERS)


def _last_expiry(until: datetime) -> datetime:
    """Return when the login last expired, at `until` or before."""
    day = until.astimezone(NEW_YORK).date()
    sunday = day - timedelta(days=(day.weekday() - _SUNDAY) % 7)
    expired = _new_york(sunday, LOGIN_EXPIRES)
    return expired if expired <= until else _new_york(sunday - 7 * _DAY, LOGIN_EXPIRES)


def _new_york(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)
