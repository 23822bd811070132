"""The head witness: a second file that remembers where the journal ended.

A hash chain cannot see that its last links are gone; the witness can. Two slots are written in
turn, each with its checksum, so that a torn write leaves the other one standing.
"""

import errno
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from events.errors import JournalDamaged, JournalTailLost
from events.failed_write import cannot_write
from events.rows import Head

SLOT_BYTES = 4096
"""One slot a disk sector (or page), so that tearing one never touches the other."""


class Witness(msgspec.Struct, frozen=True):
    """The journal `journal_id` reached `seq`, whose row has `hash`, in its `epoch`."""

    journal_id: str
    epoch: int
    seq: int
    hash: str


def witness_path(journal: Path) -> Path:
    """Return where the witness of `journal` lies."""
    return journal.with_name(journal.name + ".witness")


class WitnessFile:
    """Reads and writes the witness at `path`. One writer: the holder of the journal's lock."""

    def __init__(self, path: Path) -> None:
        """Bind to `path`; nothing is opened until the first write."""
        self.path = path
        self._fd: int | None = None
        self._slot = 0

    def write(self, witness: Witness) -> None:
        """Record `witness` durably in the slot that does not hold the newest one."""
        if self._fd is None:
            self._fd = self._open()
        _write_whole(self._fd, _sealed(witness), self._slot * SLOT_BYTES)
        os.fdatasync(self._fd)
        self._slot = 1 - self._slot

    def close(self) -> None:
        """Close the file, if it was opened."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> int:
        slots = _slots(self.path.read_bytes()) if self.path.exists() else {}
        newest = max(slots, key=lambda slot: slots[slot].seq, default=1)
        self._slot = 1 - newest
        is_new = not self.path.exists()
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if is_new:
            _write_whole(fd, bytes(2 * SLOT_BYTES), 0)
            os.fsync(fd)
            fsync_folder(self.path.parent)
        return fd


def read_witness(path: Path) -> Witness | None:
    """Return the newest witness at `path`, None where there is no file or it was never written.

    Raises:
        JournalDamaged: the file has content and neither slot is whole.
    """
    if not path.exists():
        return None
    content = path.read_bytes()
    slots = _slots(content)
    if slots:
        return max(slots.values(), key=lambda witness: witness.seq)
    if content.strip(b"\0"):
        message = f"the witness {path} is damaged: neither of its two slots is whole"
        raise JournalDamaged(message)
    return None


def check_witness(
    journal: Path, witness: Witness | None, head: Head, hash_at: Callable[[int], bytes | None]
) -> None:
    """Compare where `journal` ends with what its `witness` remembers.

    `hash_at` returns the hash of the row at a seq, None when there is no such row.

    Raises:
        JournalTailLost: the witness is ahead of the file, remembers another history, or is missing.
    """
    if witness is None:
        if head.seq > 1:
            path = witness_path(journal)
            message = f"the witness {path} is missing, and the journal has {head.seq} events"
            raise JournalTailLost(message, "put the witness back from the same backup or disk")
        return
    if witness.seq > head.seq:
        message = (
            f"{journal} ends at event {head.seq}, its witness remembers {witness.seq}: "
            f"{witness.seq - head.seq} events are lost"
        )
        raise JournalTailLost(message)
    found = hash_at(witness.seq)
    if found is None or found.hex() != witness.hash:
        message = f"{journal} is not the history its witness remembers at event {witness.seq}"
        raise JournalTailLost(message)


def first_witness(journal: Path, head: Head) -> None:
    """Write the first witness of a journal that has no event yet, or none but its name.

    Raises:
        JournalWriteFailed: it could not be written.
    """
    file = WitnessFile(witness_path(journal))
    with cannot_write(f"{file.path} could not be made"):
        try:
            file.write(Witness("", 0, head.seq, head.hash.hex()))
        finally:
            file.close()


def fsync_folder(folder: Path) -> None:
    """Make names created or renamed in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_whole(fd: int, content: bytes, at: int) -> None:
    """Write all of `content`: a disk may take a part of it at a time."""
    while content:
        taken = os.pwrite(fd, content, at)
        if not taken:
            raise OSError(errno.ENOSPC, "the disk takes no more")
        content, at = content[taken:], at + taken


def _sealed(witness: Witness) -> bytes:
    body = msgspec.json.encode(witness)
    return (sha256(body).hexdigest().encode() + b" " + body + b"\n").ljust(SLOT_BYTES, b"\0")


def _slots(content: bytes) -> dict[int, Witness]:
    found = {}
    for slot in (0, 1):
        seal, _, body = (
            content[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES].rstrip(b"\0\n").partition(b" ")
        )
        if seal and sha256(body).hexdigest().encode() == seal:
            found[slot] = msgspec.json.decode(body, type=Witness)
    return found
