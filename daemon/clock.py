"""The only place that reads a clock. Everything else is told the time."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the engine needs of a clock: wall time in nanoseconds UTC."""

    def now(self) -> int:
        """Return the wall time, ns UTC."""
        ...

    def set(self, at: int) -> None:
        """Move to `at`, where the clock follows recorded bars; a real clock stays as it is."""
        ...


class FeedClock:
    """The clock of recorded bars: it stands where the last input stood, and never goes back."""

    def __init__(self, at: int) -> None:
        """Start at `at`, ns UTC."""
        self._at = at

    def now(self) -> int:
        """Return the time of the input being taken."""
        return self._at

    def set(self, at: int) -> None:
        """Move forward to `at`; a time before now leaves the clock where it is."""
        self._at = max(self._at, at)


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> int:
        """Return the wall time as read."""
        return time.time_ns()

    def set(self, at: int) -> None:
        """Do nothing: this clock moves by itself."""


def monotonic_s() -> float:
    """Return seconds that never go back: for waiting, never for what is recorded."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Let this thread, and it alone, wait."""
    time.sleep(seconds)
