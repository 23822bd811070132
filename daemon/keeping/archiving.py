"""Archiving: what the journal's file has is packed into a segment, and the file goes on behind it.

Nothing is given up before it was read back: each row of the segment against each row of the file.
Whatever moment a power cut chooses, the events are in the file, in the segment, or in both, which
no reader minds.
"""

from pathlib import Path

import msgspec

from events import JournalContinued, JournalOpened, Record
from events.chain import Row
from events.errors import JournalDamaged, JournalError
from events.journal import Head, JournalReader
from events.journal_file import RowFile, fold_log
from events.lock import FileLock, lock_path
from events.rows import proved_records, rows_after
from events.segments import Sealed, pack_segment, put_segment, segments_path
from events.witness import Witness, WitnessFile, witness_path


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


def archive(journal: Path) -> Archived:
    """Seal what the file of `journal` has, where no daemon runs.

    Raises:
        JournalLocked: one runs, or the file is being read just now.
        JournalError: it is not sound, or has nothing to seal.
    """
    lock = FileLock(lock_path(journal))
    try:
        with JournalReader(journal) as reader:
            findings = reader.check()
            if findings:
                raise JournalDamaged(f"it is not sound: {findings[0].what}", findings[0].hint)
            sealed, head = reader.sealed.end, reader.head()
            if head.seq <= sealed.seq + 1:
                raise NothingToSeal(f"{journal} ends at event {head.seq}: all of it is sealed")
            # Under no segment's name until it was read back.
            unfinished = journal.with_name(journal.name + ".sealing")
            index = pack_segment(reader.rows(sealed.seq), sealed, unfinished)
            _assert_packed(reader, unfinished, sealed, head)
            packed = put_segment(unfinished, segments_path(journal))
            following = _following(reader, head)
        before = journal.stat().st_size
        _go_on_behind(journal, following, head)
    finally:
        lock.release()
    size = packed.stat().st_size
    after = journal.stat().st_size
    return Archived(str(packed), index.first, index.end.seq, before, after, size)


def _assert_packed(reader: JournalReader, unfinished: Path, start: Head, head: Head) -> None:
    """Read the segment back, and hold each of its rows against the file's own.

    Raises:
        JournalDamaged: one of them is another. The file is as it was.
    """
    packed = Sealed(unfinished, start)
    rows = zip(packed.rows(start.seq, head.seq), reader.rows(start.seq), strict=True)
    if packed.end != head or any(made != row for made, row in rows):
        raise JournalDamaged(f"{unfinished} is not what the file has: nothing was sealed")


def _following(reader: JournalReader, head: Head) -> Row:
    """Return the row the file goes on with."""
    first, last = reader.record(1), reader.record(head.seq)
    assert first is not None, "the journal is sound"
    assert last is not None, "its head is there"
    assert isinstance(first.event, JournalOpened), "event 1 names the journal"
    event = JournalContinued(first.event.journal_id, reader.epoch(), head.seq)
    # Nothing has happened since the event before: its time is this one's.
    record = Record(head.seq + 1, last.at, event)
    (bound,) = rows_after(head.hash, [record])
    seq, at, tag, key, _, _, body, row_hash = bound
    return (seq, at, tag, key, None, None, body, bytes(row_hash))


def _go_on_behind(journal: Path, row: Row, head: Head) -> None:
    """Put a file in place that begins with `row`, and let the witness follow.

    A witness that is one event behind is no contradiction, so it comes last.
    """
    assert any(proved_records(journal, [row], head)), "it follows what is sealed"
    made = journal.with_name(journal.name + ".next")
    file = RowFile(made)
    file.write([row])
    file.finish()
    fold_log(journal)
    made.rename(journal)
    event = msgspec.json.decode(row[6], type=JournalContinued)
    witness = WitnessFile(witness_path(journal))
    witness.write(Witness(event.journal_id, event.epoch, row[0], row[7].hex()))
    witness.close()
