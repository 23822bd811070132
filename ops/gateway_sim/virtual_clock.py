"""The gateway's own time: any moment of any year, at any speed, or standing still."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta


class VirtualClock:
    """Runs `speed` times as fast as the wall clock, from `start`; at speed 0 it is set by hand."""

    def __init__(
        self, start: datetime, speed: float = 1.0, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin at `start`, which is aware.

        `seconds` are the wall's, in which pacing and the delays of faults are counted.
        """
        self._origin = start
        self.seconds = seconds
        self._since = seconds()
        self.speed = speed

    def now(self) -> datetime:
        """Return what time it is for the gateway; it never goes back."""
        passed_s = (self.seconds() - self._since) * self.speed
        return self._origin + timedelta(seconds=passed_s)

    def go_to(self, moment: datetime) -> None:
        """Be at `moment` now, or stay where it is already later."""
        self._origin = max(moment, self.now())
        self._since = self.seconds()

    def run_at(self, speed: float) -> None:
        """Go on from here at `speed`."""
        self._origin = self.now()
        self._since = self.seconds()
        self.speed = speed
