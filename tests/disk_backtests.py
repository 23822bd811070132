"""Small runs on recorded bars whose disk fails at every write and sync in turn, and their judge.

`tests.disk_campaign` says what is asked of them.
"""

import json
import random
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from daemon.exit_codes import ExitCode
from events import OrderSending
from events.errors import JournalError
from events.journal import JournalReader
from tests.campaigns import INCONCLUSIVE
from tests.command_line import SLOW_FEED, environment
from tests.faulty_disk import Fault, injected, wait_for_tracer
from tests.live_desk import ROOT
from tests.wide_limits import WIDE_LIMITS

WRITE_FAILED: Final = ExitCode.JOURNAL_WRITE_FAILED
SHOWN: Final = 5
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "making": (),
    "appending": ("journal.db", "journal.db-wal", "journal.db.witness"),
}
UNREACHED: Final = 60_000
"""No run makes so many calls of a kind."""
KINDS: Final = (("fdatasync,fsync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"))
MINUTES: Final = 10
CONFIG: Final = """
[symbols]
AAPL.exchange = "24/7"
[strategies.trend]
class = "daemon.strategies.moving_average:MovingAverage"
params = {{ fast = 1, slow = 2, shares = 10 }}
[feed]
kind = "slow_feed:Slow"
params = {{ minutes = {minutes} }}
[journal]
path = "journal.db"
snapshot_every_events = 20
"""
ACKNOWLEDGED: Final = re.compile(r"^ *(\d+) +\d{4}-\d\d-\d\d ", re.MULTILINE)
"""An event that the daemon said was recorded, with --verbose: its number begins the line."""


@dataclass
class Tally:
    """What a part of the campaign came to: runs, faults that really happened, what was wrong."""

    part: str
    runs: int = 0
    faults: int = 0
    ends: Counter[int | None] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    why_not: str = ""

    def note(self, code: int | None, faults: int, found: Sequence[str]) -> None:
        """Note a run that ended with `code` behind so many faults, and what was wrong with it."""
        self.runs += 1
        self.faults += faults
        self.ends[code] += 1
        self.found += found

    @property
    def code(self) -> int:
        if self.found:
            return 1
        return 0 if self.faults else INCONCLUSIVE

    def __str__(self) -> str:
        if not self.faults and not self.found:
            return f"{self.part}: inconclusive: {self.why_not or 'no fault ever happened'}"
        ends = ", ".join(f"{count} ended with {code}" for code, count in self.ends.items())
        found = "; ".join(self.found[:SHOWN]) or "nothing wrong"
        more = f" and {len(self.found) - SHOWN} more" if len(self.found) > SHOWN else ""
        return f"{self.part}: {self.runs} runs, {self.faults} faults, {ends}: {found}{more}"


@dataclass
class Ended:
    """How a daemon ended, what it said, and the last event it said was recorded."""

    code: int
    said: str

    @property
    def acknowledged(self) -> int:
        return max(map(int, ACKNOWLEDGED.findall(self.said)), default=0)


class Backtest:
    """A place with a small run on recorded bars in it, which the code in `code` makes."""

    def __init__(self, folder: Path, code: Path = ROOT) -> None:
        self.folder, self.code = folder, code
        self.journal = folder / "journal.db"
        folder.mkdir()
        text = CONFIG.format(minutes=MINUTES) + WIDE_LIMITS
        (folder / "traded.toml").write_text(text, encoding="utf-8")
        (folder / "traded.toml").chmod(0o600)
        (folder / "slow_feed.py").write_text(SLOW_FEED, encoding="utf-8")

    def run(
        self,
        under: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        file_bytes: int | None = None,
    ) -> Ended:
        """Run the daemon to its end, `under` what makes its disk fail, files no larger than so."""
        words = ["run", "--config", "traded.toml", "--verbose", "--output", "outcome.json"]
        limit = (file_bytes, resource.RLIM_INFINITY) if file_bytes is not None else None
        done = subprocess.run(
            [*under, sys.executable, "-m", "ops.cli", *words],
            cwd=self.folder,
            env=environment(self.folder, PYTHONPATH=str(self.code), **(variables or {})),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            preexec_fn=limit and partial(resource.setrlimit, resource.RLIMIT_FSIZE, limit),
        )
        return Ended(done.returncode, done.stderr)

    def books(self) -> str:
        """Return the hash of the books the last run ended with, nothing where it did not."""
        outcome = self.folder / "outcome.json"
        return str(json.loads(outcome.read_bytes())["state_hash"]) if outcome.exists() else ""

    def sent(self) -> list[str]:
        with JournalReader(self.journal) as reader:
            return [str(record.event.key()) for record in reader.of_kind(OrderSending)]

    def judge(self, ended: Ended, unharmed: "Backtest") -> Iterator[str]:
        """Say what is wrong with how a run ended on a failing disk, then with the next start."""
        yield from words_of(ended)
        if self.journal.exists():
            yield from self._kept(ended.acknowledged)
        elif ended.acknowledged:
            yield f"it said that {ended.acknowledged} events were recorded, and left no journal"
        if ended.code == 0 and self.books() != unharmed.books():
            yield "it ended as if nothing had been, with other books"
        (self.folder / "outcome.json").unlink(missing_ok=True)
        again = self.run()
        if again.code:
            yield f"the next start ended with {again.code}: {again.said[-300:]}"
            return
        if self.books() != unharmed.books():
            yield "the next start came to other books"
        if self.sent() != unharmed.sent():
            yield "the next start sent other orders"
        yield from self._kept(ended.acknowledged)

    def _kept(self, acknowledged: int) -> Iterator[str]:
        try:
            with JournalReader(self.journal) as reader:
                head, findings = reader.head().seq, reader.check()
        except JournalError as error:
            yield f"the journal cannot be read: {error}"
            return
        if head < acknowledged:
            yield f"{acknowledged} events were acknowledged, {head} are there"
        yield from (f"verify finds: {finding.what}" for finding in findings)


def words_of(ended: Ended) -> Iterator[str]:
    """Say what is wrong with how a daemon on a failing disk ended, and with its last words."""
    if ended.code not in {0, WRITE_FAILED}:
        yield f"it ended with {ended.code}: {ended.said[-300:]}"
    if "Traceback" in ended.said:
        yield f"it ended in a traceback: {ended.said[-300:]}"
    if ended.code == WRITE_FAILED and "next: " not in ended.said:
        yield f"it did not say what to do next: {ended.said[-300:]}"


def every_call(folder: Path, every: int, seed: int, code: Path = ROOT) -> Iterator[Tally]:
    """Let every n-th write and sync of a backtest fail, once and for ever, of each kind of it.

    It begins at a random one, so that a large `every` tries one of each part. At first come those
    that make the journal, by the main thread, then those that append to it.
    """
    unharmed = Backtest(folder / "unharmed")
    assert unharmed.run().code == 0
    chance, counted = random.Random(seed), dict[tuple[str, str], int]()
    for calls, error in KINDS:
        for part, paths in PARTS.items():
            place = folder / "place"
            files = tuple(place / name for name in paths)
            tally = Tally(f"a backtest, {part}, {calls.replace(',', ' and ')} {error}")
            if (part, calls) not in counted:
                counted[part, calls] = calls_made(folder, calls, files)
            last = counted[part, calls]
            for nth in range(1 + chance.randrange(min(every, last)), last + 1, every):
                for for_ever in (False, True):
                    _fail(Fault(calls, error, nth, for_ever, files), place, code, unharmed, tally)
            yield tally


def _fail(fault: Fault, folder: Path, code: Path, unharmed: Backtest, tally: Tally) -> None:
    """Run a backtest with that fault, and note what it comes to if it happened."""
    place, log = Backtest(folder, code), folder.with_name("faults.log")
    log.unlink(missing_ok=True)
    ended = place.run(fault.words(log))
    if injected(log):
        texts = [f"{fault}: {text}" for text in place.judge(ended, unharmed)]
        tally.note(ended.code, len(injected(log)), texts)
    shutil.rmtree(folder)


def calls_made(folder: Path, calls: str, files: tuple[Path, ...]) -> int:
    """Return how many such calls one run makes: of all its files in the main thread, or of some."""
    place, log = Backtest(folder / "place"), folder / "counts.log"
    done = place.run(Fault(calls, "EIO", UNREACHED, for_ever=False, paths=files).words(log))
    assert done.code == 0, done.said
    wait_for_tracer(log)
    shutil.rmtree(place.folder)
    threads = Counter(line.split()[0] for line in log.read_text(encoding="utf-8").splitlines())
    main = log.read_text(encoding="utf-8").split()[0]
    return max(threads.values()) if files else threads[main]


def short(folder: Path, every: int, library: Path | None) -> Tally:
    """Let every n-th write of a backtest write a part of what it should, once and for ever."""
    tally = Tally("a backtest, short writes")
    if library is None:
        tally.why_not = "there is no C compiler to make them with"
        return tally
    unharmed, log = Backtest(folder / "whole"), folder / "short.log"
    assert unharmed.run().code == 0
    nth = 1
    while True:
        for for_ever in (False, True):
            log.unlink(missing_ok=True)
            variables = {"LD_PRELOAD": str(library), "SHORT_AT": str(nth), "SHORT_LOG": str(log)}
            place = Backtest(folder / "short")
            ended = place.run((), variables | ({"SHORT_FOR_EVER": "1"} if for_ever else {}))
            faults = log.stat().st_size if log.exists() else 0
            if faults:
                texts = list(place.judge(ended, unharmed))
                if ended.code:
                    texts.append(f"it ended with {ended.code}")
                tally.note(ended.code, faults, [f"short write {nth}: {text}" for text in texts])
            shutil.rmtree(place.folder)
        if not faults:
            return tally
        nth += every


def quota(folder: Path, rounds: int, seed: int) -> Tally:
    """Let no file of a backtest grow beyond some size, as a quota does."""
    tally, chance = Tally("a backtest, files no larger than so"), random.Random(seed)
    unharmed = Backtest(folder / "free")
    assert unharmed.run().code == 0
    largest = 8 * 2**20
    for number in range(rounds):
        # Every other limit is one that already the empty file meets.
        size = chance.randrange(largest if number % 2 else 40_000)
        place = Backtest(folder / "quota")
        ended = place.run(file_bytes=size)
        if ended.code:
            texts = [f"{size} bytes: {text}" for text in place.judge(ended, unharmed)]
            tally.note(ended.code, 1, texts)
        shutil.rmtree(place.folder)
    return tally
