"""The only place that reads a clock. Everything else is told the time."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from events import ClockJumped

JUMP_MAX_NS: Final = 2 * 10**9
"""How far clocks may differ, since they last agreed, without anybody having set one."""
_MILLISECOND_NS: Final = 10**6


class Clock(Protocol):
    """What the engine needs of a clock: wall time in nanoseconds UTC.

    `speed` is how many of its seconds pass in one of the machine's.
    """

    speed: float

    def now(self) -> int:
        """Return the wall time, ns UTC."""
        ...

    def set(self, at: int) -> None:
        """Move to `at`, where the clock follows recorded bars; a real clock stays as it is."""
        ...

    def jump(self) -> ClockJumped | None:
        """Say whether the machine's clock was set, or the machine slept, since both agreed."""
        ...

    def agree(self) -> None:
        """Go by what the machine's clock says from here on."""
        ...


class FeedClock:
    """The clock of recorded bars: it stands where the last input stood, and never goes back."""

    speed = 1.0

    def __init__(self, at: int) -> None:
        """Start at `at`, ns UTC."""
        self._at = at

    def now(self) -> int:
        """Return the time of the input being taken."""
        return self._at

    def set(self, at: int) -> None:
        """Move forward to `at`; a time before now leaves the clock where it is."""
        self._at = max(self._at, at)

    def jump(self) -> ClockJumped | None:
        """Return None: nobody sets the clock of recorded bars."""
        return None

    def agree(self) -> None:
        """Do nothing: there is no other clock."""


class Reading(msgspec.Struct, frozen=True):
    """The machine's clocks at one moment, in ns: `wall` is UTC and may be set.

    `passed` and `awake` only count on, the latter not while the machine is suspended.
    """

    wall: int
    passed: int
    awake: int


def read_clocks() -> Reading:
    """Return what the machine's clocks say."""
    passed = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return Reading(time.time_ns(), passed, time.monotonic_ns())


class SystemClock:
    """The machine's wall time as it last agreed, carried on by the time that has passed since.

    So setting the wall clock moves nothing by itself. What it is off by without having been set is
    made up for each time the clocks are compared.
    """

    speed = 1.0

    def __init__(self, read: Callable[[], Reading] = read_clocks) -> None:
        """Begin with what the wall clock says."""
        self._read = read
        self._agreed = read()

    def now(self) -> int:
        """Return the wall time."""
        return self._agreed.wall + self._read().passed - self._agreed.passed

    def set(self, at: int) -> None:
        """Do nothing: this clock moves by itself."""

    def jump(self) -> ClockJumped | None:
        """Compare the clocks: where they agree, by and large, all go on from here."""
        found, agreed = self._read(), self._agreed
        passed = found.passed - agreed.passed
        ahead = found.wall - agreed.wall - passed
        asleep = passed - (found.awake - agreed.awake)
        if abs(ahead) <= JUMP_MAX_NS and asleep <= JUMP_MAX_NS:
            self._agreed = found
            return None
        return ClockJumped(seconds(ahead), seconds(asleep))

    def agree(self) -> None:
        """Go by what the wall clock says from here on, whatever was before."""
        self._agreed = self._read()


def monotonic_s() -> float:
    """Return seconds that never go back: for waiting, never for what is recorded."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Let this thread, and it alone, wait."""
    time.sleep(seconds)


def seconds(nanoseconds: int) -> Decimal:
    """Return nanoseconds in seconds, to the millisecond."""
    return Decimal(round(nanoseconds / _MILLISECOND_NS)).scaleb(-3)
