"""The side file: a command given while nobody could write the journal, adopted at the next start.

One line of JSON a command, each on disk before anybody is told that it was taken.
"""

import errno
import os
from pathlib import Path

import msgspec

from events import OperatorCancelAsked, OperatorKilled

Offline = OperatorKilled | OperatorCancelAsked
"""What may be told without the daemon: it can only make less happen."""


class SideFileDamaged(Exception):
    """A line of the side file is no command; the text says which."""


def side_file_path(journal: Path) -> Path:
    """Return where the side file of `journal` lies."""
    return journal.with_name(journal.name + ".commands")


def write_aside(journal: Path, command: Offline) -> None:
    """Put `command` into the side file, durably.

    Raises:
        OSError: it is not there.
    """
    descriptor = os.open(
        side_file_path(journal), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        before = os.fstat(descriptor).st_size
        line = msgspec.json.encode(command) + b"\n"
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
