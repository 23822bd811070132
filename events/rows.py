"""Records to rows and back: what a journal's rows must be to be believed. Knows no SQLite."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec

from events.chain import GENESIS, Row, row_hash
from events.codec import TAGS, decode, encode
from events.errors import JournalDamaged, UnknownEvent
from events.record import Record


class Head(msgspec.Struct, frozen=True):
    """Where a journal ends: the last row's seq and hash; seq 0 for an empty one."""

    seq: int = 0
    hash: bytes = GENESIS

    @classmethod
    def of(cls, rows: Sequence["BoundRow"]) -> Self:
        """Return where a journal ends with `rows`."""
        return cls(rows[-1][0], bytes(rows[-1][7]))


class Finding(msgspec.Struct, frozen=True):
    """One thing wrong with a journal, where it starts (seq 0: the file as a whole), a way on."""

    seq: int
    what: str
    hint: str


BoundRow = tuple[int, int, str, str, int, int, str, bytearray]
"""A row as it is given to SQLite: "" and 0 stand for NULL, and the hash is a bytearray.

For each None and each bytes the sqlite3 module first asks around for an adapter, which takes six
times as long as handing over a text (measured); a row would spend a microsecond on it.
"""


def rows_after(previous: bytes, records: Sequence[Record]) -> list[BoundRow]:
    """Return the rows of `records`, chained to the hash before them."""
    rows = []
    for record in records:
        event = record.event
        tag = TAGS[type(event)]
        # An empty identity is none: hashed as one, its row could never be proved again.
        key = event.key() or None
        body = encode(event)
        seq, at, trace, cause = record.seq, record.at, record.trace, record.cause
        previous = row_hash(previous, seq, at, key, trace, cause, body)
        bound = (
            seq,
            at,
            tag,
            key or "",
            trace or 0,
            cause or 0,
            body.decode(),
            bytearray(previous),
        )
        rows.append(bound)
    return rows


def records_in(path: Path, rows: Iterable[Row]) -> Iterator[Record]:
    """Yield what `rows` of the journal at `path` hold, as they stand: nothing is proved.

    Raises:
        UnknownEvent, JournalDamaged: a row holds no event; the text says which row.
    """
    seq = 0
    try:
        for seq, at, _, _, trace, cause, body, _ in rows:
            yield Record(seq, at, decode(body), trace, cause)
    except UnknownEvent as error:
        raise UnknownEvent(f"{path}: row {seq}: {error.args[0]}") from error
    except (msgspec.DecodeError, TypeError) as error:
        raise JournalDamaged(f"{path}: row {seq} cannot be read: {error}") from error


def proved_records(path: Path, rows: Iterable[Row], start: Head) -> Iterator[Record]:
    """Yield what `rows`, the first of which follows `start`, hold; each only once it is proved.

    Raises:
        UnknownEvent: a row holds an event of another version.
        JournalDamaged: a row is missing, was changed, or is not what its type says.
    """
    previous, expected = start.hash, start.seq + 1
    for seq, at, tag, key, trace, cause, body, stored in rows:
        if seq != expected:
            raise JournalDamaged(f"{path}: row {expected} is missing, row {seq} comes next")
        try:
            previous = row_hash(previous, seq, at, key, trace, cause, body.encode())
        except (AttributeError, TypeError) as error:
            raise JournalDamaged(f"{path}: row {seq} cannot be read: {error}") from error
        if previous != stored:
            raise JournalDamaged(f"{path}: row {seq} ({tag}) does not have the hash it should have")
        # The chain covers the body, which starts with the tag; the column is a copy of it.
        if not body.startswith(_BODY_STARTS.get(tag) or _body_start(tag)):
            raise JournalDamaged(f"{path}: row {seq} is filed under {tag} and holds another event")
        expected += 1
        try:
            event = decode(body)
        except UnknownEvent as error:
            raise UnknownEvent(f"{path}: row {seq}: {error.args[0]}") from error
        yield Record(seq, at, event, trace, cause)


def _body_start(tag: str) -> str:
    """Return how the body of an event of that tag starts."""
    return f'{{"type":"{tag}"'


_BODY_STARTS = {tag: _body_start(tag) for tag in TAGS.values()}
