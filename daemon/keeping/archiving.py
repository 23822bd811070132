"""Archiving: what the journal's file has is packed into a segment, and the file goes on behind it.

Nothing is given up before it was read back: each row of the segment against each row of the file.
It counts from when the file that goes on behind it bears the journal's name. A power cut before
leaves the file as it was, and beside it a segment, whole or not, which no reader minds.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from daemon.keeping.steps import Show, in_silence
from events import JournalContinued, JournalOpened, Record
from events.chain import Row
from events.errors import JournalDamaged, JournalError
from events.journal import JournalReader
from events.journal_file import RowFile, fold_log
from events.lock import FileLock, lock_path
from events.rows import Head, proved_records, rows_after
from events.sealing import pack_segment, put_segment
from events.segments import End, Sealed, segments_path
from events.witness import Witness, WitnessFile, fsync_folder, witness_path

TOLD_EVERY_ROWS = 10_000


class NothingToSeal(JournalError):
    """The file has nothing that is not sealed already."""

    hint = "archive again when it has grown"


class Archived(msgspec.Struct, frozen=True):
    """Events `first` to `last` are in `segment` now, with `packed` bytes; so large was the file."""

    segment: str
    first: int
    last: int
    size_before: int
    size_after: int
    packed: int


def archive(journal: Path, show: Show = in_silence) -> Archived:
    """Seal what the file of `journal` has, where no daemon runs; `show` each step of it.

    Raises:
        JournalLocked: one runs, or the file is being read just now.
        JournalError: it is not sound, or has nothing to seal.
    """
    lock = FileLock(lock_path(journal))
    try:
        with JournalReader(journal) as reader:
            sealed, head = reader.sealed.end, reader.head()
            first, events = sealed.head.seq + 1, head.seq - sealed.head.seq
            if events <= 1:
                raise NothingToSeal(f"{journal} ends at event {head.seq}: all of it is sealed")
            with show("events verified", head.seq) as reached:
                findings = reader.check(reached)
            if findings:
                raise JournalDamaged(f"it is not sound: {findings[0].what}", findings[0].hint)
            # Under no segment's name until it was read back.
            unfinished = journal.with_name(journal.name + ".sealing")
            with show("events packed", events) as reached:
                rows = _told(reader.file_rows(), reached)
                end = pack_segment(rows, sealed, unfinished)
            with show("events read back", events) as reached:
                _assert_packed(unfinished, sealed, end, _told(reader.file_rows(), reached))
            packed = put_segment(unfinished, segments_path(journal), sealed.head.seq)
            following = _following(reader, end)
        before = journal.stat().st_size
        _go_on_behind(journal, following, head)
    finally:
        lock.release()
    size = packed.stat().st_size
    after = journal.stat().st_size
    return Archived(str(packed), first, head.seq, before, after, size)


def _told(rows: Iterator[Row], reached: Callable[[int], None]) -> Iterator[Row]:
    """Yield `rows` as they are, and say how many there were so far."""
    for number, row in enumerate(rows, 1):
        if number % TOLD_EVERY_ROWS == 0:
            reached(number)
        yield row


def _assert_packed(unfinished: Path, start: End, end: End, rows: Iterator[Row]) -> None:
    """Read the segment back, and hold each of its rows against the file's own.

    Raises:
        JournalDamaged: one of them is another. The file is as it was.
    """
    packed = Sealed(unfinished, end.head.seq, end.digest, start)
    made = packed.rows(start.head.seq, end.head.seq)
    if any(one != other for one, other in zip(made, rows, strict=True)):
        raise JournalDamaged(f"{unfinished} is not what the file has: nothing was sealed")


def _following(reader: JournalReader, end: End) -> Row:
    """Return the row the file goes on with."""
    head = end.head
    first, last = reader.record(1), reader.record(head.seq)
    assert first is not None, "the journal is sound"
    assert last is not None, "its head is there"
    assert isinstance(first.event, JournalOpened), "event 1 names the journal"
    event = JournalContinued(first.event.journal_id, reader.epoch(), head.seq, end.digest)
    # Nothing has happened since the event before: its time is this one's.
    record = Record(head.seq + 1, last.at, event)
    (bound,) = rows_after(head.hash, [record])
    seq, at, tag, key, _, _, body, row_hash = bound
    return (seq, at, tag, key, None, None, body, bytes(row_hash))


def _go_on_behind(journal: Path, row: Row, head: Head) -> None:
    """Put a file in place that begins with `row`, and let the witness follow.

    A witness that is one event behind is no contradiction, and one that is ahead is: it comes last,
    when the file is sure to have its name after a power cut, too.
    """
    assert any(proved_records(journal, [row], head)), "it follows what is sealed"
    made = journal.with_name(journal.name + ".next")
    file = RowFile(made)
    file.write([row])
    file.finish()
    fold_log(journal)
    made.rename(journal)
    fsync_folder(journal.parent)
    event = msgspec.json.decode(row[6], type=JournalContinued)
    witness = WitnessFile(witness_path(journal))
    witness.write(Witness(event.journal_id, event.epoch, row[0], row[7].hex()))
    witness.close()
