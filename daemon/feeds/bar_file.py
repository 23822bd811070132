"""One file of bars: what form it has, whether every row is sound, and the bars in it.

Reading is two passes. `inspect` looks at every row and lists what is wrong; only a file without any
problem is read by `read`, so that nothing is ever half-loaded.
"""

import csv
import gzip
import math
import os
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import unquote

import msgspec

from daemon.config.bounds import is_symbol
from events import BarClosed, SessionHours, Symbol

INTRADAY_HEADER: Final = ["ts", "open", "high", "low", "close", "volume"]
DAILY_HEADER: Final = ["date", "open", "high", "low", "close", "volume"]
MANY_DAILY_HEADER: Final = ["Ticker", "Date", "Open", "High", "Low", "Close", "Volume", "Adj Close"]
_HEADER_SHOWN: Final = 100
HEADERS: Final = (
    INTRADAY_HEADER,
    [*INTRADAY_HEADER, "vwap"],
    DAILY_HEADER,
    [*DAILY_HEADER, "vwap"],
    MANY_DAILY_HEADER,
)
DEFAULT_SPAN_S: Final = 60
NUMBER_MAX: Final = 1e12
"""More than any price or volume; beyond it lie slips and sentinels."""
CELLS_CHARACTERS_MAX: Final = 120
PROBLEMS_SHOWN: Final = 20
FIRST_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Time in the journal counts from here; what is older is a slip of the keyboard."""

_SHOWN_MAX: Final = 200
"""Characters of a problem that are shown: a wrong cell may be as long as a file."""

Sessions = dict[date, SessionHours]


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and where: `line` 0 means the file as a whole."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        """Return it the way compilers do."""
        what = self.what if len(self.what) <= _SHOWN_MAX else f"{self.what[:_SHOWN_MAX]}..."
        return f"{self.path}:{self.line}: {what}" if self.line else f"{self.path}: {what}"


class BadBars(Exception):
    """The bars are refused as a whole; the text lists what is wrong, file by file."""

    def __init__(self, problems: Sequence[Problem] | Sequence[str]) -> None:
        """Show the first problems, and count the rest."""
        shown = [str(problem) for problem in problems[:PROBLEMS_SHOWN]]
        if len(problems) > PROBLEMS_SHOWN:
            shown.append(f"... and {len(problems) - PROBLEMS_SHOWN} more")
        super().__init__("\n".join(shown))
        self.problems = list(problems)


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
    found = None
    try:
        if path.exists() and not path.is_file():
            return None, [Problem(path, 0, "cannot be read: it is no file")]
        stamp = _stamp(path)
        with _open(path) as text:
            found = _inspect_rows(path, text, now, stamp, problems)
    except OSError as error:
        # Its text would name the path again.
        problems.append(Problem(path, 0, f"cannot be read: {error.strerror or error}"))
    except (EOFError, zlib.error) as error:
        problems.append(Problem(path, 0, f"cannot be read: {error}"))
    except UnicodeDecodeError as error:
        problems.append(Problem(path, 0, f"is not UTF-8: {error}"))
    return (None if problems else found), problems


def read(file: BarFile, symbol: Symbol, span_s: int, sessions: Sessions) -> Iterator[BarClosed]:
    """Yield the bars of `symbol` in `file`, in order. `sessions` place daily bars in time.

    Raises:
        BadBars: the file is not the one that was inspected.
    """
    _assert_unchanged(file)
    with _open(file.path) as text:
        rows = csv.reader(text)
        next(rows)
        if file.is_daily:
            yield from _daily(rows, file, symbol, sessions)
        else:
            yield from _intraday(rows, symbol, span_s)
    _assert_unchanged(file)


def symbol_of(path: Path) -> str:
    """Return the symbol a file is named after: `SPY_2011-03.csv.gz` holds SPY.

    What a file name cannot hold is written as in an address: `BTC%2FUSD.csv` holds BTC/USD.
    """
    return unquote(path.name.removesuffix(".gz").removesuffix(".csv").split("_")[0])


def _intraday(rows: Iterator[list[str]], symbol: Symbol, span_s: int) -> Iterator[BarClosed]:
    span, parse, number = timedelta(seconds=span_s), datetime.fromisoformat, Decimal
    for row in rows:
        start = parse(row[0])
        if start.tzinfo is not UTC:
            start = start.astimezone(UTC)
        yield BarClosed(
            symbol,
            span_s,
            start + span,
            number(row[1]),
            number(row[2]),
            number(row[3]),
            number(row[4]),
            number(row[5]),
        )


def _daily(
    rows: Iterator[list[str]], file: BarFile, symbol: Symbol, sessions: Sessions
) -> Iterator[BarClosed]:
    ticker = 1 if file.header == MANY_DAILY_HEADER else 0
    for row in rows:
        if ticker and row[0] != symbol:
            continue
        hours = sessions[date.fromisoformat(row[ticker])]
        span_s = int((hours.close - hours.open).total_seconds())
        opened, high, low, close, volume = map(Decimal, row[ticker + 1 : ticker + 6])
        yield BarClosed(symbol, span_s, hours.close, opened, high, low, close, volume)


def _inspect_rows(
    path: Path, text: TextIO, now: datetime, stamp: tuple[int, int], problems: list[Problem]
) -> BarFile | None:
    rows = csv.reader(text, strict=True)
    try:
        header = next(rows, None)
        wrong = _wrong_header(path, header)
        if wrong is not None:
            problems.append(wrong)
        if header is None or wrong is not None:
            return None
        found = BarFile(path, header, {}, stamp)
        named, width = symbol_of(path), len(header)
        offset = 1 if header == MANY_DAILY_HEADER else 0
        for row in rows:
            if len(row) != width:
                what = f"{len(row)} columns, not {width}"
                problems.append(Problem(path, rows.line_num, what))
                continue
            what = _wrong_numbers(row[offset + 1 : offset + 6])
            if what:
                problems.append(Problem(path, rows.line_num, what))
            what = _place(found, row[0] if offset else named, row[offset], now)
            if what:
                problems.append(Problem(path, rows.line_num, what))
    except csv.Error as error:
        problems.append(Problem(path, rows.line_num, f"cannot be read: {error}"))
        return None
    if not found.series and not problems:
        problems.append(Problem(path, 0, "has a header and no bars"))
    return found


def _wrong_header(path: Path, header: list[str] | None) -> Problem | None:
    """Return what is wrong with the first line, or with a file name that has to name the symbol."""
    if header is None:
        return Problem(path, 0, "is empty")
    if header not in HEADERS:
        shown, known = ",".join(header)[:_HEADER_SHOWN], ",".join(INTRADAY_HEADER)
        return Problem(path, 1, f"the header {shown!r} is none we know, such as {known}")
    named = symbol_of(path)
    if header != MANY_DAILY_HEADER and not is_symbol(named):
        return Problem(path, 0, f"the file name gives the symbol {named!r}, which is none")
    return None


def _wrong_numbers(cells: list[str]) -> str:
    """Return what is wrong with open, high, low, close and volume; empty when nothing is.

    Floats are good enough to look: they order and bound the numbers as their Decimals would.
    """
    try:
        opened, high, low, close, volume = map(float, cells)
    except ValueError:
        return f"{','.join(cells)!r} are not five numbers"
    if 0 < low <= opened <= high < NUMBER_MAX and low <= close <= high and volume >= 0:
        # float() takes 1_000 for a number, and digits of any script; a price list has neither.
        text = "".join(cells)
        is_plain = "_" not in text and text.isascii() and volume < NUMBER_MAX
        is_plain = is_plain and len(text) <= CELLS_CHARACTERS_MAX
        return "" if is_plain else f"{','.join(cells)!r} are not five plain numbers"
    numbers = (opened, high, low, close, volume)
    return next(
        what
        for wrong, what in (
            (any(map(math.isnan, numbers)), "a number is NaN"),
            (any(map(math.isinf, numbers)), "a number is infinite"),
            (min(numbers[:4]) <= 0, "a price is zero or negative"),
            (volume < 0, "the volume is negative"),
            (max(numbers) >= NUMBER_MAX, "a number is too large to be true"),
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
    if not FIRST_MOMENT <= start <= now:
        return f"{stamp} is " + ("in the future" if start > now else "before 1970")
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


def _assert_unchanged(file: BarFile) -> None:
    if _stamp(file.path) != file.stamp:
        raise BadBars([Problem(file.path, 0, "changed while it was being read")])


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _stamp(path: Path) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116 - both fields from one look
    return found.st_size, found.st_mtime_ns
