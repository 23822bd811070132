"""The sealed part of a journal: its older events, packed into files that never change again.

A segment is a gzip file of JSON: `zcat` reads it, in any year. It is blocks of events in their
order, and a block is parts, each a gzip member of its own with the events of one type in columns
(`events.columns`): who asks for fills reads fills. The index beside it says where each part begins,
what is in it, and the SHA-256 of its bytes.

What is read is proved by being read: the first event of the journal's file has the SHA-256 of the
last index, each index that of the one before, and they have all parts'. The rows' own hashes are
not kept but made again, where a row is asked for.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from hashlib import sha256
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import Final
from zlib import decompress

import msgspec

from events.chain import Row, row_hash
from events.columns import Envelopes, envelopes_of, records_of, rows_of
from events.errors import JournalDamaged
from events.record import Record
from events.rows import Head, records_in

_GZIP: Final = 31
_LAST: Final = 2**63 - 1


class Part(msgspec.Struct, frozen=True):
    """`size` bytes at `offset`: `count` events of one type, whose traces, if any, lie in `traces`.

    `digest` is the SHA-256 of the bytes.
    """

    type: str
    count: int
    traces: tuple[int, int] | None
    offset: int
    size: int
    digest: str


class Block(msgspec.Struct, frozen=True):
    """Events `first` to `last`, the last one with `hash`, the earliest from `at_min`.

    Its parts come the greatest first.
    """

    first: int
    last: int
    hash: str
    at_min: int
    parts: tuple[Part, ...]


class Index(msgspec.Struct, frozen=True):
    """What is in one segment, and what came before it.

    `previous` is the hash of the event before its first one, `before` the digest of the index
    before it, empty for the first.
    """

    previous: str
    before: str
    blocks: tuple[Block, ...]

    @property
    def first(self) -> int:
        """The seq of the first event."""
        return self.blocks[0].first


class End(msgspec.Struct, frozen=True):
    """Where what is sealed ends: the last event, and the `digest` of the index it is in."""

    head: Head = Head()
    digest: str = ""


class Sealed:
    """Reads the segments in `folder`, in order. `end` is where they end, seq 0 where are none."""

    def __init__(self, folder: Path, upto: int, digest: str, begin: End | None = None) -> None:
        """Read the indexes behind `begin` (None: from the first event on) up to event `upto`.

        What is there behind it was never finished, and counts for nothing.

        Raises:
            JournalDamaged: one is missing, cannot be read, or the last has another `digest`.
        """
        self.folder = folder
        self.end = begin or End()
        self._blocks: list[tuple[Path, Block, bytes]] = []
        self._held: tuple[Block, list[Row]] | None = None
        for file in segment_files(folder)[1::2]:
            if self.end.head.seq >= upto:
                break
            self._take(file)
        if self.end.head.seq != upto:
            what = f"the journal's file goes on behind event {upto}, and {folder} ends at"
            raise JournalDamaged(f"{what} {self.end.head.seq}: put what is missing back")
        if self.end.digest != digest:
            raise JournalDamaged(f"{folder} ends at event {upto} and is not what was sealed")

    def _take(self, file: Path) -> None:
        try:
            content = file.read_bytes()
            index = msgspec.json.decode(content, type=Index)
        except (OSError, msgspec.DecodeError) as error:
            raise JournalDamaged(f"{file} cannot be read: {error}") from error
        head = self.end.head
        if index.first != head.seq + 1:
            what = f"begins at event {index.first}, and {head.seq + 1} would be next"
            raise JournalDamaged(f"{file} {what}: put what is missing back")
        if (index.previous, index.before) != (head.hash.hex(), self.end.digest):
            raise JournalDamaged(f"{file} does not follow what is sealed before it")
        packed, previous = packed_path(file), head.hash
        for block in index.blocks:
            self._blocks.append((packed, block, previous))
            previous = bytes.fromhex(block.hash)
        self.end = End(Head(index.blocks[-1].last, previous), sha256(content).hexdigest())

    def records(self, after: int, upto: int) -> Iterator[Record]:
        """Return the records with `after` < seq <= `upto`, each made when it is asked for.

        Raises:
            JournalDamaged: a part is not what was sealed.
        """
        # Whole blocks pass through no loop of ours, which would cost a tenth of all.
        return chain.from_iterable(
            _in_order(packed, block)
            if after < block.first and block.last <= upto
            else (each for each in _in_order(packed, block) if after < each.seq <= upto)
            for packed, block, _ in self._among(after, upto)
        )

    def rows(self, after: int, upto: int) -> Iterator[Row]:
        """Yield the rows with `after` < seq <= `upto`, each made again, its hash too.

        Raises:
            JournalDamaged: a block does not come to the hash it should.
        """
        for packed, block, previous in self._among(after, upto):
            rows = self._chained(packed, block, previous)
            yield from rows[max(after + 1 - block.first, 0) : upto + 1 - block.first]

    def records_back(self, after: int, upto: int, tags: Collection[str]) -> Iterator[Record]:
        """Yield the records (of those types, if any) with `after` < seq <= `upto`, newest first."""
        for packed, block, _ in reversed(list(self._among(after, upto))):
            chosen = [part for part in block.parts if not tags or part.type in tags]
            found = [record for part in chosen for record in _of_part(packed, part)[1]]
            for record in sorted(found, key=attrgetter("seq"), reverse=True):
                if after < record.seq <= upto:
                    yield record

    def of_type(
        self,
        tags: Collection[str],
        wanted: Callable[[str], bool],
        upto: int = _LAST,
        holds: str = "",
    ) -> Iterator[tuple[str, Record]]:
        """Yield the records of those types whose natural identity is `wanted`, in order, and it.

        Other types are not read; of these, only what `holds` that text.
        """
        text = msgspec.json.encode(holds).strip(b'"')
        for packed, block, _ in self._among(0, upto):
            chosen = [part for part in block.parts if part.type in tags]
            found = [keyed for part in chosen for keyed in _keyed(packed, part, text)]
            for key, record in sorted(found, key=lambda keyed: keyed[1].seq):
                if record.seq <= upto and wanted(key):
                    yield key, record

    def traced(self, root: int) -> Iterator[Record]:
        """Yield the record at `root`, if it is sealed, and all that followed from it."""
        yield from self.records(root - 1, root)
        for packed, block, _ in self._among(root, _LAST):
            chosen = [
                part
                for part in block.parts
                if part.traces is not None and part.traces[0] <= root <= part.traces[1]
            ]
            found = [record for part in chosen for record in _of_part(packed, part)[1]]
            for record in sorted(found, key=attrgetter("seq")):
                if record.trace == root:
                    yield record

    def hash_at(self, seq: int) -> bytes | None:
        """Return the hash of the row at `seq`, None when it is not sealed."""
        found = next(self.rows(seq - 1, seq), None)
        return found[7] if found else None

    def seq_at(self, at: int) -> int:
        """Return the last seq recorded at or before `at`, 0 when there is none."""
        for packed, block, _ in reversed(self._blocks):
            if block.at_min <= at:
                return max(each.seq for each in _in_order(packed, block) if each.at <= at)
        return 0

    def _among(self, after: int, upto: int) -> Iterator[tuple[Path, Block, bytes]]:
        """Yield the blocks with events between, where they are, and the hash before them."""
        for packed, block, previous in self._blocks:
            if block.last > after and block.first <= upto:
                yield packed, block, previous

    def _chained(self, packed: Path, block: Block, previous: bytes) -> list[Row]:
        if self._held is not None and self._held[0] is block:
            return self._held[1]
        made = [row for part in block.parts for row in rows_of(_text(packed, part))]
        rows: list[Row] = []
        for seq, at, tag, key, trace, cause, body, _ in sorted(made):
            previous = row_hash(previous, seq, at, key, trace, cause, body.encode())
            rows.append((seq, at, tag, key, trace, cause, body, previous))
        if previous.hex() != block.hash or rows[0][0] != block.first or rows[-1][0] != block.last:
            what = f"events {block.first} to {block.last} are not what was sealed"
            raise JournalDamaged(f"{packed}: {what}")
        self._held = block, rows
        return rows


def _in_order(packed: Path, block: Block) -> Iterator[Record]:
    """Yield the records of a block in order, each made only when it is its turn."""
    _, most = _of_part(packed, block.parts[0])
    others = [record for part in block.parts[1:] for record in _of_part(packed, part)[1]]
    others.sort(key=attrgetter("seq"))
    # The first part, which has most of them, is where no other one is.
    runs: list[Iterable[Record]] = []
    upto = block.first
    for record in others:
        runs += islice(most, record.seq - upto), (record,)
        upto = record.seq + 1
    return chain(chain.from_iterable(runs), most)


def _of_part(packed: Path, part: Part) -> tuple[Envelopes, Iterator[Record]]:
    """Return the columns of a part and its records, in order."""
    text = _text(packed, part)
    try:
        return records_of(part.type, text)
    except (KeyError, msgspec.ValidationError):
        # Events of an older form, or of none that is known: row by row, and said.
        return envelopes_of(text), records_in(packed, rows_of(text))


def _keyed(packed: Path, part: Part, text: bytes) -> Iterable[tuple[str, Record]]:
    """Yield the records of a part that have a natural identity, behind it, if it holds `text`."""
    if text and text not in _text(packed, part):
        return
    columns, records = _of_part(packed, part)
    for key, record in zip(columns.rows_of(columns.key), records, strict=True):
        if key is not None:
            yield key, record


def _text(packed: Path, part: Part) -> bytes:
    """Return the text of a part, once it is proved to be what was sealed."""
    try:
        # Nothing of Python's own in between: a block has ten parts, most of them small.
        descriptor = os.open(packed, os.O_RDONLY)
        try:
            content = os.pread(descriptor, part.size, part.offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise JournalDamaged(f"{packed} cannot be read: {error}") from error
    if sha256(content).hexdigest() != part.digest:
        what = f"{part.count} events of type {part.type} at byte {part.offset}"
        raise JournalDamaged(f"{packed}: {what} are not what was sealed")
    # The last four bytes of a gzip member say how long its text is: room for it is made once.
    return decompress(content, _GZIP, int.from_bytes(content[-4:], "little"))


def segments_path(journal: Path) -> Path:
    """Return the folder with the sealed part of `journal`."""
    return journal.with_name(journal.name + ".segments")


def segment_files(folder: Path) -> list[Path]:
    """Return the segments in `folder` and their indexes, and nothing that was not finished."""
    indexes = sorted(folder.glob("*.index.json")) if folder.is_dir() else []
    return [file for index in indexes for file in (packed_path(index), index)]


def packed_path(index: Path) -> Path:
    """Return the segment that `index` is of."""
    return index.with_name(index.name.replace(".index.json", ".json.gz"))
