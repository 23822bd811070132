"""A TCP connection through which things go wrong: it stands between the daemon and the gateway.

What TCP itself rules out is not here: within one connection nothing comes twice or out of order,
and nothing in the middle is missing. What is left is an end, at any byte; silence; slowness; and
bytes that are not what was sent, which a checksum of 16 bits lets through once in a long while.
It works on any loop, in virtual time too.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from random import Random
from typing import Final, assert_never

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
STALLS_S: Final = (0.5, 3.0, 6.0, 12.0)
"""Some of them longer than the daemon lets a gateway be silent."""
HEALS_S: Final = (0.0, 2.0, 20.0)
"""How long behind the end of a silent connection its other end hears of that."""
CALM: Final = 10**9
ABSURD: Final = b"\x7f\xff\xff\xff"
"""As the length of a frame: nobody has so much to say."""


class Mode(StrEnum):
    """How a connection fails."""

    DROP = "drop"
    """Both ends are told that it is over, between two frames or in one."""
    CUT = "cut"
    """Half of what was written arrives, and then the end."""
    RESET = "reset"
    HALF_OPEN = "half-open"
    """From now on nothing arrives anywhere, and nobody is told."""
    DELAY = "delay"
    """One direction stands still for a while, and then all of it arrives."""
    BYTES = "byte by byte"
    CORRUPT = "corrupt"
    """A length is absurd: where the next frame begins nobody knows any more."""


class Proxy:
    """Passes bytes on to `port` of this host, until `mode` strikes: each so many chunks.

    `struck` is told of each strike, with the second it came at.
    """

    def __init__(self, port: int, mode: Mode, chance: Random) -> None:
        """Strike by `chance`; with nobody connected nothing happens."""
        self.port = port
        self.mode = mode
        self.chance = chance
        self.struck: Callable[[float], None] = lambda _at: None
        self.strikes = 0
        self._left = chance.randint(1, 60)

    def calm(self) -> None:
        """Let nothing go wrong from now on, on new connections."""
        self._left = CALM

    def is_struck(self, *, is_over: bool) -> bool:
        """Count a chunk; say whether it is the one at which things go wrong.

        Nobody is told where the connection `is_over` anyway.
        """
        self._left -= 1
        if self._left > 0:
            return False
        self._left = self.chance.randint(5, 120)
        self.strikes += 1
        if not is_over:
            self.struck(asyncio.get_running_loop().time())
        return True


class _End(asyncio.Protocol):
    """One end of a connection through the proxy; the bytes it gets go out at `other`."""

    other: "_End"

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._transport: asyncio.Transport | None = None
        self._waiting = bytearray()
        self._is_over = self._is_silent = self._is_slow = False
        self._stalled = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport
        if self._is_over:
            transport.close()
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._is_silent:
            return
        is_over = self._is_over or self.other._is_over  # noqa: SLF001 - the other end
        if self._proxy.is_struck(is_over=is_over):
            data = self._strike(data)
        if self._is_slow:
            for byte in data:
                self.other.send(bytes([byte]))
        elif data:
            self.other.send(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._is_over = True
        if self._is_silent:
            # The way is there again some time: who still waits at its end is told.
            heals_s = self._proxy.chance.choice(HEALS_S)
            asyncio.get_running_loop().call_later(heals_s, self.other.end)
        else:
            self.other.end()

    def _strike(self, data: bytes) -> bytes:
        """Let it go wrong; return what of `data` still arrives."""
        arrives = data
        match self._proxy.mode:
            case Mode.DROP:
                self._end_both(data)
                arrives = b""
            case Mode.CUT:
                self._end_both(data[: len(data) // 2])
                arrives = b""
            case Mode.RESET:
                self.reset()
                self.other.reset()
                arrives = b""
            case Mode.HALF_OPEN:
                self._is_silent = self.other._is_silent = True  # noqa: SLF001 - the other end
                arrives = b""
            case Mode.DELAY:
                self.other.stall(self._proxy.chance.choice(STALLS_S))
            case Mode.BYTES:
                self._is_slow = self.other._is_slow = True  # noqa: SLF001 - as above
            case Mode.CORRUPT:
                arrives = ABSURD + data[len(ABSURD) :]
            case _:
                assert_never(self._proxy.mode)
        return arrives

    def _end_both(self, last: bytes) -> None:
        self.other.send(last)
        self.end()
        self.other.end()

    def send(self, data: bytes) -> None:
        self._waiting += data
        self._flush()

    def _flush(self) -> None:
        if self._transport is None or self._stalled or self._transport.is_closing():
            return
        if self._waiting:
            data, self._waiting = bytes(self._waiting), bytearray()
            self._transport.write(data)

    def stall(self, seconds: float) -> None:
        """Let nothing out for so long; what was to go waits."""
        self._stalled += 1
        asyncio.get_running_loop().call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._stalled -= 1
        self._flush()
        if self._is_over and self._transport is not None:
            self._transport.close()

    def end(self) -> None:
        """Say that it is over, behind all that was sent."""
        self._is_over = True
        if self._transport is not None and not self._stalled:
            self._transport.close()

    def reset(self) -> None:
        self._is_over = True
        if self._transport is not None and not self._transport.is_closing():
            line = self._transport.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()


class _Front(_End):
    """The end at the daemon: it opens the one at the gateway."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.other = _End(self._proxy)
        self.other.other = self
        super().connection_made(transport)
        self._opening = asyncio.ensure_future(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self.other, "127.0.0.1", self._proxy.port)
        except OSError:
            self.reset()


@asynccontextmanager
async def a_proxy(port: int, mode: Mode, chance: Random) -> AsyncIterator[tuple[Proxy, int]]:
    """Yield a proxy to `port`, and the port it listens on itself."""
    proxy = Proxy(port, mode, chance)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: _Front(proxy), "127.0.0.1", 0)
    try:
        yield proxy, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
