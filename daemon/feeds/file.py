"""The file feed: recorded bars of many files, merged in time order, all of them checked first."""

import heapq
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice, pairwise
from pathlib import Path

from daemon.calendar import load_calendar
from daemon.config.options import SessionsConfig, SymbolConfig
from daemon.feeds.bar_file import (
    DEFAULT_SPAN_S,
    BadBars,
    BarFile,
    Problem,
    Sessions,
    inspect,
    read,
)
from events import BarClosed, Symbol

BLOCK_BARS = 1_000


class FileFeed:
    """Yields the bars of the wanted symbols; see `daemon.feeds.Feed`.

    Raises:
        BadBars: any row of any file is wrong, or the files do not go together.
    """

    live = False

    def __init__(
        self,
        paths: Sequence[Path],
        symbols: Mapping[Symbol, SymbolConfig],
        sessions: SessionsConfig,
        *,
        now: datetime,
        bar_seconds: int | None = None,
    ) -> None:
        """Check all files: `paths` are files or folders of *.csv and *.csv.gz.

        `now` is when a bar is in the future; `bar_seconds` is the bar size where the files' own
        smallest step does not tell it.
        """
        self._bar_seconds = bar_seconds
        self._symbols = frozenset(symbols)
        self._files = _checked(paths, now)
        self._by_symbol = self._chosen(symbols)
        self._sessions = _daily_sessions(self._by_symbol, symbols, sessions)
        self._spans = {symbol: self._span_s(files) for symbol, files in self._by_symbol.items()}
        problems = [
            *self._mixed_sizes(),
            *self._overlaps(),
            *self._days_off(),
            *self._wrong_spans(),
        ]
        if not problems:
            problems = list(self._unfinished(now))
        if problems:
            raise BadBars(problems)

    @property
    def notices(self) -> tuple[str, ...]:
        """What an operator should know of the files: symbols without any bar."""
        missing = ", ".join(sorted(self._symbols - self._by_symbol.keys()))
        return (f"there are no bars of {missing}",) if missing else ()

    @property
    def bars_total(self) -> int:
        """How many bars there are."""
        return sum(
            file.series[symbol].bars for symbol, files in self._by_symbol.items() for file in files
        )

    @property
    def starts_at(self) -> datetime:
        """When the first bar starts."""
        return min(self._start(symbol) for symbol in self._by_symbol)

    @property
    def ends_at(self) -> datetime:
        """When the last bar ends."""
        return max(self._end(symbol) for symbol in self._by_symbol)

    async def blocks(self, newest: Mapping[Symbol, datetime]) -> AsyncIterator[Sequence[BarClosed]]:
        """Yield blocks of bars in order of their end, then symbol, each after its `newest` end."""
        streams = [self._stream(symbol, newest.get(symbol)) for symbol in sorted(self._by_symbol)]
        bars = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=_end_and_symbol)
        while block := list(islice(bars, BLOCK_BARS)):
            yield block

    def _stream(self, symbol: Symbol, newest: datetime | None) -> Iterator[BarClosed]:
        span_s, sessions = self._spans[symbol], self._sessions.get(symbol, {})
        bars: Iterable[BarClosed] = chain.from_iterable(
            read(file, symbol, span_s, sessions) for file in self._by_symbol[symbol]
        )
        return iter(bars) if newest is None else (bar for bar in bars if bar.end > newest)

    def _chosen(self, symbols: Mapping[Symbol, SymbolConfig]) -> dict[Symbol, list[BarFile]]:
        """Return the files of each wanted symbol, in the order of their bars."""
        there = sorted({symbol for file in self._files for symbol in file.series})
        chosen = {}
        for symbol in there:
            if symbol in symbols:
                files = [file for file in self._files if symbol in file.series]
                chosen[symbol] = sorted(files, key=lambda file: file.series[symbol].first)
        if not chosen:
            message = (
                f"none of the configured symbols is in the files; they have {', '.join(there)}"
            )
            raise BadBars([message])
        return chosen

    def _span_s(self, files: Sequence[BarFile]) -> int:
        if self._bar_seconds is not None:
            return self._bar_seconds
        steps = [series.step_s for file in files for series in file.series.values()]
        smallest = min(steps, default=float("inf"))
        return DEFAULT_SPAN_S if smallest == float("inf") else int(smallest)

    def _start(self, symbol: Symbol) -> datetime:
        """Return when the first bar of `symbol` starts."""
        file = self._by_symbol[symbol][0]
        start = file.series[symbol].first
        return self._sessions[symbol][start.date()].open if file.is_daily else start

    def _end(self, symbol: Symbol) -> datetime:
        """Return when the last bar of `symbol` ends."""
        file = self._by_symbol[symbol][-1]
        start = file.series[symbol].last
        if file.is_daily:
            return self._sessions[symbol][start.date()].close
        return start + timedelta(seconds=self._spans[symbol])

    def _mixed_sizes(self) -> Iterator[Problem]:
        for symbol, files in self._by_symbol.items():
            if len({file.is_daily for file in files}) > 1:
                others = ", ".join(str(file.path) for file in files[1:])
                what = f"{symbol} has daily and shorter bars, here and in {others}"
                yield Problem(files[0].path, 0, f"{what}: feed one size at a time")

    def _overlaps(self) -> Iterator[Problem]:
        for symbol, files in self._by_symbol.items():
            for before, after in pairwise(files):
                if after.series[symbol].first <= before.series[symbol].last:
                    yield Problem(after.path, 0, f"its bars of {symbol} overlap {before.path}")

    def _wrong_spans(self) -> Iterator[Problem]:
        for symbol, files in self._by_symbol.items():
            span_s = self._spans[symbol]
            for file in (file for file in files if not file.is_daily):
                step_s = file.series[symbol].step_s
                if step_s < 1:
                    what = f"its bars are {step_s:g} s apart: a second is the shortest bar"
                    yield Problem(file.path, 0, what)
                elif step_s < span_s:
                    what = f"its bars are {step_s:g} s apart: feed.bar_seconds = {span_s} is wrong"
                    yield Problem(file.path, 0, what)

    def _unfinished(self, now: datetime) -> Iterator[Problem]:
        """Yield the files whose last bar has begun but not ended."""
        for symbol, files in self._by_symbol.items():
            if self._end(symbol) > now:
                what = f"its last bar of {symbol} ends in the future"
                yield Problem(files[-1].path, 0, what)

    def _days_off(self) -> Iterator[Problem]:
        for symbol, files in self._by_symbol.items():
            sessions = self._sessions.get(symbol, {})
            for file in (file for file in files if file.is_daily):
                for day in file.series[symbol].days:
                    if day not in sessions:
                        yield Problem(file.path, 0, f"{symbol} has a bar on {day}, no session")


def _checked(paths: Sequence[Path], now: datetime) -> list[BarFile]:
    files, problems = [], []
    for path in _files(paths):
        file, wrong = inspect(path, now)
        problems += wrong
        if file is not None:
            files.append(file)
    if not files and not problems:
        names = ", ".join(str(path) for path in paths)
        raise BadBars([f"there are no bar files in {names}"])
    if problems:
        raise BadBars(problems)
    return files


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted([*path.rglob("*.csv"), *path.rglob("*.csv.gz")])
        else:
            yield path


def _daily_sessions(
    by_symbol: Mapping[Symbol, Sequence[BarFile]],
    symbols: Mapping[Symbol, SymbolConfig],
    sessions: SessionsConfig,
) -> dict[Symbol, Sessions]:
    """Return, for symbols with daily bars, their exchange's sessions by day."""
    loaded: dict[str, Sessions] = {}
    found = {}
    daily = {symbol: files for symbol, files in by_symbol.items() if files[0].is_daily}
    series = [file.series[symbol] for symbol, files in daily.items() for file in files]
    for symbol in daily:
        exchange = symbols[symbol].exchange.value
        if exchange not in loaded:
            first = min(each.first for each in series).date()
            last = max(each.last for each in series).date()
            calendar = load_calendar(exchange, first, last, sessions)
            loaded[exchange] = {hours.day: hours for hours in calendar.sessions}
        found[symbol] = loaded[exchange]
    return found


def _end_and_symbol(bar: BarClosed) -> tuple[datetime, str]:
    return bar.end, bar.symbol
