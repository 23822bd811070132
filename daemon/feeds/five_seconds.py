"""Five-second bars put together to bars of our size. Pure.

A bar is whole or it is not made: of one that lacks a part, the broker's history has the truth.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from events import BarClosed, Symbol

PART_S: Final = 5
_PART: Final = timedelta(seconds=PART_S)


class Part(msgspec.Struct, frozen=True):
    """Five seconds of trading from `start` on."""

    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Gap(msgspec.Struct, frozen=True):
    """Up to `end` there is no whole bar: ask the history."""

    end: datetime


class Builder:
    """Builds the bars of one symbol, `span_s` long, which end at whole multiples of that."""

    def __init__(self, symbol: Symbol, span_s: int) -> None:
        """Begin with nothing."""
        self._symbol = symbol
        self._span_s = span_s
        self._parts: list[Part] = []
        self._begins: datetime | None = None
        self._is_broken = False
        self._done: datetime | None = None

    def take(self, part: Part) -> Iterator[BarClosed | Gap]:
        """Take one part; yield what is complete by it."""
        begins = self.begin_of(part.start)
        if self._done is not None and begins < self._done:
            return  # Told again, or too late.
        if begins != self._begins:
            yield from self.close()
            self._begins = begins
            self._is_broken = part.start != begins
        elif self._parts and part.start != self._parts[-1].start + _PART:
            if part.start <= self._parts[-1].start:
                return
            self._is_broken = True
        self._parts.append(part)
        if part.start + _PART == begins + timedelta(seconds=self._span_s):
            yield from self.close()

    def close(self) -> Iterator[BarClosed | Gap]:
        """Yield what there is of the bar under way, and begin anew."""
        parts, begins = self._parts, self._begins
        self._parts, self._begins = [], None
        if begins is None:
            return
        end = self._done = begins + timedelta(seconds=self._span_s)
        whole = self._span_s // PART_S
        if self._is_broken or len(parts) != whole:
            yield Gap(end)
            return
        yield BarClosed(
            self._symbol,
            self._span_s,
            end,
            parts[0].open,
            max(part.high for part in parts),
            min(part.low for part in parts),
            parts[-1].close,
            sum((part.volume for part in parts), Decimal(0)),
        )

    def is_due(self, now: datetime, grace: timedelta) -> bool:
        """Say whether the bar under way ended more than `grace` before `now`."""
        if self._begins is None:
            return False
        return now >= self._begins + timedelta(seconds=self._span_s) + grace

    def begin_of(self, moment: datetime) -> datetime:
        """Return when the bar that `moment` is in begins."""
        seconds = int(moment.timestamp())
        return datetime.fromtimestamp(seconds - seconds % self._span_s, UTC)
