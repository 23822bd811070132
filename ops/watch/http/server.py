"""The web server: on 127.0.0.1 and ::1, and nowhere else: no option names another address."""

import asyncio
import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aiohttp import web

from ops.render import say
from ops.watch.board import Board
from ops.watch.http.access import HEADERS, Access
from ops.watch.http.answers import plainly
from ops.watch.http.api import Api, Handler, in_words
from ops.watch.http.connections import Connection, Connections
from ops.watch.http.console import Console, console_folder
from ops.watch.http.stream import Stream
from ops.watch.metrics.exposition import Exposition
from ops.watch.past import Past

ADDRESSES: Final = ("127.0.0.1", "::1")
STOP_S: Final = 2.0
_OF_SOMETHING: Final = ("data ", "calendar ", "hours ")
_NO_SUCH_ADDRESS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class PortTaken(Exception):
    """Somebody else has the port."""

    hint = "end the other program, or set another watch.port"


class Server:
    """The pages about what `board` and `past` show."""

    def __init__(
        self, board: Board, past: Past, *, port: int, hosts: Sequence[str], token: str
    ) -> None:
        """Put the pages together; nothing listens before `run`."""
        self._board, self._port = board, port
        self.access = Access(token, hosts, port)
        self.stream = Stream(board)
        self.exposition = Exposition(board, past, self.stream)
        self._application = web.Application(middlewares=[self._guarded, in_words])
        self._application.on_response_prepare.append(_with_headers)
        for path, handler in self._routes(Api(board, past)).items():
            self._application.router.add_get(path, handler, allow_head=True)

    def _routes(self, api: Api) -> dict[str, Handler]:
        return {
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
            "/metrics": self.exposition.answer,
            **api.routes(),
            "/api/v1/stream": self.stream.answer,
            "/{path:.*}": Console(console_folder()).answer,
        }

    @property
    def paths(self) -> list[str]:
        """Every path there is, as the router has it."""
        found = [each.canonical for each in self._application.router.resources()]
        return [path for path in found if path != "/{path}"] + ["/"]

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            PortTaken: another program has the port.
        """
        runner = web.AppRunner(
            self._application, access_log=None, handle_signals=False, shutdown_timeout=STOP_S
        )
        await runner.setup()
        assert runner.server is not None, "it was set up"
        listening = await self._listen(Connections(runner.server))
        try:
            await asyncio.Event().wait()
        finally:
            self.stream.close()
            for each in listening:
                each.close()
            await runner.cleanup()

    async def _listen(self, connections: Connections) -> list[asyncio.Server]:
        loop = asyncio.get_running_loop()
        listening: list[asyncio.Server] = []
        for address in ADDRESSES:
            try:
                listening.append(await loop.create_server(connections, address, self._port))
            except OSError as error:
                if listening and error.errno in _NO_SUCH_ADDRESS:
                    say(f"{address}: this machine has no such address", err=True)
                    continue
                for each in listening:
                    each.close()
                why = os.strerror(error.errno) if error.errno else str(error)
                raise PortTaken(f"port {self._port} of {address}: {why}") from None
        return listening

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let pass who may ask; whatever else is refused before anything looks at the path."""
        if isinstance(request.protocol, Connection):
            request.protocol.begin()
        self.exposition.requests += 1
        refusal = self.access.answer(request)
        if refusal is not None:
            self.exposition.refused[refusal.status] += 1
            return refusal
        return await handler(request)

    async def _healthy(self, _request: web.Request) -> web.Response:
        health = self._board.health()
        return plainly(health, 503 if health.status == "unhealthy" else 200)

    async def _ready(self, request: web.Request) -> web.Response:
        """Answer the checklist; what was found is for who bears the token."""
        points = self._board.ready()
        ready = all(point.passed for point in points)
        known = self.access.is_known(request)
        kinds: dict[str, bool] = {}
        for point in points:
            kind = _kind(point.name)
            kinds[kind] = kinds.get(kind, True) and point.passed
        shown = [{"name": kind, "passed": passed} for kind, passed in kinds.items()]
        return plainly(
            {"ready": ready, "points": points if known else shown}, 200 if ready else 503
        )


def _kind(name: str) -> str:
    """Return what a point is about, without the symbol or exchange it names."""
    return name.partition(" ")[0] if name.startswith(_OF_SOMETHING) else name


async def _with_headers(_request: web.Request, response: web.StreamResponse) -> None:
    with suppress(KeyError):
        del response.headers["Server"]
    response.headers.update(HEADERS)


__all__ = ["ADDRESSES", "PortTaken", "Server"]
