"""One life of the daemon: the real start, run and stop, in virtual time, until it ends or dies."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon import app
from daemon.clock import SystemClock
from daemon.config.options import Config
from daemon.machine import Machine
from events.journal import Journal
from tests.simulated_loop import unwind
from tests.simulation.disk import connect_for
from tests.simulation.link import Link
from tests.simulation.mortal import Crash, Death, Mortal, single, unwatched
from tests.simulation.timeline import SECOND, VirtualLoop

if TYPE_CHECKING:
    from tests.simulation.world import World

ROOT = Path(__file__).parents[2]
SPEED = 480.0
"""Seconds of the simulation in one of the process's loop: an idle engine looks around once each."""
GRACE_S = 5
"""An order approved in a session's last moment may leave behind it, so many seconds at most."""


class Clock(SystemClock):
    """The daemon's own clock, on the simulated machine's."""

    speed = SPEED


class Process(Mortal):
    """A daemon in a loop of its own."""

    link: Link

    def __init__(self, world: "World", config: Config, death: Death | None) -> None:
        super().__init__(world, death)
        self.world = world
        self.clock = Clock(world.clocks.read)
        self._config = config
        self._chance = world.chance("process")
        self.loop = VirtualLoop(world.timeline, SPEED, self.step)
        # What a task that nobody waited for failed with is in the journal's own error.
        self.loop.set_exception_handler(lambda *_: None)

    def step(self) -> None:
        """Count one callback of the loop as a moment at which the process may die."""
        self.pass_moment("between two callbacks", is_effect=False)

    def live(self) -> None:
        """Run the daemon to its end, whatever that is."""
        loop = self.loop
        try:
            task = loop.create_task(self._run(), name="daemon")
            task.add_done_callback(lambda _: loop.stop())
            loop.run_forever()
            if not self.dead:
                self.failure = single(task.exception())
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
            unwind(task.get_coro())
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
            recorded=self.recorded,
            wall=self.clock,
            machine=Machine(
                open_journal=self._open_journal,
                listen=self.listening,
                beat=unwatched,
                draw_id=lambda: f"{world.seed:016x}",
            ),
        )

    async def _open_journal(self, path: Path) -> Journal:
        return await Journal.open(path, connect_for(self))

    @property
    def is_trading_time(self) -> bool:
        world = self.world
        is_off = abs(self.clock.now() - world.timeline.now) > SECOND
        return is_off or world.market.was_open_within(GRACE_S)

    def new_task(self, told: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return self.loop.create_task(told, name="operator")

    def write_delay(self) -> float:
        """Return how long a write takes, in the loop's seconds."""
        return self._chance.choice((0.0, 0.0, 0.002, 0.2)) / SPEED
