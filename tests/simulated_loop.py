"""An event loop whose time passes when nobody has anything to do, and whose network is memory.

What happens in it depends on the seed alone, and not on how fast or how busy the machine is: an
hour of waiting costs nothing. Connections behave as TCP does: in order, with a delay, an end or a
reset behind what was written; a reset may take with it what had not arrived.

Several processes may live in it. Whatever a process begins, callbacks, tasks and connections,
belongs to it; between any two callbacks it may be dead, and then nothing of it runs any more.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections import deque

FIRST_PORT = 40_000
DELAY_S = (0.0001, 0.003)
"""What is written arrives after at least and at most so long."""
REFUSED = 111
RESET = 104
UNWINDINGS = 10
TASKS_KEPT = 50


class Process(Protocol):
    """What lives in the loop, and may die there."""

    dead: bool

    def step(self) -> None:
        """Take note that a callback of it is about to run; `dead` from here on: it does not."""
        ...

    def writes(self, data: bytes, send: Callable[[], None]) -> None:
        """Write `data` into a connection by `send`."""
        ...


LIVING: ContextVar[Process | None] = ContextVar("LIVING", default=None)
"""To which process belongs what runs now; None: to the world around them."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """See above. It has connections to itself only."""

    _ready: "deque[asyncio.Handle]"
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, seed: int = 0) -> None:
        """Begin at second 0, with delays that follow from `seed`."""
        super().__init__()
        self.chance = Random(seed)
        self._now = 0.0
        self._listening: dict[int, tuple[Callable[[], asyncio.BaseProtocol], Context]] = {}
        self._lines: list[_Line] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._tasks_max = TASKS_KEPT
        self._signals: dict[int, Callable[[], None]] = {}
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Return the seconds that have passed."""
        return self._now

    # Processes.

    def begin(self, process: Process, main: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Let `main` run as `process`."""
        context = copy_context()
        context.run(LIVING.set, process)
        return context.run(self.create_task, main)

    def bury(self, process: Process) -> None:
        """Let go of what a dead process leaves: its sockets end, its files are closed."""
        self._signals.clear()
        for line in [line for line in self._lines if line.owner is process]:
            line.cut()
        tasks = [task for task in self._tasks if not task.done()]
        theirs = [task for task in tasks if task.get_coro() is not None and _owner(task) is process]
        self._tasks = [task for task in tasks if task not in theirs]
        context = copy_context()
        context.run(LIVING.set, process)
        for task in theirs:
            # A killed process says nothing of what it had not finished.
            task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - see above
            context.run(unwind, task.get_coro())

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: object) -> None:
        """Take what the process that lives wants to do at a signal."""
        context = copy_context()

        def told() -> None:
            self.call_soon(callback, *args, context=context)

        self._signals[sig] = told

    def send_signal(self, sig: int) -> None:
        """Send the living process a signal, if it listens to it yet."""
        self._signals.get(sig, lambda: None)()

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        context: Context | None = None,
    ) -> "asyncio.Task[Any]":
        task = asyncio.Task(coroutine, loop=loop, context=context)
        task.owner = LIVING.get() if context is None else context.get(LIVING)  # type: ignore[attr-defined]
        self._tasks.append(task)
        if len(self._tasks) > self._tasks_max:
            self._tasks = [each for each in self._tasks if not each.done()]
            # What is done is not kept for long: who counts what is alive should not count it.
            self._tasks_max = 2 * len(self._tasks) + TASKS_KEPT
        return task

    # One callback after the other.

    def _write_to_self(self) -> None:
        """Do nothing: nobody waits in a system call."""

    def _asyncgen_finalizer_hook(self, agen: object) -> None:
        """Let a forgotten generator be: it is a dead process's."""

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """Do nothing: cancelled timers go when they come first."""

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)
        if not ready:
            assert scheduled, "everybody waits, and nothing is to come"
            self._now = max(self._now, scheduled[0].when())
        while scheduled and scheduled[0].when() <= self._now:
            ready.append(heapq.heappop(scheduled))
        handle = ready.popleft()
        if handle.cancelled():
            return
        process = handle._context.get(LIVING)  # type: ignore[attr-defined] # noqa: SLF001 - whose it is
        if process is not None:
            if not process.dead:
                process.step()
            if process.dead:
                return
        handle._run()  # noqa: SLF001 - what a loop is for

    # Connections.

    async def create_server(  # type: ignore[override]
        self, factory: Callable[[], asyncio.BaseProtocol], _host: str, port: int
    ) -> Any:  # noqa: ANN401 - what of a server is asked for
        """Listen on `port` (0: a free one)."""
        port = port or FIRST_PORT + len(self._listening)
        self._listening[port] = factory, copy_context()
        address = SimpleNamespace(getsockname=lambda: ("memory", port))
        return SimpleNamespace(sockets=[address], close=lambda: self._listening.pop(port, None))

    async def create_connection(  # type: ignore[override]
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect to who listens.

        Raises:
            ConnectionRefusedError: nobody does.
        """
        await asyncio.sleep(self.chance.uniform(*DELAY_S))
        if port not in self._listening:
            raise ConnectionRefusedError(REFUSED, f"Connect call failed ('{host}', {port})")
        answer, there = self._listening[port]
        ours, theirs = factory(), there.copy().run(answer)
        near, far = _Line(self, ours, copy_context()), _Line(self, theirs, there.copy())
        near.peer, far.peer = far, near
        self._lines = [line for line in self._lines if not line.is_closing()] + [near, far]
        far.context.run(theirs.connection_made, far)
        ours.connection_made(near)
        return near, ours


class _Line(asyncio.Transport):
    """One end of a connection; what comes in there runs in `context`."""

    peer: "_Line"

    def __init__(
        self, loop: SimulatedLoop, protocol: asyncio.BaseProtocol, context: Context
    ) -> None:
        super().__init__()
        self.context = context
        self.owner = context.get(LIVING)
        self._loop = loop
        self._protocol: Any = protocol
        self._arrives_at = 0.0
        self._is_closing = False
        self._is_lost = False
        self._takes_nothing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's
        return SimpleNamespace(setsockopt=lambda *_: None) if name == "socket" else default

    def is_closing(self) -> bool:
        return self._is_closing

    def write_eof(self) -> None:
        """Do nothing: the end follows."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing:
            return
        if self.owner is None:
            self._send(lambda: self.peer._take(bytes(data)))  # noqa: SLF001 - the other end
        else:
            self.owner.writes(
                bytes(data),
                lambda: self._send(lambda: self.peer._take(bytes(data))),  # noqa: SLF001 - as above
            )

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._send(lambda: self.peer._end(None))  # noqa: SLF001 - as above
            self._loop.call_soon(self._lose, None, context=self.context)

    def abort(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self._reset()
        self._loop.call_soon(self._lose, None, context=self.context)

    def cut(self) -> None:
        """End because the process is dead: the other side sees an end or a reset, this one none."""
        if self._is_closing:
            return
        self._is_closing = self._is_lost = True
        if self._loop.chance.random() < 0.5:
            self._reset()
        else:
            self._send(lambda: self.peer._end(None))  # noqa: SLF001 - as above

    def _reset(self) -> None:
        # A reset may overtake what lies in the other side's buffers.
        self.peer._takes_nothing = self._loop.chance.random() < 0.5  # noqa: SLF001 - as above
        error = ConnectionResetError(RESET, "Connection reset by peer")
        self._send(lambda: self.peer._end(error))  # noqa: SLF001 - as above

    def _send(self, act: Callable[[], None]) -> None:
        """Let it happen at the other end, behind all that was sent before."""
        delay = self._loop.chance.uniform(*DELAY_S)
        self._arrives_at = max(self._arrives_at + 1e-6, self._loop.time() + delay)
        self._loop.call_at(self._arrives_at, act, context=self.peer.context)

    def _take(self, data: bytes) -> None:
        if not (self._is_closing or self._is_lost or self._takes_nothing):
            self._protocol.data_received(data)

    def _end(self, error: Exception | None) -> None:
        self._is_closing = True
        self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._protocol.connection_lost(error)


def _owner(task: "asyncio.Task[Any]") -> Process | None:
    return task.owner  # type: ignore[attr-defined,no-any-return]


def unwind(coroutine: Any) -> None:  # noqa: ANN401 - a coroutine, as a task gives it
    """Unwind `coroutine` wherever it waits, and where it would wait again on its way out."""
    for _ in range(UNWINDINGS):
        try:
            coroutine.close()
        except RuntimeError:
            continue  # It has waited once more.
        except BaseException:  # noqa: BLE001 - what a killed process raises concerns nobody
            return
        return
