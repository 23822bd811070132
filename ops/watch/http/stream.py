"""`/api/v1/stream`: what happens, as server-sent events.

Every client reads from one ring of what is newest; who is behind it reads the journal, and who does
not take what it is sent is dropped. So no client costs more memory than another, however slow.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from aiohttp import web

from events import Record
from events.journal import JournalReader
from ops.watch.app import Seen
from ops.watch.board import Board
from ops.watch.http.answers import as_of, encoded, refused
from ops.watch.http.api import number
from ops.watch.http.lines import EventLine, line_now, lines_of
from ops.watch.http.readings import Readings, Unread

STREAMS_MAX: Final = 20
RING: Final = 5_000
RESUMED_MAX: Final = 10_000
"""So many events that a client has missed are sent to it; of older ones it hears that they are."""
PAGE: Final = 500
STATUS_EVERY_S: Final = 1.0
ALIVE_EVERY_S: Final = 5.0
TAKEN_WITHIN_S: Final = 5.0
"""So long a client may take to read what it is sent."""
KERNEL_BYTES: Final = 65_536
SEQ_MAX: Final = 2**63 - 1


class Stream:
    """Sends to every client what happens, and how things stand once a second at most."""

    def __init__(self, board: Board) -> None:
        """Bind to what is shown; `listen` is told of each look."""
        self._board, self._seen = board, board.seen
        self._readings = Readings(board.seen.journal)
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=RING)
        self._of, self._history = board.seen.state, 0
        self._news = asyncio.Event()
        self._summary = (0.0, b"")
        self._closed = False
        self.clients = 0
        self.dropped = 0

    def listen(self, seen: Seen, records: Sequence[Record]) -> None:
        """Put what is new into the ring, where anybody reads it, and wake who waits."""
        if self._of is not seen.state:
            self._of = seen.state
            self._history += 1
            self._ring.clear()
        elif records and self.clients:
            for record in records:
                frame = _frame(line_now(seen.state, record))
                self._ring.append((record.seq, frame))
        elif records:
            self._ring.clear()
        else:
            return
        self._wake()

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Stream until the client goes, is too slow, or this ends."""
        after = _resumed_at(request)
        if self.clients >= STREAMS_MAX:
            answer = refused("there are too many streams already", 503)
            answer.headers["Retry-After"] = "10"
            return answer
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        if request.method == "HEAD":
            return response
        self.clients += 1
        try:
            _hold_little(request)
            await response.prepare(request)
            await self._send_all(response, after)
        except TimeoutError:
            self.dropped += 1
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass  # The client has gone.
        finally:
            self.clients -= 1
        return response

    async def _send_all(self, response: web.StreamResponse, after: int | None) -> None:
        history, at = self._history, self._seen.state.seq if after is None else after
        status, status_at, alive_at = b"", 0.0, monotonic()
        if at > self._seen.state.seq:
            history = -1  # It has seen another history: it has to begin anew.
        while not self._closed:
            news = self._news
            if history != self._history:
                history, at = self._history, self._seen.state.seq
                await _send(response, b"id: %d\nevent: reset\ndata: {}\n\n" % at)
            sent = b""
            if at < self._seen.state.seq:
                at, sent = await self._behind(at)
            now = monotonic()
            if now >= status_at:
                status_at = now + STATUS_EVERY_S
                summary = self._status()
                if summary != status:
                    status, sent = summary, sent + b"event: status\ndata: %s\n\n" % summary
            if now >= alive_at:
                alive_at, sent = now + ALIVE_EVERY_S, sent + b": alive\n\n"
            if sent:
                await _send(response, sent)
            if at >= self._seen.state.seq:
                await _first(news, STATUS_EVERY_S)

    async def _behind(self, at: int) -> tuple[int, bytes]:
        """Return the next events behind `at`, a page at most, and the number of the last one."""
        if self._ring and self._ring[0][0] <= at + 1 <= self._ring[-1][0]:
            frames = [each for each in self._ring if each[0] > at][:PAGE]
            return frames[-1][0], b"".join(frame for _, frame in frames)
        newest = self._seen.state.seq
        gap = b""
        if newest - at > RESUMED_MAX:
            left_out = {"after": at, "upto": newest - RESUMED_MAX}
            gap = b"event: gap\ndata: %s\n\n" % encoded(left_out)
            at = newest - RESUMED_MAX
        upto = min(at + PAGE, newest)

        def ask(reader: JournalReader) -> list[bytes]:
            return list(_frames(reader, at, upto))

        try:
            return upto, gap + b"".join(await self._readings.read((at, upto), ask))
        except Unread:
            await asyncio.sleep(STATUS_EVERY_S)
            return at, gap

    def _status(self) -> bytes:
        """Return how things stand, for all clients of this second."""
        until, summary = self._summary
        if monotonic() >= until:
            summary = encoded(self._in_short())
            self._summary = (monotonic() + STATUS_EVERY_S / 2, summary)
        return summary

    def _in_short(self) -> dict[str, object]:
        status, health = self._board.status(), self._board.health()
        return {
            **as_of(self._seen),
            "health": health.status,
            "reasons": health.reasons,
            "daemon": self._seen.daemon.running,
            "equity_usd": status.equity_usd,
            "day_pnl_usd": status.day_pnl_usd,
            "drawdown": status.drawdown,
            "positions": status.positions,
            "open_orders": status.open_orders,
            "unknown_orders": len(status.unknown_orders),
            "holds": len(status.holds),
            "breaks": len(status.breaks),
            "kill_switch_engaged": status.kill_switch_engaged,
            "circuit_breaker_tripped": status.circuit_breaker_tripped,
            "stale": sorted(self._seen.state.freshness.stale),
        }


def _hold_little(request: web.Request) -> None:
    """Let the kernel keep little of what the client does not read, so that this is noticed."""
    line = request.get_extra_info("socket")
    if line is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)


def _resumed_at(request: web.Request) -> int | None:
    """Return behind which event the client goes on, None where it begins with what comes."""
    last = request.headers.get("Last-Event-ID", "")
    if last.isascii() and last.isdecimal() and len(last) <= len(str(SEQ_MAX)):
        return min(int(last), SEQ_MAX)
    return number(request, "after", 0, 0, SEQ_MAX) if "after" in request.query else None


def _frames(reader: JournalReader, after: int, upto: int) -> Iterator[bytes]:
    for line in lines_of(reader, reader.records(after, upto)):
        yield _frame(line)


def _frame(line: EventLine) -> bytes:
    return b"id: %d\nevent: event\ndata: %s\n\n" % (line.seq, encoded(line))


async def _send(response: web.StreamResponse, frames: bytes) -> None:
    async with asyncio.timeout(TAKEN_WITHIN_S):
        await response.write(frames)


async def _first(news: asyncio.Event, wait_s: float) -> None:
    """Wait for `news`, and so long at most."""
    try:
        async with asyncio.timeout(wait_s):
            await news.wait()
    except TimeoutError:
        pass
