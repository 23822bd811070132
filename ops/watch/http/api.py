"""`/api/v1/*`: what the commands print as JSON, for a page. `ops/console-api.md` describes it."""

from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

import msgspec
from aiohttp import web

from events import IntentApproved, IntentRefused, Symbol
from events.journal import JournalReader
from ops import completeness, decision_trace, order_story
from ops.account import account_of
from ops.break_lines import breaks_of
from ops.hold_lines import holds_of
from ops.limit_use import LimitUse, limit_uses
from ops.order_lines import OrderLine, order_lines
from ops.order_records import order_records
from ops.order_story import OrderStory
from ops.readiness import DRY_RUN
from ops.watch.board import Board
from ops.watch.http.answers import answered, plainly, refused
from ops.watch.http.lines import EventLine, lines_of
from ops.watch.http.readings import Readings, Unread
from ops.watch.past import Past

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ORDERS_MAX: Final = 200
DECISIONS_MAX: Final = 2_000
EVENTS_MAX: Final = 1_000
BARS_MAX: Final = 500
HISTORY_MAX: Final = 100
LIMITS_OVER: Final = 1_000
"""So many of the newest decisions the closest approach to each limit is taken from."""


class BadNumber(Exception):
    """A number in the query is none, or out of its range."""


class Api:
    """Answers from what is seen, from the past and from the journal's file."""

    def __init__(self, board: Board, past: Past) -> None:
        """Bind to what is shown."""
        self._board, self._past, self._seen = board, past, board.seen
        self._readings = Readings(board.seen.journal)

    def routes(self) -> dict[str, Handler]:
        """Return what answers each path."""
        return {
            "/api/v1/status": self.status,
            "/api/v1/health": self.health,
            "/api/v1/ready": self.ready,
            "/api/v1/positions": self.positions,
            "/api/v1/orders": self.orders,
            "/api/v1/orders/{id}": self.order,
            "/api/v1/holds": self.holds,
            "/api/v1/breaks": self.breaks,
            "/api/v1/limits": self.limits,
            "/api/v1/decisions": self.decisions,
            "/api/v1/equity": self.equity,
            "/api/v1/bars/{symbol:.+}": self.bars,
            "/api/v1/completeness": self.completeness,
            "/api/v1/events": self.events,
        }

    async def status(self, _request: web.Request) -> web.Response:
        """`traded status --json`."""
        return answered(self._seen, self._board.status())

    async def health(self, _request: web.Request) -> web.Response:
        """Answer what `/-/healthy` does; the heartbeat is with it here."""
        fields = msgspec.to_builtins(self._board.health())
        return answered(self._seen, {**fields, "heartbeat": self._seen.heartbeat})

    async def ready(self, _request: web.Request) -> web.Response:
        """`traded ready --json`."""
        points = self._board.ready()
        ready = all(point.passed for point in points)
        dry_run = any(point.found == DRY_RUN for point in points)
        return answered(self._seen, {"ready": ready, "dry_run": dry_run, "points": points})

    async def positions(self, _request: web.Request) -> web.Response:
        """`traded positions --json`."""
        return answered(self._seen, account_of(self._seen.state))

    async def orders(self, request: web.Request) -> web.Response:
        """`traded orders --json`: all open ones, and the last `limit` that are over."""
        limit = number(request, "limit", 20, 0, ORDERS_MAX)
        still_open = tuple(self._seen.state.orders.open)

        def ask(reader: JournalReader) -> list[OrderLine]:
            return order_lines(reader, still_open, limit)

        lines = await self._readings.read(("orders", limit, still_open), ask)
        return answered(self._seen, {"orders": lines})

    async def order(self, request: web.Request) -> web.Response:
        """`traded explain ORDER --json`: everything about one order."""
        order_id = request.match_info["id"]

        def ask(reader: JournalReader) -> OrderStory | None:
            found = order_records(reader, order_id)
            return None if found is None else order_story.order_story(reader, found)

        story = await self._readings.read(("order", order_id), ask)
        if story is None:
            return refused("there is no such order", 404)
        return answered(self._seen, story)

    async def holds(self, request: web.Request) -> web.Response:
        """`traded holds --json --history LIMIT`."""
        limit = number(request, "limit", 20, 0, HISTORY_MAX)
        return answered(self._seen, holds_of(self._seen.state, limit))

    async def breaks(self, request: web.Request) -> web.Response:
        """`traded breaks --json --history LIMIT`."""
        limit = number(request, "limit", 20, 0, HISTORY_MAX)
        return answered(self._seen, breaks_of(self._seen.state, limit))

    async def limits(self, _request: web.Request) -> web.Response:
        """Answer how much room each limit leaves, and how close the last decisions came to it."""
        today = self._board.now().date()

        def ask(reader: JournalReader) -> list[LimitUse]:
            newest = reader.records_back(kinds=(IntentApproved, IntentRefused))
            return limit_uses(list(islice(newest, LIMITS_OVER))[::-1], today)

        uses = await self._readings.read("limits", ask)
        status = self._board.status()
        shown = {
            "headroom": status.headroom,
            "limits_not_set": status.limits_not_set,
            "margin_use": status.margin_use,
            "limits": uses,
            "over_decisions_max": LIMITS_OVER,
        }
        return answered(self._seen, shown)

    async def decisions(self, request: web.Request) -> web.Response:
        """`traded decisions --json --last LIMIT --top TOP`."""
        limit = number(request, "limit", 500, 1, DECISIONS_MAX)
        top = number(request, "top", 5, 1, 50)

        def ask(reader: JournalReader) -> dict[str, object]:
            found = list(islice(decision_trace.newest_decisions(reader), limit))
            return decision_trace.fields_of(decision_trace.mode_of(reader), found, top)

        return answered(self._seen, await self._readings.read(("decisions", limit, top), ask))

    async def equity(self, _request: web.Request) -> web.Response:
        """Answer equity and drawdown over all of the journal, in a bounded number of points."""
        past = self._past
        shown = {
            "complete": past.complete,
            "read_to_seq": past.seq,
            "step_s": past.curve.step_ns // 10**9,
            "points": past.curve.points(),
        }
        return answered(self._seen, shown)

    async def bars(self, request: web.Request) -> web.Response:
        """Answer the last bars of one symbol, oldest first, and the fills within them."""
        limit = number(request, "limit", 200, 1, BARS_MAX)
        symbol, past = Symbol(request.match_info["symbol"]), self._past
        if symbol not in {*past.bars, *self._seen.state.symbols}:
            return refused("there is no such symbol", 404)
        bars = list(past.bars.get(symbol, ()))[-limit:]
        fills = [each for each in past.fills.get(symbol, ()) if bars and each.at >= bars[0].start]
        shown = {"symbol": symbol, "complete": past.complete, "bars": bars, "fills": fills}
        return answered(self._seen, shown)

    async def completeness(self, _request: web.Request) -> web.Response:
        """`traded completeness --json`: the last session."""

        def ask(reader: JournalReader) -> dict[str, object]:
            book = completeness.set_up(reader)
            days = book.days()[-1:]
            if days:
                completeness.read_bars(reader, book, days)
            return completeness.fields_of(list(book.certificates(days, None)))

        return answered(self._seen, await self._readings.read("completeness", ask))

    async def events(self, request: web.Request) -> web.Response:
        """Answer the events behind `after`, `limit` of them at most; without, the newest."""
        limit = number(request, "limit", 100, 1, EVENTS_MAX)
        newest = self._seen.state.seq
        after = number(request, "after", max(newest - limit, 0), 0, 2**63 - 1)

        def ask(reader: JournalReader) -> list[EventLine]:
            return list(lines_of(reader, islice(reader.records(after, after + limit), limit)))

        lines = await self._readings.read(("events", after, limit, newest), ask)
        return answered(self._seen, {"events": lines})


def number(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """Return a number of the query.

    Raises:
        BadNumber: it is none, or not between `least` and `most`.
    """
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most))):
        raise BadNumber(f"{name} has to be a whole number from {least} to {most}")
    if not least <= int(text) <= most:
        raise BadNumber(f"{name} has to be from {least} to {most}")
    return int(text)


@web.middleware
async def in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say what a request got wrong, and that the journal cannot be read."""
    try:
        return await handler(request)
    except BadNumber as error:
        return refused(str(error), 400)
    except Unread as error:
        return refused(str(error), 503)
    except web.HTTPNotFound:
        return refused("there is nothing at this path", 404)


__all__ = ["Api", "Handler", "in_words", "plainly"]
