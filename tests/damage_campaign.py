"""Damages a journal, its log, its witness and its snapshots, and asks whether anybody notices.

    .venv/bin/python -m tests.damage_campaign --times 10000 --seed 1

One journal of a small run, its write-ahead log not folded back yet, is damaged once a time, each
time anew, in one of six ways. Then a start is made on it, and it is verified. Damage does no harm
where the start comes to the same books at the same event and every row is the one that was written.
Harm that neither the start nor the verification notices is what must never happen.
"""

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import StrEnum, auto
from pathlib import Path

from daemon.history.recovery import Recovery
from daemon.history.snapshots import SnapshotFolder
from events import JournalOpened
from events.chain import GENESIS, row_hash
from events.errors import JournalError
from events.journal import JournalReader
from events.witness import Witness, WitnessFile, witness_path
from tests.small_runs import HOLD, TREND, Place, hash_of

PAGE_BYTES = 4096
SECTOR_BYTES = 512
STRATEGIES = {"trend": TREND, "hold": HOLD}


class Outcome(StrEnum):
    """What became of one damage."""

    HARMLESS = auto()
    REFUSED = auto()
    """The start refused the journal."""
    VERIFIED = auto()
    """The start went on with the right books; verification finds the damage."""
    SAID = auto()
    """A snapshot was left out, and said so."""
    UNNOTICED = auto()
    """Rows or books are others, and nobody said so."""
    UNEXPLAINED = auto()
    """It was refused without a word on what to do next, or by an error that is none of ours."""


HARMFUL = {Outcome.UNNOTICED, Outcome.UNEXPLAINED}


@dataclass(frozen=True)
class Whole:
    """The journal before any damage: its files, an older copy of them, what is known from it."""

    files: dict[str, bytes]
    older: dict[str, bytes]
    rows: list[tuple[object, ...]]
    books: str
    head: int


@dataclass
class Tally:
    """What became of the damages, by the way they were done."""

    outcomes: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    harmful: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        return sum(times for (_, what), times in self.outcomes.items() if what is outcome)


def prepare(folder: Path) -> Whole:
    """Return a journal of two small runs, its log still beside it, and that of the first run."""
    place = Place(folder / "whole")
    place.run(STRATEGIES, 10, snapshots_kept=3)
    older = contents(place.folder)
    # While another connection is open the last one to write does not fold its log back.
    with closing(sqlite3.connect(place.journal)) as connection:
        connection.execute("SELECT count(*) FROM event").fetchall()
        place.run(STRATEGIES, 16, snapshots_kept=3)
        files = contents(place.folder)
        rows = connection.execute("SELECT * FROM event ORDER BY seq").fetchall()
    recovered = place.recover(from_snapshot=True)
    assert len(files["journal.db-wal"]) > PAGE_BYTES
    return Whole(files, older, rows, hash_of(recovered), recovered.head.seq)


def contents(folder: Path) -> dict[str, bytes]:
    """Return what a journal in `folder` consists of, without the zeros at the end of its log."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in paths if path.suffix in {".db", ".witness", ".json"}]
    kept += [path for path in paths if path.name.endswith("-wal")]
    return {str(path.relative_to(folder)): path.read_bytes().rstrip(b"\0") for path in kept}


# The ways. Each takes the files, and changes one of them.

Damage = Callable[[dict[str, bytes], Whole, random.Random], str]


def flip(files: dict[str, bytes], whole: Whole, chance: random.Random) -> str:
    """Flip a bit."""
    name = chance.choice(sorted(whole.files))
    content = bytearray(files[name])
    offset = chance.randrange(len(content))
    content[offset] ^= 1 << chance.randrange(8)
    files[name] = bytes(content)
    return f"a bit of {name} flipped at {offset}"


def truncate(files: dict[str, bytes], whole: Whole, chance: random.Random) -> str:
    """Cut the end off."""
    name = chance.choice(sorted(whole.files))
    size = chance.randrange(len(files[name]))
    files[name] = files[name][:size]
    return f"{name} cut to {size} bytes"


def blank(files: dict[str, bytes], whole: Whole, chance: random.Random) -> str:
    """Fill some sectors with zeros, as a write that was never made leaves them."""
    name = chance.choice(sorted(whole.files))
    content = bytearray(files[name])
    start = chance.randrange(len(content)) // SECTOR_BYTES * SECTOR_BYTES
    stop = min(len(content), start + SECTOR_BYTES * chance.randrange(1, 17))
    content[start:stop] = bytes(stop - start)
    files[name] = bytes(content)
    return f"{name} blank from {start} to {stop}"


def misplace(files: dict[str, bytes], whole: Whole, chance: random.Random) -> str:
    """Put a page where another one belongs, as a write to the wrong place does."""
    names = [name for name in sorted(whole.files) if len(files[name]) > PAGE_BYTES]
    name = chance.choice(names)
    content = bytearray(files[name])
    pages = len(content) // PAGE_BYTES
    here, there = (chance.randrange(pages) * PAGE_BYTES for _ in range(2))
    content[there : there + PAGE_BYTES] = content[here : here + PAGE_BYTES]
    files[name] = bytes(content)
    return f"{name}: the page at {here} lies at {there}, too"


def put_back(files: dict[str, bytes], whole: Whole, chance: random.Random) -> str:
    """Put older files in the place of some, as half a restore does, or take some away.

    Never the witness together with the journal: what is older in both is an older journal, and
    that is found by whoever knows more, the broker or a backup.
    """
    names = [name for name in sorted(whole.files) if chance.random() < 1 / 2] or ["journal.db"]
    if "journal.db.witness" in names:
        names = [name for name in names if not name.startswith(("journal.db-", "journal.db/"))]
        names = [name for name in names if name != "journal.db"]
    taken_away = chance.random() < 1 / 2
    for name in names:
        files.pop(name)
        if not taken_away and name in whole.older:
            files[name] = whole.older[name]
    return f"{'gone' if taken_away else 'older'}: {', '.join(names)}"


EDITS = (
    # Never with a chain made anew: nobody can tell it from a last turn that the witness missed.
    "INSERT INTO event SELECT :last + 1, at, type, NULL, 1, 1, body, hash FROM event WHERE seq = 9",
    "UPDATE event SET body = replace(body, '1', '2') WHERE seq = :seq",
    "UPDATE event SET at = at + 1 WHERE seq = :seq",
    "UPDATE event SET cause = 1 WHERE seq = :seq",
    "UPDATE event SET type = 'bar.closed' WHERE seq = :seq",
    "DELETE FROM event WHERE seq = :seq",
    "DELETE FROM event WHERE seq >= :seq",
    "UPDATE event SET seq = -seq WHERE seq IN (:seq, :seq - 1)",
)


def edit(folder: Path, chance: random.Random) -> str:
    """Edit the rows as somebody with a SQLite shell does, who took the triggers off."""
    with closing(sqlite3.connect(folder / "journal.db", isolation_level=None)) as connection:
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = made.fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        (last,) = connection.execute("SELECT max(seq) FROM event").fetchone()
        number = chance.randrange(len(EDITS))
        connection.execute(EDITS[number], {"seq": chance.randrange(1, last + 1), "last": last})
        is_chained = number and chance.random() < 1 / 2
        if is_chained:
            _chain_anew(connection)
        for _, sql in triggers:
            connection.execute(sql)
    return f"{EDITS[number]}{', the chain made anew' if is_chained else ''}"


def _chain_anew(connection: sqlite3.Connection) -> None:
    before = GENESIS
    rows = connection.execute("SELECT * FROM event ORDER BY seq").fetchall()
    for seq, at, _, key, trace, cause, body, _ in rows:
        before = row_hash(before, seq, at, key, trace, cause, body.encode())
        connection.execute("UPDATE event SET hash = ? WHERE seq = ?", (before, seq))


WAYS: dict[str, Damage | None] = {
    "flip": flip,
    "truncate": truncate,
    "blank": blank,
    "misplace": misplace,
    "put back": put_back,
    "edit": None,
}
"""Six; `edit` is done to the files once they lie there."""


def damage(
    whole: Whole, folder: Path, times: int, seed: int, *, is_remembered: bool = True
) -> Tally:
    """Damage `whole` so many times in `folder`, in each way in turn.

    The negative control: where nothing `is_remembered`, the witness says what the journal says.
    """
    tally = Tally()
    for number in range(times):
        way = list(WAYS)[number % len(WAYS)]
        chance = random.Random(f"{seed}-{number}")
        files = dict(whole.files)
        change = WAYS[way]
        what = change(files, whole, chance) if change else ""
        _put(files, folder)
        what = what or edit(folder, chance)
        if not is_remembered:
            _forget(folder / "journal.db")
        outcome = judge(whole, folder / "journal.db")
        tally.outcomes[way, outcome] += 1
        if outcome in HARMFUL:
            tally.harmful.append(f"--seed {seed}, damage {number}: {outcome}: {what}")
    return tally


def _put(files: dict[str, bytes], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _forget(journal: Path) -> None:
    """Let the witness say what the journal says by now."""
    with suppress(JournalError, sqlite3.Error), JournalReader(journal) as reader:
        head, opened = reader.head(), reader.record(1)
        if opened is not None and isinstance(opened.event, JournalOpened):
            file = WitnessFile(witness_path(journal))
            file.path.unlink(missing_ok=True)
            identity = opened.event
            file.write(Witness(identity.journal_id, identity.epoch, head.seq, head.hash.hex()))
            file.close()


def judge(whole: Whole, journal: Path) -> Outcome:
    """Start on `journal` and verify it; say what became of the damage."""
    try:
        is_said, is_same = _start(whole, journal)
    except JournalError as error:
        return Outcome.REFUSED if error.hint else Outcome.UNEXPLAINED
    except Exception:  # noqa: BLE001 - whatever it is, nobody explained it
        return Outcome.UNEXPLAINED
    with JournalReader(journal) as reader:
        is_found = bool(reader.check())
    if not is_same or not (is_found or _rows(journal) == whole.rows):
        return Outcome.UNNOTICED
    if is_found:
        return Outcome.VERIFIED
    return Outcome.SAID if is_said else Outcome.HARMLESS


def _start(whole: Whole, journal: Path) -> tuple[bool, bool]:
    """Read what a start reads; return whether anything is said, and whether the books are right."""
    with JournalReader(journal) as reader:
        reader.assert_witnessed()
        recovered = Recovery(reader, SnapshotFolder(journal)).recover()
    is_same = hash_of(recovered) == whole.books and recovered.head.seq == whole.head
    return bool(recovered.snapshots_doubtful), is_same


def _rows(journal: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(journal)) as connection:
        return connection.execute("SELECT * FROM event ORDER BY seq").fetchall()


def main() -> int:
    """Damage as often as asked; 1 when any harm went unnoticed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--where", type=Path, help="a folder in memory, or it takes for ever")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.where) as made:
        folder = Path(made)
        prepared = prepare(folder)
        where, few = folder / "damaged", asked.times // 10
        tally = damage(prepared, where, asked.times, asked.seed)
        forgetful = damage(prepared, where, few, asked.seed, is_remembered=False)
    for way in WAYS:
        found = {what: times for (each, what), times in tally.outcomes.items() if each == way}
        say(f"{way}: " + ", ".join(f"{times} {what}" for what, times in sorted(found.items())))
    for line in tally.harmful:
        say(line)
    say(f"control, a witness that forgets: {len(forgetful.harmful)} of {few} harmful")
    return 1 if tally.harmful or not forgetful.harmful else 0


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the campaign is for


if __name__ == "__main__":
    sys.exit(main())
