"""A disk that takes nothing: what it fails beside an append is a failed write all the same."""

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.exit_codes import ExitCode
from daemon.stopping.side_file import (
    LAST_WORD_BYTES,
    RESERVE_BYTES,
    drop_aside,
    keep_room,
    last_word_path,
    read_aside,
    reserve_path,
    write_aside,
    write_last_word,
)
from events import OperatorCancelAsked, OperatorKilled
from events.errors import (
    JournalDamaged,
    JournalDiskFailed,
    JournalOutOfReach,
    JournalWriteFailed,
)
from events.journal import Journal
from events.journal_file import create_missing, unreadable
from events.rows import Head
from events.witness import Witness, WitnessFile, first_witness, read_witness
from ops.exit_codes import code_for
from tests.builders import a_bar, records
from tests.journals import OPENED, writing

KILL = OperatorKilled("offline-1", "ann", 1000, "the disk is full")


@contextmanager
def no_file_can_be_written() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_journal_that_cannot_be_made_is_a_failed_write_and_can_be_made_later(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    with no_file_can_be_written(), pytest.raises(JournalWriteFailed, match="could not be taken"):
        await Journal.open(path)
    with no_file_can_be_written(), pytest.raises(JournalWriteFailed, match="could not be made"):
        create_missing(path)
    assert not path.exists()
    async with writing(path) as journal:
        await journal.append(list(records(OPENED)))


def test_a_first_witness_that_cannot_be_written_is_a_failed_write(tmp_path: Path) -> None:
    with no_file_can_be_written(), pytest.raises(JournalWriteFailed, match="could not be made"):
        first_witness(tmp_path / "journal.db", Head())


async def test_a_log_that_cannot_be_folded_back_poisons_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with writing(path) as journal:
        await journal.append(list(records(OPENED, *[a_bar()] * 1_000)))
        with no_file_can_be_written(), pytest.raises(JournalWriteFailed, match="folding"):
            await journal.checkpoint()
        assert journal.poisoned
        with pytest.raises(JournalWriteFailed, match="nothing more is appended"):
            await journal.append(list(records(a_bar(), first=1_002)))
    async with writing(path) as journal:
        assert journal.head.seq == 1_001


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, JournalDiskFailed),
        (sqlite3.SQLITE_IOERR_READ, JournalDiskFailed),
        (sqlite3.SQLITE_IOERR_SHMSIZE, JournalDiskFailed),
        # There is room, so it is something else that keeps it from making its files.
        (sqlite3.SQLITE_CANTOPEN, JournalOutOfReach),
        (sqlite3.SQLITE_IOERR_SHORT_READ, JournalDamaged),
        (sqlite3.SQLITE_CORRUPT, JournalDamaged),
    ],
)
def test_a_disk_that_fails_a_reader_does_not_make_the_journal_a_damaged_one(
    code: int, kind: type[Exception], tmp_path: Path
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    found = unreadable(tmp_path / "journal.db", error)
    assert type(found) is kind
    assert (code_for(found) is ExitCode.JOURNAL_WRITE_FAILED) == (kind is JournalDiskFailed)


def test_a_witness_that_the_disk_takes_in_parts_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, witness = os.pwrite, Witness("4d1a7a0c9f32b6e5", 1, 7, "00")
    monkeypatch.setattr(os, "pwrite", lambda fd, content, at: written(fd, content[:100], at))
    file = WitnessFile(tmp_path / "witness")
    file.write(witness)
    file.close()
    assert read_witness(tmp_path / "witness") == witness


def test_a_witness_that_the_disk_takes_no_more_of_is_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    with pytest.raises(OSError, match="takes no more"):
        WitnessFile(tmp_path / "witness").write(Witness("4d1a7a0c9f32b6e5", 1, 7, "00"))


def test_a_command_on_a_full_disk_takes_the_place_of_the_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, write = tmp_path / "journal.db", os.write
    keep_room(journal)
    assert reserve_path(journal).stat().st_size == RESERVE_BYTES

    def full(file: int, line: bytes) -> int:
        return 0 if reserve_path(journal).exists() else write(file, line)

    monkeypatch.setattr(os, "write", full)
    write_aside(journal, KILL)
    assert read_aside(journal) == [KILL]
    assert not reserve_path(journal).exists()
    # The next start keeps room again.
    keep_room(journal)
    assert reserve_path(journal).stat().st_size == RESERVE_BYTES


def test_a_disk_with_no_room_for_the_reserve_is_too_full_to_start_on(tmp_path: Path) -> None:
    with no_file_can_be_written(), pytest.raises(JournalWriteFailed, match="could not be kept"):
        keep_room(tmp_path / "journal.db")


def cancels(number: int) -> list[OperatorCancelAsked]:
    return [
        OperatorCancelAsked(f"journal-failed-{n:016x}", "traded", 0, "it failed", "A-" + "0" * 40)
        for n in range(number)
    ]


def test_the_last_word_takes_no_room_on_the_disk_and_is_read_before_a_later_kill(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "journal.db"
    keep_room(journal)
    assert read_aside(journal) == []
    blocks = last_word_path(journal).stat().st_blocks
    write_last_word(journal, cancels(1_000))
    write_aside(journal, KILL)
    left = last_word_path(journal).stat()
    assert (left.st_size, left.st_blocks) == (LAST_WORD_BYTES, blocks)
    assert read_aside(journal) == [*cancels(1_000), KILL]
    assert reserve_path(journal).exists()
    drop_aside(journal)
    keep_room(journal)
    assert read_aside(journal) == []
    write_last_word(journal, cancels(1))
    assert read_aside(journal) == cancels(1)


def test_a_last_word_for_which_no_room_was_kept_is_not_there_and_says_so(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    with pytest.raises(FileNotFoundError):
        write_last_word(journal, cancels(1))
    keep_room(journal)
    with pytest.raises(OSError, match="2000 commands are more than there is room for"):
        write_last_word(journal, cancels(2_000))
    with no_file_can_be_written(), pytest.raises(OSError, match="File too large"):
        write_last_word(journal, cancels(1))
    assert read_aside(journal) == []
