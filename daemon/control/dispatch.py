"""From a caller's thread to the trading loop and back: each command in its turn, kill at once."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import TimeoutError as TookTooLong
from typing import Final

import msgspec

from daemon.command_inbox import Loaded
from daemon.config.file import ConfigError, to_event
from daemon.config.options import Config
from daemon.control.answers import answer_from, compared_lines
from daemon.control.confirmation import Confirmations, numbers_of
from daemon.control.live_copy import LiveCopy
from daemon.control.protocol import VERSION, Answer, BadRequest, Request
from daemon.control.reloading import changes, needs_restart
from daemon.control.requests import Arguments, command_of
from daemon.control.server import Caller
from daemon.core.looks import look_id_of
from daemon.engine import Engine
from daemon.exit_codes import ExitCode
from daemon.history.recovery import settings_of
from daemon.systemd import Systemd
from events import (
    OperatorCancelAsked,
    OperatorKilled,
    OperatorReconcileAsked,
    OperatorReloaded,
    OrderSending,
    Record,
)
from events.codec import Command
from projections.order_states import OrderState

LOOP_S: Final = 10.0
"""How long the trading loop may take for a command."""
KILL_S: Final = 0.7
"""How long a kill waits to be recorded: it has taken effect before."""
GONE_S: Final = 5.0
"""How long a cancel of everything waits for the broker's words."""
COMPARED_S: Final = 9.0
"""How long a look at the broker's books is waited for."""
_STEP_S: Final = 0.02


class Dispatch:
    """Takes requests in their callers' threads and hands them to `engine` on `loop`."""

    def __init__(
        self,
        engine: Engine,
        loop: asyncio.AbstractEventLoop,
        config: Config,
        reread: Callable[[], Config],
        to: Systemd = Systemd(),  # noqa: B008 - frozen, and tells nobody
    ) -> None:
        """Bind to a running engine under `config`; `reread` reads its configuration anew.

        A reload is told `to` systemd.
        """
        self._engine = engine
        self._loop = loop
        self._config = config
        self._reread = reread
        self._systemd = to
        self._confirmations = Confirmations()
        self._copy = LiveCopy(engine)

    def __call__(self, request: Request, caller: Caller) -> Answer:
        """Carry out one request and say what came of it.

        Raises:
            BadRequest: it is no command.
        """
        if request.verb == "ping":
            if request.args:
                raise BadRequest("ping takes no arguments")
            return self._on_loop(self._pong(), LOOP_S) or _HUNG
        if request.verb == "copy":
            # No command: it changes nothing, so nothing of it is recorded.
            Arguments(request).assert_all_read()
            return self._on_loop(self._copy.answer(request.command_id), LOOP_S) or _HUNG
        read = self._config

        def changed() -> dict[str, tuple[str, str]]:
            nonlocal read
            read = self._reread()
            return changes(self._config, read)

        try:
            command = command_of(request, caller, changed)
        except ConfigError as error:
            kept = "the configuration in force stays"
            return Answer(VERSION, ExitCode.BAD_CONFIG, (*error.problems, kept))
        if isinstance(command, OperatorKilled):
            return self._kill(command)
        return self._on_loop(self._obey(command, request.token, read), LOOP_S) or _HUNG

    def close(self) -> None:
        """Leave what is under way for a caller."""
        self._copy.give_up()

    def _kill(self, command: OperatorKilled) -> Answer:
        """Stop the sending before anything that could take long or fail, and record it then."""
        problems: tuple[str, ...] = ()
        try:
            self._engine.switch.latch()
        except OSError as error:
            problems = (f"killed, but the permit file cannot be removed: {error}",)
        obeying = self._obey(command, "", self._config)
        answer = self._on_loop(obeying, KILL_S, given_up=False) or _KILLED
        return msgspec.structs.replace(answer, lines=(*answer.lines, *problems))

    def _on_loop(
        self, answering: Coroutine[None, None, Answer], wait_s: float, *, given_up: bool = True
    ) -> Answer | None:
        """Let the trading loop answer; None where it does not in time.

        What is `given_up` then is not begun with any more either.
        """
        future = asyncio.run_coroutine_threadsafe(answering, self._loop)
        try:
            return future.result(wait_s)
        except TookTooLong:
            if given_up:
                future.cancel()
            return None

    async def _pong(self) -> Answer:
        engine = self._engine
        troubles = (engine.surroundings.calendar_problem, engine.commits.snapshot_problem)
        answers = f"the trading loop answers, at event {engine.core.state.seq}"
        return Answer(VERSION, ExitCode.OK, (answers, *filter(None, troubles)))

    async def _obey(self, command: Command, token: str, read: Config) -> Answer:
        if isinstance(command, OperatorReloaded) and (restart := needs_restart(command.changes)):
            why = f"refused: a running daemon does not take {', '.join(restart)}: restart it"
            return Answer(VERSION, ExitCode.REFUSED, (why,))
        core = self._engine.core
        limits, terms = core.orders.limits.account, self._config.reconciliation
        numbers = numbers_of(command, core.state, core.operator.rule, limits, terms)
        # One that was taken already changes nothing: whoever sends it again wants its answer.
        is_to_confirm = numbers.facts and command.command_id not in core.state.commands.taken
        if is_to_confirm and not self._confirmations.use(token, command, numbers):
            changed = ("the token is not the one for these numbers:",) if token else ()
            made = self._confirmations.token(command, numbers)
            return Answer(VERSION, ExitCode.REFUSED, (*changed, *numbers.lines), made)
        if isinstance(command, OperatorReloaded):
            return await self._reload(command, read)
        records = await self._engine.obey(command)
        answer = self._with_kept_back(records, answer_from(records, dry_run=self._is_dry_run))
        if isinstance(command, OperatorCancelAsked) and command.order is None:
            return await self._until_none_open(answer)
        if isinstance(command, OperatorReconcileAsked):
            return await self._until_compared(answer)
        return answer

    @property
    def _is_dry_run(self) -> bool:
        return self._engine.settings.dry_run

    def _with_kept_back(self, records: Sequence[Record], answer: Answer) -> Answer:
        """Return `answer`, and which of the orders it tells of did not leave after all."""
        orders = self._engine.core.state.orders
        ids = [
            each.event.client_order_id for each in records if isinstance(each.event, OrderSending)
        ]
        found = [order for order_id in ids if (order := orders.find(order_id)) is not None]
        kept = [order for order in found if order.state is OrderState.WITHHELD]
        if not kept or self._is_dry_run:
            return answer
        lines = (f"not sent: {order.client_order_id}: {order.reason}" for order in kept)
        return msgspec.structs.replace(
            answer, exit_code=ExitCode.REFUSED, lines=(*answer.lines, *lines)
        )

    async def _reload(self, command: OperatorReloaded, read: Config) -> Answer:
        if not command.changes:
            return Answer(VERSION, ExitCode.OK, ("nothing has changed",))
        if changes(self._config, read) != command.changes:
            return Answer(VERSION, ExitCode.REFUSED, ("refused: another reload came first",))
        self._config = read
        loaded = Loaded(to_event(self._config), settings_of(self._config))
        self._systemd.reloading()
        try:
            records = await self._engine.obey(command, loaded)
        finally:
            self._systemd.reloaded()
        took = (f"{key}: {old} -> {new}" for key, (old, new) in command.changes.items())
        return Answer(VERSION, ExitCode.OK, tuple(took), seq=records[0].seq if records else 0)

    async def _until_compared(self, answer: Answer) -> Answer:
        """Wait for the look that was asked for, and say what came of it."""
        book = self._engine.core.state.reconciliation
        for _ in range(int(COMPARED_S / _STEP_S)):
            if book.completed is not None and book.completed.look_id == look_id_of(answer.seq):
                code = ExitCode.FINDINGS if book.completed.differing or book.open else 0
                lines = tuple(compared_lines(book))
                return Answer(VERSION, code, lines, seq=answer.seq)
            await asyncio.sleep(_STEP_S)
        why = f"the broker has not said what it holds within {COMPARED_S:.0f} s"
        return Answer(VERSION, ExitCode.FAILURE, (*answer.lines, why), seq=answer.seq)

    async def _until_none_open(self, answer: Answer) -> Answer:
        """Wait for the orders there are to end, and say which have not, and which are new."""
        orders = self._engine.core.state.orders
        asked = set(orders.open)
        for _ in range(int(GONE_S / _STEP_S)):
            if not asked & orders.open.keys():
                break
            await asyncio.sleep(_STEP_S)
        still = [
            f"still open: {order_id} ({orders.open[order_id].state})"
            for order_id in sorted(asked & orders.open.keys())
        ]
        new = [f"sent since: {order_id}" for order_id in sorted(orders.open.keys() - asked)]
        said = [*still, *new] or ["no order is open"]
        code = ExitCode.FAILURE if still else ExitCode.OK
        return Answer(VERSION, code, (*answer.lines, *said), seq=answer.seq)


_KILLED: Final = Answer(
    VERSION,
    ExitCode.OK,
    (
        "killed: no order leaves any more; the trading loop is busy and has not recorded it",
        "working orders are not cancelled yet: `traded kill --offline` if it stays so",
    ),
)
_HUNG: Final = Answer(
    VERSION,
    ExitCode.FAILURE,
    (
        "the trading loop does not answer; `traded status` shows whether it took the command",
        "`traded kill` in any case stops what it sends",
    ),
)
