"""An event loop whose time passes when nobody has anything to do, and whose network is memory.

What happens in it depends on the seed alone, and not on how fast or how busy the machine is: an
hour of waiting costs nothing. Connections behave as TCP does: in order, with a delay, an end or a
reset behind what was written; a reset may take with it what had not arrived.
"""

import asyncio
import selectors
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

FIRST_PORT = 40_000
DELAY_S = (0.0001, 0.003)
"""What is written arrives after at least and at most so long."""
REFUSED = 111
RESET = 104


class SimulatedLoop(asyncio.SelectorEventLoop):
    """See above. It has connections to itself only."""

    def __init__(self, seed: int = 0) -> None:
        """Begin at second 0, with delays that follow from `seed`."""
        self.chance = Random(seed)
        self._now = 0.0
        self._listening: dict[int, Callable[[], asyncio.BaseProtocol]] = {}
        super().__init__(_Selector(self._pass))

    def time(self) -> float:
        """Return the seconds that have passed."""
        return self._now

    def _pass(self, seconds: float) -> None:
        self._now += seconds

    async def create_server(  # type: ignore[override]
        self, factory: Callable[[], asyncio.BaseProtocol], _host: str, port: int
    ) -> Any:  # noqa: ANN401 - what of a server is asked for
        """Listen on `port` (0: a free one)."""
        port = port or FIRST_PORT + len(self._listening)
        self._listening[port] = factory
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
        ours, theirs = factory(), self._listening[port]()
        near, far = _Line(self, ours), _Line(self, theirs)
        near.peer, far.peer = far, near
        theirs.connection_made(far)
        ours.connection_made(near)
        return near, ours


class _Line(asyncio.Transport):
    """One end of a connection."""

    peer: "_Line"

    def __init__(self, loop: SimulatedLoop, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
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
        if not self._is_closing:
            self._send(lambda: self.peer._take(bytes(data)))  # noqa: SLF001 - the other end

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._send(lambda: self.peer._end(None))  # noqa: SLF001 - as above
            self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        # A reset may overtake what lies in the other side's buffers.
        self.peer._takes_nothing = self._loop.chance.random() < 0.5  # noqa: SLF001 - as above
        error = ConnectionResetError(RESET, "Connection reset by peer")
        self._send(lambda: self.peer._end(error))  # noqa: SLF001 - as above
        self._loop.call_soon(self._lose, None)

    def _send(self, act: Callable[[], None]) -> None:
        """Let it happen at the other end, behind all that was sent before."""
        delay = self._loop.chance.uniform(*DELAY_S)
        self._arrives_at = max(self._arrives_at + 1e-6, self._loop.time() + delay)
        self._loop.call_at(self._arrives_at, act)

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


class _Selector(selectors.DefaultSelector):
    """Lets time pass instead of waiting."""

    def __init__(self, let_pass: Callable[[float], None]) -> None:
        super().__init__()
        self._let_pass = let_pass

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found or timeout is None or timeout <= 0:
            assert found or timeout is not None, "everybody waits, and nothing is to come"
            return found
        self._let_pass(timeout)
        return super().select(0)
