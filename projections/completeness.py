"""Proof of absence: which bars of a session are there, and which were expected and are not.

A fold for whoever reads a journal; the daemon does not carry it. What is expected is each symbol's
session, by the calendar, cut into stretches by its own policy: as in `projections.freshness`, but
for all of the time between the journal's first start and its last event, outages included.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import msgspec

from events import (
    BarClosed,
    CalendarLoaded,
    ConfigLoaded,
    Record,
    SessionHours,
    SessionStarted,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    SymbolTerms,
    utc_from_nanoseconds,
)
from projections.calendar import Sessions
from projections.stretches import Stretch, stretches_of

CELL_S = 900
"""A quarter of an hour: 26 cells in a full session are a line that can be read."""


class Certificate(msgspec.Struct, frozen=True):
    """The bars of one symbol in one session.

    `bars` ended in the regular session [`opens`, `closes`], of `possible` of their size that could
    have; `off_session` are the others of that day. Of `expected` stretches, as many as the journal
    covers, those in `missing` have no bar. `first` and `last` are ends of bars in the session.
    `cells` counts the bars of every `cell_s` seconds of it, for a picture; None: not covered.
    """

    day: date
    symbol: Symbol
    opens: datetime
    closes: datetime
    bars: int
    possible: int
    off_session: int
    expected: int
    missing: list[Stretch]
    first: datetime | None
    last: datetime | None
    span_s: int
    cell_s: int
    cells: list[int | None]

    @property
    def shares(self) -> list[float | None]:
        """The share of the bars possible in each cell that is there."""
        possible = max(self.cell_s // self.span_s, 1) if self.span_s else 1
        return [None if count is None else min(count / possible, 1.0) for count in self.cells]

    @property
    def complete(self) -> bool:
        """Whether every bar that was expected is there."""
        return not self.missing


class DayBars(msgspec.Struct):
    """One symbol's bars of one day: ends of those in the regular session, in order."""

    ends: list[datetime] = []
    off_session: int = 0
    span_s: int = 0


class Completeness(msgspec.Struct):
    """What is needed to certify: hours by exchange, terms, and each symbol's bars by day.

    `since` and `until` are when a symbol came under the configuration and left it, in ns UTC.
    `halts` are when a symbol's exchange halted and resumed it, None while it is halted.
    """

    hours: dict[str, dict[date, SessionHours]] = {}
    sessions: dict[str, Sessions] = {}
    terms: dict[Symbol, SymbolTerms] = {}
    since: dict[Symbol, int] = {}
    until: dict[Symbol, int] = {}
    halts: dict[Symbol, list[tuple[datetime, datetime | None]]] = {}
    spans: dict[Symbol, int] = {}
    found: dict[tuple[date, Symbol], DayBars] = {}
    began: int = 0
    ended: int = 0

    def apply(self, record: Record) -> None:
        """Take one record; what has nothing to do with bars moves the journal's end only."""
        self.ended = max(self.ended, record.at)
        match record.event:
            case BarClosed() as bar:
                self._take(bar)
            case CalendarLoaded() as calendar:
                self._load(calendar)
            case ConfigLoaded() as config:
                self._configure(config, record.at)
            case SymbolHalted() | SymbolResumed() as event:
                self._halt(event, utc_from_nanoseconds(record.at))
            case SessionStarted():
                self.began = self.began or record.at
            case _:
                pass

    def days(self) -> list[date]:
        """Return the sessions that the journal covers, or a part of them, oldest first."""
        return sorted(
            {
                hours.day
                for exchange in {terms.exchange for terms in self.terms.values()}
                for hours in self.hours.get(exchange, {}).values()
                if self._covers(hours)
            }
        )

    def certificates(
        self, days: Iterable[date] | None = None, every_s: int | None = None
    ) -> Iterator[Certificate]:
        """Yield what there is of each session (of `days`), by day and symbol.

        `every_s` stands in for each symbol's own policy.
        """
        for day in self.days() if days is None else sorted(days):
            for symbol in sorted(self.terms):
                hours = self.hours.get(self.terms[symbol].exchange, {}).get(day)
                if hours is not None and self._covers(hours):
                    yield self._certify(symbol, hours, every_s)

    def _certify(self, symbol: Symbol, hours: SessionHours, every_s: int | None) -> Certificate:
        there = self.found.get((hours.day, symbol)) or DayBars()
        span_s = there.span_s or self.spans.get(symbol, 0)
        policy_s = self.terms[symbol].bar_every_s if every_s is None else every_s
        expected = [
            stretch
            for stretch in (stretches_of(hours, max(policy_s, span_s)) if policy_s else ())
            if self._is_expected(symbol, stretch)
        ]
        length_s = (hours.close - hours.open) // timedelta(seconds=1)
        return Certificate(
            day=hours.day,
            symbol=symbol,
            opens=hours.open,
            closes=hours.close,
            bars=len(there.ends),
            possible=max(length_s // span_s, 1) if span_s else 0,
            off_session=there.off_session,
            expected=len(expected),
            missing=list(_without(expected, there.ends)),
            first=there.ends[0] if there.ends else None,
            last=there.ends[-1] if there.ends else None,
            span_s=span_s,
            cell_s=max(CELL_S, span_s),
            cells=[
                self._count(symbol, cell, there.ends)
                for cell in stretches_of(hours, max(CELL_S, span_s))
            ],
        )

    def _count(self, symbol: Symbol, cell: Stretch, ends: list[datetime]) -> int | None:
        count = bisect_right(ends, cell.end) - bisect_right(ends, cell.start)
        return count if count or self._is_expected(symbol, cell) else None

    def _is_expected(self, symbol: Symbol, stretch: Stretch) -> bool:
        """Say whether the journal would have a bar of `stretch`: what excuses its absence is here.

        It lies between the journal's first start and its last event, and the symbol is configured
        and not halted in any of it.
        """
        begins = utc_from_nanoseconds(max(self.began, self.since[symbol]))
        ends = utc_from_nanoseconds(min(self.ended, self.until.get(symbol, self.ended)))
        if not (begins <= stretch.start and stretch.end <= ends):
            return False
        halts = self.halts.get(symbol, ())
        return not any(
            since < stretch.end and (until is None or stretch.start < until)
            for since, until in halts
        )

    def _covers(self, hours: SessionHours) -> bool:
        began, ended = utc_from_nanoseconds(self.began), utc_from_nanoseconds(self.ended)
        return bool(self.began) and hours.open < ended and began < hours.close

    def _take(self, bar: BarClosed) -> None:
        terms = self.terms.get(bar.symbol)
        sessions = self.sessions.get(terms.exchange) if terms is not None else None
        hours = sessions.covering(bar.end, extended=True) if sessions is not None else None
        # Outside all hours a bar belongs to the day it ended on.
        key = (bar.end.date() if hours is None else hours.day, bar.symbol)
        there = self.found.get(key)
        if there is None:
            there = self.found[key] = DayBars()
        there.span_s = max(there.span_s, bar.span_s)
        self.spans[bar.symbol] = bar.span_s
        if hours is not None and hours.open < bar.end <= hours.close:
            there.ends.append(bar.end)
        else:
            there.off_session += 1

    def _load(self, calendar: CalendarLoaded) -> None:
        """Take a table; of the days it spans it is the last word, others stay as they were."""
        known = self.hours.setdefault(calendar.exchange, {})
        loaded = {hours.day: hours for hours in calendar.sessions}
        if loaded:
            for day in [day for day in known if min(loaded) <= day <= max(loaded)]:
                del known[day]
        known |= loaded
        ordered = sorted(known.values(), key=lambda hours: hours.close)
        self.sessions[calendar.exchange] = Sessions(
            ordered, [hours.extended_close for hours in ordered]
        )

    def _halt(self, event: SymbolHalted | SymbolResumed, moment: datetime) -> None:
        halts = self.halts.setdefault(event.symbol, [])
        is_halted = bool(halts) and halts[-1][1] is None
        if isinstance(event, SymbolHalted) and not is_halted:
            halts.append((moment, None))
        elif isinstance(event, SymbolResumed) and is_halted:
            halts[-1] = (halts[-1][0], moment)

    def _configure(self, config: ConfigLoaded, at: int) -> None:
        for symbol in self.terms.keys() - config.symbols.keys():
            self.until.setdefault(symbol, at)
        for symbol, terms in config.symbols.items():
            self.terms[symbol] = terms
            self.since.setdefault(symbol, at)
            self.until.pop(symbol, None)


def _without(stretches: Iterable[Stretch], ends: list[datetime]) -> Iterator[Stretch]:
    """Yield the stretches in which none of `ends`, both in order, lies."""
    index = 0
    for stretch in stretches:
        while index < len(ends) and ends[index] <= stretch.start:
            index += 1
        if index == len(ends) or ends[index] > stretch.end:
            yield stretch
