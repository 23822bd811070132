"""Which timers have fired."""

import msgspec

from events import TimerFired, TimerKind


class Timers(msgspec.Struct):
    """The last firing of every schedule: a schedule fires at most once for each due time."""

    fired: dict[str, TimerFired] = {}

    def apply(self, event: TimerFired) -> None:
        """Remember the newest firing of a schedule; other timers end with what they were for."""
        if event.kind is TimerKind.SCHEDULE:
            self.fired[event.subject] = event
