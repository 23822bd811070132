"""Builds what watches, and runs it until a signal: one task follows the journal, all listen."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Final

import msgspec

from daemon.config.options import WatchConfig
from daemon.heartbeat import Heartbeat, read_heartbeat
from daemon.memory import SWEPT_EVERY_S, settle, sweep
from events import Record
from ops.daemon_state import DaemonState, Running, daemon_state
from ops.watch.follower import Follower
from projections import State

EVERY_S: Final = 0.25
"""How often the journal is looked at."""
ASKED_EVERY_S: Final = 5.0
"""How often the daemon is asked whether it answers."""


class Seen(msgspec.Struct):
    """What is known of the daemon now. `problem` says why `state` is not of now.

    A journal with another history has another `state`; `behind` events are not folded yet.
    """

    journal: Path
    state: State
    problem: str
    daemon: DaemonState
    heartbeat: Heartbeat | None
    behind: int = 0


Listener = Callable[[Seen, Sequence[Record]], None]
"""What is told of each look, with the events that are new in it: often none."""
Companion = Callable[[], Coroutine[None, None, None]]
"""What runs beside the looks, until it is cancelled."""


class Watch:
    """Looks, and tells every listener what was seen."""

    def __init__(self, journal: Path, config: WatchConfig) -> None:
        """Bind to the journal; `listeners` and `companions` are added before `run`."""
        self.config = config
        self.listeners: list[Listener] = []
        self.companions: dict[str, Companion] = {}
        self._follower = Follower(journal)
        self.seen = Seen(
            journal, self._follower.state, "not looked at yet", DaemonState(Running.STOPPED), None
        )

    async def run(self) -> None:
        """Look until a signal comes."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        settle()
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(sweep(SWEPT_EVERY_S), name="memory"),
                tasks.create_task(self._follow(), name="journal"),
                tasks.create_task(self._ask(), name="daemon"),
                *(tasks.create_task(run(), name=name) for name, run in self.companions.items()),
            ]
            await stop.wait()
            for each in beside:
                each.cancel()
        self._follower.close()

    async def _follow(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0 if self._follower.behind else EVERY_S)

    def look(self) -> None:
        """Look once, and tell."""
        records = self._follower.look()
        self.seen.state = self._follower.state
        self.seen.problem = self._follower.problem
        self.seen.behind = self._follower.behind
        for listener in self.listeners:
            listener(self.seen, records)

    async def _ask(self) -> None:
        """Ask the daemon now and then, in a thread: it may take seconds to say that it hangs."""
        while True:
            self.seen.daemon = await asyncio.to_thread(daemon_state, self.seen.journal)
            self.seen.heartbeat = read_heartbeat(self.seen.journal, os.environ)
            await asyncio.sleep(ASKED_EVERY_S)
