"""Which timers have fired."""

from datetime import datetime
from typing import Final

import msgspec

from events import TimerFired, TimerKind

_WATCHES: Final = frozenset(
    {
        TimerKind.DATA_WATCH,
        TimerKind.CALENDAR_REFRESH,
        TimerKind.BROKER_WATCH,
        TimerKind.RECONCILE,
    }
)


class Timers(msgspec.Struct):
    """The last firing of every schedule and of every watch: none fires twice for one due time."""

    fired: dict[str, TimerFired] = {}
    watched: dict[TimerKind, dict[str, datetime]] = {}

    def apply(self, event: TimerFired) -> None:
        """Remember the newest firing; timers of other kinds end with what they were for."""
        if event.kind is TimerKind.SCHEDULE:
            self.fired[event.subject] = event
        elif event.kind in _WATCHES:
            self.watched.setdefault(event.kind, {})[event.subject] = event.due

    def last_watch(self, kind: TimerKind, subject: str) -> datetime | None:
        """Return when that watch was last due, None when it has never been."""
        return self.watched.get(kind, {}).get(subject)
