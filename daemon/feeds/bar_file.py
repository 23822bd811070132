"""One file of bars: what form it has, whether every row is sound, and the bars in it.

Reading is two passes. `inspect` looks at every row and lists what is wrong; only a file without any
problem is read by `read`, so that nothing is ever half-loaded.
"""

import csv
import gzip
import math
import os
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, TextIO

import msgspec

from daemon.bounds import is_symbol
from events import BarClosed, SessionHours, Symbol

INTRADAY_HEADER: Final = ["ts", "open", "high", "low", "close", "volume"]
DAILY_HEADER: Final = ["date", "open", "high", "low", "close", "volume"]
MANY_DAILY_HEADER: Final = ["Ticker", "Date", "Open", "High", "Low", "Close", "Volume", "Adj Close"]
DEFAULT_SPAN_S: Final = 60

Sessions = dict[date, SessionHours]


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and where: `line` 0 means the file as a whole."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        """Return it the way compilers do."""
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


class Series(msgspec.Struct):
    """The bars of one symbol in one file: how many, from when to when (bar starts).

    `days` are the sessions of daily bars; intraday bars keep none.
    """

    symbol: Symbol
    first: datetime
    last: datetime
    bars: int = 0
    step_s: float = float("inf")
    days: list[date] = []


class BarFile(msgspec.Struct):
    """A file found sound. `stamp` is its size and time of change, to notice if it changes later."""

    path: Path
    header: list[str]
    series: dict[Symbol, Series]
    stamp: tuple[int, int]

    @property
    def is_daily(self) -> bool:
        """Whether a row is a session."""
        return self.header[0] != "ts"


def inspect(path: Path, now: datetime) -> tuple[BarFile | None, list[Problem]]:
    """Read all of `path` and return what it is, and everything that is wrong with it.

    `now` is the time after which a bar lies in the future.
    """
    problems: list[Problem] = []
    try:
        stamp = _stamp(path)
        with _open(path) as text:
            found = _inspect_rows(path, text, now, stamp, problems)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        kind = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else "cannot be read"
        problems.append(Problem(path, 0, f"{kind}: {error}"))
        return None, problems
    return (None if problems else found), problems


def read(file: BarFile, symbol: Symbol, span_s: int, sessions: Sessions) -> Iterator[BarClosed]:
    """Yield the bars of `symbol` in `file`, in order. `sessions` place daily bars in time."""
    if _stamp(file.path) != file.stamp:
        message = f"{file.path} changed while it was being read"
        raise OSError(message)
    with _open(file.path) as text:
        rows = csv.reader(text)
        next(rows)
        if not file.is_daily:
            yield from _intraday(rows, symbol, span_s)
            return
        ticker = 1 if file.header == MANY_DAILY_HEADER else 0
        for row in rows:
            if ticker and row[0] != symbol:
                continue
            hours = sessions[date.fromisoformat(row[ticker])]
            yield BarClosed(
                symbol,
                int((hours.close - hours.open).total_seconds()),
                hours.close,
                *(Decimal(cell) for cell in row[ticker + 1 : ticker + 6]),
            )


def symbol_of(path: Path) -> str:
    """Return the symbol a file is named after: `SPY_2011-03.csv.gz` holds SPY."""
    return path.name.split(".")[0].split("_")[0]


def _intraday(rows: Iterator[list[str]], symbol: Symbol, span_s: int) -> Iterator[BarClosed]:
    span, parse, number = timedelta(seconds=span_s), datetime.fromisoformat, Decimal
    for row in rows:
        yield BarClosed(
            symbol,
            span_s,
            parse(row[0]) + span,
            number(row[1]),
            number(row[2]),
            number(row[3]),
            number(row[4]),
            number(row[5]),
        )


def _inspect_rows(
    path: Path, text: TextIO, now: datetime, stamp: tuple[int, int], problems: list[Problem]
) -> BarFile | None:
    rows = csv.reader(text, strict=True)
    header = next(rows, None)
    if header is None:
        problems.append(Problem(path, 0, "is empty"))
        return None
    known = header == MANY_DAILY_HEADER or header[:6] in (INTRADAY_HEADER, DAILY_HEADER)
    if not known or header[6:] not in ([], ["vwap"], MANY_DAILY_HEADER[6:]):
        problems.append(Problem(path, 1, f"the header {','.join(header)!r} is none we know"))
        return None
    is_many = header == MANY_DAILY_HEADER
    named = symbol_of(path)
    if not is_many and not is_symbol(named):
        problems.append(
            Problem(path, 0, f"the file name gives the symbol {named!r}, which is none")
        )
        return None
    found = BarFile(path, header, {}, stamp)
    offset, width = (1, len(header)) if is_many else (0, len(header))
    for line, row in enumerate(rows, start=2):
        if len(row) != width:
            problems.append(Problem(path, line, f"{len(row)} columns, not {width}"))
            continue
        what = _wrong_numbers(row[offset + 1 : offset + 6])
        if what:
            problems.append(Problem(path, line, what))
        what = _place(found, row[0] if is_many else named, row[offset], now)
        if what:
            problems.append(Problem(path, line, what))
    if not found.series and not problems:
        problems.append(Problem(path, 0, "has a header and no bars"))
    return found


def _wrong_numbers(cells: list[str]) -> str:
    """Return what is wrong with open, high, low, close and volume; empty when nothing is.

    Floats are good enough to look: they order and bound the numbers as their Decimals would.
    """
    try:
        opened, high, low, close, volume = map(float, cells)
    except ValueError:
        return f"{','.join(cells)!r} are not five numbers"
    if 0 < low <= opened <= high < float("inf") and low <= close <= high and volume >= 0:
        # float() takes 1_000 for a number; a price list with underscores is none of ours.
        is_plain = "_" not in "".join(cells) and volume < float("inf")
        return "" if is_plain else f"{','.join(cells)!r} are not five plain numbers"
    numbers = (opened, high, low, close, volume)
    return next(
        what
        for wrong, what in (
            (any(map(math.isnan, numbers)), "a number is NaN"),
            (any(map(math.isinf, numbers)), "a number is infinite"),
            (min(numbers[:4]) <= 0, "a price is zero or negative"),
            (volume < 0, "the volume is negative"),
            (high < low, f"high {high} is below low {low}"),
            (True, f"open {opened} or close {close} is outside low {low} to high {high}"),
        )
        if wrong
    )


def _place(found: BarFile, ticker: str, stamp: str, now: datetime) -> str:
    """Take one bar's start into its series; return what is wrong with it."""
    try:
        start = datetime.fromisoformat(f"{stamp}T00:00:00Z" if found.is_daily else stamp)
    except ValueError:
        return f"{stamp!r} is not a {'date' if found.is_daily else 'time'}"
    if start.tzinfo is None:
        return f"{stamp!r} names no time zone; write UTC, such as 2024-01-02T14:30:00Z"
    if start > now:
        return f"{stamp} is in the future"
    series = found.series.get(Symbol(ticker))
    if series is None:
        if not is_symbol(ticker):
            return f"{ticker!r} is not a symbol"
        series = found.series[Symbol(ticker)] = Series(Symbol(ticker), start, start)
    elif start <= series.last:
        return f"{stamp} comes " + ("twice" if start == series.last else "after a later bar")
    else:
        series.step_s = min(series.step_s, (start - series.last).total_seconds())
    if found.is_daily:
        series.days.append(start.date())
    series.last = start
    series.bars += 1
    return ""


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _stamp(path: Path) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116 - both fields from one look
    return found.st_size, found.st_mtime_ns
