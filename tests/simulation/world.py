"""The world around the daemon: market, broker, wire, disk, clocks, operator, and crashes.

Everything in it follows from one seed.
"""

import gc
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec

from daemon import app
from daemon.config.options import Config
from daemon.engine import BrokerFailed
from daemon.feeds.bar_file import BadBars
from events import (
    OperatorReconcileAsked,
    utc_from_nanoseconds,
)
from events.errors import JournalTailLost, JournalWriteFailed
from events.journal import JournalReader
from tests.builders import utc
from tests.simulation.disk import DiskFault
from tests.simulation.invariants import POSITION_MAX, Invariants, Violation, demand
from tests.simulation.market import SYMBOLS, Market, next_session
from tests.simulation.mishaps import Mishaps
from tests.simulation.mortal import Death
from tests.simulation.person import Person
from tests.simulation.process import Process
from tests.simulation.timeline import SECOND, MachineClocks, Timeline
from tests.simulation.venue import Venue

if TYPE_CHECKING:
    from events.chain import Row

DAYS_A_WORLD = 5
LIES = 0.3
"""Of so many deaths one is a power cut on a disk that had said it was done, and was not."""
BEGINS = ("2024-02-26", "2024-03-07", "2024-06-28", "2024-10-30", "2024-11-25", "2024-12-20")
"""Before a leap day, both changes of the hour, and early closes and closures; most worlds go on."""
SAME_MONTH = 7
"""So many seeds in a row begin at the same place: making a calendar takes longer than a day."""
BEGINS_WITHIN = 8
"""Days from there."""
CLOCK_IS_OFF = 30 * SECOND
DRILL = timedelta(minutes=50)
TOLERANCE = Decimal(1)
"""Dollars of cash within which the books agree, as configured."""
SETTLES_S = 3 * 3_600
"""How long the end of a run stays calm before the books are compared."""


def config_for(seed: int) -> Config:
    account = {
        "max_order_shares": 60,
        "max_order_usd": 50_000,
        "max_position_shares": POSITION_MAX,
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
        "daemon": {"on_stop": "cancel" if seed % 2 else "leave"},
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
        "reconciliation": {"every_s": 10_800},
        "limits": {
            "account": account,
            "orders": {"allow_opposite": True, "require_shortable_data": False},
            "turnover": {"max_a_day": 1_000},
            "margin": {"initial_share": "0.1", "cushion": "0.05", "ask": False},
        },
    }
    return msgspec.convert(tree, Config, strict=False)


class World:
    """One seed's world, over `days` trading days; `struck` counts what went wrong on purpose.

    It ends behind the last day, or so long after the first open as it `trades`. `deaths` are those
    of its first processes; None: by chance.
    """

    def __init__(self, seed: int, days: int, folder: Path, trades: timedelta | None = None) -> None:
        self.seed = seed
        self.journal = folder / "journal.db"
        self.struck: Counter[str] = Counter()
        self.is_calm = self.is_killed = False
        self.process: Process | None = None
        self.lives = 0
        self.first_life: Process | None = None
        self.deaths: list[Death | None] | None = None
        self.rows: list[Row] = []
        self._numbers = 0
        self._chances: dict[str, Random] = {}
        self.timeline = Timeline(self._first_morning())
        self.clocks = MachineClocks(self.timeline)
        self.market = Market(self.timeline, self.chance("market"), days, self._prices_moved)
        self.venue = Venue(self.timeline, self.market, self.chance("venue"))
        self.venue.tell = self._tell
        self.invariants = Invariants()
        self._config = config_for(seed)
        first, last = self.market.sessions[0], self.market.sessions[-1]
        self._ends = first.open + trades if trades else last.close + timedelta(minutes=30)
        self.mishaps = Mishaps(self)
        self.person = Person(self)
        self.timeline.at_moment(self._ends, self._stop)

    def _first_morning(self) -> datetime:
        begins = utc(BEGINS[self.seed // SAME_MONTH % len(BEGINS)])
        first = begins + timedelta(days=self.chance("world").randrange(BEGINS_WITHIN))
        return next_session(first).open - timedelta(hours=1)

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

    def next_disk_fault(self) -> DiskFault | None:
        return self.mishaps.next_disk_fault()

    def during_a_write(self) -> None:
        self.person.during_a_write()

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
            self.mishaps.while_it_is_down()
            if self.process and self.process.died_at and self.chance("crash").random() < LIES:
                self._lose_power()
        self._come_to_rest()

    def _live(self, death: Death | None) -> None:
        process = self.process = Process(self, self._config, death)
        self.lives += 1
        self.first_life = self.first_life or process
        process.live()
        if process.violation is not None:
            raise process.violation
        self.struck[process.exit] += 1
        if process.failure is not None and not self._may_end_by(process, process.failure):
            raise process.failure

    def _may_end_by(self, process: Process, failure: BaseException) -> bool:
        """Say whether a process may end so: its disk failed, or its clock is not the market's."""
        if isinstance(failure, BadBars):
            return process.clock.now() < self.timeline.now - CLOCK_IS_OFF
        if isinstance(failure, BrokerFailed):
            return isinstance(failure.__cause__, ConnectionResetError)
        return process.has_failed_to_write and isinstance(failure, JournalWriteFailed)

    def _next_death(self) -> Death | None:
        """Return how the next process dies: soon, next to an effect, at any moment, or not."""
        if self.deaths is not None:
            return self.deaths.pop(0) if self.deaths else None
        chance = self.chance("crash")
        match chance.randrange(5):
            case 0:
                return Death(chance.randint(1, 200))
            case 1 | 2:
                return Death(chance.randint(1, 1_200), at_effects=True)
            case 3:
                return Death(chance.randint(1, 10_000))
            case _:
                return None

    def _rest(self) -> None:
        seconds = self.chance("crash").choice((1, 5, 5, 60, 600))
        self.timeline.run_to(self.timeline.now + seconds * SECOND)

    def _lose_power(self) -> None:
        """Cut the power on a disk that lied: a start refuses. Then what was lost is put back."""
        undo = self.mishaps.cut_power()
        if undo is None:
            return
        process = self.process = Process(self, self._config, None)
        self.timeline.after(600, self._stop)
        process.live()
        demand(isinstance(process.failure, JournalTailLost), "it starts without its last events")
        undo()

    def recovered(self, prepared: app.Prepared) -> None:
        """Compare what a start has recovered with what was durable before."""
        found = prepared.recovered
        if self.invariants.seq:
            self.invariants.compare(found.state, f"recovered in life {self.lives}")
        demand(not found.differences, f"decided differently after a restart: {found.differences}")
        demand(
            not found.snapshots_doubtful or self.struck["snapshot spoilt"],
            f"a snapshot is doubtful: {found.snapshots_doubtful}",
        )

    # The end.

    def _come_to_rest(self) -> None:
        self.is_calm = self.venue.is_calm = True
        timeline = self.timeline
        for minutes in (5, 20, 40, 60, 90):
            timeline.after(60 * minutes, partial(self.person.say, OperatorReconcileAsked))
        timeline.after(SETTLES_S, self._stop)
        self._live(None)
        self._compare_with_broker()
        with JournalReader(self.journal) as reader:
            findings = reader.check()
            self.rows = list(reader.rows())
        demand(not findings, f"the journal is not sound: {findings}")

    @property
    def digest(self) -> bytes:
        """Return a hash of every byte of the journal's rows."""
        return sha256(repr(self.rows).encode()).digest()

    def _stop(self) -> None:
        """Stop the process that is there, once it listens."""
        process = self.process
        if (
            process is not None
            and not process.dead
            and not process.loop.send_signal(signal.SIGTERM)
        ):
            self.timeline.after(60, self._stop)

    def _compare_with_broker(self) -> None:
        ours = self.invariants
        differing = [
            f"{ours.held(symbol)} {symbol} here, {held} at the broker"
            for symbol, held in self.venue.positions.items()
            if ours.held(symbol) != held
        ]
        # What the broker has charged and no report has told of is awaited, and is no difference.
        untold = sum(
            traded.commission.amount
            for name, traded in self.venue.traded.items()
            if traded.commission is not None and name not in ours.charges
        )
        if abs(ours.cash - untold - self.venue.cash) > TOLERANCE:
            differing.append(f"cash {ours.cash} here, {self.venue.cash} at the broker")
        working = {each.name for each in self.venue.orders if each.status == "open"}
        alive = {name for name, order in ours.orders.items() if order.reserved}
        if working != alive:
            differing.append(f"orders {sorted(alive)} here, {sorted(working)} at the broker")
        if differing:
            told = "; ".join(differing)
            demand(ours.open_breaks, f"it ends without a break: {told}")
            demand("RECONCILIATION_BREAK" in ours.causes, f"it ends without a hold: {told}")


@contextmanager
def a_folder() -> Iterator[Path]:
    """Go into an empty folder, in memory where there is one; its name gets into no journal."""
    memory = Path("/dev/shm")  # noqa: S108 - the operating system's own, and a folder of ours in it
    where = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    made = Path(tempfile.mkdtemp(prefix="traded-simulation-", dir=where))
    try:
        with chdir(made):
            yield Path()
    finally:
        shutil.rmtree(made)


@contextmanager
def collected_at_once() -> Iterator[None]:
    """Let the collector look at a world once, behind it: it saves a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


def simulate(seed: int, days: int = DAYS_A_WORLD) -> World:
    """Run one world in a folder of its own, and return it.

    Raises:
        Violation: a promise was broken; it says which, when, and how to see it again.
    """
    with a_folder() as folder, collected_at_once():
        world = World(seed, days, folder)
        try:
            world.run()
        except Exception as error:
            again = f"python -m tests.simulation --seed {seed}"
            where = f"{world.timeline.moment:%Y-%m-%d %H:%M:%S}, life {world.lives}"
            raise Violation(f"{error}\n  at {where}; again: {again}") from error
        return world


def every_moment(seed: int, stride: int = 1) -> Iterator[Death]:
    """Yield each `stride`th way in which the first process of a drill can die."""
    unharmed = drill(seed, None).first_life
    assert unharmed is not None, "it has lived"
    for tick in range(1, unharmed.moments + 1, stride):
        yield Death(tick)
    for tick in range(1, unharmed.effects + 1, stride):
        yield Death(tick, at_effects=True)


def drill(seed: int, death: Death | None) -> World:
    """Run less than an hour of trading in which one thing goes wrong, the death of the first life.

    Raises:
        Violation: a promise was broken.
    """
    with a_folder() as folder, collected_at_once():
        world = World(seed, 1, folder, DRILL)
        world.is_calm = world.venue.is_calm = True
        world.deaths = [death]
        try:
            world.run()
        except Exception as error:
            raise Violation(f"{error}\n  in the drill of seed {seed} with {death}") from error
        return world
