"""Writing the journal and reading it; only the two `events.journal_*` beside it know SQLite too.

Writing is one connection, in its own thread, one transaction a turn, durable when `append`
returns. Reading is by other connections, read-only, in short transactions. Nothing is ever
repaired in place: a journal that contradicts itself is refused.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import chain as flatten
from pathlib import Path
from typing import Any, Self, cast

import aiosqlite

from events.base import Event
from events.chain import GENESIS, Row
from events.codec import tags_of
from events.errors import (
    JournalDamaged,
    JournalError,
    JournalForeign,
    JournalWriteFailed,
)
from events.files import assert_there, schema, statements
from events.journal_connection import INSERT, TurnConnection
from events.journal_file import (
    SQLITE_VERSION,
    check_identity,
    create_missing,
    unreadable,
    uri,
)
from events.lock import FileLock, lock_path
from events.record import Record
from events.rows import BoundRow, Finding, Head, proved_records, records_in, rows_after
from events.second_checkpointer import LITESTREAM_TABLES, assert_no_second_checkpointer
from events.segments import Sealed, segments_path
from events.session import JournalContinued, JournalOpened, JournalRestored
from events.witness import (
    WitnessFile,
    check_witness,
    first_witness,
    read_witness,
    witness_path,
)
from events.write_ahead_log import grow_log

__all__ = ["Finding", "Head", "Journal", "JournalReader"]

PAGE_ROWS = 10_000
CHECKPOINT_PAGES = 8_000
CACHE_KIB = 1_024
"""What a connection keeps of the file in memory; it fills within days. More saves no time."""
PAGES_A_COMMIT = 4
ROWS_A_PAGE = 8
"""What one commit and its rows put into the write-ahead log, roughly, to know when to fold it."""

Connect = Callable[..., Awaitable[aiosqlite.Connection]]
_UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What a damaged file makes SQLite raise; it quotes damaged text, which need not be UTF-8."""
_BEGINS_EPOCH = JournalOpened | JournalContinued | JournalRestored
_LAST = 2**63 - 1  # No row has a greater seq.
_COLUMNS = "seq, at, type, key, trace, cause, body, hash"


class JournalReader:
    """Reads a journal, written to or not, without ever standing in the writer's way."""

    def __init__(self, path: Path, segments: Path | None = None) -> None:
        """Open the journal at `path` read-only, its sealed part in `segments` or beside it.

        Raises:
            JournalMissing, JournalForeign, JournalNewer, JournalDamaged: it cannot be read.
        """
        assert_there(path)
        check_identity(path)
        self.path = path
        self._connection = sqlite3.connect(uri(path, "mode=ro"), uri=True)
        self._connection.execute("PRAGMA query_only = ON")
        try:
            self._ask(f"PRAGMA cache_size = -{CACHE_KIB}")
            self.sealed = Sealed(segments or segments_path(path), *self._goes_on_behind())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _goes_on_behind(self) -> tuple[int, str]:
        """Return the event up to which all is sealed, and the digest of the last index then."""
        first = self._ask(f"SELECT {_COLUMNS} FROM event ORDER BY seq LIMIT 1")  # noqa: S608 - constants
        if not first or first[0][0] == 1:
            return 0, ""
        (record,) = records_in(self.path, first)
        if not isinstance(record.event, JournalContinued):
            what = f"begins at event {record.seq}, which does not say what is before it"
            raise JournalDamaged(f"{self.path} {what}")
        return record.seq - 1, record.event.index

    def head(self) -> Head:
        """Return where the journal ends now."""
        found = self._ask("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1")
        return Head(*found[0]) if found else self.sealed.end.head

    def hash_at(self, seq: int) -> bytes | None:
        """Return the hash of the row at `seq`, None when there is no such row."""
        if seq == 0:
            return GENESIS
        found = self._ask("SELECT hash FROM event WHERE seq = ?", seq)
        return found[0][0] if found else self.sealed.hash_at(seq)

    def seq_at(self, at: int) -> int:
        """Return the last seq recorded at or before `at` (ns UTC), 0 when there is none."""
        found = self._ask("SELECT max(seq) FROM event WHERE at <= ?", at)
        return found[0][0] or self.sealed.seq_at(at)

    def rows(self, after: int = 0, upto: int | None = None) -> Iterator[Row]:
        """Yield the rows with `after` < seq <= `upto`, each page in a transaction of its own."""
        yield from self.sealed.rows(after, _LAST if upto is None else upto)
        yield from self.file_rows(after, upto)

    def file_rows(self, after: int = 0, upto: int | None = None) -> Iterator[Row]:
        """Yield those of them that are in the file itself, not sealed."""
        last = _LAST if upto is None else upto
        while page := self._ask(
            f"SELECT {_COLUMNS} FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",  # noqa: S608 - constants
            after,
            last,
            PAGE_ROWS,
        ):
            yield from page
            after = page[-1][0]

    def records(self, after: int = 0, upto: int | None = None) -> Iterator[Record]:
        """Return the records with `after` < seq <= `upto`, as far as the journal goes now."""
        sealed = self.sealed.records(after, _LAST if upto is None else upto)
        return flatten(sealed, records_in(self.path, self.file_rows(after, upto)))

    def verified_records(self, start: Head, upto: int | None = None) -> Iterator[Record]:
        """Yield the records after `start`, each only once its place in the chain is proved.

        Raises:
            JournalDamaged: a row is missing, was changed, or is not what its type says.
        """
        sealed = self.sealed.end.head
        if start.seq < sealed.seq:
            if self.hash_at(start.seq) != start.hash:
                raise JournalDamaged(f"{self.path}: row {start.seq} is another than it should be")
            # What is sealed hangs on the file's first row, and that on what is sealed.
            any(proved_records(self.path, self.file_rows(upto=sealed.seq + 1), sealed))
            yield from self.sealed.records(start.seq, _LAST if upto is None else upto)
            start = sealed
        yield from proved_records(self.path, self.file_rows(start.seq, upto), start)

    def records_back(
        self, upto: int | None = None, *, after: int = 0, kinds: Collection[type[Event]] = ()
    ) -> Iterator[Record]:
        """Yield the records (of `kinds`, if any) with `after` < seq <= `upto`, newest first."""
        last = upto if upto is not None else _LAST
        tags = [tag for kind in kinds for tag in tags_of(kind)]
        chosen = f"AND {_among(tags)}" if tags else ""
        where = f"seq > ? AND seq <= ? {chosen} ORDER BY seq DESC LIMIT 500"
        query = f"SELECT {_COLUMNS} FROM event WHERE {where}"  # noqa: S608 - constants
        while page := self._ask(query, after, last, *tags):
            yield from records_in(self.path, page)
            last = page[-1][0] - 1
        yield from self.sealed.records_back(after, last, tags)

    def record(self, seq: int) -> Record | None:
        """Return the record at `seq`, None when there is no such row."""
        return next(self.records(seq - 1, seq), None)

    def traced(self, root: int) -> list[Record]:
        """Return the walk that starts at `root`: that record and all that followed from it."""
        rest = self._select("(seq = ? OR trace = ?)", root, root)
        return [*self.sealed.traced(root), *rest]

    def find(self, kind: type[Event], key: str) -> Record | None:
        """Return the record of `kind` whose natural identity is `key`, None when there is none."""
        tags = tags_of(kind)
        for _, record in self.sealed.of_type(tags, key.__eq__, holds=key):
            return record
        return next(iter(self._select(f"{_among(tags)} AND key = ?", *tags, key)), None)

    def of_kind(self, kind: type[Event], upto: int | None = None) -> list[Record]:
        """Return the records of `kind` up to row `upto`, in order.

        They are found by their natural identity, without reading the rest of the journal; of a
        kind that has none there are none here.
        """
        tags, last = tags_of(kind), upto if upto is not None else _LAST
        sealed = (record for _, record in self.sealed.of_type(tags, lambda _: True, last))
        where = f"{_among(tags)} AND key IS NOT NULL AND seq <= ?"
        return [*sealed, *self._select(where, *tags, last)]

    def keys_of(self, kind: type[Event], start: str, limit: int) -> list[str]:
        """Return, in order, up to `limit` natural identities of `kind` that begin with `start`."""
        tags = tags_of(kind)
        where = f"{_among(tags)} AND key >= ? AND key < ? ORDER BY key LIMIT ?"
        query = f"SELECT key FROM event WHERE {where}"  # noqa: S608 - constants
        found = self._ask(query, *tags, start, start + "\U0010ffff", limit)
        sealed = self.sealed.of_type(tags, lambda key: key.startswith(start), holds=start)
        return sorted({*(key for (key,) in found), *(key for key, _ in sealed)})[:limit]

    def epoch(self) -> int:
        """Return the epoch the journal is in: one more with each restore."""
        begun = self.of_kind(JournalRestored)[-1:] or list(self.records(upto=1))
        epochs = (each.event.epoch for each in begun if isinstance(each.event, _BEGINS_EPOCH))
        return next(epochs, 0)

    def follow(self, after: int, wait: Callable[[], bool]) -> Iterator[Record]:
        """Yield records after `after` as they come; `wait` pauses and says whether to go on."""
        while True:
            for record in self.records(after):
                after = record.seq
                yield record
            if not wait():
                return

    def check(self, progress: Callable[[int], None] = lambda _: None) -> list[Finding]:
        """Read all of it against its chain, its witness and SQLite's own check.

        What is sealed is made rows again for that, and each row's hash.

        `progress` is told the seq reached, the last one included. Returns what is wrong; an empty
        list is a sound journal.
        """
        reached, findings = 0, []
        try:
            sealed = records_in(self.path, self.sealed.rows(0, _LAST))
            own = proved_records(self.path, self.file_rows(), self.sealed.end.head)
            for record in flatten(sealed, own):
                reached = record.seq
                if reached % PAGE_ROWS == 0:
                    progress(reached)
        except JournalError as error:
            findings.append(Finding(reached + 1, error.args[0], error.hint))
        progress(reached)
        for look in (self._check_file, self.assert_witnessed):
            try:
                look()
            except JournalError as error:
                findings.append(Finding(0, error.args[0], error.hint))
        return findings

    def _check_file(self) -> None:
        found = [text for (text,) in self._ask("PRAGMA integrity_check(10)") if text != "ok"]
        if found:
            raise JournalDamaged(f"SQLite finds: {'; '.join(found)}")
        made = self._ask("SELECT tbl_name, sql FROM sqlite_master")
        built = [str(sql) for table, sql in made if table not in LITESTREAM_TABLES]
        if statements(*built) != statements(schema()):
            raise JournalDamaged(f"{self.path}: its tables or triggers are not a journal's")

    def tables(self) -> frozenset[str]:
        """Return the names of all tables in the file, also of those that are not the journal's."""
        found = self._ask("SELECT name FROM sqlite_master WHERE type = 'table'")
        return frozenset(str(name) for (name,) in found)

    def assert_witnessed(self) -> None:
        """Refuse a journal whose end is not the one its witness remembers, or lies before it.

        Raises:
            JournalTailLost: events are missing, or are others.
        """
        # The witness first: it is written after its rows, so a running writer is no contradiction.
        witness = read_witness(witness_path(self.path))
        check_witness(self.path, witness, self.head(), self.hash_at)

    def _select(self, where: str, *values: object) -> list[Record]:
        """Return the records in the file of which `where` is true."""
        # The plus keeps SQLite from walking along `seq` where an index is the way.
        query = f"SELECT {_COLUMNS} FROM event WHERE {where} ORDER BY +seq"  # noqa: S608 - constants
        return list(records_in(self.path, self._ask(query, *values)))

    def _ask(self, query: str, *values: object) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except _UNREADABLE as error:
            raise unreadable(self.path, error) from error


def _among(tags: Collection[str]) -> str:
    return f"type IN ({', '.join('?' * len(tags))})"


class Journal:
    """The writer. Open it with `Journal.open`; there is one a journal, enforced by a lock."""

    def __init__(self, path: Path, lock: FileLock, connection: aiosqlite.Connection) -> None:
        """Take over an open connection; use `Journal.open`."""
        self.path = path
        self.poisoned = False
        self.head = Head()
        self._lock = lock
        self._connection = connection
        self._log_is_grown = False
        self._pages_logged = 0

    @classmethod
    async def open(cls, path: Path, connect: Connect = aiosqlite.connect) -> Self:
        """Lock and open the journal at `path`, an empty one where none is; a test may `connect`.

        Raises:
            JournalLocked: another process writes it.
            JournalForeign, JournalNewer, JournalDamaged, JournalTailLost: it cannot be trusted.
            JournalShared: another program checkpoints it, which this SQLite does not bear.
        """
        lock = FileLock(lock_path(path))
        try:
            create_missing(path)
            with JournalReader(path) as reader:
                head, seen = reader.head(), read_witness(witness_path(path))
                check_witness(path, seen, head, reader.hash_at)
                assert_no_second_checkpointer(path, reader.tables(), SQLITE_VERSION)
            if seen is None:
                # From the start, so that no two crashes in a row leave rows without a witness.
                first_witness(path, head)
            connection = await connect(
                uri(path, "mode=rw"),
                uri=True,
                isolation_level=None,
                factory=partial(TurnConnection, witness=WitnessFile(witness_path(path))),
            )
        except BaseException:
            lock.release()
            raise
        journal = cls(path, lock, connection)
        journal.head = head
        try:
            await journal._assert_settings()
        except BaseException:
            await journal.close()
            raise
        return journal

    async def append(self, records: Sequence[Record]) -> None:
        """Write `records` in one transaction, then the witness; durable when this returns.

        Raises:
            JournalWriteFailed: the outcome is unknown. The journal is poisoned: this process must
                not send, nor append again; a restart reads what is really there.
        """
        await self.write(rows_after(self.head.hash, records))

    async def write(self, rows: list[BoundRow]) -> None:
        """Write `rows`, chained behind the head, as `append` does."""
        if self.poisoned:
            message = f"{self.path} failed to write before; nothing more is appended"
            raise JournalWriteFailed(message)
        assert rows[0][0] == self.head.seq + 1, "the rows must follow the head"
        try:
            self._lock.assert_held()
            if not self._log_is_grown:
                grow_log(self.path)
                self._log_is_grown = True
            await self._connection.executemany(INSERT, rows)
        except BaseException as error:
            self.poisoned = True
            if not isinstance(error, Exception):
                raise
            message = (
                f"{self.path}: writing events {rows[0][0]} to {rows[-1][0]} failed ({error}); "
                "they may or may not be in the file"
            )
            raise JournalWriteFailed(message) from error
        self.head = Head.of(rows)
        self._pages_logged += PAGES_A_COMMIT + len(rows) // ROWS_A_PAGE

    async def rows(self, after: int, upto: int, limit: int) -> list[Row]:
        """Return the next `limit` rows with `after` < seq <= `upto`, in one hop to the thread."""
        query = f"SELECT {_COLUMNS} FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608 - constants
        found = await self._connection.execute_fetchall(query, (after, upto, limit))
        return cast("list[Row]", list(found))

    @property
    def checkpoint_due(self) -> bool:
        """Say whether the write-ahead log has grown enough to be folded back."""
        return self._pages_logged >= CHECKPOINT_PAGES

    async def checkpoint(self) -> None:
        """Fold the write-ahead log back as far as readers allow; nobody waits for a commit here.

        Raises:
            JournalWriteFailed: the disk cannot be trusted any more, and the journal is poisoned.
        """
        self._pages_logged = 0
        try:
            async with self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)") as cursor:
                await cursor.fetchall()
        except sqlite3.Error as error:
            self.poisoned = True
            message = f"{self.path}: folding its write-ahead log back failed ({error})"
            raise JournalWriteFailed(message) from error

    async def close(self) -> None:
        """Close the connection and give the lock back."""
        await self._connection.close()
        self._lock.release()

    async def _assert_settings(self) -> None:
        """Set what durability rests on, read it back, and refuse to go on with anything else."""
        for pragma, wanted in (
            ("journal_mode", "wal"),
            ("synchronous", 2),
            ("locking_mode", "normal"),
            ("wal_autocheckpoint", 0),
            ("cache_size", -CACHE_KIB),
        ):
            await self._connection.execute(f"PRAGMA {pragma} = {wanted}")
            async with self._connection.execute(f"PRAGMA {pragma}") as cursor:
                row = await cursor.fetchone()
            if row is None or row[0] != wanted:
                message = f"{self.path}: SQLite keeps {pragma} at {row and row[0]}, not {wanted}"
                raise JournalForeign(message, "put the journal on a local file system")
