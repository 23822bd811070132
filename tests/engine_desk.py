"""A desk for tests of the engine: a journal, a core with its strategies, and bars in blocks."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from daemon.brokers import Broker
from daemon.clock import FeedClock
from daemon.commits import SnapshotTerms
from daemon.core.core import Core, CoreSettings
from daemon.core.strategy_runs import StrategyRun
from daemon.engine import Engine, EngineSettings
from daemon.feeds import Feed
from daemon.gate import Limits
from daemon.history.snapshots import SnapshotFolder
from daemon.stopping.kill_switch import KillSwitch
from daemon.stopping.permit import Permit, permit_path
from daemon.strategies import Strategy
from daemon.surroundings import DiskTerms
from events import (
    BarClosed,
    Record,
    Symbol,
    nanoseconds,
)
from events.journal import Journal, JournalReader
from projections import State
from tests.builders import a_bar, utc
from tests.core_desk import OPENED, OPENING, A, kinds
from tests.gate_desk import WIDE

ROOM = 1_000_000
"""What must stay free of the disk, in bytes; it is looked at each time."""


class Blocks:
    """A feed of bars in blocks, recorded ones or, by its word, live ones."""

    def __init__(self, *blocks: Sequence[BarClosed], live: bool = False) -> None:
        self._blocks = blocks
        self.live = live
        self.bars_total = sum(map(len, blocks))
        self.starts_at = self.ends_at = None

    async def blocks(self, newest: Mapping[Symbol, datetime]) -> AsyncIterator[Sequence[BarClosed]]:
        for block in self._blocks:
            yield [b for b in block if b.symbol not in newest or b.end > newest[b.symbol]]


def minutes(first: int, last: int) -> list[BarClosed]:
    """Return the bars of A that end from 15:`first` to 15:`last`."""
    start = utc("2024-01-02T15:00")
    ends = (start + timedelta(minutes=minute) for minute in range(first, last + 1))
    return [a_bar("100", end=f"{end:%Y-%m-%dT%H:%M}") for end in ends]


class Works:
    """An engine at work on a journal of its own; `commits` are the kinds each commit brought."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.commits: list[list[str]] = []
        self.bars: list[int] = []
        engine.recorded = lambda records: self.commits.append(kinds(records))

    async def run(self, *blocks: Sequence[BarClosed]) -> None:
        await self.take(Blocks(*blocks))

    async def take(self, feed: Feed, *, once: bool = False) -> None:
        self.commits.clear()
        self.engine.stop_reason = ""  # Each call is a run of its own.
        await self.engine.run(feed, self.bars.append, once=once)
        await self.engine.commit()

    def written(self) -> list[Record]:
        with JournalReader(self.engine.journal.path) as reader:
            return list(reader.records(after=len(OPENING)))

    @property
    def state(self) -> State:
        return self.engine.core.state


def a_switch(journal: Path) -> KillSwitch:
    switch = KillSwitch(Permit(permit_path(journal)))
    switch.permit.grant()
    return switch


@asynccontextmanager
async def works(
    journal: Journal,
    broker: Broker,
    *strategies: Strategy,
    dry_run: bool = False,
    under: Limits = WIDE,
    every: int = 10**6,
) -> AsyncIterator[Works]:
    runs = [
        StrategyRun(name, strategy, "code", frozenset({A}))
        for name, strategy in zip(("trend", "other"), strategies, strict=False)
    ]
    engine = Engine(
        Core(State(), runs, CoreSettings(under, 30)),
        journal,
        broker,
        FeedClock(nanoseconds(utc("2024-01-02T12:00"))),
        SnapshotFolder(journal.path),
        EngineSettings(dry_run, SnapshotTerms(every, 2), DiskTerms(ROOM, 0)),
        a_switch(journal.path),
    )
    await engine.take(OPENED)
    await engine.take(*OPENING[1:])
    await engine.connect_broker()
    yield Works(engine)
