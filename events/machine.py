"""What befell the machine the daemon runs on, as seen from inside the process."""

from decimal import Decimal

from events.base import Event


class ClockJumped(Event, frozen=True, tag="clock.jumped"):
    """The machine's wall clock was set, or the machine slept.

    `ahead_s` is how many seconds the wall clock is ahead of the time that has passed since both
    last agreed; negative, behind. `asleep_s` is how many of those the machine was suspended.
    """

    ahead_s: Decimal
    asleep_s: Decimal


class DiskLow(Event, frozen=True, tag="disk.low"):
    """The file system of the journal has less room left than it needs: `free_bytes`."""

    free_bytes: int
    least_bytes: int
