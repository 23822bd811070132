"""The time of a simulated gateway, shared with the daemon through a small file.

The gateway lives in the year of its bars and at a speed of its own. It writes down what time it was
there at one moment of the machine's monotonic clock, which is the same for every process; whoever
reads that knows its time from then on. Nothing of it is for real money.
"""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from daemon.clock import JUMP_MAX_NS, read_clocks
from daemon.config.file import ConfigError
from events import ClockJumped, nanoseconds

_MILLISECOND_NS: Final = 10**6


class SimulatedTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """It was `at` in the gateway's time when the machine's monotonic clock said `monotonic_ns`.

    From then on it passes `speed` times as fast.
    """

    at: datetime
    monotonic_ns: int
    speed: float

    def now(self, monotonic_ns: int) -> int:
        """Return the gateway's time, ns UTC, at a reading of the monotonic clock."""
        passed_ns = monotonic_ns - self.monotonic_ns
        return nanoseconds(self.at) + round(passed_ns * self.speed)


def write_time(path: Path, at: datetime, speed: float) -> None:
    """Say in the file `path` that it is `at` now, and how fast time passes."""
    made = SimulatedTime(at, read_clocks().awake, speed)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_name(f"{path.name}.new")
    whole.write_bytes(msgspec.json.encode(made))
    # Whoever reads it meanwhile finds the one before.
    whole.replace(path)


def read_time(path: Path) -> SimulatedTime:
    """Return what the file `path` says.

    Raises:
        ConfigError: there is no such file, or it is none of a gateway that runs on this machine.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=SimulatedTime)
    except OSError as error:
        why = f"{error.strerror}; `traded gateway-sim --clock FILE` writes it"
        raise ConfigError([f"--gateway-time {path}: {why}"]) from error
    except msgspec.MsgspecError as error:
        raise ConfigError([f"--gateway-time {path}: {error}"]) from error
    if found.at.tzinfo is None or found.speed <= 0:
        raise ConfigError([f"--gateway-time {path}: time does not pass there"])
    if found.monotonic_ns > read_clocks().awake:
        raise ConfigError([f"--gateway-time {path}: it was written before the machine was started"])
    return found


class SimulatedClock:
    """A clock for the daemon (`daemon.clock.Clock`) that goes by such a file."""

    def __init__(self, path: Path) -> None:
        """Begin with what the file says.

        Raises:
            ConfigError: as `read_time`.
        """
        self._path = path
        self._agreed = read_time(path)
        self.speed = self._agreed.speed

    def now(self) -> int:
        """Return the gateway's time."""
        return self._agreed.now(read_clocks().awake)

    def set(self, at: int) -> None:
        """Do nothing: this clock moves by itself."""

    def jump(self) -> ClockJumped | None:
        """Say whether the gateway was started anew and lives at another time since."""
        try:
            found = read_time(self._path)
        except ConfigError:
            return None  # Its file is gone, and so is the gateway, probably: time passes as before.
        awake = read_clocks().awake
        ahead = found.now(awake) - self._agreed.now(awake)
        if abs(ahead) <= JUMP_MAX_NS:
            return None
        return ClockJumped(Decimal(round(ahead / _MILLISECOND_NS)).scaleb(-3), Decimal(0))

    def agree(self) -> None:
        """Go by what the file says now."""
        self._agreed = read_time(self._path)
        self.speed = self._agreed.speed
