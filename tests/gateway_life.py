"""The daemon's memory over simulated weeks: every bar, order, night and login, in virtual time.

`python -m tests.gateway_life` lets it live seven days at the gateway, in one event loop whose time
passes when nobody has anything to do (`tests/simulated_loop.py`): what happens is the same each
time, however busy the machine is, and a day costs ten seconds of processor. Each midnight has a
line. Gateway and daemon share this process, and so the memory that is measured.

`--traced` tells behind each look what a day has added, by line of code.

What is not in it: threads, sockets and uvloop; `tests.gateway_week` has those.
"""

import asyncio
import ctypes
import gc
import os
import random
import sqlite3
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import linear_regression
from typing import Any

import click
import msgspec

from daemon import app
from daemon.brokers.gateway.assembly import GatewayParts, build_gateway
from daemon.clock import Clock
from daemon.config.file import load
from daemon.config.options import Config
from daemon.engine import Engine
from daemon.machine import Machine
from daemon.memory import SWEPT_EVERY_S, settle, sweep
from events import OperatorResolveAsked, Record
from events.journal import Journal
from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.schedule import Schedule
from ops.gateway_sim.server import running_gateway
from ops.gateway_sim.virtual_clock import VirtualClock
from ops.news import News
from tests.adapter_desk import GatewayTime
from tests.gateway_walk import BARS
from tests.gateway_week import SQLITE
from tests.simulated_loop import SimulatedLoop
from tests.simulation.disk import Asked

ROOT = Path(__file__).parents[1]
STARTS = datetime(2012, 11, 5, 12, tzinfo=UTC)
"""A Monday, before the opening."""
CASH = Decimal(1_000_000)
SPEED = 20.0
"""So many seconds pass at the gateway in one of the loop's: its beats and naps are that long."""
TICK_S = 0.25
DAY_S = 86_400.0
WARM_DAYS = 1.5
"""By then every book, window and cache but SQLite's has its working size."""
GROWTH_MB_A_DAY = 0.1
BLOCKS_A_DAY = 2_000
"""More than this, day after day, is no noise of the allocators', and more than orders need."""
TRACED_LINES = 20
CACHE_MB = 1.3
"""What SQLite keeps at the most: a page cache of 1 MiB for who writes, a small one beside it."""


class Look(msgspec.Struct, frozen=True):
    """What there is `day` days after the start. `memory_mb` is resident, `cache_mb` SQLite's of it.

    `own_mb` is what C code has in use but for SQLite, `blocks` how many small pieces Python has,
    `objects` how many of them the collector knows; `traced_mb` is what Python has since the start,
    where that is traced.
    """

    day: float
    memory_mb: float
    cache_mb: float
    own_mb: float
    blocks: int
    objects: int
    traced_mb: float
    files: int
    events: int
    orders: int
    log_kb: float


class _Malloc(ctypes.Structure):
    """What glibc's mallinfo2 returns."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


_LIBC = ctypes.CDLL(None)
_LIBC.mallinfo2.restype = _Malloc


class _Connection:
    """As much of aiosqlite's connection as the journal uses, without a thread."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    async def executemany(self, sql: str, rows: Sequence[Any]) -> None:
        await asyncio.sleep(0.0001)
        self._raw.executemany(sql, rows)

    def execute(self, sql: str) -> Asked:
        return Asked(self._raw.execute(sql))

    async def close(self) -> None:
        self._raw.close()


async def _connect(database: str, **how: Any) -> Any:  # noqa: ANN401 - stands for aiosqlite's
    return _Connection(sqlite3.connect(database, **how))


async def _sweeping(_engine: Engine, _session: int, _config: Config) -> None:
    """Do what of the pulse is about memory; the rest of it writes files in threads."""
    await sweep(SWEPT_EVERY_S / SPEED)


class _Time(GatewayTime):
    speed = SPEED


class Life:
    """One daemon at its gateway; `looks` has one for each day, `log` what it said."""

    def __init__(
        self, folder: Path, loop: SimulatedLoop, told: Callable[[Look], None], *, is_traced: bool
    ) -> None:
        """Bind; nothing lives before `live`."""
        self.looks: list[Look] = []
        self._folder = folder
        self._loop = loop
        self._told = told
        self._is_traced = is_traced
        self._engine: Engine | None = None
        self._log_bytes = 0
        self._news = News()
        # The account is locked for the host.
        self._account = f"DU{os.getpid():07}"

    async def live(self, days: int) -> None:
        """Let it live so many days."""
        clock = VirtualClock(STARTS, SPEED, self._loop.time)
        floor = open_floor([ROOT / BARS], self._account, CASH, STARTS, None)
        async with running_gateway(floor, clock=clock, schedule=Schedule(), tick_s=TICK_S) as there:
            variables = {"IBKR_ACCOUNT": self._account, "IBKR_PORT": str(there.port)}
            config = load(ROOT / "ops" / "demo" / "gateway.toml", variables)
            daemon = self._loop.create_task(self._run(config, _Time(there), variables))
            try:
                await self._adopt()
                for day in range(1, days + 1):
                    await self._until(day, daemon)
                    self.looks.append(self._look(day))
                    self._told(self.looks[-1])
            finally:
                self._loop.send_signal(15)
                await daemon

    async def _run(self, config: Config, clock: Clock, variables: Mapping[str, str]) -> None:
        def gateway(config: Config, clock: Clock) -> GatewayParts:
            parts = build_gateway(config, variables, clock)
            parts.session.seconds = self._loop.time
            return parts

        await app.run(
            config,
            ROOT,
            self._folder / "journal.db",
            started=self._started,
            progress=lambda _: None,
            recorded=self._record,
            told=self._say,
            wall=clock,
            machine=Machine(
                open_journal=lambda path: Journal.open(path, _connect),
                listen=self._listening,
                beat=_sweeping,
                draw_id=lambda: "life",
                gateway=gateway,
            ),
        )

    def _started(self, _: app.Prepared) -> None:
        settle()
        if self._is_traced:
            tracemalloc.start()

    @contextmanager
    def _listening(self, engine: Engine, *_: object) -> Iterator[None]:
        self._engine = engine
        yield

    def _record(self, records: Sequence[Record]) -> None:
        for text in self._news.of(records):
            self._say(text)

    def _say(self, text: str) -> None:
        self._log_bytes += len(text) + 1

    @property
    def _running(self) -> Engine:
        assert self._engine is not None, "it has started"
        return self._engine

    async def _adopt(self) -> None:
        """Book the opening balance once the first comparison has found it."""
        while not (self._engine and self._engine.core.state.reconciliation.open):  # noqa: ASYNC110 - a look now and then
            await asyncio.sleep(1)
        await self._running.obey(OperatorResolveAsked("adopt", "operator", 0, "opening balance"))

    async def _until(self, day: int, daemon: "asyncio.Task[None]") -> None:
        """Let time pass until `day`; a daemon that ends before is a failure."""
        left_s = day * DAY_S / SPEED - self._loop.time()
        done, _ = await asyncio.wait({daemon}, timeout=left_s)
        for each in done:
            each.result()
            raise AssertionError(f"it ended by itself on day {day}")

    def _look(self, day: float) -> Look:
        state = self._running.core.state
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
        objects = len(gc.get_objects())
        found, cache = _LIBC.mallinfo2(), SQLITE.sqlite3_memory_used()
        return Look(
            day=day,
            memory_mb=resident / 1e6,
            cache_mb=cache / 1e6,
            own_mb=(found.uordblks + found.hblkhd - cache) / 1e6,
            blocks=sys.getallocatedblocks(),
            objects=objects,
            traced_mb=tracemalloc.get_traced_memory()[0] / 1e6,
            files=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            events=state.seq,
            orders=state.orders.intended,
            log_kb=self._log_bytes / 1e3,
        )


def lived(
    days: int,
    told: Callable[[Look], None] = lambda _: None,
    *,
    is_traced: bool = False,
) -> list[Look]:
    """Let a daemon live so many days; return how it looked at the end of each."""
    random.seed(1)  # How long it waits until it tries again is drawn from there.
    loop = SimulatedLoop(1)
    with tempfile.TemporaryDirectory(prefix="life-") as made:
        life = Life(Path(made), loop, told, is_traced=is_traced)
        try:
            loop.run_until_complete(life.live(days))
        finally:
            loop.close()
    return life.looks


def slope(looks: Sequence[Look], field: str) -> float:
    """Return by how much `field` grows a day, once warm."""
    warm = [each for each in looks if each.day >= WARM_DAYS]
    values = [float(getattr(each, field)) for each in warm]
    return linear_regression([each.day for each in warm], values).slope


HEADING = (
    "day  memory MB  SQLite  own malloc  blocks  objects  traced  files  events  orders  log KB"
)


def line(each: Look) -> str:
    memory = f"{each.memory_mb:9.2f}  {each.cache_mb:6.2f}  {each.own_mb:10.2f}"
    python = f"{each.blocks:6}  {each.objects:7}  {each.traced_mb:6.2f}  {each.files:5}"
    return (
        f"{each.day:3.0f}  {memory}  {python}  {each.events:6}  {each.orders:6}  {each.log_kb:6.1f}"
    )


class Traced:
    """Tells which lines of code have more memory than at the look before."""

    def __init__(self) -> None:
        """Begin with nothing to compare with."""
        self._before: tracemalloc.Snapshot | None = None

    def tell(self) -> None:
        """Print the lines that have grown most."""
        found = tracemalloc.take_snapshot().filter_traces(
            (tracemalloc.Filter(inclusive=False, filename_pattern=tracemalloc.__file__),)
        )
        if self._before is not None:
            for each in found.compare_to(self._before, "lineno")[:TRACED_LINES]:
                click.echo(f"    {each}")
        self._before = found


@click.command()
@click.option("--days", type=click.IntRange(min=3), default=7, show_default=True)
@click.option("--traced", is_flag=True, help="Say which lines of code have more each day: slow.")
@click.option("--json", "as_json", is_flag=True, help="Every look, as JSON.")
def main(days: int, *, traced: bool, as_json: bool) -> None:
    """Live so many days at the gateway and say what grew."""
    began, lines = time.process_time(), Traced()

    def told(each: Look) -> None:
        if not as_json:
            click.echo(line(each))
        if traced:
            lines.tell()

    if not as_json:
        click.echo(HEADING)
    looks = lived(days, told, is_traced=traced)
    if as_json:
        click.echo(msgspec.json.encode(looks))
        return
    fields = ("memory_mb", "cache_mb", "own_mb", "blocks", "objects", "files", "log_kb", "events")
    grows = ", ".join(f"{name} {slope(looks, name):+.3f}" for name in fields)
    click.echo(f"a day, once warm: {grows}")
    click.echo(f"{days} days in {time.process_time() - began:.0f} s of processor")
    growth = max(slope(looks, "memory_mb"), slope(looks, "own_mb"))
    is_level = growth <= GROWTH_MB_A_DAY
    is_bounded = slope(looks, "blocks") <= BLOCKS_A_DAY and looks[-1].cache_mb <= CACHE_MB
    sys.exit(int(not (is_level and is_bounded)))


if __name__ == "__main__":
    main()
