"""The pages of `traded watch` over a journal, really listening, for tests to ask."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from daemon.config.options import WatchConfig
from ops.watch.app import Watch
from ops.watch.board import Board
from ops.watch.health import Beside
from ops.watch.http.server import Server
from ops.watch.past import Past

TOKEN = "a-token-that-nobody-can-guess-0123456789"  # noqa: S105 - of these tests alone
BEARER = {"Authorization": f"Bearer {TOKEN}"}
WAIT_S = 60.0
LOOK_EVERY_S = 0.02


class Reply:
    """One answer: its status, headers in lower case, and body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers.items()}

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Site:
    """The pages of one journal, and how to ask for them."""

    def __init__(self, journal: Path, hosts: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.watch = Watch(journal, WatchConfig())
        self.beside = Beside()
        self.board = Board(self.watch.seen, journal.with_name("backups"), self.beside)
        self.past = Past(self.watch.seen)
        self.server = Server(self.board, self.past, port=self.port, hosts=hosts, token=TOKEN)
        self.watch.listeners += [self.past.listen, self.server.stream.listen]

    async def run(self, stop: asyncio.Event) -> None:
        async def look() -> None:
            while True:
                self.watch.look()
                await asyncio.sleep(LOOK_EVERY_S)

        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(each) for each in (look(), self.past.run(), self.server.run())
        ]
        stopped = asyncio.create_task(stop.wait())
        every: list[asyncio.Task[Any]] = [*tasks, stopped]
        done, _ = await asyncio.wait(every, return_when=asyncio.FIRST_COMPLETED)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in done - {every[-1]}:
            each.result()

    def ask(
        self,
        path: str,
        headers: Mapping[str, str] = BEARER,
        method: str = "GET",
        host: str | None = None,
    ) -> Reply:
        """Return the answer to one request, the token with it unless `headers` say otherwise."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)) as line:
            line.putrequest(method, path, skip_host=host is not None)
            if host is not None:
                line.putheader("Host", host)
            for name, value in headers.items():
                line.putheader(name, value)
            line.endheaders()
            answer = line.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())

    def is_settled(self) -> bool:
        """Say whether all that was there is read, or cannot be."""
        problem = self.watch.seen.problem
        return self.past.complete or bool(problem and not problem.startswith(("reading", "not lo")))

    def answers(self) -> bool:
        """Say whether somebody is served now."""
        try:
            return self.ask("/-/healthy", {}).status in {200, 503}
        except OSError:
            return False

    def say(self, said: bytes) -> bytes:
        """Return all that comes back behind some bytes, until the other end closes."""
        with closing(self.connect()) as line:
            line.sendall(said)
            return b"".join(iter(lambda: line.recv(65_536), b""))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)

    def wait_for(self, what: Callable[[], object]) -> None:
        """Wait until `what` is true."""
        until = time.monotonic() + WAIT_S
        while not what():
            assert time.monotonic() < until, "it never came"
            time.sleep(0.01)


def free_port() -> int:
    with closing(socket.socket()) as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


@contextmanager
def site(journal: Path, hosts: Sequence[str] = ()) -> Iterator[Site]:
    """Serve the pages of `journal` in a thread, until all of its past was read."""
    loop = asyncio.new_event_loop()
    made = Site(journal, hosts)
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(made.run(stop),))
    thread.start()
    try:
        made.wait_for(lambda: made.is_settled() or not thread.is_alive())
        made.wait_for(made.answers)
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(WAIT_S)
        loop.close()


class Streamed:
    """A stream being read: server-sent events, one at a time."""

    def __init__(self, site: Site, path: str = "/api/v1/stream", **headers: str) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", site.port, timeout=WAIT_S)
        self._line.request("GET", path, headers={**BEARER, **headers})
        self.answer = self._line.getresponse()

    def close(self) -> None:
        self._line.close()

    def next(self) -> dict[str, str]:
        """Return the fields of the next event; a comment has none but ":"."""
        fields: dict[str, str] = {}
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields

    def until(self, kind: str) -> dict[str, str]:
        """Return the next event of that kind."""
        until = time.monotonic() + WAIT_S
        while (found := self.next()).get("event") != kind:
            assert time.monotonic() < until, f"no {kind} came"
        return found
