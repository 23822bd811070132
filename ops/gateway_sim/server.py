"""The simulated gateway on a TCP port.

`async with running_gateway(floor) as running:` is the way in for tests: unmodified clients connect
to `running.port`, and `running.gateway` is where prices, faults and mishaps are scripted.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

from ops.gateway_sim.client_session import ClientSession
from ops.gateway_sim.faults import Fault, FaultPlan
from ops.gateway_sim.floor import Floor
from ops.gateway_sim.gateway import Gateway, Settings
from ops.gateway_sim.schedule import Schedule
from ops.gateway_sim.virtual_clock import VirtualClock

LOCALHOST: Final = "127.0.0.1"
TICK_S: Final = 0.02

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_log = logging.getLogger("traded.gateway_sim")


class _Connection(asyncio.Protocol):
    """One socket: bytes to its session, and the session's bytes out."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._transport: asyncio.Transport | None = None
        self._session: ClientSession | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport
        if self._gateway.is_away:
            self.reset()
            return
        self._session = ClientSession(self._gateway, self)

    def data_received(self, data: bytes) -> None:
        if self._session is not None:
            self._session.received(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._session is not None:
            self._session.lost()

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def reset(self) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            line = self._transport.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()


class RunningGateway:
    """A gateway that listens; see `running_gateway`."""

    def __init__(
        self, gateway: Gateway, host: str, port: int, save: Callable[[bytes], None] | None
    ) -> None:
        """Listen on `host` and `port` (0: any free one) once `open` is called."""
        self.gateway = gateway
        self.port = port
        self._host = host
        if save is not None:
            gateway.save = lambda: save(gateway.floor.state())
        self._listening: asyncio.Server | None = None

    @property
    def is_listening(self) -> bool:
        """Whether a connection would be taken."""
        return self._listening is not None

    async def open(self) -> None:
        """Take connections from now on."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(
            lambda: _Connection(self.gateway), self._host, self.port
        )
        self.port = self._listening.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Take no connection any more and break those there are."""
        if self._listening is not None:
            self._listening.close()
        self.gateway.mishaps.reset_all()
        # The loop delivers what breaking them leads to.
        await asyncio.sleep(0)
        self.gateway.save()

    async def run(self, tick_s: float) -> None:
        """Let time pass until cancelled, every `tick_s`, and keep what has changed."""
        while True:
            self.gateway.tick()
            await self._listen_or_not()
            await asyncio.sleep(tick_s)

    async def _listen_or_not(self) -> None:
        if self.gateway.is_away and self._listening is not None:
            self._listening.close()
            self._listening = None
        elif not self.gateway.is_away and self._listening is None:
            await self.open()
            _log.info("listening on port %s again", self.port)


@asynccontextmanager
async def running_gateway(  # noqa: PLR0913 - what a gateway is made of
    floor: Floor,
    *,
    clock: VirtualClock | None = None,
    settings: Settings | None = None,
    faults: Iterable[Fault] = (),
    schedule: Schedule | None = None,
    port: int = 0,
    host: str = LOCALHOST,
    save: Callable[[bytes], None] | None = None,
    tick_s: float = TICK_S,
) -> AsyncIterator[RunningGateway]:
    """Run a gateway in this loop and yield it; what must survive it is saved before it is told.

    Without a clock of its own its time stands still where the floor begins, until it is set.
    """
    gateway = Gateway(
        floor,
        clock or VirtualClock(floor.now, speed=0),
        settings or Settings(),
        FaultPlan(faults),
        schedule,
    )
    running = RunningGateway(gateway, host, port, save)
    await running.open()
    try:
        async with asyncio.TaskGroup() as tasks:
            # If time cannot pass any more, whoever uses this gateway is told at once.
            ticking = tasks.create_task(running.run(tick_s), name="gateway time")
            yield running
            ticking.cancel()
    finally:
        await running.close()
