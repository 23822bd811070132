"""Reading the journal: any part of it, in any order, while it is written, and never a change."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from events import (
    BarClosed,
    CashMoved,
    JournalOpened,
    OrderFilled,
    OrderIntended,
    OrderSending,
    Record,
    nanoseconds,
)
from events.errors import JournalDamaged, JournalMissing, JournalOutOfReach, UnknownEvent
from events.journal import Finding, Head, JournalReader
from tests.builders import MORNING, a_bar, a_deposit, a_fill, an_order, utc
from tests.command_line import traded
from tests.journals import OPENED, changed, raw_rows, unprotected, write, writing

NOON = nanoseconds(utc(MORNING))
MINUTE = 60 * 10**9


def story() -> list[Record]:
    """Return two walks, one after the other: bar, intent, approval, sending, fill."""
    told = [Record(1, NOON, OPENED), Record(2, NOON, a_deposit())]
    for order_id, execution_id in (("o1", "e1"), ("o2", "e2")):
        root = len(told) + 1
        at = NOON + root * MINUTE
        told.append(Record(root, at, a_bar()))
        walk = (*an_order(order_id), a_fill(order_id=order_id, execution_id=execution_id))
        for place, event in enumerate(walk):
            told.append(Record(root + 1 + place, at, event, trace=root, cause=root + place))
    return told


STORY = story()
"""1 the name, 2 a deposit, 3 to 7 the first walk, 8 to 12 the second."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")

    async def make() -> None:
        async with writing(folder / "journal.db") as journal:
            await journal.append(STORY[:1])
            await journal.append(STORY[1:])

    asyncio.run(make())
    return folder


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the journal of two walks."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "journal.db"


@pytest.fixture
def reader(path: Path) -> Iterator[JournalReader]:
    with JournalReader(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a journal of 20,001 events: one more than two pages of a reader; 40 are deposits."""
    path = tmp_path_factory.mktemp("long") / "journal.db"
    bar = a_bar()
    events = [
        bar if number % 500 else a_deposit(reference=f"number {number}")
        for number in range(2, 20_002)
    ]
    asyncio.run(write(path, *events))
    return path


def seqs(found: Iterator[Record] | list[Record]) -> list[int]:
    return [record.seq for record in found]


# Onwards and back.


def test_all_of_it_is_read_in_order(reader: JournalReader) -> None:
    assert list(reader.records()) == STORY


@pytest.mark.parametrize(
    ("after", "upto", "found"),
    [
        (0, None, range(1, 13)),
        (10, None, [11, 12]),
        (12, None, []),
        (99, None, []),
        (0, 3, [1, 2, 3]),
        (5, 7, [6, 7]),
        (5, 5, []),
        (7, 5, []),
        (0, 0, []),
    ],
)
def test_a_part_of_it_is_read(
    after: int, upto: int | None, found: list[int], reader: JournalReader
) -> None:
    assert seqs(reader.records(after, upto)) == list(found)
    assert [row[0] for row in reader.rows(after, upto)] == list(found)
    assert seqs(reader.records_back(upto, after=after)) == list(found)[::-1]


def test_a_long_one_is_read_page_by_page_without_a_seam(long: Path) -> None:
    with JournalReader(long) as reader:
        assert seqs(reader.records()) == list(range(1, 20_002))
        assert seqs(reader.records(5_000, 15_001)) == list(range(5_001, 15_002))
        assert seqs(reader.records_back()) == list(range(20_001, 0, -1))
        assert seqs(reader.records_back(1_500, after=400)) == list(range(1_500, 400, -1))


def test_read_back_one_kind_only_is_found(long: Path) -> None:
    with JournalReader(long) as reader:
        deposits = reader.records_back(kinds=[CashMoved])
        assert seqs(deposits) == list(range(20_000, 0, -500))
        assert seqs(reader.records_back(1_000, after=500, kinds=[CashMoved])) == [1_000]
        assert seqs(reader.records_back(kinds=[JournalOpened])) == [1]
        assert seqs(reader.records_back(kinds=[OrderFilled])) == []
        both = reader.records_back(1_001, after=499, kinds=[OrderFilled, CashMoved])
        assert seqs(both) == [1_000, 500]


def test_whoever_reads_back_need_not_read_to_the_end(long: Path) -> None:
    with JournalReader(long) as reader:
        back = reader.records_back()
        assert [next(back).seq for _ in range(3)] == [20_001, 20_000, 19_999]


# One of them.


def test_one_record_is_read_by_its_number(reader: JournalReader) -> None:
    assert reader.record(7) == STORY[6]
    assert reader.record(0) is None
    assert reader.record(13) is None


def test_the_head_is_the_last_row(reader: JournalReader, path: Path) -> None:
    assert reader.head() == Head(12, raw_rows(path)[-1][7])


async def test_before_the_first_event_the_head_is_zero(tmp_path: Path) -> None:
    async with writing(tmp_path / "new.db"):
        with JournalReader(tmp_path / "new.db") as reader:
            assert reader.head() == Head(0, bytes(32))
            assert list(reader.records()) == []
            assert reader.seq_at(NOON) == 0
            assert reader.check() == []


def test_every_row_tells_its_hash(reader: JournalReader, path: Path) -> None:
    assert [reader.hash_at(seq) for seq in range(1, 13)] == [row[7] for row in raw_rows(path)]
    assert reader.hash_at(0) == bytes(32)
    assert reader.hash_at(13) is None


# By what it is about.


@pytest.mark.parametrize(
    ("root", "walk"), [(3, range(3, 8)), (8, range(8, 13)), (2, [2]), (4, [4])]
)
def test_a_walk_is_its_root_and_all_that_followed(
    root: int, walk: list[int], reader: JournalReader
) -> None:
    assert reader.traced(root) == [STORY[seq - 1] for seq in walk]


def test_a_walk_from_nowhere_is_empty(reader: JournalReader) -> None:
    assert reader.traced(13) == []


def test_an_event_is_found_by_its_identity(reader: JournalReader) -> None:
    assert reader.find(OrderIntended, "o2") == STORY[8]
    assert reader.find(OrderSending, "o1") == STORY[5]
    assert reader.find(CashMoved, "deposit|opening capital") == STORY[1]
    # The key is one within its type.
    assert reader.find(OrderFilled, "o1") is None
    assert reader.find(OrderIntended, "o") is None


def test_all_of_a_kind_are_found_in_order(reader: JournalReader) -> None:
    assert reader.of_kind(OrderIntended) == [STORY[3], STORY[8]]
    assert reader.of_kind(OrderIntended, 8) == [STORY[3]]
    assert reader.of_kind(OrderIntended, 9) == [STORY[3], STORY[8]]
    # Bars have no identity of their own: to find them, the journal must be read.
    assert reader.of_kind(BarClosed) == []


async def test_identities_are_listed_by_how_they_begin(path: Path) -> None:
    orders = [each for name in ("A-1", "A-10", "A-2", "B-1", "é-1") for each in an_order(name)]
    await write(path, *orders)
    with JournalReader(path) as reader:
        assert reader.keys_of(OrderIntended, "A-", 9) == ["A-1", "A-10", "A-2"]
        assert reader.keys_of(OrderIntended, "A-1", 9) == ["A-1", "A-10"]
        assert reader.keys_of(OrderIntended, "A-", 2) == ["A-1", "A-10"]
        assert reader.keys_of(OrderIntended, "", 9) == [
            "A-1", "A-10", "A-2", "B-1", "o1", "o2", "é-1",
        ]  # fmt: skip
        assert reader.keys_of(OrderIntended, "é", 9) == ["é-1"]
        assert reader.keys_of(OrderIntended, "C", 9) == []
        assert reader.keys_of(CashMoved, "A", 9) == []


def test_a_time_is_the_last_event_recorded_by_then(reader: JournalReader) -> None:
    # The name and the deposit at noon; the walks at their roots' numbers in minutes past noon.
    assert reader.seq_at(NOON - 1) == 0
    assert reader.seq_at(NOON) == 2
    assert reader.seq_at(NOON + 3 * MINUTE - 1) == 2
    assert reader.seq_at(NOON + 3 * MINUTE) == 7
    assert reader.seq_at(NOON + 9 * MINUTE) == 12


async def test_where_the_clock_went_back_a_time_is_the_last_event_recorded_by_then(
    path: Path,
) -> None:
    async with writing(path) as journal:
        await journal.append([Record(13, NOON + MINUTE, a_bar())])
    with JournalReader(path) as reader:
        assert reader.seq_at(NOON) == 2
        assert reader.seq_at(NOON + MINUTE) == 13


# While it is written.


async def test_a_reader_sees_what_was_committed_and_stands_in_nobodys_way(path: Path) -> None:
    with JournalReader(path) as reader:
        async with writing(path) as journal:
            under_way = reader.records()
            assert next(under_way).seq == 1
            for seq in range(13, 18):
                await journal.append([Record(seq, NOON, a_bar())])
                assert reader.head() == Head(seq, journal.head.hash)
        assert seqs(reader.records(12)) == list(range(13, 18))


async def test_following_gives_each_event_once_as_it_comes(path: Path) -> None:
    bars = [Record(seq, NOON, a_bar()) for seq in range(13, 315)]
    # Twice there is something new, then nothing; then it is enough.
    batches = iter((bars[:2], bars[2:], []))
    loop = asyncio.get_running_loop()
    async with writing(path) as journal:

        def more_came() -> bool:
            batch = next(batches, None)
            if batch:
                asyncio.run_coroutine_threadsafe(journal.append(batch), loop).result(timeout=10)
            return batch is not None

        def follow() -> list[Record]:
            with JournalReader(path) as reader:
                return list(reader.follow(10, more_came))

        assert await asyncio.to_thread(follow) == STORY[10:] + bars


# Nothing is changed by reading.


def test_a_reader_cannot_write(reader: JournalReader, path: Path) -> None:
    before = path.read_bytes()
    connection = reader._connection  # noqa: SLF001 - what it would refuse, nothing of ours asks
    assert connection.execute("PRAGMA query_only").fetchone() == (1,)
    for statement in (
        "INSERT INTO event VALUES (13, 0, 'bar.closed', NULL, NULL, NULL, '{}', x'00')",
        "DROP TRIGGER event_never_goes",
        "PRAGMA user_version = 2",
    ):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute(statement)
    assert path.read_bytes() == before


def test_reading_makes_no_journal_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing, match="there is no journal at"):
        JournalReader(tmp_path / "journal.db")
    assert list(tmp_path.iterdir()) == []


# What cannot be believed.


def test_the_chain_is_proved_from_any_row_on(reader: JournalReader, path: Path) -> None:
    for seq, *_, row_hash in raw_rows(path):
        assert list(reader.verified_records(Head(seq, row_hash))) == STORY[seq:]
    assert list(reader.verified_records(Head(), 4)) == STORY[:4]


def test_what_follows_a_row_of_another_history_is_not_believed(reader: JournalReader) -> None:
    with pytest.raises(JournalDamaged, match="row 6 "):
        next(reader.verified_records(Head(5, bytes(32))))


def a_body_changed(path: Path) -> None:
    changed(path, "UPDATE event SET body = replace(body, '100000', '900000') WHERE seq = 2")


def a_time_changed(path: Path) -> None:
    changed(path, "UPDATE event SET at = at + 1 WHERE seq = 2")


def a_cause_changed(path: Path) -> None:
    changed(path, "UPDATE event SET cause = 3 WHERE seq = 5")


def a_trace_taken_away(path: Path) -> None:
    changed(path, "UPDATE event SET trace = NULL WHERE seq = 5")


def a_key_changed(path: Path) -> None:
    changed(path, "UPDATE event SET key = 'deposit|other' WHERE seq = 2")


def a_key_taken_away(path: Path) -> None:
    changed(path, "UPDATE event SET key = NULL WHERE seq = 2")


def filed_under_another_type(path: Path) -> None:
    changed(path, "UPDATE event SET type = 'order.sending' WHERE seq = 2")


def a_hash_changed(path: Path) -> None:
    changed(path, "UPDATE event SET hash = zeroblob(32) WHERE seq = 2")


def a_row_gone(path: Path) -> None:
    changed(path, "DELETE FROM event WHERE seq = 2")


def two_rows_exchanged(path: Path) -> None:
    changed(
        path,
        "UPDATE event SET seq = 99 WHERE seq = 2",
        "UPDATE event SET seq = 2 WHERE seq = 3",
        "UPDATE event SET seq = 3 WHERE seq = 99",
    )


@pytest.mark.parametrize(
    ("tamper", "seq", "said"),
    [
        (a_body_changed, 2, r"row 2 \(cash.moved\) does not have the hash"),
        (a_time_changed, 2, "row 2 .* does not have the hash"),
        (a_cause_changed, 5, "row 5 .* does not have the hash"),
        (a_trace_taken_away, 5, "row 5 .* does not have the hash"),
        (a_key_changed, 2, "row 2 .* does not have the hash"),
        (a_key_taken_away, 2, "row 2 .* does not have the hash"),
        (filed_under_another_type, 2, "row 2 is filed under order.sending and holds another"),
        (a_hash_changed, 2, "row 2 .* does not have the hash"),
        (a_row_gone, 2, "row 2 is missing, row 3 comes next"),
        (two_rows_exchanged, 2, "row 2 .* does not have the hash"),
    ],
)
def test_a_row_that_was_tampered_with_is_found(
    tamper: Callable[[Path], None], seq: int, said: str, path: Path
) -> None:
    tamper(path)
    with JournalReader(path) as reader:
        (finding,) = reader.check()
        assert finding.seq == seq
        with pytest.raises(JournalDamaged, match=said):
            list(reader.verified_records(Head()))
        # What lies before it is proved all the same.
        assert list(reader.verified_records(Head(), seq - 1)) == STORY[: seq - 1]


def test_a_row_that_was_hashed_anew_is_betrayed_by_the_next_one(path: Path) -> None:
    with unprotected(path) as connection:
        rows = connection.execute("SELECT hash, at, key, body FROM event WHERE seq <= 2").fetchall()
        (previous, *_), (_, at, key, body) = rows
        body = body.replace("100000", "900000")
        text = f"2|{at}|0|0|{len(key)}|{key}|{body}".encode()
        values = (body, sha256(previous + text).digest())
        connection.execute("UPDATE event SET body = ?, hash = ? WHERE seq = 2", values)
    with JournalReader(path) as reader:
        (finding,) = reader.check()
    assert (finding.seq, finding.what) == (
        3,
        f"{path}: row 3 (bar.closed) does not have the hash it should have",
    )


def test_rows_gone_from_the_end_are_found_by_the_witness(path: Path) -> None:
    changed(path, "DELETE FROM event WHERE seq > 10")
    with JournalReader(path) as reader:
        (finding,) = reader.check()
    assert (finding.seq, finding.what) == (
        0,
        f"{path} ends at event 10, its witness remembers 12: 2 events are lost",
    )


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER event_never_changes",
        "DROP INDEX event_trace",
        "CREATE TRIGGER other BEFORE INSERT ON event BEGIN SELECT RAISE(IGNORE); END",
        "CREATE VIEW fills AS SELECT * FROM event WHERE type = 'order.filled'",
    ],
)
def test_a_file_with_other_triggers_or_tables_is_found(statement: str, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    with JournalReader(path) as reader:
        (finding,) = reader.check()
    assert finding.what == f"{path}: its tables or triggers are not a journal's"


def test_a_sound_journal_is_found_sound_and_tells_how_far_it_is(long: Path) -> None:
    told: list[int] = []
    with JournalReader(long) as reader:
        findings: list[Finding] = reader.check(told.append)
    assert findings == []
    assert told == [10_000, 20_000, 20_001]


async def test_an_event_of_another_version_is_named_with_its_row(path: Path) -> None:
    # A row of a later traded, its hash as it should be.
    body = '{"type":"order.teleported","client_order_id":"o1"}'
    with closing(sqlite3.connect(path)) as connection, connection:
        (previous,) = connection.execute("SELECT hash FROM event WHERE seq = 12").fetchone()
        row_hash = sha256(previous + f"13|{NOON}|0|0|{body}".encode()).digest()
        values = (13, NOON, "order.teleported", None, None, None, body, row_hash)
        connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    with JournalReader(path) as reader:
        with pytest.raises(UnknownEvent, match=r"row 13: .*order\.teleported") as refused:
            list(reader.verified_records(Head()))
        assert "run the version of traded that wrote it" in refused.value.hint
        with pytest.raises(UnknownEvent, match=r"row 13: .*order\.teleported"):
            list(reader.records())
        # All before it can be read.
        assert list(reader.records(upto=12)) == STORY


@pytest.mark.parametrize("verb", ["status", "verify", "tail"])
def test_a_journal_where_nothing_may_be_written_is_out_of_reach_and_not_damaged(
    tmp_path: Path, verb: str
) -> None:
    path = tmp_path / "j.db"
    asyncio.run(write(path, a_bar()))
    # As on a disk that is only read: SQLite cannot make the file it shares with a writer.
    (tmp_path / "j.db-wal").mkdir()
    with pytest.raises(JournalOutOfReach), JournalReader(path) as reader:
        reader.head()
    done = traded(verb, "--journal", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"traded: {path} cannot be opened to be read: ")
    assert "next: its folder has to be writable" in done.stderr
    assert "DAMAGED" not in done.stderr
