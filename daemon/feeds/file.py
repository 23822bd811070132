"""The file feed: recorded bars of many files, merged in time order, all of them checked first."""

import heapq
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice, pairwise
from pathlib import Path

from daemon.calendar import load_calendar
from daemon.config import SessionsConfig, SymbolConfig
from daemon.feeds.bar_file import DEFAULT_SPAN_S, BarFile, Problem, Sessions, inspect, read
from events import BarClosed, Symbol

BLOCK_BARS = 1_000
PROBLEMS_SHOWN = 20


class BadBars(Exception):
    """The bars are refused as a whole; the text lists what is wrong, file by file."""

    def __init__(self, problems: Sequence[Problem] | Sequence[str]) -> None:
        """Show the first problems, and count the rest."""
        shown = [str(problem) for problem in problems[:PROBLEMS_SHOWN]]
        if len(problems) > PROBLEMS_SHOWN:
            shown.append(f"... and {len(problems) - PROBLEMS_SHOWN} more")
        super().__init__("\n".join(shown))
        self.problems = list(problems)


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
        self._files = _checked(paths, now)
        self._by_symbol = self._chosen(symbols)
        self._sessions = _daily_sessions(self._by_symbol, symbols, sessions)
        self._spans = {symbol: self._span_s(files) for symbol, files in self._by_symbol.items()}
        problems = [*self._mixed_sizes(), *self._overlaps(), *self._days_off()]
        if problems:
            raise BadBars(problems)

    @property
    def bars_total(self) -> int:
        """How many bars there are."""
        return sum(
            file.series[symbol].bars for symbol, files in self._by_symbol.items() for file in files
        )

    @property
    def starts_at(self) -> datetime:
        """When the first bar starts."""
        return min(self._moments(first=True))

    @property
    def ends_at(self) -> datetime:
        """When the last bar ends."""
        return max(self._moments(first=False))

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

    def _moments(self, *, first: bool) -> Iterator[datetime]:
        """Yield when each symbol's first bar starts, or its last ends."""
        for symbol, files in self._by_symbol.items():
            series = (files[0] if first else files[-1]).series[symbol]
            start = series.first if first else series.last
            if files[0].is_daily:
                hours = self._sessions[symbol][start.date()]
                yield hours.open if first else hours.close
            else:
                yield start if first else start + timedelta(seconds=self._spans[symbol])

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
