"""Making a segment of a journal's rows, and putting it where it belongs, durably."""

import gzip
import os
import shutil
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, Final

import msgspec

from events.chain import Row
from events.columns import parts_of
from events.rows import Head
from events.segments import Block, End, Index, Part, packed_path, segment_files
from events.witness import fsync_folder

BLOCK_ROWS: Final = 2_000
"""A question for one event reads so many; the processor's own memory has room for them."""
COMPRESSION: Final = 6


def pack_segment(rows: Iterable[Row], start: End, folder: Path) -> End:
    """Pack `rows`, which follow `start`, into a segment in `folder`; return where it ends.

    What an attempt that broke off has left there goes.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    unnamed, left = folder / "segment", iter(rows)
    blocks: list[Block] = []
    with unnamed.open("xb") as file:
        while page := list(islice(left, BLOCK_ROWS)):
            parts = tuple(_written(page, file))
            first, last, at_min = page[0], page[-1], min(row[1] for row in page)
            blocks.append(Block(first[0], last[0], last[7].hex(), at_min, parts))
    content = msgspec.json.encode(Index(start.head.hash.hex(), start.digest, tuple(blocks)))
    name = folder / f"{blocks[0].first:012}-{last[0]:012}.index.json"
    unnamed.rename(packed_path(name))
    name.write_bytes(content)
    return End(Head(last[0], last[7]), sha256(content).hexdigest())


def _written(page: list[Row], file: IO[bytes]) -> Iterator[Part]:
    for tag, rows, text in parts_of(page):
        member = gzip.compress(text, COMPRESSION, mtime=0)
        traces = [row[4] for row in rows if row[4] is not None]
        between = (min(traces), max(traces)) if traces else None
        digest = sha256(member).hexdigest()
        yield Part(tag, len(rows), between, file.tell(), len(member), digest)
        file.write(member)


def put_segment(unfinished: Path, folder: Path, end: int) -> Path:
    """Move the segment in `unfinished` into `folder`, durably and read-only; return its path.

    What lies there behind event `end`, where the sealed part ends so far, goes: it is of an attempt
    that broke off before the journal's file went on behind it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    fsync_folder(folder.parent)
    for file in reversed(segment_files(folder)):
        if int(file.name[:12]) > end:
            file.unlink(missing_ok=True)
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
