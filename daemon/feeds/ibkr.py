"""Live bars of Interactive Brokers: five-second bars put together, gaps filled from history.

What comes from history is marked as past: it is shown to the strategies and nothing is decided on
it. So is a live bar that comes too late to be decided on. Subscriptions are made anew with every
connection, and where a symbol falls silent. Of each symbol there is one, however many strategies
trade it. Why it is five-second bars and not history that is kept up to date: ops/decisions/0019.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.codes import ForData, ForLink, meaning
from daemon.brokers.gateway.contracts import Contracts
from daemon.brokers.gateway.pacing import Lane
from daemon.brokers.gateway.session import NOT_THIS_TIME, GatewaySession
from daemon.brokers.gateway.terms import Greeting, HistoryWanted
from daemon.feeds.border import AHEAD_MAX, objection
from daemon.feeds.five_seconds import Builder, Gap, Part
from daemon.feeds.history_bars import (
    BAR_SIZES,
    DAY_S,
    HistoryPace,
    duration_words,
    read_history,
)
from events import (
    BarClosed,
    BrokerUnparsed,
    DataTrouble,
    MarketDataImpaired,
    Symbol,
)

GRACE: Final = timedelta(seconds=3)
"""A part may come so late before its bar is closed without it."""
SILENCE: Final = timedelta(seconds=60)
SILENCE_MAX: Final = timedelta(minutes=15)
"""A symbol that is silent for so long is subscribed again, less and less often."""
HISTORIES_AT_ONCE: Final = 40
"""It takes 50 that are not answered yet."""
NO_DATA: Final = "query returned no data"
WAITING_MAX: Final = 100_000
LATE_AFTER: Final = (15, 60)
"""A live bar is late so many seconds behind its end: its own size, but within these."""
_SECOND: Final = timedelta(seconds=1)
SESSION_S: Final = 23_400
_LIVE: Final = 1
_LIVE_OR_DELAYED: Final = 3
_REALTIME: Final = frozenset({1, 2})
_TROUBLES: Final = {
    ForData.DELAYED: DataTrouble.DELAYED,
    ForData.NO_PERMISSION: DataTrouble.NO_PERMISSION,
    ForData.COMPETING_LOGIN: DataTrouble.ANOTHER_LOGIN,
    ForData.LINES_USED_UP: DataTrouble.NO_LINE_LEFT,
}
_PERMISSION: Final = "permission"
"""In the text of a refusal (162, 420) that is for good; the others are about the pace."""


class _Stream(msgspec.Struct):
    """One symbol: its builder, its subscription, and what waits while its past is filled."""

    builder: Builder
    request: int | None = None
    newest: datetime | None = None
    heard_at: datetime | None = None
    silence: timedelta = SILENCE
    is_delayed: bool = False
    is_filling: bool = False
    waiting: list[BarClosed] = []
    fill_at: datetime | None = None


class IbkrFeed:
    """See `daemon.feeds.Feed`; a listener of the gateway's session as well."""

    live = True
    bars_total = None
    starts_at = None
    ends_at = None

    def __init__(  # noqa: PLR0913 - what bars are made of
        self,
        session: GatewaySession,
        contracts: Contracts,
        symbols: Sequence[Symbol],
        *,
        bar_seconds: int,
        warm_up_bars: int,
        regular_hours: bool,
        takes_delayed: bool,
        late_after_s: int | None = None,
    ) -> None:
        """Deliver bars of `bar_seconds`, the first `warm_up_bars` before now from history.

        What comes more than `late_after_s` behind its end, None: by its size, is past. Where the
        account may see data only with a delay, that is asked for and said where it `takes_delayed`,
        else refused.
        """
        self.session = session
        self._contracts = contracts
        self._span_s = bar_seconds
        self._warm_up = warm_up_bars
        self._regular_hours = regular_hours
        self._takes_delayed = takes_delayed
        by_size = sorted((bar_seconds, *LATE_AFTER))[1]
        self._late_after = timedelta(seconds=late_after_s or by_size)
        self._streams = {symbol: _Stream(Builder(symbol, bar_seconds)) for symbol in symbols}
        self._symbols: dict[int, Symbol] = {}
        self._bars: deque[BarClosed] = deque()
        self._come = asyncio.Event()
        self._filling: set[asyncio.Task[None]] = set()
        self._pace = HistoryPace(bar_seconds)
        self._asked_at_once = asyncio.Semaphore(HISTORIES_AT_ONCE)
        self._complained: set[tuple[Symbol, DataTrouble]] = set()

    async def blocks(self, newest: Mapping[Symbol, datetime]) -> AsyncIterator[Sequence[BarClosed]]:
        """Yield what has come, again and again."""
        for symbol, end in newest.items():
            if symbol in self._streams:
                self._streams[symbol].newest = end
        while True:
            await self._come.wait()
            self._come.clear()
            now = self.session.now
            bars = [self._past_if_late(bar, now) for bar in self._bars]
            bars.sort(key=lambda bar: (bar.end, bar.symbol))
            self._bars.clear()
            if bars:
                yield bars

    async def run(self) -> None:
        """Look every second at what is overdue."""
        while True:
            await asyncio.sleep(1)
            now = self.session.now
            for symbol, stream in self._streams.items():
                # Delayed bars are all overdue: they are over when the next one begins.
                if not stream.is_delayed and stream.builder.is_due(now, GRACE):
                    self._deliver(symbol, list(stream.builder.close()))
                if stream.fill_at is not None and now >= stream.fill_at:
                    stream.fill_at = None
                    self._fill(symbol)
                self._watch_silence(symbol, stream, now)

    # A listener of the session.

    def connected(self, greeting: Greeting) -> None:  # noqa: ARG002 - a listener's
        """Forget the subscriptions of the connection before."""
        self._complained.clear()
        self._forget_subscriptions()

    def lost(self, unsent: Sequence[object]) -> None:  # noqa: ARG002 - as above
        """Forget the subscriptions; what was under way is not whole."""
        self._forget_subscriptions()

    async def verify(self) -> None:
        """Do nothing: orders can be sent without bars."""

    async def ready(self) -> None:
        """Fill what was missed, and subscribe."""
        wire = self.session.wire
        kind = _LIVE_OR_DELAYED if self._takes_delayed else _LIVE
        self.session.send(Lane.REQUEST, lambda: wire.ask_market_data_type(kind))
        for symbol, stream in self._streams.items():
            self._fill(symbol)
            if stream.request is None:
                self._subscribe(symbol, stream)

    def heard(self, kind: int, fields: Sequence[str]) -> None:
        """Take bars, and what is said of them."""
        match kind:
            case messages.REAL_TIME_BAR:
                self._part(fields)
            case messages.ERROR:
                self._notice(messages.read_notice(fields))
            case messages.MARKET_DATA_TYPE:
                self._data_type(int(fields[2]), int(fields[3]))
            case _:
                pass

    # Live.

    def _subscribe(self, symbol: Symbol, stream: _Stream) -> None:
        contract = self._contracts.of(symbol)
        wire = self.session.wire
        stream.heard_at = self.session.now
        stream.is_delayed = False
        stream.request = self.session.subscribe(
            lambda request: wire.ask_bars(request, contract, regular_hours=self._regular_hours)
        )
        self._symbols[stream.request] = symbol

    def _subscribe_again(self, symbol: Symbol, stream: _Stream) -> None:
        old, wire = stream.request, self.session.wire
        if old is not None:
            self._symbols.pop(old, None)
            self.session.send(Lane.REQUEST, lambda: wire.end_bars(old))
        self._subscribe(symbol, stream)
        self._fill(symbol)

    def _part(self, fields: Sequence[str]) -> None:
        symbol = self._symbols.get(int(fields[2]))
        if symbol is None:
            return
        stream = self._streams[symbol]
        if stream.is_delayed and not self._takes_delayed:
            return  # It counts as silent: subscribed again, it may be live.
        self.session.has(_bars_of(symbol), f"live bars of {symbol} come")
        stream.heard_at = self.session.now
        stream.silence = SILENCE
        start = datetime.fromtimestamp(int(fields[3]), UTC)
        opened, high, low, close, volume = map(Decimal, fields[4:9])
        part = Part(start, opened, high, low, close, volume)
        self._deliver(symbol, list(stream.builder.take(part)))

    def _deliver(self, symbol: Symbol, made: Sequence[BarClosed | Gap]) -> None:
        """Hand on whole bars; of what is not whole the history is asked, once it has it."""
        stream = self._streams[symbol]
        for each in made:
            if isinstance(each, Gap):
                stream.fill_at = each.end + GRACE
            elif stream.is_filling or stream.fill_at is not None:
                stream.waiting.append(each)
            else:
                self._hand_on(stream, each)

    def _hand_on(self, stream: _Stream, bar: BarClosed) -> None:
        if stream.newest is not None and bar.end <= stream.newest:
            return
        wrong = objection(bar, self.session.now + AHEAD_MAX)
        if wrong:
            # Handed on it would end the run; that a symbol's bar is missing is seen behind it.
            self.session.report(BrokerUnparsed(str(bar), f"a bar of {bar.symbol}: {wrong}"))
            return
        stream.newest = bar.end
        if len(self._bars) >= WAITING_MAX:
            self._bars.popleft()
        self._bars.append(bar)
        self._come.set()

    def _past_if_late(self, bar: BarClosed, now: datetime) -> BarClosed:
        """Return `bar` as one of the past where it comes too late, and put on record that it does.

        That is said as it is handed over: what waited here is as late as what came late. Data that
        is delayed and taken all the same is late by agreement.
        """
        if bar.past or self._streams[bar.symbol].is_delayed:
            return bar
        behind, part = now - bar.end, f"timely bars of {bar.symbol}"
        if behind <= self._late_after:
            self.session.has(part, f"the bar until {bar.end:%H:%M:%S} UTC came in time")
            return bar
        late = (
            f"the bar of {bar.symbol} until {bar.end:%H:%M:%S} UTC came {behind // _SECOND} s late"
        )
        self.session.lacks(part, f"{late}: nothing is decided on such bars")
        return msgspec.structs.replace(bar, past=True)

    def _watch_silence(self, symbol: Symbol, stream: _Stream, now: datetime) -> None:
        """Subscribe again what has been silent for long; a closed market is silent, too."""
        if stream.request is None or stream.heard_at is None:
            return
        if now - stream.heard_at >= stream.silence:
            stream.silence = min(2 * stream.silence, SILENCE_MAX)
            self._subscribe_again(symbol, stream)

    def _notice(self, notice: messages.Notice) -> None:
        means = meaning(notice.code)
        if means.link is ForLink.SERVERS_BACK_DATA_LOST:
            self._end_subscriptions()
            return
        symbol = self._symbols.get(notice.about)
        if symbol is None:
            return
        if means.data is ForData.RESUBSCRIBE:
            self._subscribe_again(symbol, self._streams[symbol])
        elif means.data is not None:
            self._impaired(symbol, means.data, f"{notice.code}: {notice.text}")

    def _data_type(self, request: int, kind: int) -> None:
        """Take which data a subscription gets: live or frozen, or with a delay."""
        symbol = self._symbols.get(request)
        if symbol is None:
            return
        self._streams[symbol].is_delayed = kind not in _REALTIME
        if kind in _REALTIME:
            self._complained.discard((symbol, DataTrouble.DELAYED))
        else:
            said = f"market data type {kind}"
            self._say_once(symbol, DataTrouble.DELAYED, said)

    def _impaired(self, symbol: Symbol, what: ForData, said: str) -> None:
        """Take that there will be no live bars of a symbol, or none for now."""
        trouble = _TROUBLES.get(what)
        if trouble is None and _PERMISSION in said.lower():
            trouble = DataTrouble.NO_PERMISSION
        if trouble is DataTrouble.DELAYED:
            self._streams[symbol].is_delayed = True
        if trouble is not None:
            self._say_once(symbol, trouble, said)
        else:
            self.session.lacks(_bars_of(symbol), f"no live bars of {symbol}: {said}")

    def _say_once(self, symbol: Symbol, trouble: DataTrouble, said: str) -> None:
        """Put it on record, once a connection."""
        if (symbol, trouble) in self._complained:
            return
        self._complained.add((symbol, trouble))
        accepted = trouble is DataTrouble.DELAYED and self._takes_delayed
        self.session.report(MarketDataImpaired(symbol, trouble, said, accepted))

    def _end_subscriptions(self) -> None:
        """Forget what the servers have lost.

        What was asked for just before they came back they may have taken all the same: it would go
        on beside the next one, and use up a line.
        """
        wire = self.session.wire
        for request in self._symbols:
            self.session.send(Lane.REQUEST, partial(wire.end_bars, request))
        self._forget_subscriptions()

    def _forget_subscriptions(self) -> None:
        self._symbols.clear()
        for stream in self._streams.values():
            stream.request = None
            for each in stream.builder.close():
                stream.fill_at = each.end + GRACE

    # The past.

    def _fill(self, symbol: Symbol) -> None:
        """Ask the history for what is missing; live bars of the symbol wait for it."""
        stream = self._streams[symbol]
        if stream.is_filling or not self.session.connection.is_up:
            return
        stream.is_filling = True
        task = asyncio.get_running_loop().create_task(
            self._fill_now(symbol, stream), name=f"history of {symbol}"
        )
        self._filling.add(task)
        task.add_done_callback(self._filling.discard)

    async def _fill_now(self, symbol: Symbol, stream: _Stream) -> None:
        try:
            if self._missing_s(stream, self.session.now) >= self._span_s:
                async with self._asked_at_once:
                    await self._pace.keep(self.session)
                    for bar in await self._history(symbol, stream):
                        self._hand_on(stream, bar)
        except NOT_THIS_TIME as error:
            # Where nothing was traded there is nothing to tell: the gateway calls that an error.
            if NO_DATA not in str(error):
                self.session.told(f"the history of {symbol} did not come: {error}")
        finally:
            stream.is_filling = False
            waiting, stream.waiting = stream.waiting, []
            for bar in waiting:
                self._hand_on(stream, bar)

    async def _history(self, symbol: Symbol, stream: _Stream) -> list[BarClosed]:
        now = self.session.now
        span = timedelta(seconds=self._span_s)
        wanted = HistoryWanted(
            self._contracts.of(symbol),
            duration_words(self._missing_s(stream, now)),
            BAR_SIZES[self._span_s],
            regular_hours=self._regular_hours,
        )
        rows = await self.session.ask(
            lambda request: self.session.wire.ask_history(request, wanted),
            messages.HISTORICAL_DATA,
            frozenset({messages.HISTORICAL_DATA}),
        )
        bars = [bar for _, fields in rows for bar in read_history(symbol, self._span_s, fields)]
        bars = [bar for bar in bars if bar.end <= now]
        if stream.newest is None:
            return bars[-self._warm_up :] if self._warm_up else []
        oldest = stream.newest + span
        return [bar for bar in bars if bar.end >= oldest]

    def _missing_s(self, stream: _Stream, now: datetime) -> int:
        if stream.newest is not None:
            return int((now - stream.newest).total_seconds()) + self._span_s
        if not self._warm_up:
            return 0
        # So many sessions hold that many bars; with weekends and a holiday they take longer.
        sessions = self._warm_up * self._span_s // SESSION_S + 1
        return (sessions * 7 // 5 + 4) * DAY_S


def _bars_of(symbol: Symbol) -> str:
    """Return what is missing of a connection over which no bars of a symbol come."""
    return f"bars of {symbol}"
