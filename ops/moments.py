"""Moments as an operator writes them: an event's number, a time, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

import click

from events import JournalOpened, Mode, nanoseconds, utc_from_nanoseconds
from events.journal import JournalReader
from ops.render import CELL_LONGEST, moment, one_line, say
from projections import State

_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_YEARS = range(1700, 2262)
"""What nanoseconds in 64 bits can count."""
SEQ_MAX = 2**63 - 1
"""The number of the last event a journal can have."""


def now_of(reader: JournalReader) -> datetime:
    """Return the time ages count from: now, or the last event's where time is not the world's.

    That is so in a backtest's journal, and in one that lives in a simulated gateway's time.
    """
    first, last = reader.record(1), next(reader.records_back(), None)
    if first is None or last is None or not isinstance(first.event, JournalOpened):
        return datetime.now(UTC)
    return utc_from_nanoseconds(last.at) if _is_simulated(first.event) else datetime.now(UTC)


def now_in(state: State, now: datetime) -> datetime:
    """Return what `now_of` does, of books: `now`, or their own time in a simulated world."""
    opened = state.identity.opened
    if opened is None or not _is_simulated(opened):
        return now
    return utc_from_nanoseconds(state.at)


def _is_simulated(opened: JournalOpened) -> bool:
    return opened.simulated_time or opened.mode is Mode.BACKTEST


def parse_time(text: str, now: datetime, option: str) -> datetime:
    """Return the time `text` means: ISO 8601, UTC where it names no zone, or an age like `2h`.

    What was understood is said on stderr where it is not what was written.

    Raises:
        click.UsageError: it is neither, or no time anything could have happened at.
    """
    try:
        time = _parsed(text, now, option)
    except OverflowError:
        time = datetime.min.replace(tzinfo=UTC)
    if time.year not in _YEARS:
        shown = one_line(text, CELL_LONGEST)
        raise click.UsageError(f"{option} {shown}: only years {_YEARS[0]} to {_YEARS[-1]} can be")
    return time


def _parsed(text: str, now: datetime, option: str) -> datetime:
    ago = _AGO.fullmatch(text)
    if ago is not None:
        time = now - timedelta(seconds=float(ago[1]) * _UNIT_S[ago[2]])
        say(f"{option} {text}: {moment(time)} UTC, counted from {moment(now)}", err=True)
        return time
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        shown = one_line(repr(text), CELL_LONGEST)
        raise click.UsageError(
            f"{option} {shown} is no time: write 2013-02-28, 2013-02-28T15:30, "
            "2013-02-28T15:30-05:00, or an age such as 90s, 15m, 2h, 3d"
        ) from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
        say(f"{option} {text}: taken as UTC", err=True)
    return time.astimezone(UTC)


def event_number(text: str) -> int | None:
    """Return the number `text` is, None where it is none; any beyond the last possible is one."""
    if not text.isdecimal():
        return None
    digits = text.lstrip("0")
    # Python reads no number of thousands of digits.
    return int(digits or "0") if len(digits) <= len(str(SEQ_MAX)) else SEQ_MAX + 1


def seq_of(reader: JournalReader, at: str) -> int:
    """Return the seq `at` names: the number of an event, or the last event up to a time.

    Raises:
        click.UsageError: there is no such event.
    """
    last = reader.head().seq
    number = event_number(at)
    if number is not None:
        if not 1 <= number <= last:
            shown = one_line(at, CELL_LONGEST)
            raise click.UsageError(f"--at {shown}: the journal has events 1 to {last}")
        return number
    time = parse_time(at, now_of(reader), "--at")
    seq = reader.seq_at(nanoseconds(time))
    if seq == 0:
        first = reader.record(1)
        begins = f"begins at {moment(utc_from_nanoseconds(first.at))} UTC" if first else "is empty"
        raise click.UsageError(f"--at {at}: the journal {begins}")
    return seq
