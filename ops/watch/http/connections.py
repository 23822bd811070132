"""What a connection may cost: how many there are, how long a request takes to arrive, how large."""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from ops.watch.http.access import HEADERS

CONNECTIONS_MAX: Final = 100
REQUEST_S: Final = 5.0
"""So long a request's head may take; idle connections are kept a little longer."""
IDLE_S: Final = 15.0
SEND_S: Final = 10.0
"""So long an answer may take to be read."""
HEAD_MAX: Final = 8_190
"""Bytes of the first line, and of a header."""
HEADERS_MAX: Final = 40


class Connections:
    """Makes the protocol of each connection, and counts those that are there."""

    def __init__(self, server: web.Server) -> None:
        """Serve what `server` does."""
        self._server = server
        self.count = 0

    def __call__(self) -> "Connection":
        """Return the protocol of one more connection."""
        return Connection(self, self._server)


class Connection(RequestHandler):
    """aiohttp's protocol, with a limit to how many there are and how slowly one may speak."""

    def __init__(self, all_of_them: Connections, server: web.Server) -> None:
        """Belong to `all_of_them`."""
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=IDLE_S,
            access_log=None,  # type: ignore[arg-type] # the token's link must be in no log
            max_line_size=HEAD_MAX,
            max_field_size=HEAD_MAX,
            max_headers=HEADERS_MAX,
            lingering_time=0,
            auto_decompress=False,
        )
        self._all = all_of_them
        self._arriving: asyncio.TimerHandle | None = None
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or end it where there are too many."""
        super().connection_made(transport)
        self._all.count += 1
        if self._all.count > CONNECTIONS_MAX:
            self.force_close()
            return
        self._await_request()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of it."""
        self._all.count -= 1
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take some bytes; from the first of a request on its time runs."""
        if self._arriving is None and not self._busy:
            self._await_request()
        super().data_received(data)

    def begin(self) -> None:
        """Take note that a request is whole and is being answered."""
        self._busy = True
        self._heard()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request
    ) -> web.StreamResponse:
        """Answer what is no request, or fails here, without a word of what was said."""
        if status >= 500:  # noqa: PLR2004 - as HTTP has it
            self.log_exception("a request failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("it was being answered already")
        answer = web.Response(status=status, text=f"{status}\n", headers=HEADERS)
        answer.force_close()
        return answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer; who does not take it in time is dropped."""
        transport = self.transport
        try:
            async with asyncio.timeout(SEND_S):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if isinstance(transport, asyncio.Transport):
                transport.abort()
            return resp, True
        finally:
            self._busy = False

    def _await_request(self) -> None:
        loop = asyncio.get_running_loop()
        self._arriving = loop.call_later(REQUEST_S, self.force_close)

    def _heard(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None
