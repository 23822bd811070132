"""The side file: a command given while nobody could write the journal, adopted at the next start.

One line of JSON a command, each on disk before anybody is told that it was taken. A disk that is
full has no room for it: a reserve is kept beside the journal, and given up for a command. What the
daemon itself says last has a file of its own, as long as that will ever be: the reserve is for a
person.
"""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from events import OperatorCancelAsked, OperatorKilled
from events.failed_write import cannot_write
from events.witness import fsync_folder

Offline = OperatorKilled | OperatorCancelAsked
"""What may be told without the daemon: it can only make less happen."""
RESERVE_BYTES: Final = 65_536
"""Room for many commands, each of some hundred bytes, and for what a file system adds to that."""
LAST_WORD_BYTES: Final = 262_144
"""Room for the cancels of a thousand orders."""


class SideFileDamaged(Exception):
    """A line of the side file is no command; the text says which."""


def side_file_path(journal: Path) -> Path:
    """Return where the side file of `journal` lies."""
    return journal.with_name(journal.name + ".commands")


def reserve_path(journal: Path) -> Path:
    """Return where the room lies that a command finds on a full disk."""
    return journal.with_name(journal.name + ".reserve")


def last_word_path(journal: Path) -> Path:
    """Return where the room lies that the last word of a daemon is written over."""
    return journal.with_name(journal.name + ".last-word")


def keep_room(journal: Path) -> None:
    """Keep room for a command that comes when the disk is full, and for the daemon's last word.

    The last word that was there is gone by then: it has to be in the journal.

    Raises:
        JournalWriteFailed: there is none by now.
    """
    _keep_blank(reserve_path(journal), RESERVE_BYTES, "the room for a kill on a full disk")
    _keep_blank(last_word_path(journal), LAST_WORD_BYTES, "the room for the last cancels")


def _keep_blank(path: Path, size: int, what: str) -> None:
    blank = bytes(size)
    with cannot_write(f"{path}, {what}, could not be kept"):
        found = path.read_bytes() if path.exists() else None
        if found == blank:
            return
        # Written over in place, so that a full disk does not lose the room it has.
        with path.open("wb" if found is None else "r+b") as file:
            file.truncate(size)
            file.write(blank)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(0o600)
        fsync_folder(path.parent)


def write_last_word(journal: Path, commands: Sequence[Offline]) -> None:
    """Write `commands` over the blank room kept for them, durably: a full disk has it, too.

    Raises:
        OSError: they are not there, or not all of them.
    """
    lines = b"".join(map(_line, commands))
    if len(lines) > LAST_WORD_BYTES:
        raise OSError(errno.ENOSPC, f"{len(commands)} commands are more than there is room for")
    # It is not made here: what is not there by now may have no room.
    descriptor = os.open(last_word_path(journal), os.O_WRONLY | os.O_CLOEXEC)
    try:
        if os.write(descriptor, lines) < len(lines):
            os.ftruncate(descriptor, 0)
            raise OSError(errno.ENOSPC, "only a part of the last word could be written")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_aside(journal: Path, command: Offline) -> None:
    """Put `command` into the side file, durably, on a full disk in the place of the reserve.

    Raises:
        OSError: it is not there.
    """
    line = _line(command)
    try:
        _append(journal, line)
    except OSError:
        if not reserve_path(journal).exists():
            raise
        reserve_path(journal).unlink()
        _append(journal, line)


def _line(command: Offline) -> bytes:
    return msgspec.json.encode(command) + b"\n"


def _append(journal: Path, line: bytes) -> None:
    descriptor = os.open(
        side_file_path(journal), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        before = os.fstat(descriptor).st_size
        if os.write(descriptor, line) < len(line):
            # What was there before can still be read.
            os.ftruncate(descriptor, before)
            raise OSError(errno.ENOSPC, "only a part of the command could be written")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_aside(journal: Path) -> list[Offline]:
    """Return the last word of the daemon and the commands in the side file, oldest first.

    Raises:
        SideFileDamaged: what is there cannot be read, so nobody knows what was asked for.
    """
    return [*_read(last_word_path(journal)), *_read(side_file_path(journal))]


def _read(path: Path) -> list[Offline]:
    try:
        lines = path.read_bytes().rstrip(b"\0").splitlines()
    except FileNotFoundError:
        return []
    try:
        return [msgspec.json.decode(line, type=Offline) for line in lines if line.strip()]
    except msgspec.DecodeError as error:
        message = f"{path}: {error}\n  next: read it, do what it says, and remove it"
        raise SideFileDamaged(message) from error


def drop_aside(journal: Path) -> None:
    """Remove the side file: all of it is in the journal. The last word goes with `keep_room`."""
    side_file_path(journal).unlink(missing_ok=True)
