"""A copy of the journal asked for over the control socket, made while the daemon trades on."""

import asyncio
from contextlib import suppress
from typing import Final

from daemon.control.protocol import VERSION, Answer
from daemon.engine import Engine
from daemon.exit_codes import ExitCode
from daemon.keeping.copying import copy_live, copy_path
from events.journal import Head

ANSWER_S: Final = 5.0
"""How long a caller waits for a copy before he is told how far it has come."""


class LiveCopy:
    """Copies the journal for one caller at a time, who asks again until it is done."""

    def __init__(self, engine: Engine) -> None:
        """Copy the journal of `engine`."""
        self._engine = engine
        self._task: asyncio.Task[Head] | None = None
        self._for = ""
        self._reached = 0

    async def answer(self, command_id: str) -> Answer:
        """Begin a copy for `command_id`, or go on with it; `seq` is its end once it is there."""
        if command_id != self._for or self._task is None:
            problem = self._problem()
            if problem:
                return Answer(VERSION, ExitCode.REFUSED, (problem,))
            self.give_up()
            self._for, self._reached = command_id, 0
            self._task = asyncio.create_task(self._copy(), name="copy of the journal")
        task = self._task
        done, _ = await asyncio.wait({task}, timeout=ANSWER_S)
        if not done:
            return Answer(VERSION, ExitCode.OK, (f"copied so far: {self._reached:,} events",))
        self._for = ""
        if task.cancelled():
            return Answer(VERSION, ExitCode.REFUSED, ("another copy was asked for meanwhile",))
        try:
            head = task.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the copy's and not ours
            return Answer(VERSION, ExitCode.FAILURE, (f"the copy failed: {error}",))
        return Answer(VERSION, ExitCode.OK, (f"copied {head.seq:,} events",), seq=head.seq)

    def give_up(self) -> None:
        """Leave the copy in hand; what there is of it the next one removes."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _copy(self) -> Head:
        return await copy_live(self._engine.journal, self._note)

    def _note(self, seq: int) -> None:
        self._reached = seq

    def _problem(self) -> str:
        """Say why no copy is begun; nothing where there is room: trading needs the disk more."""
        engine = self._engine
        if engine.journal.poisoned:
            return "the journal failed to write: nothing is copied"
        free, least = engine.surroundings.free_bytes(), engine.settings.disk.least_bytes
        needed = engine.journal.path.stat().st_size
        with suppress(FileNotFoundError):
            free += copy_path(engine.journal.path).stat().st_size  # It is replaced.
        if free - needed >= least:
            return ""
        room = f"{needed / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB free"
        return f"no room for a copy beside the journal: {room}, {least / 1e6:,.0f} MB must stay"
