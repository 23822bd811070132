"""Where the simulated market's prices come from: bar files, played as 5-second steps, or a script.

A bar is played as a path that touches its open, the nearer extreme, the other one and its close,
so that the steps of a bar, put together again, are that bar. Pure.
"""

import heapq
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Final

import msgspec

from events import BarClosed
from ops.gateway_sim.ledger import NEVER
from ops.gateway_sim.terms import Bar

STEP_S: Final = 5
STEP: Final = timedelta(seconds=STEP_S)
TICK: Final = Decimal("0.01")
ROUND_LOT: Final = Decimal(100)

_PRICE_DIGITS: Final = Decimal("0.0001")
_ZERO: Final = Decimal(0)
_SHARES_PER_TRADE: Final = 100


class Step(msgspec.Struct, frozen=True):
    """Five seconds of one contract; `bar.at` is their start.

    A step of a scripted price has none to trade with any more: its orders have met that price.
    """

    con_id: int
    end: datetime
    bar: Bar
    is_traded: bool = False


class Quote(msgspec.Struct):
    """The market in one contract as it stands. `room` is what may still trade at these prices."""

    last: Decimal
    bid: Decimal
    ask: Decimal
    at: datetime
    room: Decimal
    last_size: Decimal = ROUND_LOT
    volume: Decimal = _ZERO
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    previous_close: Decimal | None = None


class Market:
    """All contracts' prices up to now. `bars` by contract id, sorted; none needs any."""

    def __init__(
        self,
        bars: Mapping[int, Sequence[BarClosed]],
        starts_at: datetime,
        *,
        room_share: Decimal = Decimal(1),
        room_least: Decimal = ROUND_LOT,
    ) -> None:
        """Begin at `starts_at`: what ended before is history.

        A step lets orders trade `room_share` of its volume, but at least `room_least` shares.
        """
        self._bars = {con_id: list(each) for con_id, each in bars.items()}
        self._ends = {con_id: [bar.end for bar in each] for con_id, each in self._bars.items()}
        self._room_share = room_share
        self._room_least = room_least
        self._scripted: dict[int, list[Bar]] = {}
        self._by_hand: dict[int, Bar] = {}
        self.quotes: dict[int, Quote] = {}
        self.halted: dict[int, int] = {}
        """What the exchange has halted, and how."""
        self.to_borrow: dict[int, Decimal | None] = {}
        """The shares there are to borrow, where that is not as many as anybody wants."""
        self.last_prices: dict[int, Decimal] = {}
        """The last price of every contract that has one."""
        streams = []
        for con_id in self._bars:
            known = bisect_right(self._ends[con_id], starts_at)
            if known:
                self._open_at(con_id, self._bars[con_id][known - 1])
            streams.append(self._steps(con_id, known, starts_at))
        self._merged = heapq.merge(*streams, key=_end_and_contract)
        self._next = next(self._merged, None)

    @property
    def next_due(self) -> datetime:
        """When `advance` next has a step to yield."""
        by_hand = [bar.at + STEP for bar in self._by_hand.values()]
        return min([*by_hand, NEVER if self._next is None else self._next.end])

    def advance(self, now: datetime) -> Iterator[Step]:
        """Yield what ended until `now`, in order, each after it has moved its quote."""
        yield from self._close_by_hand(now)
        while self._next is not None and self._next.end <= now:
            step = self._next
            self._next = next(self._merged, None)
            self._move(step)
            yield step

    def set_price(  # noqa: PLR0913, PLR0917 - a quote has as many figures
        self,
        now: datetime,
        con_id: int,
        last: Decimal,
        bid: Decimal | None,
        ask: Decimal | None,
        size: Decimal | None,
    ) -> Step:
        """Move a contract's price now; return the step that its orders meet."""
        shares = ROUND_LOT if size is None else size
        trade = Bar(
            at=now, open=last, high=last, low=last, close=last, volume=shares, wap=last, count=1
        )
        step = Step(con_id, now, trade)
        self._move(step)
        quote = self.quotes[con_id]
        quote.room = Decimal("1e9") if size is None else size
        quote.bid = quote.bid if bid is None else bid
        quote.ask = quote.ask if ask is None else ask
        begun = self._by_hand.get(con_id)
        at = _step_start(now)
        trade = msgspec.structs.replace(trade, at=at)
        self._by_hand[con_id] = trade if begun is None else joined([begun, trade], at)
        return step

    def history(
        self, con_id: int, since: datetime, until: datetime, finest_s: int
    ) -> Iterator[Bar]:
        """Yield what traded in [since, until), in pieces of at most `finest_s` or one step.

        A bar file's bars are cut into steps where they are too long or not yet over at `until`.
        """
        ends = self._ends.get(con_id, [])
        for bar in self._bars.get(con_id, [])[bisect_right(ends, since) :]:
            if bar.start >= until:
                break
            is_fine = bar.span_s <= max(finest_s, STEP_S)
            if is_fine and since <= bar.start and bar.end <= until:
                yield _whole(bar)
            elif bar.span_s > STEP_S:
                for piece in path(bar):
                    if since <= piece.at and piece.at + STEP <= until:
                        yield piece
        for piece in self._scripted.get(con_id, []):
            if since <= piece.at and piece.at + STEP <= until:
                yield piece

    def starts(self, con_id: int) -> Iterator[datetime]:
        """Yield when the known bars of a contract start, the oldest first."""
        yield from (bar.start for bar in self._bars.get(con_id, []))
        yield from (bar.at for bar in self._scripted.get(con_id, []))

    def _steps(self, con_id: int, first: int, since: datetime) -> Iterator[Step]:
        pending: list[Bar] = []
        bars = self._bars[con_id]
        for index in range(first, len(bars)):
            bar = bars[index]
            if bar.span_s >= STEP_S:
                for piece in path(bar):
                    if piece.at >= since:
                        yield Step(con_id, piece.at + STEP, piece)
                continue
            start = _step_start(bar.start)
            if pending and pending[0].at != start:
                yield _grouped(con_id, pending)
                pending = []
            pending.append(msgspec.structs.replace(_whole(bar), at=start))
        if pending:
            yield _grouped(con_id, pending)

    def _close_by_hand(self, now: datetime) -> Iterator[Step]:
        over = [con_id for con_id, bar in self._by_hand.items() if bar.at + STEP <= now]
        for con_id in sorted(over):
            bar = self._by_hand.pop(con_id)
            self._scripted.setdefault(con_id, []).append(bar)
            yield Step(con_id, bar.at + STEP, bar, is_traded=True)

    def _open_at(self, con_id: int, bar: BarClosed) -> None:
        """Stand where the market stands after `bar` was played."""
        self._move(Step(con_id, bar.end, _whole(bar)))
        quote = self.quotes[con_id]
        quote.volume = _ZERO
        if bar.span_s >= STEP_S:
            *_, last = path(bar)
            quote.last_size, quote.room = last.volume, self._room(last)

    def _room(self, bar: Bar) -> Decimal:
        return max(self._room_least, bar.volume * self._room_share)

    def _move(self, step: Step) -> None:
        bar = step.bar
        bid, ask = _around(bar.close)
        room = self._room(bar)
        quote = self.quotes.get(step.con_id)
        if quote is None:
            quote = self.quotes[step.con_id] = Quote(bar.close, bid, ask, step.end, room)
        elif step.end.date() != quote.at.date():
            quote.previous_close, quote.volume = quote.last, _ZERO
            quote.open = quote.high = quote.low = None
        quote.last, quote.bid, quote.ask = bar.close, bid, ask
        self.last_prices[step.con_id] = bar.close
        quote.at, quote.room, quote.last_size = step.end, room, bar.volume
        quote.volume += bar.volume
        quote.open = bar.open if quote.open is None else quote.open
        quote.high = bar.high if quote.high is None else max(quote.high, bar.high)
        quote.low = bar.low if quote.low is None else min(quote.low, bar.low)


def path(bar: BarClosed) -> Iterator[Bar]:
    """Yield the 5-second bars that `bar` is played as; together they are `bar`."""
    count = max(1, bar.span_s // STEP_S)
    is_low_first = bar.open - bar.low <= bar.high - bar.open
    first, second = (bar.low, bar.high) if is_low_first else (bar.high, bar.low)
    turns = (0, count // 3, max(2 * count // 3, count // 3), count)
    knots = list(zip(turns, (bar.open, first, second, bar.close), strict=True))
    whole, over = divmod(bar.volume, count)
    value = bar.open
    for index in range(count):
        after = bar.close if index == count - 1 else _between(knots, index + 1)
        touched = [price for turn, price in knots if turn in {index, index + 1}]
        prices = [value, after, *touched]
        volume = whole + over if index == count - 1 else whole
        yield _bar(bar.start + index * STEP, value, max(prices), min(prices), after, volume)
        value = after


def joined(pieces: Sequence[Bar], at: datetime, *, whole_day: bool = False) -> Bar:
    """Return one bar that starts `at` and holds all of `pieces`, which are in order."""
    volume = sum((piece.volume for piece in pieces), _ZERO)
    traded = sum((piece.wap * piece.volume for piece in pieces), _ZERO)
    return Bar(
        at=at,
        open=pieces[0].open,
        high=max(piece.high for piece in pieces),
        low=min(piece.low for piece in pieces),
        close=pieces[-1].close,
        volume=volume,
        wap=_rounded(traded / volume) if volume else pieces[-1].close,
        count=sum(piece.count for piece in pieces),
        whole_day=whole_day,
    )


def _between(knots: Sequence[tuple[int, Decimal]], turn: int) -> Decimal:
    """Return the path's price at `turn`, on the straight line between the knots around it."""
    for (left, low), (right, high) in pairwise(knots):
        if left <= turn <= right and left < right:
            if turn == right:
                return high
            return _rounded(low + (high - low) * (turn - left) / (right - left))
    return knots[-1][1]


def _whole(bar: BarClosed) -> Bar:
    return _bar(bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume)


def _bar(  # noqa: PLR0913, PLR0917 - a bar has as many figures
    at: datetime, opened: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal
) -> Bar:
    count = int(volume // _SHARES_PER_TRADE) or int(volume > 0)
    wap = _rounded((high + low + close) / 3)
    return Bar(
        at=at, open=opened, high=high, low=low, close=close, volume=volume, wap=wap, count=count
    )


def _grouped(con_id: int, pieces: Sequence[Bar]) -> Step:
    bar = joined(pieces, pieces[0].at)
    return Step(con_id, bar.at + STEP, bar)


def _around(last: Decimal) -> tuple[Decimal, Decimal]:
    """Return bid and ask around `last`: the ticks just below and just above it."""
    below = (last / TICK).to_integral_value(ROUND_CEILING) - 1
    above = (last / TICK).to_integral_value(ROUND_FLOOR) + 1
    return max(below, Decimal(1)) * TICK, above * TICK


def _rounded(price: Decimal) -> Decimal:
    return price.quantize(_PRICE_DIGITS, ROUND_HALF_EVEN)


def _step_start(at: datetime) -> datetime:
    return at - timedelta(seconds=at.second % STEP_S, microseconds=at.microsecond)


def _end_and_contract(step: Step) -> tuple[datetime, int]:
    return step.end, step.con_id
