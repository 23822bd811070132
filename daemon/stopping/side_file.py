"""The side file: a command given while nobody could write the journal, adopted at the next start.

One line of JSON a command, each on disk before anybody is told that it was taken. A disk that is
full has no room for it: a reserve is kept beside the journal, and given up for a command.
"""

import errno
import os
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


class SideFileDamaged(Exception):
    """A line of the side file is no command; the text says which."""


def side_file_path(journal: Path) -> Path:
    """Return where the side file of `journal` lies."""
    return journal.with_name(journal.name + ".commands")


def reserve_path(journal: Path) -> Path:
    """Return where the room lies that a command finds on a full disk."""
    return journal.with_name(journal.name + ".reserve")


def keep_reserve(journal: Path) -> None:
    """Keep room for a command that comes when the disk is full.

    Raises:
        JournalWriteFailed: there is none by now.
    """
    path = reserve_path(journal)
    if path.exists() and path.stat().st_size == RESERVE_BYTES:
        return
    with cannot_write(f"{path}, the room for a kill on a full disk, could not be kept"):
        with path.open("wb") as file:
            file.write(bytes(RESERVE_BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.chmod(0o600)
        fsync_folder(path.parent)


def write_aside(journal: Path, command: Offline) -> None:
    """Put `command` into the side file, durably, on a full disk in the place of the reserve.

    Raises:
        OSError: it is not there.
    """
    line = msgspec.json.encode(command) + b"\n"
    try:
        _append(journal, line)
    except OSError:
        if not reserve_path(journal).exists():
            raise
        reserve_path(journal).unlink()
        _append(journal, line)


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
    """Return the commands in the side file, oldest first; none where there is no such file.

    Raises:
        SideFileDamaged: what is there cannot be read, so nobody knows what was asked for.
    """
    path = side_file_path(journal)
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    try:
        return [msgspec.json.decode(line, type=Offline) for line in lines if line.strip()]
    except msgspec.DecodeError as error:
        message = f"{path}: {error}\n  next: read it, do what it says, and remove it"
        raise SideFileDamaged(message) from error


def drop_aside(journal: Path) -> None:
    """Remove the side file: all of it is in the journal."""
    side_file_path(journal).unlink(missing_ok=True)
