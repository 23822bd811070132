"""How much room the journal has left, against what its configuration wants."""

from pathlib import Path

import msgspec

from daemon.disk import BYTES_A_MB, free_bytes
from ops.recorded_config import recorded_config
from projections import State


class DiskRoom(msgspec.Struct, frozen=True):
    """The bytes free for the journal now; below the first level it is low, below the other none."""

    free_bytes: int
    warn_bytes: int
    halt_bytes: int

    @property
    def is_low(self) -> bool:
        """True when an operator should make room."""
        return self.free_bytes < self.warn_bytes

    @property
    def text(self) -> str:
        """What was found, with what it is held against."""
        found = f"{_gigabytes(self.free_bytes)} free"
        if not self.is_low:
            return found
        wanted = f"{_gigabytes(self.warn_bytes)} are wanted"
        return f"{found}, {wanted}; below {_gigabytes(self.halt_bytes)} a live daemon stops"


def disk_room(state: State, journal: Path) -> DiskRoom:
    """Return the room for `journal`, whose books are `state`."""
    levels = recorded_config(state.identity.config).journal
    warn, halt = levels.disk_warn_mb * BYTES_A_MB, levels.disk_halt_mb * BYTES_A_MB
    return DiskRoom(free_bytes(journal), warn, halt)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
