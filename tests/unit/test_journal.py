"""Writing the journal: whole turns or nothing, a chain from row to row, and never a change."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from events import Record, nanoseconds
from events.codec import JournalEvent
from events.errors import JournalWriteFailed
from events.journal import JournalReader
from events.lock import lock_path
from events.witness import read_witness, witness_path
from tests.builders import MORNING, a_bar, a_deposit, a_fill, an_order, records, utc
from tests.journals import OPENED, Raw, a_story, ask, raw_rows, read, write, writing

NOON = nanoseconds(utc(MORNING))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a journal of five events: its name, a deposit and three bars."""
    folder = tmp_path_factory.mktemp("made")
    asyncio.run(write(folder / "journal.db", *a_story(3)))
    return folder


@pytest.fixture
def begun(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the journal of five events."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "journal.db"


# What was appended is there.


async def test_what_was_appended_reads_back_as_it_was(path: Path) -> None:
    # A walk: the bar at 2 leads to an intent, that to its approval and sending, that to a fill.
    # The clock goes back an hour in between, and the bar after it is a root again.
    bar, intent, approval, sending = a_bar(), *an_order()
    story = [
        Record(1, NOON, OPENED),
        Record(2, NOON + 1, bar),
        Record(3, NOON + 1, intent, trace=2, cause=2),
        Record(4, NOON + 1, approval, trace=2, cause=3),
        Record(5, NOON + 2, sending, trace=2, cause=4),
        Record(6, NOON - 3_600 * 10**9, a_fill("100.50", "0.1"), trace=2, cause=5),
        Record(7, NOON, bar),
    ]
    async with writing(path) as journal:
        await journal.append(story[:1])
        await journal.append(story[1:5])
        await journal.append(story[5:])
    assert read(path) == story


async def test_a_row_says_in_plain_text_what_happened(path: Path) -> None:
    await write(path, a_deposit("100000.10"))
    (row,) = ask(path, "SELECT seq, at, type, key, trace, cause FROM event WHERE seq = 2")
    # 2024-01-02T12:00 UTC is 1704196800 seconds after 1970.
    assert row == (
        2,
        1_704_196_800_000_000_000,
        "cash.moved",
        "deposit|opening capital",
        None,
        None,
    )
    ((body,),) = ask(path, "SELECT body FROM event WHERE seq = 2")
    assert json.loads(body) == {
        "type": "cash.moved",
        "kind": "deposit",
        "amount": "100000.10",
        "reference": "opening capital",
    }


async def test_a_batch_of_any_size_is_there_whole_and_in_order(path: Path) -> None:
    bars = [a_bar(str(number)) for number in range(1, 2_029)]
    left = list(records(OPENED, *bars))
    async with writing(path) as journal:
        # Around 250, the rows of one statement; 2,029 in all.
        for size in (1, 1, 249, 250, 251, 500, 777):
            await journal.append(left[:size])
            left = left[size:]
    assert [record.event for record in read(path)] == [OPENED, *bars]


async def test_a_journal_opened_again_goes_on_where_it_ended(path: Path) -> None:
    await write(path, a_bar("1"))
    await write(path, a_bar("2"))
    async with writing(path) as journal:
        assert journal.head.seq == 3
        assert journal.head.hash == raw_rows(path)[-1][7]
    assert [record.seq for record in read(path)] == [1, 2, 3]


async def test_a_new_journal_is_empty_and_for_its_owner_only(path: Path) -> None:
    nested = path.parent / "state" / path.name
    async with writing(nested) as journal:
        assert journal.head.seq == 0
        assert journal.head.hash == bytes(32)
        await journal.append(list(records(OPENED)))
        beside = {file.name: file.stat().st_mode & 0o077 for file in nested.parent.iterdir()}
    assert {"journal.db", "journal.db-wal", "journal.db.lock", "journal.db.witness"} <= set(beside)
    assert set(beside.values()) == {0}


async def test_a_journal_that_was_never_finished_making_is_made_anew(path: Path) -> None:
    path.with_name(path.name + ".new").write_bytes(b"a kill came in between")
    await write(path, a_bar())
    assert len(read(path)) == 2
    assert not path.with_name(path.name + ".new").exists()


# The chain, computed here from the columns alone.


def hashes_from_columns(rows: list[Raw]) -> Iterator[bytes]:
    """Yield what each row's hash must be: of the hash before it and all that stands in the row."""
    previous = bytes(32)
    for seq, at, _, key, trace, cause, body, _ in rows:
        text = f"{seq}|{at}|{trace or 0}|{cause or 0}"
        if key is not None:
            text += f"|{len(key.encode())}|{key}"
        previous = sha256(previous + f"{text}|{body}".encode()).digest()
        yield previous


async def test_each_hash_covers_the_row_and_the_hash_before_it(path: Path) -> None:
    order = an_order()
    story = [
        *records(OPENED, a_deposit(reference="Übertrag, 12 €"), a_bar()),
        *(Record(4 + place, NOON, event, 3, 3 + place) for place, event in enumerate(order)),
        Record(7, NOON, a_bar("6"), 3, 6),
    ]
    async with writing(path) as journal:
        await journal.append(story[:1])
        await journal.append(story[1:])
    await write(path, a_bar("7"))
    rows = raw_rows(path)
    assert len(rows) == 8
    assert [row[7] for row in rows] == list(hashes_from_columns(rows))


async def test_an_empty_identity_is_none_and_its_row_is_proved_like_any_other(path: Path) -> None:
    # Whatever a broker calls its fills, a journal that was written can be read.
    fills = (a_fill("1", execution_id=""), a_fill("2", execution_id=""))
    await write(path, *fills, a_bar())
    rows = raw_rows(path)
    assert [row[3] for row in rows] == [None, None, None, None]
    assert [row[7] for row in rows] == list(hashes_from_columns(rows))
    with JournalReader(path) as reader:
        assert reader.check() == []


async def test_the_witness_follows_every_append(path: Path) -> None:
    async with writing(path) as journal:
        for batch in ([OPENED], a_story(), [a_bar()]):
            await journal.append(list(records(*batch, first=journal.head.seq + 1)))
            witness = read_witness(witness_path(path))
            assert witness is not None
            assert (witness.journal_id, witness.epoch) == ("4d1a7a0c9f32b6e5", 1)
            assert (witness.seq, witness.hash) == (journal.head.seq, journal.head.hash.hex())
            assert journal.head.hash == raw_rows(path)[-1][7]


# A turn is written whole or not at all.


def with_the_same_deposit_again(size: int) -> list[JournalEvent]:
    """Return `size` good events, and at their end the deposit the journal has already."""
    return [*(a_bar(str(number)) for number in range(1, size + 1)), a_deposit()]


@pytest.mark.parametrize("size", [0, 1, 250, 600])
async def test_a_bad_row_takes_its_whole_batch_with_it(size: int, begun: Path) -> None:
    before, witness = raw_rows(begun), witness_path(begun).read_bytes()
    async with writing(begun) as journal:
        batch = list(records(*with_the_same_deposit_again(size), first=6))
        with pytest.raises(JournalWriteFailed, match=f"events 6 to {6 + size} failed"):
            await journal.append(batch)
        assert raw_rows(begun) == before
    assert raw_rows(begun) == before
    assert witness_path(begun).read_bytes() == witness


async def test_after_a_failed_write_nothing_more_is_appended_before_a_restart(begun: Path) -> None:
    before = raw_rows(begun)
    async with writing(begun) as journal:
        with pytest.raises(JournalWriteFailed) as failed:
            await journal.append(list(records(a_deposit(), first=6)))
        assert journal.poisoned
        with pytest.raises(JournalWriteFailed, match="nothing more is appended"):
            await journal.append(list(records(a_bar(), first=6)))
    assert raw_rows(begun) == before
    await write(begun, a_bar("7"))
    assert [record.event for record in read(begun)[5:]] == [a_bar("7")]
    # The error, and with it all that hangs on it, was alive all the while.
    assert "start again" in failed.value.hint


async def test_an_append_that_was_cancelled_counts_as_failed(path: Path) -> None:
    async with writing(path) as journal:
        await journal.append(list(records(OPENED)))
        bars = [a_bar()] * 1_000
        appending = asyncio.create_task(journal.append(list(records(*bars, first=2))))
        await asyncio.sleep(0)
        appending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await appending
        assert journal.poisoned
        with pytest.raises(JournalWriteFailed):
            await journal.append(list(records(a_bar(), first=2)))
    # Whether its rows are there nobody knew; after the end they are, all of them or none.
    assert len(read(path)) in {1, 1_001}


async def test_a_batch_with_a_gap_in_it_is_refused_by_the_file(path: Path) -> None:
    async with writing(path) as journal:
        with pytest.raises(JournalWriteFailed, match="append-only"):
            await journal.append([*records(OPENED, a_bar()), *records(a_bar(), first=4)])
    assert raw_rows(path) == []


async def test_a_writer_whose_lock_was_taken_away_writes_nothing_more(begun: Path) -> None:
    before = raw_rows(begun)
    async with writing(begun) as journal:
        lock_path(begun).unlink()
        # Now another process could lock a new file of that name.
        with pytest.raises(JournalWriteFailed, match="another process may be writing"):
            await journal.append(list(records(a_bar(), first=6)))
        assert journal.poisoned
    assert raw_rows(begun) == before


# What durability rests on.


async def test_the_file_says_what_it_is(path: Path) -> None:
    await write(path)
    assert ask(path, "PRAGMA journal_mode") == [("wal",)]
    assert ask(path, "PRAGMA application_id") == [(int.from_bytes(b"TRAD", "big"),)]
    assert ask(path, "PRAGMA user_version") == [(1,)]
    assert ask(path, "SELECT strict FROM pragma_table_list WHERE name = 'event'") == [(1,)]


async def test_the_writer_asks_for_durability(path: Path) -> None:
    async with writing(path) as journal:
        connection = journal._connection  # noqa: SLF001 - only the connection itself can tell
        found = {}
        for pragma in ("journal_mode", "synchronous", "locking_mode", "wal_autocheckpoint"):
            async with connection.execute(f"PRAGMA {pragma}") as cursor:
                row = await cursor.fetchone()
                assert row is not None
                found[pragma] = row[0]
    # 2 is FULL: the log is synced at every commit.
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "locking_mode": "normal",
        "wal_autocheckpoint": 0,
    }


def size(path: Path) -> int:
    return path.stat().st_size


async def test_the_log_is_folded_back_only_when_asked(path: Path) -> None:
    # SQLite by itself would do it at 1000 pages of 4096 bytes; this is about 1500.
    long = [a_deposit(reference=f"{number}{'x' * 50_000}") for number in range(120)]
    async with writing(path) as journal:
        await journal.append(list(records(OPENED)))
        before = size(path)
        await journal.append(list(records(*long, first=2)))
        assert size(path) == before
        await journal.checkpoint()
        assert size(path) > 120 * 50_000


async def test_folding_the_log_back_is_due_once_it_has_grown(path: Path) -> None:
    async with writing(path) as journal:
        await journal.append(list(records(OPENED)))
        assert not journal.checkpoint_due
        bar = a_bar()
        await journal.append(list(records(*[bar] * 65_000, first=2)))
        # 65,000 rows at eight a page are 8,125 pages; 8,000 are enough.
        assert journal.checkpoint_due
        await journal.checkpoint()
        assert not journal.checkpoint_due


async def test_folding_the_log_back_waits_for_no_reader(begun: Path) -> None:
    with closing(sqlite3.connect(f"file:{begun}?mode=ro", uri=True)) as reader:
        async with writing(begun) as journal:
            reader.execute("BEGIN")
            count = "SELECT count(*) FROM event"
            assert reader.execute(count).fetchone() == (5,)
            await journal.append(list(records(a_bar(), first=6)))
            async with asyncio.timeout(2):
                await journal.checkpoint()
                await journal.append(list(records(a_bar(), first=7)))
            # The reader still sees the moment it began at, and then all there is.
            assert reader.execute(count).fetchone() == (5,)
            reader.execute("COMMIT")
            await journal.checkpoint()
            assert reader.execute(count).fetchone() == (7,)
    with JournalReader(begun) as reading:
        assert reading.check() == []


def come_and_go(path: Path) -> None:
    """Let another process open the file, with every right and none of our code, and close it."""
    script = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "print(connection.execute('SELECT count(*) FROM event').fetchone()[0])\n"
        "connection.close()"
    )
    words = [sys.executable, "-c", script, str(path)]
    assert int(subprocess.run(words, capture_output=True, check=True, timeout=60).stdout) == 1


async def test_a_reader_in_the_writers_process_leaves_the_writers_locks_alone(path: Path) -> None:
    # Closing a file gives up all locks the process has on it. A stranger who then came and went
    # would take himself for the last one, and remove the log under the writer.
    log = path.with_name(path.name + "-wal")
    async with writing(path) as journal:
        await journal.append(list(records(OPENED)))
        with JournalReader(path) as reader:
            assert reader.head().seq == 1
        before = inode(log)
        await asyncio.to_thread(come_and_go, path)
        assert inode(log) == before
        await journal.append(list(records(a_bar(), first=2)))
    assert len(read(path)) == 2


def inode(path: Path) -> int:
    return path.stat().st_ino


# The file protects itself, whoever opens it.

NEXT = "(6, 0, 'bar.closed', NULL, NULL, NULL, '{}', x'00')"
SAME_KEY = "(6, 0, 'cash.moved', 'deposit|opening capital', NULL, NULL, '{}', x'00')"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET body = '{}' WHERE seq = 3",
        "UPDATE event SET at = at + 1",
        "UPDATE OR REPLACE event SET seq = 2 WHERE seq = 3",
        "UPDATE OR IGNORE event SET hash = x'00'",
        "DELETE FROM event WHERE seq = 5",
        "DELETE FROM event",
    ],
)
def test_the_file_lets_no_event_change_and_none_go(statement: str, begun: Path) -> None:
    assert_refused(begun, statement, "the journal is append-only")


@pytest.mark.parametrize(
    "rows",
    [
        NEXT.replace("6", "1"),
        NEXT.replace("6", "5"),
        NEXT.replace("6", "7"),
        NEXT.replace("6", "0"),
        NEXT.replace("6", "-1"),
        NEXT.replace("6", "NULL"),
        SAME_KEY,
        f"{NEXT}, {NEXT.replace('6', '8')}",
        f"{NEXT}, {NEXT}",
    ],
)
@pytest.mark.parametrize(
    "how",
    [
        "INSERT INTO event VALUES ROWS",
        "REPLACE INTO event VALUES ROWS",
        "INSERT OR REPLACE INTO event VALUES ROWS",
        "INSERT OR IGNORE INTO event VALUES ROWS",
        "INSERT OR FAIL INTO event VALUES ROWS",
        "INSERT INTO event VALUES ROWS ON CONFLICT DO NOTHING",
        "INSERT INTO event VALUES ROWS ON CONFLICT (seq) DO UPDATE SET body = '[]'",
    ],
)
def test_the_file_takes_no_event_but_a_new_one_at_its_end(how: str, rows: str, begun: Path) -> None:
    assert_refused(begun, how.replace("ROWS", rows), "the journal is append-only")


@pytest.mark.parametrize(
    "row",
    [
        NEXT.replace(" 0,", " 'noon',"),
        NEXT.replace("'bar.closed'", "NULL"),
        NEXT.replace("'{}'", "NULL"),
        NEXT.replace("x'00'", "NULL"),
        NEXT.replace("x'00'", "'00'"),
    ],
)
def test_the_file_takes_no_column_of_another_type(row: str, begun: Path) -> None:
    statement = "INSERT INTO event VALUES ROW".replace("ROW", row)
    assert_refused(begun, statement, r"cannot store|NOT NULL")


def assert_refused(path: Path, statement: str, said: str) -> None:
    before = raw_rows(path)
    with closing(sqlite3.connect(path)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match=said):
            connection.execute(statement)
        connection.commit()
    assert raw_rows(path) == before


def test_the_file_takes_the_next_event(begun: Path) -> None:
    # Without this the tests above would be content with a file that takes nothing at all.
    with closing(sqlite3.connect(begun)) as connection, connection:
        connection.execute(f"INSERT INTO event VALUES {NEXT}")  # noqa: S608 - written here
    assert [row[0] for row in raw_rows(begun)] == [1, 2, 3, 4, 5, 6]
