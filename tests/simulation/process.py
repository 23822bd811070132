"""One life of the daemon: the real start, run and stop, in virtual time, until it ends or dies."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from daemon import app
from daemon.clock import SystemClock
from daemon.config.options import Config
from daemon.engine import Engine
from daemon.stopping.permit import permit_path
from events import OperatorKilled, OperatorResumed, OrderIntended, Record
from events.chain import Row
from events.codec import Command
from events.errors import JournalError, JournalWriteFailed
from events.journal import Journal
from projections import State
from tests.simulation.disk import DiskFault, connect_for
from tests.simulation.invariants import Violation
from tests.simulation.link import Link
from tests.simulation.timeline import SECOND, VirtualLoop

if TYPE_CHECKING:
    from tests.simulation.world import World

ROOT = Path(__file__).parents[2]
SPEED = 480.0
"""Seconds of the simulation in one of the process's loop: an idle engine looks around once each."""


GRACE_S = 5
"""An order approved in a session's last moment may leave behind it, so many seconds at most."""
UNWINDINGS = 10


class Death(msgspec.Struct, frozen=True):
    """When a process is to be killed: at the `tick`th moment, or effect if `at_effects`."""

    tick: int
    at_effects: bool = False


class Crash(BaseException):
    """The process is killed: nothing of it may do anything any more."""


class Clock(SystemClock):
    """The daemon's own clock, on the simulated machine's."""

    speed = SPEED


class Process:
    """A daemon about to start. It is killed as `death` says, None: it lives until it is stopped."""

    link: Link

    def __init__(self, world: "World", config: Config, death: Death | None) -> None:
        self.world = world
        self.dead = False
        self.died_at = ""
        self.moments = self.effects = 0
        self.failure: BaseException | None = None
        self.violation: Violation | None = None
        self.disk_fault: DiskFault | None = None
        self.has_failed_to_write = False
        self.engine: Engine | None = None
        self._told: list[asyncio.Task[None]] = []
        self.clock = Clock(world.clocks.read)
        self.permit = permit_path(world.journal)
        self._config = config
        self._death = death
        self._chance = world.chance("process")
        self.loop = VirtualLoop(world.timeline, SPEED, self.step)
        # What a task that nobody waited for failed with is in the journal's own error.
        self.loop.set_exception_handler(lambda *_: None)

    # Its end.

    def step(self) -> None:
        """Count one callback of the loop as a moment at which the process may die."""
        self._pass("between two callbacks", is_effect=False)

    def tick(self, where: str) -> None:
        """Count one moment next to an effect at which the process may die."""
        self._pass(where, is_effect=True)

    def _pass(self, where: str, *, is_effect: bool) -> None:
        if not self.dead:
            self.moments += 1
            self.effects += is_effect
            death = self._death
            if death is None:
                return
            passed = self.effects if death.at_effects else self.moments
            if passed < death.tick:
                return
            self.dead = True
            self.died_at = where
        raise Crash(where)

    def live(self) -> None:
        """Run the daemon to its end, whatever that is."""
        loop = self.loop
        try:
            task = loop.create_task(self._run(), name="daemon")
            task.add_done_callback(lambda _: loop.stop())
            loop.run_forever()
            if not self.dead:
                self.failure = _single(task.exception())
        except Crash:
            pass
        finally:
            self.dead = True
            self._bury()

    def _bury(self) -> None:
        """Let go of what a killed process leaves: nothing of it runs, its files are closed."""
        asyncio.set_event_loop(None)
        for task in asyncio.all_tasks(self.loop):
            # A killed process says nothing of what it had not finished.
            task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - see above
            _close(task.get_coro())
        self.loop.close()

    async def _run(self) -> app.Outcome:
        Link.plugged = self
        world = self.world
        return await app.run(
            self._config,
            ROOT,
            world.journal,
            started=world.recovered,
            progress=lambda _count: None,
            recorded=self._recorded,
            wall=self.clock,
            machine=app.Machine(
                open_journal=self._open_journal,
                listen=self._listening,
                draw_id=lambda: f"{world.seed:016x}",
            ),
        )

    async def _open_journal(self, path: Path) -> Journal:
        return await Journal.open(path, connect_for(self))

    # What is looked at.

    def _recorded(self, _records: Sequence[Record]) -> None:
        engine = self.engine
        with self._noted():
            if engine is not None and engine.core.state.seq == self.world.invariants.seq:
                self.world.invariants.compare(engine.core.state, "in the process")

    def committed(self, rows: Sequence[Row]) -> None:
        """Take note of rows that are durable."""
        with self._noted():
            self.world.invariants.committed(rows)

    def order_leaves(self, intent: OrderIntended, state: State) -> None:
        """Take note of an order that leaves now."""
        with self._noted():
            self.world.invariants.order_leaves(self, intent, state)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Keep a violation: the daemon may take it for a failure of its disk or its broker."""
        try:
            yield
        except Violation as found:
            self.violation = self.violation or found
            raise

    # The operator.

    @contextmanager
    def _listening(
        self, engine: Engine, _journal: Path, _config: Config, _reread: Callable[[], Config]
    ) -> Iterator[None]:
        self.engine = engine
        try:
            yield
        finally:
            self.engine = None

    @property
    def is_latched(self) -> bool:
        return self.engine is not None and self.engine.switch.latched

    @property
    def is_trading_time(self) -> bool:
        """Say whether the market is open, or has just been, as far as this machine can know."""
        world = self.world
        is_off = abs(self.clock.now() - world.timeline.now) > SECOND
        return is_off or world.market.was_open_within(GRACE_S)

    def tell(self, command: Command) -> None:
        """Give the daemon a command, if it listens; a kill stops the sending before all else."""
        engine = self.engine
        if self.dead or engine is None:
            return
        if isinstance(command, OperatorKilled):
            engine.switch.latch()
            self.world.is_killed = True
        elif isinstance(command, OperatorResumed):
            self.world.is_killed = False
        self._told.append(self.loop.create_task(self._obey(engine, command), name="operator"))

    async def _obey(self, engine: Engine, command: Command) -> None:
        with suppress(JournalError):
            await engine.obey(command)

    # Its disk.

    def write_delay(self) -> float:
        """Return how long a write takes, in the loop's seconds."""
        return self._chance.choice((0.0, 0.0, 0.002, 0.2)) / SPEED

    def plan_disk_fault(self) -> None:
        if self.disk_fault is None:
            self.disk_fault = self.world.mishaps.next_disk_fault()
        self.has_failed_to_write = self.disk_fault is not None

    @property
    def exit(self) -> str:
        if self.died_at:
            return f"killed {self.died_at}"
        if isinstance(self.failure, JournalWriteFailed):
            return "a write failed"
        return "ended" if self.failure is None else f"ended by {type(self.failure).__name__}"


def _single(error: BaseException | None) -> BaseException | None:
    """Return what failed, out of the groups that task groups make of it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _close(coroutine: Any) -> None:  # noqa: ANN401 - a coroutine, as a task gives it
    """Unwind `coroutine` wherever it waits, and where it would wait again on its way out."""
    for _ in range(UNWINDINGS):
        try:
            coroutine.close()
        except RuntimeError:
            continue  # It has waited once more.
        except BaseException:  # noqa: BLE001 - what a killed process raises concerns nobody
            return
        return
