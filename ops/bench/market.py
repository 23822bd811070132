"""Bars for the benchmarks: a feed that makes them as it goes, and one that holds a file's.

Both are named in the configuration as any user's own feed would be: `module:Class` and `params`.
"""

import csv
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from time import perf_counter

from events import BarClosed, Symbol

BARS_A_BLOCK = 1_000
MINUTE = timedelta(minutes=1)
OPEN = time(14, 30, tzinfo=UTC)
MINUTES_A_DAY = 330
"""From 14:30 to 20:00 UTC: inside New York's regular session in summer and in winter."""
FRIDAY = 4


def symbols(count: int) -> list[Symbol]:
    """Return that many symbols."""
    return [Symbol(f"SYM{number:02d}") for number in range(count)]


class SyntheticFeed:
    """`bars` one-minute bars over `symbols` symbols from `first_day` on: random walks.

    They are the same every time.
    """

    live = False

    def __init__(self, bars: int, symbols: int, first_day: str = "2010-01-04") -> None:
        """Make nothing yet."""
        day = date.fromisoformat(first_day)
        days = -(-bars // (symbols * MINUTES_A_DAY))
        self.bars_total = bars
        self.starts_at = datetime.combine(day, OPEN)
        self.ends_at = self.starts_at + timedelta(days=days * 7 / 5 + 3)
        self._symbols = symbols

    async def blocks(self, newest: Mapping[Symbol, datetime]) -> AsyncIterator[Sequence[BarClosed]]:
        """Yield the bars, in blocks."""
        assert all(self.starts_at > end for end in newest.values()), "bars the journal has not had"
        bars = self._bars()
        while block := list(islice(bars, BARS_A_BLOCK)):
            yield block

    def _bars(self) -> Iterator[BarClosed]:
        names = symbols(self._symbols)
        walk = random.Random(42)  # noqa: S311 - prices, not secrets
        closes = dict.fromkeys(names, 10_000)
        ends = _minute_ends(self.starts_at)
        left = self.bars_total
        while left > 0:
            end = next(ends)
            for name in names[:left]:
                opened = closes[name]
                close = closes[name] = max(opened + round(walk.gauss(0, 5)), 100)
                low, high = sorted((opened, close))
                yield BarClosed(
                    name,
                    60,
                    end,
                    Decimal(f"{opened / 100:.2f}"),
                    Decimal(f"{(high + walk.randrange(4)) / 100:.2f}"),
                    Decimal(f"{(low - walk.randrange(4)) / 100:.2f}"),
                    Decimal(f"{close / 100:.2f}"),
                    Decimal(walk.randrange(1_000, 100_000)),
                )
            left -= len(names)


class MemoryFeed:
    """The bars of one CSV file, read before the run.

    `first_asked_at` is when the run asked for them, by the performance counter.
    """

    live = False
    first_asked_at = 0.0

    def __init__(self, path: str, symbol: Symbol) -> None:
        """Read the file at `path` whole."""
        self._bars = list(_read(Path(path), symbol))
        self.bars_total = len(self._bars)
        self.starts_at = self._bars[0].start
        self.ends_at = self._bars[-1].end

    async def blocks(self, newest: Mapping[Symbol, datetime]) -> AsyncIterator[Sequence[BarClosed]]:
        """Yield all bars, in blocks; a benchmark starts afresh, so `newest` is empty."""
        assert not newest, "a benchmark's journal is new"
        MemoryFeed.first_asked_at = perf_counter()
        for first in range(0, len(self._bars), BARS_A_BLOCK):
            yield self._bars[first : first + BARS_A_BLOCK]


def _minute_ends(day: datetime) -> Iterator[datetime]:
    while True:
        for minute in range(1, MINUTES_A_DAY + 1):
            yield day + minute * MINUTE
        day += timedelta(days=3 if day.weekday() == FRIDAY else 1)


def _read(path: Path, symbol: Symbol) -> Iterator[BarClosed]:
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            yield BarClosed(
                symbol,
                60,
                datetime.fromisoformat(row["ts"]) + MINUTE,
                Decimal(row["open"]),
                Decimal(row["high"]),
                Decimal(row["low"]),
                Decimal(row["close"]),
                Decimal(row["volume"]),
            )
