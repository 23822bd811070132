"""An archived journal reads like one that never was: every question has the same answer."""

import asyncio
import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.keeping.archiving import Archived, NothingToSeal, archive
from daemon.stopping.permit import Permit, permit_path
from events import (
    BarClosed,
    JournalContinued,
    JournalOpened,
    OperatorHeld,
    OrderFilled,
    OrderIntended,
    TimerFired,
)
from events.columns import envelopes_of, parts_of, records_of, rows_of
from events.errors import JournalDamaged, JournalLocked, JournalNewer, JournalTailLost
from events.journal import JournalReader
from events.lock import FileLock, lock_path
from events.rows import Head
from events.sealing import BLOCK_ROWS
from events.segments import Index, segment_files, segments_path
from events.witness import read_witness, witness_path
from tests.builders import a_bar, a_fill, an_order
from tests.journals import a_story, ask, changed, raw_rows, write
from tests.operators import held
from tests.segment_reader import events_of
from tests.small_runs import Place, everything, hash_of

ORDERS = 30
BARS = 2 * BLOCK_ROWS
EDGES = (0, 1, 2, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS, 99_999)


def a_long_story() -> list[Any]:
    """Return orders with their fills, among bars that take several blocks."""
    story: list[Any] = a_story(bars=BARS)
    for number in range(ORDERS):
        at = (number + 1) * BARS // ORDERS
        name = f"o{number:02}"
        fill = a_fill(execution_id=f"e{number}", order_id=name)
        story[at:at] = [*an_order(name), fill]
    return [*story, held()]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a journal that was never archived."""
    path = tmp_path_factory.mktemp("plain") / "journal.db"
    asyncio.run(write(path, *a_long_story()))
    return path


@pytest.fixture
def journal(plain: Path, tmp_path: Path) -> Path:
    """Return a copy of it, to be archived."""
    for file in plain.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / "journal.db"


def in_parts(journal: Path) -> None:
    """Make of the plain story a journal in three files: two segments, and what came since."""
    archive(journal)
    asyncio.run(write(journal, *(a_bar(str(100 + n)) for n in range(10))))
    archive(journal)


def go_on(journal: Path, events: int) -> None:
    asyncio.run(write(journal, *(a_bar(str(200 + number)) for number in range(events))))


QUESTIONS: dict[str, Callable[[JournalReader], Any]] = {
    "all rows": lambda it: list(it.rows()),
    "rows from the middle": lambda it: list(it.rows(BLOCK_ROWS - 1, BLOCK_ROWS + 2)),
    "rows of one block": lambda it: list(it.rows(BLOCK_ROWS + 500, BLOCK_ROWS + 510)),
    "all records": lambda it: list(it.records()),
    "verified": lambda it: list(it.verified_records(Head())),
    "verified from the middle": lambda it: list(
        it.verified_records(Head(BLOCK_ROWS + 100, it.hash_at(BLOCK_ROWS + 100) or b""))
    ),
    "backwards": lambda it: list(it.records_back()),
    "fills backwards": lambda it: list(it.records_back(kinds=[OrderFilled])),
    "fills backwards between": lambda it: list(
        it.records_back(2 * BLOCK_ROWS, after=900, kinds=[OrderFilled])
    ),
    "one record": lambda it: [
        it.record(seq) for seq in (1, 2, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS, 99_999)
    ],
    "a walk": lambda it: [it.traced(root) for root in (1, 140, 338, 341, BLOCK_ROWS)],
    "found": lambda it: [it.find(OrderIntended, f"o{n:02}") for n in range(ORDERS + 1)],
    "of a kind": lambda it: [it.of_kind(kind) for kind in (OrderFilled, OperatorHeld, TimerFired)],
    "of a kind up to": lambda it: it.of_kind(OrderFilled, BLOCK_ROWS),
    "keys": lambda it: [it.keys_of(OrderIntended, start, 7) for start in ("o", "o1", "p")],
    "hashes": lambda it: [it.hash_at(seq) for seq in EDGES],
    "moments": lambda it: [
        it.seq_at(at) for at in (0, *(row[1] + by for row in it.rows(0, 3) for by in (-1, 0, 1)))
    ],
    "the epoch": lambda it: it.epoch(),
    "findings": lambda it: it.check(),
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_every_question_has_the_answer_it_had(plain: Path, journal: Path, what: str) -> None:
    last = raw_rows(plain)[-1][0]
    archive(journal)
    with JournalReader(plain) as before, JournalReader(journal) as after:
        expected, found = QUESTIONS[what](before), QUESTIONS[what](after)
        # What the archiving itself has added is the last event, and nothing else.
        if what in {"all rows", "all records", "verified", "verified from the middle"}:
            found = found[:-1]
        elif what == "backwards":
            found = found[1:]
        elif what == "moments":
            found = [min(seq, last) for seq in found]
        assert found == expected
        assert after.head().seq == last + 1
    assert ask(journal, "SELECT count(*) FROM event") == [(1,)]


def test_a_journal_in_three_files_is_one_history(plain: Path, journal: Path) -> None:
    in_parts(journal)
    go_on(journal, 5)
    last = raw_rows(plain)[-1][0]
    with JournalReader(plain) as before, JournalReader(journal) as after:
        rows = list(after.rows())
        assert rows[:last] == list(before.rows())
        # The story, a continuation, ten bars, another continuation, five bars.
        assert [row[0] for row in rows] == list(range(1, last + 1 + 10 + 1 + 5 + 1))
        assert after.check() == []
        assert [row[2] for row in rows[last:]].count("journal.continued") == 2
        bars = [record.seq for record in after.records_back(kinds=[BarClosed])]
        assert bars == [row[0] for row in reversed(rows) if row[2] == "bar.closed"]


def test_the_witness_follows_and_the_journal_is_written_on(journal: Path) -> None:
    done = archive(journal)
    witness = read_witness(witness_path(journal))
    assert witness is not None
    assert (witness.seq, witness.epoch) == (done.last + 1, 1)
    go_on(journal, 3)
    witness = read_witness(witness_path(journal))
    assert witness is not None
    assert (witness.seq, witness.epoch) == (done.last + 4, 1)
    assert isinstance(first_event(journal), JournalContinued)


def first_event(journal: Path) -> object:
    (seq,) = ask(journal, "SELECT min(seq) FROM event")[0]
    with JournalReader(journal) as reader:
        record = reader.record(seq)
        opened = reader.record(1)
    assert opened is not None
    assert isinstance(opened.event, JournalOpened)
    return record.event if record else None


def test_a_segment_is_json_that_zcat_and_some_lines_read(plain: Path, journal: Path) -> None:
    packed = Path(archive(journal).segment)
    lines = gzip.decompress(packed.read_bytes()).splitlines()
    rows = [row for line in lines for row in events_of(line)]
    # seq, at, key, trace, cause and body of what was recorded, read with SQLite alone.
    recorded = [(*row[:2], *row[3:6], json.loads(row[6])) for row in raw_rows(plain)]
    assert sorted(rows, key=lambda row: row[0]) == recorded
    assert packed.stat().st_mode & 0o777 == 0o400


# What must not happen.


def test_nothing_is_sealed_twice_and_an_empty_file_seals_nothing(journal: Path) -> None:
    archive(journal)
    with pytest.raises(NothingToSeal):
        archive(journal)


def test_while_a_daemon_runs_nothing_is_sealed(journal: Path) -> None:
    lock = FileLock(lock_path(journal))
    try:
        with pytest.raises(JournalLocked):
            archive(journal)
    finally:
        lock.release()
    assert not segments_path(journal).exists()


def test_while_somebody_is_in_the_middle_of_reading_the_file_stays(journal: Path) -> None:
    go_on(journal, 1)
    with JournalReader(journal) as reader:
        rows = reader._connection.execute("SELECT * FROM event")  # noqa: SLF001 - a reader at work
        rows.fetchone()
        go_on(journal, 1)
        before = raw_rows(journal)
        with pytest.raises(JournalLocked, match="being read"):
            archive(journal)
        rows.close()
        assert raw_rows(journal) == before
    # The segment that was made meanwhile counts for nothing, also when the file goes on growing.
    go_on(journal, 2)
    with JournalReader(journal) as reader:
        assert reader.check() == []
        assert [row[0] for row in reader.rows()] == list(range(1, before[-1][0] + 3))
    done = archive(journal)
    assert (done.first, done.last) == (1, before[-1][0] + 2)
    assert len(segment_files(segments_path(journal))) == 2
    with JournalReader(journal) as reader:
        assert reader.check() == []


def test_a_journal_that_is_not_sound_is_not_sealed(journal: Path) -> None:
    changed(journal, "UPDATE event SET body = replace(body, '100', '900') WHERE seq = 3")
    with pytest.raises(JournalDamaged, match="row 3"):
        archive(journal)
    assert not segments_path(journal).exists()


def damaged_segments(journal: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    packed, index = segment_files(segments_path(journal))
    content = packed.read_bytes()
    middle = len(content) // 2
    yield (
        "a flipped bit",
        lambda: packed.write_bytes(
            content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        ),
    )
    yield "a cut", lambda: packed.write_bytes(content[:middle])
    yield "no segment", packed.unlink
    yield "no index", index.unlink
    yield "half an index", lambda: index.write_bytes(index.read_bytes()[:100])
    yield "another price", lambda: with_another_price(packed, index)


def with_another_price(packed: Path, index: Path) -> None:
    """Change one price, and make sizes and digests fit as one would who hides that."""
    content, said = packed.read_bytes(), msgspec.json.decode(index.read_bytes(), type=Index)
    members, blocks, offset = [], [], 0
    for block in said.blocks:
        parts = []
        for part in block.parts:
            line = gzip.decompress(content[part.offset : part.offset + part.size])
            members.append(gzip.compress(line.replace(b'"102"', b'"902"')))
            size, digest = len(members[-1]), sha256(members[-1]).hexdigest()
            parts.append(msgspec.structs.replace(part, offset=offset, size=size, digest=digest))
            offset += size
        blocks.append(msgspec.structs.replace(block, parts=tuple(parts)))
    packed.write_bytes(b"".join(members))
    index.write_bytes(msgspec.json.encode(msgspec.structs.replace(said, blocks=tuple(blocks))))


@pytest.mark.parametrize("number", range(6))
def test_a_damaged_segment_is_found(journal: Path, number: int) -> None:
    archive(journal)
    for file in segment_files(segments_path(journal)):
        file.chmod(0o600)
    _, damage = list(damaged_segments(journal))[number]
    damage()
    with pytest.raises(JournalDamaged):
        assert_sound(journal)


def assert_sound(journal: Path) -> None:
    with JournalReader(journal) as reader:
        for finding in reader.check():
            raise JournalDamaged(finding.what)


def test_who_asks_for_fills_reads_no_bars(journal: Path) -> None:
    archive(journal)
    packed, index = segment_files(segments_path(journal))
    packed.chmod(0o600)
    content = bytearray(packed.read_bytes())
    for block in msgspec.json.decode(index.read_bytes(), type=Index).blocks:
        for part in block.parts:
            if part.type == "bar.closed":
                content[part.offset : part.offset + part.size] = bytes(part.size)
    packed.write_bytes(content)
    with JournalReader(journal) as reader:
        assert len(reader.of_kind(OrderFilled)) == ORDERS
        assert reader.find(OrderFilled, "e7") is not None
        with pytest.raises(JournalDamaged, match=r"bar\.closed"):
            list(reader.records())


def test_what_is_of_no_known_form_any_more_is_said_with_its_row() -> None:
    body = '{"type":"bar.renamed","symbol":"A"}'
    row = (7, 70, "bar.renamed", None, None, None, body, b"")
    ((tag, _, text),) = parts_of([row])
    with pytest.raises(KeyError):
        records_of(tag, text)
    assert list(rows_of(text)) == [row]
    assert envelopes_of(text).seq == [7]


def test_without_its_segments_a_journal_is_refused_and_never_begun_anew(journal: Path) -> None:
    archive(journal)
    shutil.rmtree(segments_path(journal))
    with pytest.raises(JournalDamaged, match="put what is missing back"):
        go_on(journal, 1)


def test_an_older_traded_refuses_a_journal_that_goes_on(journal: Path) -> None:
    assert ask(journal, "PRAGMA user_version") == [(1,)]
    archive(journal)
    # What knew only form 1 says JournalNewer of it, as this one says of form 3.
    assert ask(journal, "PRAGMA user_version") == [(2,)]
    changed(journal, "PRAGMA user_version = 3")
    with pytest.raises(JournalNewer), JournalReader(journal):
        pass


def test_what_does_not_come_back_exactly_is_not_sealed(journal: Path) -> None:
    # A body of two lines is JSON, and was recorded so: a segment of lines cannot hold it.
    seq, at, *_, previous = raw_rows(journal)[-1]
    body = '{"type":"permit.lost",\n"why":"gone"}'
    row_hash = sha256(previous + f"{seq + 1}|{at}|0|0|{body}".encode()).digest()
    row = (seq + 1, at, "permit.lost", None, None, None, body, row_hash)
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    assert_sound(journal)
    before = raw_rows(journal)
    with pytest.raises(JournalDamaged):
        archive(journal)
    assert raw_rows(journal) == before
    assert not segments_path(journal).exists()
    assert_sound(journal)


def test_a_lost_tail_is_still_noticed(journal: Path) -> None:
    archive(journal)
    go_on(journal, 3)
    last = raw_rows(journal)[-1][0]
    changed(journal, f"DELETE FROM event WHERE seq = {last}")  # noqa: S608 - a number
    with pytest.raises(JournalTailLost):
        go_on(journal, 1)


# A power cut in the middle.


def test_a_cut_before_the_file_is_changed_leaves_it_and_the_segment(journal: Path) -> None:
    rows, file = raw_rows(journal), journal.read_bytes()
    witness = witness_path(journal).read_bytes()
    archive(journal)
    journal.write_bytes(file)
    witness_path(journal).write_bytes(witness)
    assert_sound(journal)
    with JournalReader(journal) as reader:
        assert list(reader.rows()) == rows
        back = [record.seq for record in reader.records_back()]
        assert back == list(range(len(rows), 0, -1))
        assert len(reader.of_kind(OrderFilled)) == ORDERS
    go_on(journal, 2)
    assert_sound(journal)


def test_a_cut_before_the_witness_is_written_is_no_contradiction(journal: Path) -> None:
    before = witness_path(journal).read_bytes()
    archive(journal)
    witness_path(journal).write_bytes(before)
    go_on(journal, 1)
    with JournalReader(journal) as reader:
        assert reader.check() == []


# The daemon.


@pytest.fixture(scope="module")
def trading() -> dict[str, Any]:
    params = {"fast": 2, "slow": 5, "shares": 10}
    kind = "daemon.strategies.moving_average:MovingAverage"
    return {"trend": {"class": kind, "params": params}}


def test_the_daemon_goes_on_behind_a_seal_as_if_there_were_none(
    trading: dict[str, Any], tmp_path: Path
) -> None:
    never, sealed = Place(tmp_path / "never"), Place(tmp_path / "sealed")
    for place in (never, sealed):
        Permit(permit_path(place.journal)).grant()
        place.run(trading, 40)
    done: Archived = archive(sealed.journal)
    assert done.first == 1
    for place in (never, sealed):
        place.run(trading, 80)
    assert hash_of(sealed.recover(from_snapshot=False)) == hash_of(
        never.recover(from_snapshot=False)
    )
    again, fresh = sealed.recover(from_snapshot=True), sealed.recover(from_snapshot=False)
    assert everything(again) == everything(fresh)
    assert fresh.differences == []
    assert fresh.decisions > 50
    # A strategy that is new is shown all of the history, sealed or not.
    more = trading | {"second": trading["trend"] | {"params": {"fast": 3, "slow": 6, "shares": 5}}}
    for place in (never, sealed):
        place.run(more, 90)
    assert hash_of(sealed.recover(from_snapshot=False)) == hash_of(
        never.recover(from_snapshot=False)
    )
