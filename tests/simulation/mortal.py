"""A daemon that may be killed at any moment, and is looked at from outside as long as it lives."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from daemon.config.options import Config
from daemon.engine import Engine
from daemon.stopping.permit import permit_path
from events import OperatorKilled, OperatorResumed, Record
from events.chain import Row
from events.codec import Command
from events.errors import JournalError, JournalWriteFailed
from projections import State
from tests.simulation.disk import DiskFault
from tests.simulation.invariants import Invariants, Violation

if TYPE_CHECKING:
    import asyncio


class Death(msgspec.Struct, frozen=True):
    """When a process is to be killed: at the `tick`th moment, or effect if `at_effects`."""

    tick: int
    at_effects: bool = False


class Crash(BaseException):
    """The process is killed: nothing of it may do anything any more."""


class Around(Protocol):
    """The world as a process needs it."""

    journal: Path
    is_killed: bool

    @property
    def invariants(self) -> Invariants:
        """What must hold of the journal."""
        ...

    def next_disk_fault(self) -> DiskFault | None:
        """Return what goes wrong with the write in hand."""
        ...

    def during_a_write(self) -> None:
        """Let happen what happens while the daemon waits for its disk."""
        ...


class Mortal:
    """A daemon about to start. It is killed as `death` says, None: it lives until it is stopped."""

    def __init__(self, around: Around, death: Death | None) -> None:
        self.around = around
        self.dead = False
        self.died_at = ""
        self.moments = self.effects = 0
        self.failure: BaseException | None = None
        self.violation: Violation | None = None
        self.disk_fault: DiskFault | None = None
        self.has_failed_to_write = False
        self.engine: Engine | None = None
        self.permit = permit_path(around.journal)
        self.death = death
        self._told: list[asyncio.Task[None]] = []

    # Its end.

    def tick(self, where: str) -> None:
        """Count one moment next to an effect at which the process may die."""
        self.pass_moment(where, is_effect=True)

    def pass_moment(self, where: str, *, is_effect: bool) -> None:
        """Count one moment at which the process may die.

        Raises:
            Crash: it is dead.
        """
        if not self.dead:
            self.moments += 1
            self.effects += is_effect
            death = self.death
            if death is None:
                return
            passed = self.effects if death.at_effects else self.moments
            if passed < death.tick:
                return
            self.dead = True
            self.died_at = where
        raise Crash(where)

    @property
    def exit(self) -> str:
        if self.died_at:
            return f"killed {self.died_at}"
        if isinstance(self.failure, JournalWriteFailed):
            return "a write failed"
        return "ended" if self.failure is None else f"ended by {type(self.failure).__name__}"

    # What is looked at.

    def recorded(self, _records: Sequence[Record]) -> None:
        """Compare the books behind a commit."""
        engine, invariants = self.engine, self.around.invariants
        with self.noted():
            if engine is not None and engine.core.state.seq == invariants.seq:
                invariants.compare(engine.core.state, "in the process")

    def committed(self, rows: Sequence[Row]) -> None:
        """Take note of rows that are durable."""
        with self.noted():
            self.around.invariants.committed(rows)

    def order_leaves(self, name: str, state: State) -> None:
        """Take note of an order that leaves now."""
        with self.noted():
            self.around.invariants.order_leaves(self, name, state)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep a violation: the daemon may take it for a failure of its disk or its broker."""
        try:
            yield
        except Violation as found:
            self.violation = self.violation or found
            raise

    # The operator.

    @contextmanager
    def listening(
        self, engine: Engine, _journal: Path, _config: Config, _reread: Callable[[], Config]
    ) -> Iterator[None]:
        """Let the operator reach the engine meanwhile."""
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
        return True

    @property
    def is_killed(self) -> bool:
        """Say whether the operator has killed, and not resumed since, whatever process it was."""
        return self.around.is_killed

    def tell(self, command: Command) -> None:
        """Give the daemon a command, if it listens; a kill stops the sending before all else."""
        engine = self.engine
        if self.dead or engine is None:
            return
        if isinstance(command, OperatorKilled):
            engine.switch.latch()
            self.around.is_killed = True
        elif isinstance(command, OperatorResumed):
            self.around.is_killed = False
        self._told.append(self.new_task(_obey(engine, command)))

    def new_task(self, told: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Let it run as part of the process."""
        raise NotImplementedError

    # Its disk.

    def during_a_write(self) -> None:
        self.around.during_a_write()

    def write_delay(self) -> float:
        """Return how long a write takes, in the loop's seconds."""
        raise NotImplementedError

    def plan_disk_fault(self) -> None:
        if self.disk_fault is None:
            self.disk_fault = self.around.next_disk_fault()
        self.has_failed_to_write = self.disk_fault is not None


async def unwatched(_engine: Engine, _session: int, _config: Config) -> None:
    """Show nothing: a simulated machine has no systemd and no second process."""


async def _obey(engine: Engine, command: Command) -> None:
    with suppress(JournalError):
        await engine.obey(command)


def single(error: BaseException | None) -> BaseException | None:
    """Return what failed, out of the groups that task groups make of it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
