"""Backs a journal up, again and again, while it is written to as fast as it goes.

It says how good naive copies of it were meanwhile, and times the commits, which must not wait long.

    .venv/bin/python -m tests.backup_campaign --backups 150 --events 100000 --seed 1
"""

import argparse
import asyncio
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from daemon.keeping.bundle import pack, prove, unpack
from daemon.keeping.copying import copy_live, copy_path
from events.errors import JournalError
from events.journal import Head, Journal, JournalReader
from events.segments import segments_path
from events.witness import Witness, check_witness
from tests.builders import a_bar, records
from tests.journals import OPENED

BATCH_MAX = 20
"""Events of one turn."""


@dataclass
class Load:
    """A journal that is written to all the time; `waits` are how long its commits took, in s."""

    journal: Journal
    chance: random.Random
    waits: list[float] = field(default_factory=list)
    rests: bool = False

    async def write(self) -> None:
        """Append turn after turn, and fold the log back when it is due, as the engine does.

        It rests while a copy that was made is judged, so that the journal does not outgrow that.
        """
        while True:
            if self.rests:
                await asyncio.sleep(0.005)
                continue
            await self.turn(self.chance.randint(1, BATCH_MAX))
            if self.journal.checkpoint_due:
                await self.journal.checkpoint()

    async def turn(self, events: int) -> None:
        bars = [a_bar(str(100 + number % 7)) for number in range(events)]
        turn = list(records(*bars, first=self.journal.head.seq + 1))
        began = time.perf_counter()
        await self.journal.append(turn)
        self.waits.append(time.perf_counter() - began)

    async def grow(self, events: int) -> None:
        while self.journal.head.seq < events:
            await self.turn(1_000)
        await self.journal.checkpoint()
        self.waits.clear()


@dataclass
class Judged:
    """How many copies of each kind were made, and what was wrong with those that were not good."""

    made: Counter[str] = field(default_factory=Counter)
    good: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, problem: str) -> None:
        self.made[kind] += 1
        self.good[kind] += not problem
        if problem:
            self.wrong[f"{kind}: {problem}"] += 1


@asynccontextmanager
async def under_load(path: Path, events: int, seed: int) -> AsyncIterator[Load]:
    """Give a journal of so many events that goes on being written to."""
    load = Load(await Journal.open(path), random.Random(seed))
    try:
        await load.journal.append(list(records(OPENED)))
        await load.grow(events)
        writing = asyncio.create_task(load.write())
        yield load
        assert not writing.done(), "the load has stopped: nothing was shown"
        writing.cancel()
        await asyncio.wait({writing})
    finally:
        await load.journal.close()


async def judge(folder: Path, backups: int, events: int, seed: int) -> Judged:
    """Make so many backups, and a naive copy of each kind beside each."""
    judged = Judged()
    async with under_load(folder / "journal.db", events, seed) as load:
        for number in range(backups):
            judged.note("backup", await backup_problem(load, folder, number))
            for kind, ends in (("cp db", [""]), ("cp db + wal", ["", "-wal"])):
                judged.note(kind, await naive_problem(load, folder, ends))
    return judged


async def backup_problem(load: Load, folder: Path, number: int) -> str:
    """Make one backup the way `traded backup` does, and say what is wrong with it."""
    journal, load.rests = load.journal, False
    seen = Witness(OPENED.journal_id, 1, journal.head.seq, journal.head.hash.hex())
    await copy_live(journal, lambda _: None)
    load.rests = True
    return await asyncio.to_thread(packed_problem, journal.path, seen, folder / f"{number}.tar.gz")


def packed_problem(journal: Path, seen: Witness, target: Path) -> str:
    try:
        pack(copy_path(journal), segments_path(journal), seen, {}, datetime.now(UTC), target)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            prove(Path(scratch), unpack(target, Path(scratch)))
    except JournalError as error:
        return kind_of(str(error.args[0]))
    finally:
        target.unlink(missing_ok=True)
    return ""


async def naive_problem(load: Load, folder: Path, ends: list[str]) -> str:
    """Copy the files with `cp`, in another process, and say what is wrong with what came of it."""
    journal, load.rests = load.journal, False
    await asyncio.sleep(0.05)  # Under load again.
    seen = journal.head
    target = folder / "naive.db"
    for end in ("", "-wal", "-shm"):
        target.with_name(target.name + end).unlink(missing_ok=True)
    for end in ends:
        await asyncio.to_thread(
            subprocess.run, ["cp", f"{journal.path}{end}", f"{target}{end}"], check=True
        )
    load.rests = True
    return await asyncio.to_thread(copied_problem, target, seen)


def copied_problem(copy: Path, seen: Head) -> str:
    """Hold a copy against its chain, and against the last event acknowledged before it was made."""
    try:
        with JournalReader(copy) as reader:
            for _ in reader.verified_records(Head()):
                pass
            witness = Witness(OPENED.journal_id, 1, seen.seq, seen.hash.hex())
            check_witness(copy, witness, reader.head(), reader.hash_at)
    except JournalError as error:
        return kind_of(str(error.args[0]))
    return ""


def kind_of(text: str) -> str:
    for sign in ("events are lost", "malformed", "is missing", "hash", "not a database"):
        if sign in text:
            return sign
    return text


async def waits(folder: Path, events: int, seconds: float, seed: int) -> dict[str, list[float]]:
    """Return how long commits waited: alone, beside a copy, and beside SQLite's own backup."""
    found: dict[str, list[float]] = {}
    async with under_load(folder / "journal.db", events, seed) as load:
        await asyncio.sleep(seconds)
        found["no backup"], load.waits = load.waits, []
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            await copy_live(load.journal, lambda _: None)
        found["traded's copy, 1,000 rows a step"], load.waits = load.waits, []
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            await sqlites_own(load.journal, folder / "other.db")
        found["SQLite's backup in the journal's thread"], load.waits = load.waits, []
    return found


async def sqlites_own(journal: Journal, target: Path) -> None:
    connection = journal._connection  # noqa: SLF001 - what the journal itself does not do
    with closing(sqlite3.connect(target, check_same_thread=False)) as other:
        await connection.backup(other, pages=100)


def ms(found: list[float]) -> str:
    """Return median, 99th percentile and the longest wait."""
    ordered = sorted(found)
    p99 = ordered[int(len(ordered) * 0.99)]
    shown = (statistics.median(ordered), p99, ordered[-1])
    names = ("p50", "p99", "max")
    return ", ".join(f"{a} {1e3 * each:.2f} ms" for a, each in zip(names, shown, strict=True))


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the campaign's report, for a person


def main() -> None:
    """Run as many as asked for; end with 1 where a backup was bad, 2 where nothing was shown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backups", type=int, default=50)
    parser.add_argument("--events", type=int, default=50_000, help="in the journal at first")
    parser.add_argument("--seconds", type=float, default=10, help="of commits timed, each way")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        judged = asyncio.run(judge(Path(folder), asked.backups, asked.events, asked.seed))
    for kind, made in judged.made.items():
        tell(f"{kind:12} {judged.good[kind]} of {made} good")
    for wrong, count in judged.wrong.items():
        tell(f"  {count} x {wrong}")
    with tempfile.TemporaryDirectory() as folder:
        timed = asyncio.run(waits(Path(folder), asked.events, asked.seconds, asked.seed))
    for beside, found in timed.items():
        tell(f"commits beside {beside}: {len(found)}, {ms(found)}")
    if judged.good["backup"] < judged.made["backup"]:
        sys.exit(1)
    if judged.good["cp db"] == judged.made["cp db"]:
        tell("inconclusive: every naive copy was good, so this load shows nothing")
        sys.exit(2)


if __name__ == "__main__":
    main()
