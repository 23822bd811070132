"""When the gateway is known to be away: nothing is submitted shortly before and during that.

Interactive Brokers resets its servers every night, and rests longer on Friday night; a gateway
restarts itself once a day, and what is written in that second is lost without a word.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

_NEW_YORK: Final = ZoneInfo("America/New_York")
_FRIDAY: Final = 4
_SATURDAY: Final = 5
_SUNDAY: Final = 6

NIGHTLY: Final = (time(0, 15), time(1, 45))
"""New York time, Sunday to Friday."""
WEEKEND: Final = (time(23), time(3))
"""New York time, from Friday into Saturday."""
BEFORE: Final = timedelta(minutes=2)
"""So long before a window nothing is submitted any more: an answer needs its time too."""
RESTART: Final = timedelta(minutes=3)
"""How long a gateway's own restart takes at the most."""


class Windows(msgspec.Struct, frozen=True):
    """`restart` is when the gateway restarts itself, by the clock of `zone`; None: never."""

    restart: time | None = None
    zone: str = "America/New_York"

    def closed(self, now: datetime) -> str:
        """Say which window `now` (aware) is in or shortly before, nothing when it is in none."""
        if _in_nightly(now) or _in_nightly(now + BEFORE):
            return "the nightly reset of Interactive Brokers, 00:15 to 01:45 New York"
        if _in_weekend(now) or _in_weekend(now + BEFORE):
            return "the weekend maintenance of Interactive Brokers, until Saturday 03:00 New York"
        if self.restart is not None and self._restarts(now):
            return f"the gateway's own restart at {self.restart:%H:%M} {self.zone}"
        return ""

    def _restarts(self, now: datetime) -> bool:
        assert self.restart is not None, "asked before"
        local = now.astimezone(ZoneInfo(self.zone))
        # Of yesterday, today and tomorrow: the window may reach over midnight.
        days = [local.date() + timedelta(days=days) for days in (-1, 0, 1)]
        times = [datetime.combine(day, self.restart, local.tzinfo).astimezone(UTC) for day in days]
        return any(at - BEFORE <= now < at + RESTART for at in times)


def _in_nightly(now: datetime) -> bool:
    local = now.astimezone(_NEW_YORK)
    return local.weekday() != _SATURDAY and NIGHTLY[0] <= local.time() < NIGHTLY[1]


def _in_weekend(now: datetime) -> bool:
    local = now.astimezone(_NEW_YORK)
    if local.weekday() == _FRIDAY:
        return local.time() >= WEEKEND[0]
    return local.weekday() == _SATURDAY and local.time() < WEEKEND[1]


def weekly_login_since(reached: datetime, now: datetime) -> bool:
    """Say whether a Sunday 01:00 of New York lies between both: after it somebody has to log in.

    The tokens with which a gateway restarts by itself end there.
    """
    local = now.astimezone(_NEW_YORK)
    days = (local.weekday() - _SUNDAY) % 7
    sunday = datetime.combine(local.date() - timedelta(days=days), time(1), _NEW_YORK)
    if sunday > local:
        sunday = datetime.combine(sunday.date() - timedelta(days=7), time(1), _NEW_YORK)
    return reached < sunday.astimezone(UTC)
