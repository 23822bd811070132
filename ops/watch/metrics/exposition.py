"""The exposition: all families, made anew for each scrape, in a registry of their own."""

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import metadata
from time import perf_counter
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from ops.watch.board import Board
from ops.watch.metrics import process, standing, trading
from ops.watch.metrics.families import counter, counters, gauge
from ops.watch.past import Past

if TYPE_CHECKING:
    from ops.watch.http.stream import Stream


class Exposition(Collector):
    """Everything there is to measure of what `board` and `past` show."""

    def __init__(self, board: Board, past: Past, stream: "Stream") -> None:
        """Make a registry of its own, so that nothing else is in it."""
        self._board, self._past, self._stream = board, past, stream
        self._files = process.JournalFiles(board.seen.journal)
        self._version = metadata.version("traded")
        self._registry = CollectorRegistry(auto_describe=False)
        self._took_s: float | None = None
        self.requests = 0
        self.refused: Counter[int] = Counter()
        self._registry.register(self)

    def text(self) -> bytes:
        """Return the exposition as of now."""
        begun = perf_counter()
        text = generate_latest(self._registry)
        self._took_s = perf_counter() - begun
        return text

    async def answer(self, _request: web.Request) -> web.Response:
        """Answer a scrape."""
        return web.Response(body=self.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def describe(self) -> Iterable[Metric]:
        """Return nothing: names are known when they are asked for."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        board, past, seen = self._board, self._past, self._board.seen
        state, status = seen.state, board.status()
        about = {
            "version": self._version,
            "mode": str(status.mode or ""),
            "data_mode": str(status.data_mode or ""),
            "account": status.account,
        }
        yield InfoMetricFamily("traded", "What runs.", about)
        yield from process.daemon(seen, board.health())
        yield from trading.market(state, status)
        yield from trading.decisions(state, past)
        yield from trading.orders(state, past)
        yield from trading.money(state)
        yield from standing.limits(status)
        yield from standing.holds(state, status)
        yield from standing.broker(status, past)
        yield from standing.machine(state, status)
        yield from self._files.families()
        yield from process.beside_it(board.beside)
        yield from self._of_the_watcher()

    def _of_the_watcher(self) -> Iterator[Metric]:
        seen, past = self._board.seen, self._past
        yield gauge(
            "traded_watch_problem", "1 while the journal cannot be read.", bool(seen.problem)
        )
        yield gauge("traded_watch_behind_events", "Events not folded yet.", seen.behind)
        yield gauge("traded_watch_past_complete", "1 once all of the past was read.", past.complete)
        yield gauge("traded_watch_streams", "Streams that are open.", self._stream.clients)
        yield counter(
            "traded_watch_streams_dropped", "Streams dropped as too slow.", self._stream.dropped
        )
        yield counter("traded_watch_requests", "Requests of all kinds.", self.requests)
        yield counters(
            "traded_watch_refused",
            "Requests refused, by status.",
            ["status"],
            {str(status): count for status, count in self.refused.items()},
        )
        yield gauge("traded_watch_scrape_seconds", "What the last scrape took.", self._took_s)
