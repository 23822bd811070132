"""What the books do not keep: counts of all events, the equity curve, the last bars and fills.

It is folded from the journal's beginning, beside what goes on, and is of now once it has come to
where the follower is. Until then it says that it is not complete.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Final

import msgspec

from events import (
    BarClosed,
    ClientOrderId,
    IntentApproved,
    IntentRefused,
    OrderFilled,
    Record,
    Symbol,
)
from events.codec import TAGS
from events.errors import JournalError
from events.journal import JournalReader
from ops.watch.app import EVERY_S, Seen
from ops.watch.curve import Curve
from projections import State

PAGE: Final = 200
AGAIN_S: Final = 10.0
"""How long after a failure the journal is read again."""
BARS_KEPT: Final = 500
BARS_KEPT_IN_ALL: Final = 60_000
FILLS_KEPT: Final = 500
"""Of each symbol."""


class FillMark(msgspec.Struct, frozen=True):
    """A fill as a mark on a chart: a signed quantity, a price in dollars a share."""

    seq: int
    at: datetime
    quantity: Decimal
    price: Decimal
    client_order_id: ClientOrderId


class Past:
    """The whole history of what `seen` shows. `seq` is how far it was read.

    `events` counts by type, `checks` by name and whether it was passed, `bought_usd` and `sold_usd`
    are what was traded.
    """

    def __init__(self, seen: Seen) -> None:
        """Begin with nothing; `listen` and `run` do the rest."""
        self._seen = seen
        self._begin()

    def _begin(self) -> None:
        self._of, self._state = self._seen.state, State()
        self._reader: JournalReader | None = None
        self._unread: Iterator[Record] = iter(())
        self.complete = False
        self.seq = 0
        self.problem = ""
        self.events: Counter[str] = Counter()
        self.checks: Counter[tuple[str, bool]] = Counter()
        self.bought_usd = self.sold_usd = Decimal(0)
        self.curve = Curve()
        self.bars: dict[Symbol, deque[BarClosed]] = {}
        self.fills: dict[Symbol, deque[FillMark]] = {}

    async def run(self) -> None:
        """Read what was there before, and again where the journal is another one."""
        while True:
            if self._of is not self._seen.state:
                self._close()
                self._begin()
            if not self.complete and self._seen.state.seq:
                try:
                    self._read_page()
                except (JournalError, OSError) as error:
                    self._close()
                    self._begin()
                    what = error.args[0] if isinstance(error, JournalError) else error
                    self.problem = str(what)
                    await asyncio.sleep(AGAIN_S)
            waits = self.complete or not self._seen.state.seq
            await asyncio.sleep(EVERY_S if waits else 0)

    def listen(self, seen: Seen, records: Sequence[Record]) -> None:
        """Go on with what is new; what comes before all of the past was read waits in the file."""
        if not self.complete or self._of is not seen.state or not records:
            return
        for record in records:
            self._count(record)
        self.curve.note(seen.state.at, seen.state.pnl)

    def count(self, *tags: str) -> int | None:
        """Return how many events of those types there are, None while not all of it was read."""
        return sum(self.events[tag] for tag in tags) if self.complete else None

    def _read_page(self) -> None:
        if self._reader is None:
            self._reader = JournalReader(self._seen.journal)
        page = list(islice(self._unread, PAGE))
        state = self._state
        for record in page:
            equity = state.pnl.equity
            state.apply(record)
            self._count(record)
            if state.pnl.equity is not equity:
                self.curve.note(state.at, state.pnl)
        if page:
            return
        if self.seq >= self._seen.state.seq:
            self.complete, self._state = True, State()
            self._close()
        else:
            self._unread = self._reader.records(self.seq, self._seen.state.seq)

    def _close(self) -> None:
        self._unread = iter(())
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _count(self, record: Record) -> None:
        event, self.seq = record.event, record.seq
        self.events[TAGS[type(event)]] += 1
        match event:
            case BarClosed():
                kept = self.bars.get(event.symbol)
                if kept is None:
                    kept = self.bars[event.symbol] = deque(maxlen=self._bars_kept())
                kept.append(event)
            case IntentApproved() | IntentRefused():
                for check in event.checks:
                    self.checks[check.name, check.passed] += 1
            case OrderFilled():
                self._fill(event, record.seq)
            case _:
                pass

    def _bars_kept(self) -> int:
        """Return how many bars of one more symbol are kept: many symbols have fewer each."""
        return max(min(BARS_KEPT, BARS_KEPT_IN_ALL // (len(self.bars) + 1)), 50)

    def _fill(self, fill: OrderFilled, seq: int) -> None:
        value = fill.quantity * fill.price
        if value > 0:
            self.bought_usd += value
        else:
            self.sold_usd -= value
        if fill.symbol not in self.fills:
            self.fills[fill.symbol] = deque(maxlen=FILLS_KEPT)
        mark = FillMark(seq, fill.executed_at, fill.quantity, fill.price, fill.client_order_id)
        self.fills[fill.symbol].append(mark)
