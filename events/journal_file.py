"""The SQLite file that a journal is: made empty, recognised, and filled with another one's rows.

What is appended to it, and read from it, is `events.journal`'s.
"""

import os
import shutil
import sqlite3
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from events.chain import Row
from events.errors import (
    JournalDamaged,
    JournalDiskFailed,
    JournalError,
    JournalForeign,
    JournalLocked,
    JournalNewer,
    JournalOutOfReach,
)
from events.failed_write import cannot_write
from events.files import assert_nothing_left, schema
from events.witness import fsync_folder

APPLICATION_ID = 0x54524144
"""The letters TRAD, in the SQLite header."""
USER_VERSION = 2
"""The newest form there is."""
FORM, CONTINUED_FORM = 1, 2
"""A journal from its first event, and one that goes on behind what was sealed of it."""
SQLITE_VERSION = sqlite3.sqlite_version
PAGE_BYTES = 4096
"""With the append-only trigger small pages insert a fifth faster than 16k ones (measured)."""

DISK_FAILED = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL})
ROOM_BYTES = 1_000_000
"""With less than that free, a file that cannot be made is one there is no room for."""

ROWS_A_STATEMENT = 250
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?)"
SYNC_ROWS = 5_000
"""How much of a copy the disk gets at a time: what it is behind with, the next commit waits for."""


def create_missing(path: Path) -> None:
    """Make an empty journal where there is none, whole or not at all.

    Raises:
        JournalWriteFailed: the disk does not take it.
    """
    if path.exists():
        return
    assert_nothing_left(path)
    made = path.with_name(path.name + ".new")
    with cannot_write(f"{path} could not be made", sqlite3.Error):
        made.unlink(missing_ok=True)
        connection = _made(made)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        made.chmod(0o600)
        made.rename(path)
        fsync_folder(path.parent)


class RowFile:
    """A journal being made of the rows of another, in order and as they are; proved by nobody yet.

    It may be used by one thread after the other. What is there before `finish` is no journal.
    """

    def __init__(self, path: Path) -> None:
        """Begin at `path`; what an earlier attempt has left there goes."""
        path.unlink(missing_ok=True)
        self.path = path
        self._connection = _made(path, check_same_thread=False)
        # Nobody asks for half a copy: it is made durable at its end, as a whole.
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("PRAGMA journal_mode = OFF")
        path.chmod(0o600)
        self._unsynced = 0
        self._is_empty = True

    def write(self, rows: Sequence[Row]) -> None:
        """Write `rows`, which follow those written before."""
        if self._is_empty and rows[0][0] > 1:
            self._continue(rows[0])
            rows = rows[1:]
        self._is_empty = False
        self._connection.execute("BEGIN")
        for start in range(0, len(rows), ROWS_A_STATEMENT):
            # Many rows a statement: the interpreter's lock is free for who trades meanwhile.
            part = rows[start : start + ROWS_A_STATEMENT]
            insert = f"INSERT INTO event VALUES {', '.join([_ROW] * len(part))}"  # noqa: S608 - constants
            self._connection.execute(insert, list(chain.from_iterable(part)))
        self._connection.execute("COMMIT")
        self._unsynced += len(rows)
        if self._unsynced >= SYNC_ROWS:
            self._sync()

    def finish(self) -> None:
        """Make what was written durable, and a journal like any other."""
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.close()
        self._sync()
        fsync_folder(self.path.parent)

    def _continue(self, first: Row) -> None:
        """Begin with a row that is no journal's first: the guard lets in only those behind it."""
        guard = "event_appends_only"
        query = "SELECT sql FROM sqlite_master WHERE name = ?"
        (made,) = self._connection.execute(query, (guard,)).fetchone()
        self._connection.execute(f"DROP TRIGGER {guard}")
        self._connection.execute(f"INSERT INTO event VALUES {_ROW}", first)  # noqa: S608 - a constant
        self._connection.execute(made)
        self._connection.execute(f"PRAGMA user_version = {CONTINUED_FORM}")

    def _sync(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._unsynced = 0

    def give_up(self) -> None:
        """Remove what was written."""
        self._connection.close()
        self.path.unlink(missing_ok=True)


def fold_log(path: Path) -> None:
    """Fold the write-ahead log of `path`, which nobody writes, into it, and remove it.

    Raises:
        JournalLocked: somebody reads just now.
    """
    connection = sqlite3.connect(uri(path, "mode=rw"), uri=True, isolation_level=None)
    try:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()
    if busy:
        raise JournalLocked(f"{path} is being read by another process", None)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    fsync_folder(path.parent)


def unreadable(path: Path, error: Exception) -> JournalError:
    """Return what it means that SQLite cannot read the journal at `path`."""
    code = getattr(error, "sqlite_errorcode", 0)
    kind, found = code & 0xFF, f"{path} cannot be opened to be read: {error}"
    # A disk that has less than it should has lost a part of the file.
    if kind in DISK_FAILED and code != sqlite3.SQLITE_IOERR_SHORT_READ:
        return JournalDiskFailed(found)
    if kind == sqlite3.SQLITE_CANTOPEN:
        # It cannot make the files it reads by; on a full disk there is no room for them.
        is_full = shutil.disk_usage(path.parent).free < ROOM_BYTES
        return JournalDiskFailed(found) if is_full else JournalOutOfReach(found)
    return JournalDamaged(f"{path} cannot be read: {error}")


def check_identity(path: Path) -> None:
    """Refuse what is not a journal of ours, without touching it.

    `immutable` keeps SQLite from making files beside it; the header is there since the beginning.
    `writable_schema` lets it be ahead of the file: so it is in the middle of a checkpoint.
    """
    try:
        connection = sqlite3.connect(uri(path, "immutable=1"), uri=True)
        try:
            connection.execute("PRAGMA writable_schema = ON")
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            (user_version,) = connection.execute("PRAGMA user_version").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            message = f"{path} is not a journal: {error}"
            raise JournalForeign(message) from error
        raise unreadable(path, error) from error
    if application_id != APPLICATION_ID or user_version < 1:
        message = f"{path} is another application's file ({application_id:#x}, form {user_version})"
        raise JournalForeign(message)
    if user_version > USER_VERSION:
        message = f"{path} has form {user_version}, this traded knows up to {USER_VERSION}"
        raise JournalNewer(message)


def uri(path: Path, how: str) -> str:
    """Return how SQLite is told to open `path`."""
    return f"{path.resolve().as_uri()}?{how}"


def _made(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """Return a connection to a new file with a journal's tables and nothing in them."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=check_same_thread)
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(schema())
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORM}")
    return connection
