"""The gateway's own time: any moment of any year, at any speed, or standing still."""

import time
from datetime import datetime, timedelta


class VirtualClock:
    """Runs `speed` times as fast as the wall clock, from `start`; at speed 0 it is set by hand."""

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        """Begin at `start`, which is aware."""
        self._origin = start
        self._since = time.monotonic()
        self.speed = speed

    def now(self) -> datetime:
        """Return what time it is for the gateway; it never goes back."""
        passed_s = (time.monotonic() - self._since) * self.speed
        return self._origin + timedelta(seconds=passed_s)

    def go_to(self, moment: datetime) -> None:
        """Be at `moment` now, or stay where it is already later."""
        self._origin = max(moment, self.now())
        self._since = time.monotonic()

    def run_at(self, speed: float) -> None:
        """Go on from here at `speed`."""
        self._origin = self.now()
        self._since = time.monotonic()
        self.speed = speed

    @staticmethod
    def seconds() -> float:
        """Return the wall's seconds, in which pacing and the delays of faults are counted."""
        return time.monotonic()
