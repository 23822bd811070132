"""The daemon over simulated days at the gateway: what it occupies must not grow with them.

`python -m tests.gateway_week` runs seven days at 2,000 times the world's speed, nightly restarts,
resets and the weekly login included; `--days` and `--speed` change that (a busy machine holds less
speed). The gateway is a process of its own; the daemon is the one of `traded run`, in this process,
so that its objects can be counted. A day's line has memory, open files, log, journal, and what is
alive of ib_async's, as each day ends; the last line is what a straight line through all looks grows
by a day.

What SQLite keeps of the journal is counted apart: its page cache fills in the first days, and stays
there. At such speeds the daemon mostly waits for what is late; `tests.gateway_life` has whole weeks
of it at work, without threads and sockets.
"""

import _sqlite3
import ctypes
import gc
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import linear_regression

import click
import msgspec

from daemon.config.file import load
from daemon.control.client import NoAnswer, NotRunning, call
from daemon.control.protocol import VERSION, Request
from daemon.simulated_time import SimulatedClock
from events import utc_from_nanoseconds
from events.journal import JournalReader
from ops.daemon_run import run_daemon
from ops.log.lines import HumanLog
from ops.log.redaction import Redaction
from tests.gateway_walk import BARS, Walk

DAY = timedelta(days=1)
STARTS = "2012-11-05T12:00"
"""A Monday, before the opening."""
WARM = timedelta(days=3)
"""By then every book, window and cache has its working size."""
LOOKS_A_DAY = 8
GROWTH_MB_A_DAY = 0.3
"""More than this, day after day, is no noise of the allocator's."""
CACHE_MB = 2.0
"""What SQLite may keep: a page cache of 1 MiB for who writes, a small one for who reads."""
SQLITE = ctypes.CDLL(_sqlite3.__file__)
SQLITE.sqlite3_memory_used.restype = ctypes.c_int64


class Look(msgspec.Struct, frozen=True):
    """What the daemon occupies, `day` days after the start; objects of ib_async are counted.

    Of `memory_mb`, `cache_mb` are SQLite's.
    """

    day: float
    memory_mb: float
    cache_mb: float
    files: int
    log_kb: float
    events: int
    journal_mb: float
    objects: int
    of_ib_async: int

    @property
    def own_mb(self) -> float:
        """What is occupied but for SQLite's cache."""
        return self.memory_mb - self.cache_mb


class Week:
    """Looks at this process while the daemon runs in it, and ends it after so many days."""

    def __init__(self, walk: Walk, days: float, log: Path, told: Callable[[Look], None]) -> None:
        """Begin with the gateway's time as it is; each look is `told` as it is taken."""
        self.looks: list[Look] = []
        self._clock = SimulatedClock(walk.folder / "var" / "gateway.time")
        self.journal = walk.folder / "var" / "walk" / "journal.db"
        self._log = log
        self._starts = self._now
        self._days = days
        self._told = told
        self.over = threading.Event()

    @property
    def _now(self) -> datetime:
        return utc_from_nanoseconds(self._clock.now())

    def watch(self) -> None:
        """Book the opening balance, look now and then, and stop the daemon in the end."""
        try:
            self._adopt()
            count = max(4, round(self._days * LOOKS_A_DAY))
            for number in range(1, count + 1):
                self._wait_for(self._starts + number * self._days * DAY / count)
                if self.over.is_set():
                    return
                self.looks.append(self._look())
                self._told(self.looks[-1])
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def _adopt(self) -> None:
        token = ""
        while not self.over.is_set():
            args: dict[str, str | bool] = {"all": True, "adopt": True}
            why = "opening balance"
            request = Request(VERSION, "resolve", f"adopt-{time.monotonic_ns()}", why, token, args)
            try:
                answer = call(self.journal, request)
            except (NotRunning, NoAnswer):
                answer = None
            if answer is not None and token and not answer.exit_code:
                return
            token = answer.token if answer is not None else ""
            if not token:
                time.sleep(0.2)  # Its first look at the books is not over yet.

    def _wait_for(self, moment: datetime) -> None:
        while self._now < moment and not self.over.wait(0.02):
            pass

    def _look(self) -> Look:
        alive = gc.get_objects()
        folder = self.journal.parent
        with JournalReader(self.journal) as reader:
            newest = reader.head()  # Not a page of records: what is looked at would grow by it.
        return Look(
            day=(self._now - self._starts) / DAY,
            memory_mb=int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6,
            cache_mb=SQLITE.sqlite3_memory_used() / 1e6,
            files=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            log_kb=self._log.stat().st_size / 1e3,
            events=newest.seq,
            journal_mb=sum(file.stat().st_size for file in folder.glob("journal.db*")) / 1e6,
            objects=len(alive),
            of_ib_async=sum(type(each).__module__.startswith("ib_async") for each in alive),
        )


def slope(looks: Sequence[Look], field: str) -> float:
    """Return by how much `field` grows a day, once warm."""
    warm_days = min(WARM / DAY, looks[-1].day / 2)
    warm = [each for each in looks if each.day >= warm_days]
    return linear_regression([each.day for each in warm], [getattr(each, field) for each in warm])[
        0
    ]


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Let what this process says on stderr go there meanwhile."""
    kept = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def lived(folder: Path, days: float, speed: float, told: Callable[[Look], None]) -> list[Look]:
    """Let the daemon live so many days in `folder`; return how it looked.

    Raises:
        SystemExit: it ended before them; its log is printed.
    """
    walk = Walk(folder)
    # At such a speed a second of the world is half an hour there: answers may take that.
    os.environ |= walk.variables | {
        "TRADED_GATEWAY__LATE_AFTER_S": "80000",
        "TRADED_BROKER__ANSWER_DEADLINE_S": "3600",
        "TRADED_LIMITS__MARGIN__ANSWER_DEADLINE_S": "3600",
    }
    words = ("--start", STARTS, "--clock", "var/gateway.time", "--schedule", "--speed", str(speed))
    log, file = folder / "daemon.log", folder / "ops" / "demo" / "gateway.toml"
    with walk.gateway("gateway-sim", "--bars", BARS, *words, "--port", str(walk.port)):
        week = Week(walk, days, log, told)
        watching = threading.Thread(target=week.watch, name="week", daemon=True)
        watching.start()
        clock = SimulatedClock(folder / "var" / "gateway.time")
        try:
            with log_to(log):
                run_daemon(
                    load(file, os.environ),
                    file.parent,
                    week.journal,
                    once=False,
                    log=HumanLog(Redaction()),
                    wall=clock,
                )
        finally:
            week.over.set()
            watching.join()
    if not week.looks or week.looks[-1].day < days * 0.99:
        sys.exit(f"the daemon has ended too early:\n{log.read_text()}")
    return week.looks


FIELDS = ("memory_mb", "own_mb", "cache_mb", *Look.__struct_fields__[3:])
HEADING = "  day  memory MB  of SQLite  files  log KB  events  journal MB  objects  of ib_async"


def line(each: Look) -> str:
    memory = f"{each.memory_mb:9.1f}  {each.cache_mb:9.2f}  {each.files:5}  {each.log_kb:6.1f}"
    journal = f"{each.events:6}  {each.journal_mb:10.2f}"
    return f"{each.day:5.2f}  {memory}  {journal}  {each.objects:7}  {each.of_ib_async:11}"


class Days:
    """Prints a line as each day of the world has passed."""

    def __init__(self) -> None:
        """Begin with nothing passed."""
        self._passed = 0

    def tell(self, look: Look) -> None:
        """Print `look` where it is the first behind a day's end."""
        if int(look.day + 0.01) > self._passed:
            self._passed = int(look.day + 0.01)
            click.echo(line(look))


@click.command()
@click.option("--days", default=7.0, show_default=True)
@click.option("--speed", default=2_000.0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Every look, as JSON.")
def main(days: float, speed: float, *, as_json: bool) -> None:
    """Live so many days at the gateway and say what grew."""
    began = time.monotonic()
    if not as_json:
        click.echo(HEADING)
    with tempfile.TemporaryDirectory(prefix="week-") as made:
        looks = lived(Path(made), days, speed, (lambda _: None) if as_json else Days().tell)
    if as_json:
        click.echo(msgspec.json.encode(looks))
    else:
        grows = ", ".join(f"{name} {slope(looks, name):+.2f}" for name in FIELDS)
        click.echo(f"a day, once warm: {grows}")
        click.echo(f"{looks[-1].day:.2f} days in {time.monotonic() - began:.0f} s")
    is_flat = slope(looks, "own_mb") <= GROWTH_MB_A_DAY and looks[-1].cache_mb <= CACHE_MB
    sys.exit(int(not is_flat))


if __name__ == "__main__":
    main()
