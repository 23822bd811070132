"""What the core cannot see, looked at between turns: permit file, clocks, disk, calendars.

What is found there enters as an input, once; the core decides what follows.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from daemon.clock import Clock
from daemon.core.core import Core
from daemon.stopping.kill_switch import KillSwitch
from events import (
    KILL_SWITCH,
    CalendarLoaded,
    DiskLow,
    PermitLost,
    Trip,
    utc_from_nanoseconds,
)

Calendars = Callable[[datetime], Sequence[CalendarLoaded]]
"""Makes the exchanges' calendars as they are known at a moment."""

_SECOND_NS: Final = 10**9


class DiskTerms(msgspec.Struct, frozen=True):
    """How much of the disk must stay free, in bytes, and how often to look."""

    least_bytes: int
    every_s: int


class Surroundings:
    """Looks around for a core that goes on living; each look is cheap."""

    def __init__(
        self, core: Core, switch: KillSwitch, disk: DiskTerms, free_bytes: Callable[[], int]
    ) -> None:
        """Give what is found to `core`; `free_bytes` says how much room the disk has."""
        self._core = core
        self._switch = switch
        self._disk = disk
        self.free_bytes = free_bytes
        self._disk_seen_at = 0
        self._jump_is_told = False
        self.calendars: Calendars = lambda _now: ()
        self.calendar_problem = ""

    def look(self, clock: Clock, *, live: bool) -> None:
        """Look at everything; clocks and disk matter where the bars are of today (`live`)."""
        self.look_at_permit(clock)
        if live:
            self._look_at_clock(clock)
            self._look_at_disk(clock.now())

    def look_at_permit(self, clock: Clock) -> None:
        """Take the permit's absence for the kill it is meant to be, also while nothing is sent."""
        if self._switch.latched or self._switch.permit.granted:
            return  # A latch is set by a kill, which records itself.
        if not self._stands(KILL_SWITCH):
            self._core.step(PermitLost(f"{self._switch.permit.path} is gone"), clock.now())

    def _look_at_clock(self, clock: Clock) -> None:
        """Report a jump, once. When an operator has lifted what it led to, the machine is right."""
        jump = clock.jump()
        if jump is None:
            self._jump_is_told = False
        elif not self._stands(Trip.CLOCK_JUMP):
            if self._jump_is_told:
                clock.agree()
            else:
                self._core.step(jump, clock.now())
            self._jump_is_told = not self._jump_is_told

    def _look_at_disk(self, now: int) -> None:
        if 0 <= now - self._disk_seen_at < self._disk.every_s * _SECOND_NS:
            return
        self._disk_seen_at = now
        free, least = self.free_bytes(), self._disk.least_bytes
        if free < least and not self._stands(Trip.DISK_LOW):
            self._core.step(DiskLow(free, least), now)

    def renew_calendars(self, now: int) -> None:
        """Take the calendars as they are `now` (ns UTC), where they say something new.

        The one there is goes on to count when none can be made; the core holds before it ends.
        """
        try:
            found = self.calendars(utc_from_nanoseconds(now))
        except Exception as error:  # noqa: BLE001 - a library may fail, the daemon not
            self.calendar_problem = f"the calendars were not made anew: {error}"
            return
        self.calendar_problem = ""
        for calendar in found:
            if not self._core.state.calendar.has(calendar):
                self._core.step(calendar, now)

    def _stands(self, cause: str) -> bool:
        return any(hold.cause == cause for hold in self._core.state.holds.active.values())
