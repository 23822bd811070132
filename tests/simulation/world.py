"""The world around the daemon: market, broker, wire, disk, clocks, operator, and crashes.

Everything in it follows from one seed.
"""

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random

import msgspec

from daemon import app
from daemon.config.options import Config
from events import (
    OperatorKilled,
    OperatorLifted,
    OperatorReconcileAsked,
    OperatorResolveAsked,
    OperatorResumed,
    utc_from_nanoseconds,
)
from events.chain import Row
from events.codec import Command
from events.errors import JournalWriteFailed
from events.journal import JournalReader
from tests.builders import utc
from tests.simulation.disk import DiskFault
from tests.simulation.invariants import Invariants, Violation, demand
from tests.simulation.market import SYMBOLS, Market
from tests.simulation.process import Process
from tests.simulation.timeline import SECOND, MachineClocks, Timeline
from tests.simulation.venue import Venue

LATEST_START = 900
"""Days after the first one on which a world may begin."""
SETTLES_S = 3 * 3_600
"""How long the end of a run stays calm before the books are compared."""


def config_for(seed: int) -> Config:
    account = {
        "max_order_shares": 60,
        "max_order_usd": 50_000,
        "max_position_shares": 200,
        "max_position_usd": 100_000,
        "max_daily_loss_usd": 5_000,
        "max_drawdown": "0.5",
        "max_orders_a_day": 400,
        "max_leverage": 4,
        "allow_short": True,
    }
    tree = {
        "mode": "broker-paper",
        "dry_run": False,
        "symbols": {name: {"exchange": "NYSE"} for name in SYMBOLS},
        "strategies": {
            "restless": {"class": "tests.simulation.restless:Restless", "params": {"seed": seed}}
        },
        "broker": {"kind": "tests.simulation.link:Link"},
        "feed": {"kind": "tests.simulation.link:Bars"},
        "journal": {
            "snapshot_every_events": 400,
            "snapshots_kept": 3,
            "disk_halt_mb": 1,
            "disk_look_s": 86_400,
        },
        "control": {"enabled": False},
        "limits": {
            "account": account,
            "orders": {"allow_opposite": True, "require_shortable_data": False},
            "turnover": {"max_a_day": 1_000},
            "margin": {"initial_share": "0.1", "cushion": "0.05", "ask": False},
        },
    }
    return msgspec.convert(tree, Config, strict=False)


class World:
    """One seed's world, over `days` trading days; `struck` counts what went wrong on purpose."""

    def __init__(self, seed: int, days: int, folder: Path) -> None:
        self.seed = seed
        self.journal = folder / "journal.db"
        self.struck: Counter[str] = Counter()
        self.is_calm = False
        self.process: Process | None = None
        self.lives = 0
        self._numbers = 0
        self._chances: dict[str, Random] = {}
        first = utc("2023-12-01T12:00") + timedelta(
            days=self.chance("world").randrange(LATEST_START)
        )
        self.timeline = Timeline(first)
        self.clocks = MachineClocks(self.timeline)
        self.market = Market(self.timeline, self.chance("market"), days, self._prices_moved)
        self.venue = Venue(self.timeline, self.market, self.chance("venue"))
        self.venue.tell = self._tell
        self.invariants = Invariants()
        self._config = config_for(seed)
        self._ends = self.market.ends + timedelta(minutes=30)
        self._plan_mishaps()

    def chance(self, of: str) -> Random:
        """Return the chance of one part of the world: what one draws moves no other."""
        if of not in self._chances:
            self._chances[of] = Random(f"{self.seed}/{of}")
        return self._chances[of]

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    @property
    def clock_says(self) -> datetime:
        """What the machine's wall clock says."""
        return utc_from_nanoseconds(self.clocks.read().wall)

    def _prices_moved(self) -> None:
        self.venue.prices_moved()

    def _tell(self, report: object) -> None:
        process = self.process
        if process is not None and not process.dead and hasattr(process, "link"):
            process.link.hear(report)  # type: ignore[arg-type]

    # A run.

    def run(self) -> None:
        """Live through all days, then let it come to rest and compare the books."""
        ends = self._ends
        while self.timeline.moment < ends:
            self._live(self._next_death())
            self._rest()
        self._come_to_rest()

    def _live(self, dies_at: int | None) -> None:
        process = self.process = Process(self, self._config, dies_at)
        self.lives += 1
        process.live()
        failure = process.failure
        if failure is not None and not isinstance(failure, JournalWriteFailed):
            raise failure
        self.struck[process.exit] += 1

    def _next_death(self) -> int:
        chance = self.chance("crash")
        return chance.choice((chance.randint(1, 150), chance.randint(1, 3_000), 20_000))

    def _rest(self) -> None:
        seconds = self.chance("crash").choice((1, 5, 5, 60, 600))
        self.timeline.run_to(self.timeline.now + seconds * SECOND)

    def recovered(self, prepared: app.Prepared) -> None:
        """Compare what a start has recovered with what was durable before."""
        found = prepared.recovered
        if self.invariants.seq:
            self.invariants.compare(found.state, f"recovered in life {self.lives}")
        demand(not found.differences, f"decided differently after a restart: {found.differences}")
        demand(not found.snapshots_doubtful, f"a snapshot is doubtful: {found.snapshots_doubtful}")

    # The end.

    def _come_to_rest(self) -> None:
        self.is_calm = self.venue.is_calm = True
        timeline = self.timeline
        for minutes in (5, 20, 40, 60, 90):
            timeline.after(60 * minutes, partial(self._command, OperatorReconcileAsked))
        timeline.after(SETTLES_S, self._stop)
        self._live(None)
        self._compare_with_broker()
        with JournalReader(self.journal) as reader:
            findings = reader.check()
        demand(not findings, f"the journal is not sound: {findings}")

    def _stop(self) -> None:
        assert self.process is not None
        if not self.process.loop.send_signal(signal.SIGTERM):
            self.timeline.after(60, self._stop)

    def _compare_with_broker(self) -> None:
        ours = self.invariants
        differing = [
            f"{ours.positions[symbol]} {symbol} here, {held} at the broker"
            for symbol, held in self.venue.positions.items()
            if ours.positions[symbol] != held
        ]
        if ours.cash != self.venue.cash:
            differing.append(f"cash {ours.cash} here, {self.venue.cash} at the broker")
        working = {each.name for each in self.venue.orders.values() if each.status == "open"}
        alive = {name for name, order in ours.orders.items() if order.reserved}
        if working != alive:
            differing.append(f"orders {sorted(alive)} here, {sorted(working)} at the broker")
        if differing:
            told = "; ".join(differing)
            demand(ours.open_breaks, f"it ends without a break: {told}")
            demand("RECONCILIATION_BREAK" in ours.causes, f"it ends without a hold: {told}")

    # What goes wrong, and who sees to it.

    def _plan_mishaps(self) -> None:
        pass

    def next_disk_fault(self) -> DiskFault | None:
        return None

    def _command(self, kind: type[Command], **fields: object) -> None:
        if self.process is not None:
            made = kind(f"command-{self.number()}", "operator", 0, "the simulation", **fields)  # type: ignore[arg-type]
            self.process.tell(made)


@contextmanager
def a_folder() -> Iterator[Path]:
    """Yield an empty folder in memory, where there is one."""
    memory = Path("/dev/shm")  # noqa: S108 - the operating system's own, and a folder of ours in it
    where = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    made = Path(tempfile.mkdtemp(prefix="traded-simulation-", dir=where))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def simulate(seed: int, days: int) -> World:
    """Run one world in a folder of its own, and return it.

    Raises:
        Violation: a promise was broken; it says which, when, and how to see it again.
    """
    with a_folder() as folder:
        world = World(seed, days, folder)
        try:
            world.run()
        except Exception as error:
            again = f"python -m tests.simulation --seed {seed} --days {days}"
            said = f"{error} (at {world.timeline.moment}, life {world.lives}; again: {again})"
            raise Violation(said) from error
        return world


def rows_of(seed: int, days: int) -> list[Row]:
    """Return all rows of the journal that a seed makes."""
    with a_folder() as folder:
        world = World(seed, days, folder)
        world.run()
        with JournalReader(world.journal) as reader:
            return list(reader.rows())
