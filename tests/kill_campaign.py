"""Kills the real daemon with SIGKILL, again and again, and asks what is left of its journal.

One round is one journal: `traded run` over the demo's recorded bars, killed at a random moment and
started again with the same configuration, until it ends by itself. Meanwhile the journal is watched
from the outside. More kills than the test suite has time for:

    .venv/bin/python -m tests.kill_campaign --kills 300 --seed 1
"""

import argparse
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from events.chain import GENESIS
from events.journal import JournalReader
from events.witness import read_witness, witness_path
from tests.command_line import TRADED, traded

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "ops" / "demo" / "demo.toml"
JOURNAL = "demo-backtest.db"
"""What `traded run` calls the demo's journal in the state folder."""
SNAPSHOT_EVERY_EVENTS = 500
LOOK_EVERY_S = 0.005
AT_START, WHILE_TRADING, AT_END = 30, 60, 10
"""Of a hundred kills: before the first bar, behind a row of its own, and once the last is seen."""
AHEAD = 0.4
"""A kill comes within this share of the rows still to come, so that a journal sees several."""
ROWS_OF_A_START = 13
"""A start writes fewer rows than that, before the first bar."""
A_BLOCK_S = 0.1
"""Longer than a block of bars takes to write: from the row seen to the kill it is up to this."""
HOLD_NUMBER = re.compile(r'(?<="hold_id":")([^"]*)-\d+(?=")')
PER_START = (
    *("session.started", "session.ended", "config.loaded", "calendar.loaded"),
    *("broker.books-reported", "reconcile.completed"),
)
"""What every start and end writes: all other rows must not tell how often it was started."""


class Onlooker:
    """Watches a journal from the outside; `seen` is every row ever seen committed, by hash."""

    def __init__(self, journal: Path) -> None:
        """Watch `journal`, which need not exist yet."""
        self.journal = journal
        self.seen: dict[int, bytes] = {}
        self._reader: JournalReader | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.close()

    def look(self) -> None:
        """Note what has been committed, and which rows the witness calls durable."""
        if self._reader is None:
            if not self.journal.exists():
                return
            # One reader for the whole round: it stays open across kills and starts.
            self._reader = JournalReader(self.journal)
        witness = read_witness(witness_path(self.journal))
        for row in self._reader.rows(after=max(self.seen, default=0)):
            self.seen[row[0]] = row[7]
        # The witness is made with the journal, and stands at nothing until a row is committed.
        readable = {0: GENESIS} | self.seen
        if witness is not None and readable.get(witness.seq, b"").hex() != witness.hash:
            raise AssertionError(f"the witness is at {witness.seq}, a row nobody can read")

    @property
    def reached(self) -> int:
        return max(self.seen, default=0)


@dataclass
class Unharmed:
    """The run nobody killed: what every other one must come to, and how long it took."""

    state_hash: str
    rows: int
    story: list[str]
    seconds_to_first_bar: float
    seconds: float

    def aim(self, chance: random.Random, reached: int) -> "Aim":
        """Return a moment to kill a start that finds the journal at row `reached`."""
        (kind,) = chance.choices(("start", "row", "end"), (AT_START, WHILE_TRADING, AT_END))
        if kind == "start":
            return Aim(0, chance.uniform(0, self.seconds_to_first_bar))
        ahead = max(self.rows - reached, ROWS_OF_A_START)
        if kind == "end":
            return Aim(reached + ahead, chance.uniform(0, A_BLOCK_S))
        row = reached + max(chance.uniform(0, AHEAD) * ahead, ROWS_OF_A_START)
        return Aim(row, chance.uniform(0, A_BLOCK_S))


@dataclass(frozen=True)
class Aim:
    """Kill `delay` seconds after `row` is seen, row 0 being there from the start."""

    row: float
    delay: float


@dataclass
class Round:
    """One journal's way through its kills: where each struck, and what was seen of it."""

    journal: Path
    seen: dict[int, bytes]
    ended: dict[str, Any]
    kills: list[str] = field(default_factory=list)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the daemon with its state in `folder`; its output is appended to log.txt there."""
    words: list[str | Path] = ["run", "--config", CONFIG, "--output", folder / "outcome.json"]
    words += ["--set", f"journal.snapshot_every_events={SNAPSHOT_EVERY_EVENTS}"]
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [TRADED, *words],
            env=os.environ | {"STATE_DIRECTORY": str(folder)},
            stdout=log,
            stderr=log,
        )


def run_unharmed(folder: Path) -> Unharmed:
    """Run once without a kill."""
    folder.mkdir()
    began = time.monotonic()
    first_bar = None
    with Onlooker(folder / JOURNAL) as onlooker:
        process = start(folder)
        while process.poll() is None:
            onlooker.look()
            if first_bar is None and onlooker.reached > SNAPSHOT_EVERY_EVENTS:
                first_bar = time.monotonic() - began
            time.sleep(LOOK_EVERY_S)
        seconds = time.monotonic() - began
    ended = outcome(process, folder)
    story = list(story_of(folder / JOURNAL))
    return Unharmed(ended["state_hash"], ended["seq"], story, first_bar or seconds, seconds)


def run_round(folder: Path, unharmed: Unharmed, chance: random.Random, kills_max: int) -> Round:
    """Kill and start again, at most `kills_max` times, until it ends by itself."""
    folder.mkdir()
    kills: list[str] = []
    with Onlooker(folder / JOURNAL) as onlooker:
        while True:
            before = onlooker.reached
            process = start(folder)
            aim = unharmed.aim(chance, before) if len(kills) < kills_max else None
            killed = watch(process, onlooker, aim)
            onlooker.look()
            if not killed:
                return Round(onlooker.journal, onlooker.seen, outcome(process, folder), kills)
            kills.append(where(onlooker, before))


def watch(process: subprocess.Popen[bytes], onlooker: Onlooker, aim: Aim | None) -> bool:
    """Look on until the process ends, or kill it as aimed; say whether it was killed."""
    deadline = None
    while process.poll() is None:
        onlooker.look()
        pause = LOOK_EVERY_S
        if aim is not None and deadline is None and onlooker.reached >= aim.row:
            deadline = time.monotonic() + aim.delay
        if deadline is not None:
            pause = min(pause, deadline - time.monotonic())
            if pause <= 0:
                process.kill()
                return process.wait() == -signal.SIGKILL
        time.sleep(pause)
    return False


def where(onlooker: Onlooker, before: int) -> str:
    """Say what the daemon was doing when it was killed, by what it has left behind."""
    if not onlooker.reached:
        return "before the first row"
    if onlooker.reached == before:
        return "starting, nothing written"
    with JournalReader(onlooker.journal) as reader:
        wrote = [row[2] for row in reader.rows(before)]
    if wrote[-1] == "session.ended":
        return "ending"
    return "trading" if "bar.closed" in wrote else "starting, session written"


def outcome(process: subprocess.Popen[bytes], folder: Path) -> dict[str, Any]:
    """Return what a run that ended says of itself."""
    if process.returncode:
        raise AssertionError(f"exit code {process.returncode}: {(folder / 'log.txt').read_text()}")
    said: dict[str, Any] = json.loads((folder / "outcome.json").read_bytes())
    return said


# What must be true of a journal, whatever was done to its daemon.


def findings(found: Round, unharmed: Unharmed) -> dict[str, list[str]]:
    """Return what is wrong, by what it would mean; nothing but empty lists is a pass."""
    return {
        "lost": list(lost(found)),
        "twice": list(twice(found.journal)),
        "books": list(other_books(found, unharmed)),
        "story": list(other_story(found.journal, unharmed)),
        "unsound": list(unsound(found.journal)),
    }


def rows_of(journal: Path) -> list[tuple[Any, ...]]:
    """Return all rows as they lie in the file; nothing of ours reads them."""
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT seq, type, body, hash FROM event ORDER BY seq").fetchall()
    finally:
        connection.close()


def story_of(journal: Path) -> Iterator[str]:
    """Yield the body of every row that does not tell of a start or an end.

    A hold is named by the number of what placed it, which moves with every start before it.
    """
    bodies = (body for _, kind, body, _ in rows_of(journal) if kind not in PER_START)
    return (HOLD_NUMBER.sub(r"\1", body) for body in bodies)


def lost(found: Round) -> Iterator[str]:
    """Yield every row that was seen committed once and is not there any more, or is another."""
    there = {seq: row_hash for seq, _, _, row_hash in rows_of(found.journal)}
    for seq, row_hash in found.seen.items():
        if there.get(seq) != row_hash:
            yield f"row {seq} was seen, and {'is another now' if seq in there else 'is gone'}"


def twice(journal: Path) -> Iterator[str]:
    """Yield every order that was intended, or sent, more than once, or sent without an intent."""
    told: dict[str, Counter[str]] = {"order.intended": Counter(), "order.sending": Counter()}
    for _, kind, body, _ in rows_of(journal):
        if kind in told:
            told[kind][json.loads(body)["client_order_id"]] += 1
    for kind, ids in told.items():
        yield from (f"{order_id}: {kind} {n} times" for order_id, n in ids.items() if n > 1)
    for order_id in told["order.sending"].keys() - told["order.intended"].keys():
        yield f"{order_id}: sent, never intended"


def other_books(found: Round, unharmed: Unharmed) -> Iterator[str]:
    """Yield where the books are others than the unharmed run's: as it ended, and as they replay."""
    if found.ended["state_hash"] != unharmed.state_hash:
        yield f"the run ended with {found.ended['state_hash']}"
    replayed = traded("replay", "--json", "--journal", found.journal)
    said = replayed.stdout or "{}"
    if json.loads(said).get("state_hash") != unharmed.state_hash:
        yield f"the journal replays to {said}{replayed.stderr}"


def other_story(journal: Path, unharmed: Unharmed) -> Iterator[str]:
    """Yield the first thing that happened otherwise than in the unharmed run."""
    story = list(story_of(journal))
    for number, (here, there) in enumerate(zip(story, unharmed.story, strict=False)):
        if here != there:
            yield f"number {number} is {here}, not {there}"
            return
    if len(story) != len(unharmed.story):
        yield f"{len(story)} things happened, not {len(unharmed.story)}"


def unsound(journal: Path) -> Iterator[str]:
    """Yield what `traded verify` finds."""
    verified = traded("verify", "--json", "--journal", journal)
    if verified.returncode:
        yield verified.stdout + verified.stderr


def rounds(folder: Path, unharmed: Unharmed, kills: int, seed: int) -> Iterator[Round]:
    """Yield rounds until there were `kills` kills in all."""
    chance = random.Random(seed)
    number = 0
    while kills > 0:
        number += 1
        done = run_round(folder / f"round-{number}", unharmed, chance, kills)
        kills -= len(done.kills)
        yield done


def main() -> int:
    """Run a campaign and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill_campaign", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began, struck, wrong, rows_seen, ended = time.monotonic(), Counter[str](), 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="traded-kills-") as name:
        unharmed = run_unharmed(Path(name) / "unharmed")
        say(f"unharmed: {unharmed.rows} rows in {unharmed.seconds:.2f} s, {unharmed.state_hash}")
        for done in rounds(Path(name), unharmed, asked.kills, asked.seed):
            struck.update(done.kills)
            rows_seen += len(done.seen)
            ended += 1
            for what, texts in findings(done, unharmed).items():
                wrong += len(texts)
                for text in texts[:3]:
                    say(f"{done.journal.parent.name}: {what}: {text[:500]}")
    say(f"{struck.total()} kills in {ended} journals, {time.monotonic() - began:.0f} s")
    for place, count in struck.most_common():
        say(f"  {count:4} {place}")
    say(f"{rows_seen} rows seen committed; {wrong} findings")
    return 1 if wrong else 0


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the campaign's report, for a person


if __name__ == "__main__":
    sys.exit(main())
