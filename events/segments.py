"""The sealed part of a journal: its older events, packed into files that never change again.

A segment is a gzip file of JSON lines, `[seq, at, key, trace, cause, body]`: `zcat` reads it, in
any year. Its blocks are gzip members of their own; the index beside it says where each begins,
which events it has, and the hash its last one must come to. A row's own hash is not kept but made
again, so what is read is proved by being read.
"""

import gzip
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final
from zlib import decompress
from zlib import error as ZlibError  # noqa: N812 - named as a class, which it is

import msgspec

from events.chain import Row, row_hash
from events.codec import JournalEvent
from events.errors import JournalDamaged
from events.record import Record
from events.rows import Head, records_in
from events.witness import fsync_folder

BLOCK_ROWS: Final = 2_000
COMPRESSION: Final = 6
"""9 saves a twentieth in three times the time; xz saves a third, and is read three times slower."""
_BODY_STARTS: Final = '{"type":"'
_GZIP: Final = 31
_LAST: Final = 2**63 - 1
_Line = tuple[int, int, str | None, int | None, int | None, msgspec.Raw]
_Told = tuple[int, int, str | None, int | None, int | None, JournalEvent]
_lines = msgspec.json.Decoder(list[_Line])
_records: msgspec.json.Decoder[list[_Told]] = msgspec.json.Decoder(list[_Told])


class Block(msgspec.Struct, frozen=True):
    """`size` bytes at `offset`: events `first` to `last`, the last one with `hash`.

    `at_min` is the earliest time in it; `tags` are the types of its events.
    """

    offset: int
    size: int
    first: int
    last: int
    hash: str
    at_min: int
    tags: tuple[str, ...]


class Index(msgspec.Struct, frozen=True):
    """What is in one segment; `previous` is the hash of the event before its first one."""

    previous: str
    blocks: tuple[Block, ...]

    @property
    def first(self) -> int:
        """The seq of the first event."""
        return self.blocks[0].first

    @property
    def end(self) -> Head:
        """Where it ends."""
        return Head(self.blocks[-1].last, bytes.fromhex(self.blocks[-1].hash))


def segments_path(journal: Path) -> Path:
    """Return the folder with the sealed part of `journal`."""
    return journal.with_name(journal.name + ".segments")


class Sealed:
    """Reads the segments in `folder`, in order. `end` is where they end, seq 0 where are none."""

    def __init__(self, folder: Path, begin: Head | None = None) -> None:
        """Read the indexes, which must follow `begin` (None: nothing) and each other.

        Raises:
            JournalDamaged: one is missing or cannot be read.
        """
        self.folder = folder
        self.end = begin or Head()
        self._blocks: list[tuple[Path, Block, bytes]] = []
        self._held: tuple[Block, list[Row]] | None = None
        for file in segment_files(folder)[1::2]:
            self._take(file)

    def _take(self, file: Path) -> None:
        try:
            index = msgspec.json.decode(file.read_bytes(), type=Index)
        except (OSError, msgspec.DecodeError) as error:
            raise JournalDamaged(f"{file} cannot be read: {error}") from error
        if (index.first, index.previous) != (self.end.seq + 1, self.end.hash.hex()):
            what = f"begins at event {index.first}, and {self.end.seq + 1} would be next"
            raise JournalDamaged(f"{file} {what}: a segment before it is missing, or another's")
        packed, previous = packed_path(file), self.end.hash
        for block in index.blocks:
            self._blocks.append((packed, block, previous))
            previous = bytes.fromhex(block.hash)
        self.end = index.end

    def assert_followed(self, seq: int | None) -> None:
        """Refuse a file whose first event is `seq`, where events are missing before it.

        Raises:
            JournalDamaged: they are.
        """
        if seq is not None and seq > self.end.seq + 1:
            what = f"the journal's file begins at event {seq}, and {self.folder} ends at"
            raise JournalDamaged(f"{what} {self.end.seq}: put what is missing back")

    def rows(self, after: int, upto: int) -> Iterator[Row]:
        """Yield the rows with `after` < seq <= `upto`, each made again from what is kept of it.

        Raises:
            JournalDamaged: a block does not come to the hash it should.
        """
        for packed, block, previous in self._blocks:
            if block.last > after and block.first <= upto:
                rows = self._read(packed, block, previous)
                yield from rows[max(after + 1 - block.first, 0) : upto + 1 - block.first]

    def records(self, after: int, upto: int) -> Iterator[Record]:
        """Yield the records with `after` < seq <= `upto` as they stand: gzip's checksum is asked.

        That takes half as long as proving them, which `rows` does.
        """
        for packed, block, previous in self._blocks:
            if block.last > after and block.first <= upto:
                for record in self._records_of(packed, block, previous):
                    if after < record.seq <= upto:
                        yield record

    def _records_of(self, packed: Path, block: Block, previous: bytes) -> Iterable[Record]:
        try:
            found = _records.decode(self._text(packed, block))
        except msgspec.ValidationError:
            # Events of an older form, or of none that is known: row by row, and said.
            return records_in(packed, self._read(packed, block, previous))
        return (Record(seq, at, event, trace, cause) for seq, at, _, trace, cause, event in found)

    def where(
        self,
        tags: Collection[str],
        is_wanted: Callable[[Row], bool],
        after: int = 0,
        upto: int = _LAST,
    ) -> Iterator[Row]:
        """Yield the rows (of those types) that are wanted; other blocks are not read."""
        for packed, block, previous in self._blocks:
            if _may_have(block, after, upto, tags):
                for row in self._read(packed, block, previous):
                    if after < row[0] <= upto and (not tags or row[2] in tags) and is_wanted(row):
                        yield row

    def rows_back(self, after: int, upto: int, tags: Collection[str]) -> Iterator[Row]:
        """Yield the rows (of those types) with `after` < seq <= `upto`, newest first."""
        for packed, block, previous in reversed(self._blocks):
            if _may_have(block, after, upto, tags):
                for row in reversed(self._read(packed, block, previous)):
                    if after < row[0] <= upto and (not tags or row[2] in tags):
                        yield row

    def hash_at(self, seq: int) -> bytes | None:
        """Return the hash of the row at `seq`, None when it is not sealed."""
        found = next(self.rows(seq - 1, seq), None)
        return found[7] if found else None

    def seq_at(self, at: int) -> int:
        """Return the last seq recorded at or before `at`, 0 when there is none."""
        for packed, block, previous in reversed(self._blocks):
            if block.at_min <= at:
                rows = self._read(packed, block, previous)
                return max(row[0] for row in rows if row[1] <= at)
        return 0

    def _read(self, packed: Path, block: Block, previous: bytes) -> list[Row]:
        if self._held is not None and self._held[0] is block:
            return self._held[1]
        try:
            found = _lines.decode(self._text(packed, block))
        except msgspec.DecodeError as error:
            raise JournalDamaged(f"{packed}: {_named(block)} cannot be read: {error}") from error
        rows: list[Row] = []
        for seq, at, key, trace, cause, raw in found:
            body = bytes(raw)
            previous = row_hash(previous, seq, at, key, trace, cause, body)
            text_body = body.decode()
            tag = text_body[len(_BODY_STARTS) : text_body.find('"', len(_BODY_STARTS))]
            rows.append((seq, at, tag, key, trace, cause, text_body, previous))
        if previous.hex() != block.hash or rows[0][0] != block.first or rows[-1][0] != block.last:
            raise JournalDamaged(f"{packed}: {_named(block)} are not what was sealed")
        self._held = block, rows
        return rows

    @staticmethod
    def _text(packed: Path, block: Block) -> bytes:
        """Return the lines of a block as one JSON array."""
        try:
            with packed.open("rb") as file:
                file.seek(block.offset)
                text = decompress(file.read(block.size), _GZIP)
        except (OSError, ZlibError) as error:
            raise JournalDamaged(f"{packed}: {_named(block)} cannot be read: {error}") from error
        return b"[" + text[:-1].replace(b"\n", b",") + b"]"


def _may_have(block: Block, after: int, upto: int, tags: Collection[str]) -> bool:
    """Say whether `block` has rows with `after` < seq <= `upto`, and some of those types."""
    is_within = block.last > after and block.first <= upto
    return is_within and (not tags or not set(tags).isdisjoint(block.tags))


def _named(block: Block) -> str:
    return f"events {block.first} to {block.last}"


def segment_files(folder: Path) -> list[Path]:
    """Return the segments in `folder` and their indexes, and nothing that was not finished."""
    indexes = sorted(folder.glob("*.index.json")) if folder.is_dir() else []
    return [file for index in indexes for file in (packed_path(index), index)]


def packed_path(index: Path) -> Path:
    """Return the segment that `index` is of."""
    return index.with_name(index.name.replace(".index.json", ".jsonl.gz"))


def pack_segment(rows: Iterable[Row], start: Head, folder: Path) -> Index:
    """Pack `rows`, which follow `start`, into a segment in `folder`; return its index.

    What an attempt that broke off has left there goes.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    unnamed = folder / "segment"
    blocks: list[Block] = []
    offset, left = 0, iter(rows)
    with unnamed.open("xb") as file:
        while page := list(islice(left, BLOCK_ROWS)):
            member = gzip.compress(b"".join(map(_line, page)), COMPRESSION, mtime=0)
            file.write(member)
            tags = tuple(sorted({row[2] for row in page}))
            at_min, last = min(row[1] for row in page), page[-1]
            blocks.append(
                Block(offset, len(member), page[0][0], last[0], last[7].hex(), at_min, tags)
            )
            offset += len(member)
    index = Index(start.hash.hex(), tuple(blocks))
    name = folder / f"{index.first:012}-{index.end.seq:012}.index.json"
    unnamed.rename(packed_path(name))
    name.write_bytes(msgspec.json.encode(index))
    return index


def put_segment(unfinished: Path, folder: Path) -> Path:
    """Move the segment in `unfinished` into `folder`, durably and read-only; return its path.

    It counts from when its index is there, which comes last.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    fsync_folder(folder.parent)
    packed, index = segment_files(unfinished)
    for file in (packed, index):
        _put(file, folder / file.name)
    unfinished.rmdir()
    return folder / packed.name


def _put(unfinished: Path, target: Path) -> None:
    """Give a file its name, durably, and let nobody write to it any more."""
    unfinished.chmod(0o400)
    descriptor = os.open(unfinished, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    unfinished.rename(target)
    fsync_folder(target.parent)


def _line(row: Row) -> bytes:
    seq, at, _, key, trace, cause, body, _ = row
    text = msgspec.json.encode((seq, at, key, trace, cause, msgspec.Raw(body.encode())))
    return text + b"\n"
