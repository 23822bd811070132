"""A damaged journal is refused, by the daemon and by who reads it: what was found, what to do next.

Nothing is repaired, and nothing is touched: every file is afterwards what it was.
"""

import asyncio
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from events.errors import (
    JournalDamaged,
    JournalError,
    JournalForeign,
    JournalNewer,
    JournalTailLost,
    UnknownEvent,
)
from events.journal import Head, JournalReader
from events.witness import Witness, WitnessFile, read_witness, witness_path
from tests.builders import a_bar, records
from tests.command_line import a_place, traded
from tests.journals import a_story, changed, raw_rows, write, writing

SEED = 4


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a place where the daemon has run, was stopped, and went on; no test changes it."""
    place = a_place(tmp_path_factory.mktemp("damage") / "ran")
    done = traded("run", "--config", place / "traded.toml", cwd=place)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def place(ran: Path, tmp_path: Path) -> Path:
    """Return a copy to be damaged."""
    return Path(shutil.copytree(ran, tmp_path / "place"))


def journal_of(place: Path) -> Path:
    return place / "state" / "journal.db"


def contents(place: Path) -> dict[str, bytes]:
    """Return what is in every file of the journal; a lock only names who asked last."""
    files = (path for path in place.rglob("*") if path.is_file() and path.suffix != ".lock")
    # What SQLite makes for a reader, who has nothing to put into it.
    passing = (
        path for path in files if not path.name.endswith(("-shm", "-wal")) or path.stat().st_size
    )
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in passing
        if not path.name.endswith("-shm")
    }


# What may have become of it.


def not_sqlite(journal: Path) -> None:
    journal.write_text("symbol,quantity\n" * 100, encoding="utf-8")


def of_another_application(journal: Path) -> None:
    """Put another SQLite file there, with a log of its own that is not for us to fold back."""
    other = journal.with_name("places.sqlite")
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA wal_checkpoint")
        connection.execute("CREATE TABLE places (url TEXT)")
        for end in ("", "-wal"):
            shutil.copy(f"{other}{end}", f"{journal}{end}")
    other.unlink()


def of_a_newer_form(journal: Path) -> None:
    pragma(journal, "user_version = 3")


def of_no_form(journal: Path) -> None:
    pragma(journal, "user_version = 0")


def pragma(journal: Path, setting: str) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute(f"PRAGMA {setting}")


def emptied(journal: Path) -> None:
    journal.write_bytes(b"")


def cut_in_half(journal: Path) -> None:
    content = journal.read_bytes()
    journal.write_bytes(content[: len(content) // 8192 * 4096])


def gone(journal: Path) -> None:
    journal.unlink()


def with_an_event_of_a_later_version(journal: Path) -> None:
    seq, at, *_, previous = raw_rows(journal)[-1]
    body = '{"type":"order.teleported"}'
    row_hash = sha256(previous + f"{seq + 1}|{at}|0|0|{body}".encode()).digest()
    row = (seq + 1, at, "order.teleported", None, None, None, body, row_hash)
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def of_a_backup(journal: Path) -> None:
    """Put the file back as it was, and not its witness."""
    before = journal.read_bytes()
    asyncio.run(go_on(journal))
    journal.write_bytes(before)


async def go_on(journal: Path) -> None:
    async with writing(journal) as opened:
        await opened.append(list(records(*[a_bar()] * 5, first=opened.head.seq + 1)))


def without_its_log(journal: Path) -> None:
    """Leave the file as a power cut does, its last events in the log; then the log goes."""
    copy = journal.with_name("copy")

    async def cut() -> None:
        async with writing(journal) as opened:
            await opened.append(list(records(*[a_bar()] * 5, first=opened.head.seq + 1)))
            await asyncio.to_thread(shutil.copy, journal, copy)

    asyncio.run(cut())
    copy.rename(journal)


def without_its_witness(journal: Path) -> None:
    witness_path(journal).unlink()


def with_a_spoilt_witness(journal: Path) -> None:
    content = bytearray(witness_path(journal).read_bytes())
    for slot in (0, 4096):
        content[slot] ^= 1
    witness_path(journal).write_bytes(content)


def with_a_forked_witness(journal: Path) -> None:
    was = read_witness(witness_path(journal))
    assert was is not None
    witness_path(journal).unlink()
    file = WitnessFile(witness_path(journal))
    file.write(Witness(was.journal_id, was.epoch, was.seq - 3, "5" * 64))
    file.close()


def with_the_witness_of_another_journal(journal: Path) -> None:
    other = journal.parent / "other.db"
    asyncio.run(write(other, *a_story(3)))
    witness_path(other).replace(witness_path(journal))
    other.unlink()


def changed_since_its_snapshots(journal: Path) -> None:
    shutil.rmtree(journal.with_name("journal.db.snapshots"))
    changed(journal, "UPDATE event SET body = replace(body, '100000', '900000') WHERE seq = 5")


def changed_with_its_last_events_in_the_log(journal: Path) -> None:
    changed_since_its_snapshots(journal)
    names = (journal.name, journal.name + "-wal")
    aside = journal.with_name("aside")
    aside.mkdir()

    async def cut() -> None:
        async with writing(journal) as opened:
            await opened.append(list(records(*[a_bar()] * 5, first=opened.head.seq + 1)))
            for name in names:
                await asyncio.to_thread(shutil.copy, journal.with_name(name), aside / name)

    asyncio.run(cut())
    for name in names:
        (aside / name).rename(journal.with_name(name))
    aside.rmdir()


DAMAGE: list[tuple[Callable[[Path], None], type[JournalError], str, str]] = [
    (not_sqlite, JournalForeign, "is not a journal: file is not a database", "check the path"),
    (of_another_application, JournalForeign, "another application's file (0x0", "check the path"),
    (of_a_newer_form, JournalNewer, "has form 3, this traded knows up to 2", "the newer traded"),
    (of_no_form, JournalForeign, "form 0", "check the path"),
    (emptied, JournalDamaged, "journal.db is empty", "keep a copy"),
    (cut_in_half, JournalDamaged, "database disk image is malformed", "keep a copy"),
    (
        gone,
        JournalTailLost,
        "journal.db is missing, and journal.db.witness",
        "put the journal back",
    ),
    (
        with_an_event_of_a_later_version,
        UnknownEvent,
        "order.teleported",
        "run the version of traded that wrote it",
    ),
    (of_a_backup, JournalTailLost, "5 events are lost", "restore the newest backup"),
    (without_its_log, JournalTailLost, "5 events are lost", "look for the -wal file"),
    (without_its_witness, JournalTailLost, "witness is missing", "put the witness back"),
    (with_a_spoilt_witness, JournalDamaged, "neither of its two slots is whole", "keep a copy"),
    (with_a_forked_witness, JournalTailLost, "not the history its witness", "the newest backup"),
    (
        with_the_witness_of_another_journal,
        JournalTailLost,
        "not the history its witness",
        "the newest backup",
    ),
    (changed_since_its_snapshots, JournalDamaged, "row 5 ", "keep a copy"),
    (changed_with_its_last_events_in_the_log, JournalDamaged, "row 5 ", "keep a copy"),
]


@pytest.mark.parametrize(("damage", "kind", "said", "hint"), DAMAGE)
def test_it_is_refused_with_what_was_found_and_what_to_do_next(
    damage: Callable[[Path], None], kind: type[JournalError], said: str, hint: str, place: Path
) -> None:
    journal = journal_of(place)
    damage(journal)
    before = contents(place)

    # The daemon does not start.
    done = traded("run", "--config", place / "traded.toml", cwd=place)
    assert done.returncode == 7, done.stderr
    assert done.stdout == ""
    found, _, advice = done.stderr.partition("traded: ")[2].partition("\n  next: ")
    assert said in found
    assert hint in advice

    # Who reads is told the same.
    checked = traded("verify", "--json", "--journal", journal, cwd=place)
    assert checked.returncode == 7
    verdict = json.loads(checked.stdout)
    assert not verdict["sound"]
    assert any(said in finding["what"] for finding in verdict["findings"])
    assert checked.stderr.startswith("next: ")

    assert contents(place) == before

    # In our own terms, too: each damage has its error.
    with pytest.raises(JournalError) as refused:
        asyncio.run(opened_and_proved(journal))
    assert type(refused.value) is kind
    assert said in refused.value.args[0]
    assert hint in refused.value.hint


async def opened_and_proved(journal: Path) -> None:
    async with writing(journal):
        with JournalReader(journal) as reader:
            for _ in reader.verified_records(Head()):
                pass


def test_the_copy_nobody_damaged_is_sound_and_goes_on(place: Path) -> None:
    # Without this, whatever refuses everything would pass above.
    assert traded("verify", "--journal", journal_of(place), cwd=place).returncode == 0
    asyncio.run(opened_and_proved(journal_of(place)))
    done = traded("run", "--config", place / "traded.toml", cwd=place)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", ["status", "positions", "orders", "tail", "explain 5"])
def test_what_is_shown_is_never_an_older_state_that_passes_for_the_newest(
    verb: str, place: Path
) -> None:
    journal = journal_of(place)
    of_a_backup(journal)
    done = traded(*verb.split(), "--journal", journal, cwd=place)
    assert done.returncode == 7
    assert done.stdout == ""
    assert "5 events are lost" in done.stderr


# One bit.


def flipped(content: bytes, offset: int, bit: int) -> bytes:
    other = bytearray(content)
    other[offset] ^= 1 << bit
    return bytes(other)


def findings(journal: Path, content: bytes) -> list[str]:
    """Return what is found wrong with `content` in the place of the journal."""
    journal.write_bytes(content)
    for beside in ("-wal", "-shm"):
        journal.with_name(journal.name + beside).unlink(missing_ok=True)
    try:
        with JournalReader(journal) as reader:
            return [finding.what for finding in reader.check()]
    except JournalError as error:
        return [str(error)]


def test_a_flipped_bit_is_found_or_lies_where_nothing_is(place: Path) -> None:
    journal = journal_of(place)
    rows, built, content = raw_rows(journal), schema_of(journal), journal.read_bytes()
    chance = random.Random(SEED)
    # The first page, which says how to read all others, is worth as many as all the others.
    offsets = [chance.randrange(4096) for _ in range(60)]
    offsets += [chance.randrange(4096, len(content)) for _ in range(60)]
    found = 0
    for offset in offsets:
        if findings(journal, flipped(content, offset, chance.randrange(8))):
            found += 1
        else:
            assert raw_rows(journal) == rows, offset
            assert schema_of(journal) == built, offset
    # Most of a page that is not full is nothing: of these 120 bits about half are something.
    assert found > 40


def schema_of(journal: Path) -> list[str]:
    """Return the statements that made the file, without what only explains them."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        made = connection.execute("SELECT sql FROM sqlite_master ORDER BY sql").fetchall()
    return [
        " ".join(line.partition("--")[0].strip() for line in text.splitlines()) for (text,) in made
    ]


def places_of(content: bytes, text: bytes) -> Iterator[int]:
    """Yield where `text` stands in `content`, every time."""
    place = content.find(text)
    while place >= 0:
        yield place
        place = content.find(text, place + 1)


@pytest.mark.parametrize("what", ["a body", "a key", "a hash", "a trigger"])
def test_no_bit_of_what_is_stored_flips_unnoticed(what: str, place: Path) -> None:
    journal = journal_of(place)
    content = journal.read_bytes()
    row = next(row for row in raw_rows(journal) if row[2] == "order.filled")
    assert row[3] is not None
    text, times = {
        "a body": (row[6].encode(), 1),
        # It stands in the row, in its body, and in the index that finds it.
        "a key": (row[3].encode(), 3),
        "a hash": (row[7], 1),
        "a trigger": (b"BEFORE DELETE ON event\nBEGIN SELECT RAISE(ABORT", 1),
    }[what]
    starts = list(places_of(content, text))
    assert len(starts) >= times
    chance = random.Random(SEED)
    for start in starts:
        for offset in chance.sample(range(start, start + len(text)), 10):
            bit = chance.randrange(8)
            assert findings(journal, flipped(content, offset, bit)), (offset, bit)
    assert not findings(journal, content)


def test_a_text_that_reads_as_bytes_is_found(place: Path) -> None:
    journal = journal_of(place)
    content = journal.read_bytes()
    seq, at, tag, key, *_ = next(row for row in raw_rows(journal) if row[2] == "order.filled")
    # Where the row's first column lies, the list of its columns' types ends: the hash's is the
    # last one, the body's the one before; an odd number there is a text, an even one bytes.
    (start,) = places_of(content, at.to_bytes(8, "big") + f"{tag}{key}".encode())
    assert content[start - 1] == 12 + 2 * 32
    assert content[start - 2] % 2 == 1
    (said, *_) = findings(journal, flipped(content, start - 2, 0))
    assert f"row {seq} cannot be read" in said
