"""Commands between their callers and the trading loop: taken first, answered once durable."""

import asyncio
from collections.abc import Sequence

import msgspec

from daemon.core.core import Core, CoreSettings
from daemon.stopping.kill_switch import KillSwitch
from events import (
    KILL_SWITCH,
    CommandRefused,
    ConfigLoaded,
    OperatorKilled,
    OperatorResumed,
    Record,
)
from events.codec import Command


class Loaded(msgspec.Struct, frozen=True):
    """A configuration to be taken by a reload, and what the core needs of it."""

    event: ConfigLoaded
    settings: CoreSettings


class Asked(msgspec.Struct):
    """A command whose sender waits. `loaded` is the configuration a reload takes.

    `latches` is what the kill switch had counted when it came.
    """

    command: Command
    loaded: Loaded | None
    answered: asyncio.Future[Sequence[Record]]
    latches: int
    first_seq: int = 0


class CommandInbox:
    """Queues commands for the next turn."""

    def __init__(self, core: Core, switch: KillSwitch) -> None:
        """Give commands to `core`; what they mean for this process goes to `switch`."""
        self._core = core
        self._switch = switch
        self._asked: list[Asked] = []
        self._unanswered: list[Asked] = []

    def __len__(self) -> int:
        """Return how many commands wait to be taken."""
        return len(self._asked)

    async def ask(self, command: Command, loaded: Loaded | None = None) -> Sequence[Record]:
        """Return the durable records of `command`; none where it was known already."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Sequence[Record]] = loop.create_future()
        asked = Asked(command, loaded, answered, self._switch.latches)
        self._asked.append(asked)
        try:
            return await answered
        except asyncio.CancelledError:
            # Nobody waits any more: what the loop has not taken it need not take.
            if asked in self._asked:
                self._asked.remove(asked)
            raise

    def take(self, at: int) -> None:
        """Give what waits to the core."""
        asked, self._asked = self._asked, []
        for each in asked:
            each.first_seq = self._core.state.seq + 1
            self._core.step(each.command, at)
            if each.loaded is not None:
                self._core.use(each.loaded.settings)
                self._core.step(each.loaded.event, at)
        self._unanswered += asked

    def answer(self, records: Sequence[Record]) -> None:
        """Tell who waits what has become of his command: `records` are durable now."""
        unanswered, self._unanswered = self._unanswered, []
        for each in unanswered:
            # A cancel belongs to the walk of its order, and was caused by the command.
            walk = [
                record
                for record in records
                if each.first_seq in {record.seq, record.trace, record.cause}
            ]
            if not walk or walk[0].event is not each.command:
                walk = []
            try:
                self._let_go_on(each, walk)
            except OSError as error:
                # Without the permit nothing leaves, whatever was lifted: who asked must know.
                if not each.answered.done():
                    each.answered.set_exception(error)
            if not each.answered.done():
                each.answered.set_result(walk)

    def _let_go_on(self, asked: Asked, walk: Sequence[Record]) -> None:
        refused = any(isinstance(record.event, CommandRefused) for record in walk)
        match asked.command:
            case OperatorKilled() if self._is_killed():
                self._switch.recorded(asked.latches)
            case OperatorResumed(strategy="") if walk and not refused:
                self._switch.release(asked.latches)
            case _:
                pass

    def _is_killed(self) -> bool:
        return any(hold.cause == KILL_SWITCH for hold in self._core.state.holds.active.values())
