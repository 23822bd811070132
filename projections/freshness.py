"""How old the data of each symbol is, and which bars were expected and never came.

Nothing is watched unless the feed is live or the configuration says so: a backtest pays nothing.
Ages count the time in which the symbol's exchange is open, so no night makes a price stale.
"""

from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from events import (
    BarClosed,
    BarMissing,
    ConfigLoaded,
    FreshnessMode,
    FreshnessTerms,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    SymbolTerms,
    utc_from_nanoseconds,
)
from projections.calendar import ALWAYS_OPEN, Calendar
from projections.market import Market
from projections.stretches import Stretch, first_ending_from, first_starting_from


class Freshness(msgspec.Struct):
    """What is watched, and what was found.

    `watching` says whether the age of the data matters: always for live bars, else as configured.
    `stale` are the symbols whose data is too old, each with the time (ns UTC) since when it has
    been fresh again without a break, None while it is not: it leaves when it has been fresh for
    long enough. `missing` is the last stretch of each symbol that no bar came for, `missed` how
    many there were. `halted` symbols are expected to be silent, and were until `excused`.
    """

    terms: FreshnessTerms = FreshnessTerms()
    live: bool = False
    watching: bool = False
    since: datetime = utc_from_nanoseconds(0)
    stale: dict[Symbol, int | None] = {}
    missing: dict[Symbol, BarMissing] = {}
    missed: int = 0
    halted: dict[Symbol, datetime] = {}
    excused: dict[Symbol, datetime] = {}

    def load(self, event: ConfigLoaded) -> None:
        """Take the terms; symbols that are traded no more are watched no more."""
        self.terms = event.freshness
        self.watching = self.live or self.terms.recorded
        self.stale = {
            symbol: since for symbol, since in self.stale.items() if symbol in event.symbols
        }

    def start(self, at: int, *, live: bool) -> None:
        """Take note that a daemon watches from `at` on; what it could not see it does not miss."""
        self.live = live
        self.watching = self.live or self.terms.recorded
        self.since = utc_from_nanoseconds(at)

    def miss(self, event: BarMissing) -> None:
        """Take note of a bar that never came."""
        self.missing[event.symbol] = event
        self.missed += 1

    def halt(self, event: SymbolHalted | SymbolResumed, at: int) -> None:
        """Expect nothing of a halted symbol, and bars after `at` of one that resumes."""
        moment = utc_from_nanoseconds(at)
        if isinstance(event, SymbolHalted):
            self.halted[event.symbol] = moment
        elif self.halted.pop(event.symbol, None) is not None:
            self.excused[event.symbol] = moment


class Books(Protocol):
    """What of the books is needed here."""

    calendar: Calendar
    market: Market
    freshness: Freshness
    symbols: dict[Symbol, SymbolTerms]


def first_awaited(books: Books, symbol: Symbol, after: datetime | None = None) -> Stretch | None:
    """Return the first stretch of `symbol` that neither a bar nor a `bar.missing` has answered.

    With `after`, the first of those that start then or later. None where nothing is expected: by
    policy, in a halt, or past the calendar's horizon.
    """
    terms, freshness = books.symbols.get(symbol), books.freshness
    if terms is None or not terms.bar_every_s or symbol in freshness.halted:
        return None
    sessions = books.calendar.exchanges.get(terms.exchange)
    if sessions is None:
        return None
    every_s = _every_s(terms, books.market.last.get(symbol))
    answered = _last_end(books, symbol)
    missed = freshness.missing.get(symbol)
    if missed is not None:
        answered = max(answered, missed.end)
    for later in (freshness.excused.get(symbol), after):
        if later is not None:
            answered = max(answered, later)
    # What was due before the daemon started it could not see: `traded completeness` has it.
    seen = freshness.since - timedelta(seconds=freshness.terms.grace_s)
    first = first_starting_from(sessions, answered, every_s)
    if first is None or first.end >= seen:
        return first
    return first_ending_from(sessions, seen, every_s)


def stale_from(books: Books, symbol: Symbol) -> datetime | None:
    """Return when the data of `symbol` becomes, or became, too old; None: not by what is known.

    That is when it is as old as allowed; a symbol whose bars come less often than that is stale
    when the bar it is expected to have is not there by its deadline.
    """
    terms, limits = books.symbols.get(symbol), books.freshness.terms
    if terms is None or symbol in books.freshness.halted:
        return None
    last, last_end = books.market.last.get(symbol), _last_end(books, symbol)
    every_s = _every_s(terms, last)
    if every_s > limits.max_age_s:
        sessions = books.calendar.exchanges.get(terms.exchange)
        due = sessions and first_starting_from(sessions, last_end, every_s)
        return due.end + timedelta(seconds=limits.grace_s) if due else None
    # The next bar cannot be there sooner than its own length, and the time it takes to arrive.
    soonest_s = limits.grace_s + (last.span_s if last is not None else 0)
    left = timedelta(seconds=max(limits.max_age_s, soonest_s))
    if _is_always_open(terms):
        return last_end + left
    for start, end in books.calendar.spans_after(
        terms.exchange, last_end, extended=terms.extended_hours
    ):
        if end - start >= left:
            return start + left
        left -= end - start
    return None


def open_from(books: Books, symbol: Symbol, moment: datetime) -> datetime | None:
    """Return the first moment, `moment` or later, at which `symbol` trades; None: not known."""
    terms = books.symbols.get(symbol)
    if terms is None:
        return None
    if _is_always_open(terms):
        return moment
    spans = books.calendar.spans_after(terms.exchange, moment, extended=terms.extended_hours)
    return next((start for start, _ in spans), None)


def is_too_old(books: Books, symbol: Symbol, now: datetime) -> bool:
    """Say whether the last bar of `symbol` itself is too old at `now`."""
    last, limit_s = books.market.last.get(symbol), books.freshness.terms.max_age_s
    if last is not None and now - last.end < timedelta(seconds=limit_s):
        return False  # The usual case: what is young by the clock is young in session time.
    since = stale_from(books, symbol)
    return since is not None and now >= since


def is_stale(books: Books, symbol: Symbol, now: datetime) -> bool:
    """Say whether, by the configured mode, nothing new may rest on the data of `symbol` at `now`.

    What is not watched is never stale.
    """
    if not books.freshness.watching:
        return False
    if books.freshness.terms.mode is FreshnessMode.PER_SYMBOL:
        return is_too_old(books, symbol, now)
    watched = watched_symbols(books)
    return lacks_fresh(books, sum(is_too_old(books, each, now) for each in watched))


def watched_symbols(books: Books) -> list[Symbol]:
    """Return the symbols whose data counts: all that are traded and not halted."""
    return [symbol for symbol in books.symbols if symbol not in books.freshness.halted]


def lacks_fresh(books: Books, stale: int) -> bool:
    """Say whether, with so many stale symbols, too little is fresh to trade on any of it.

    The newest symbol decides (latest): one that is fresh is enough. The oldest: all must be. The
    median: half of them. Per symbol: the configured share.
    """
    count, terms = len(watched_symbols(books)), books.freshness.terms
    fresh = count - stale
    if not count:
        return False
    match terms.mode:
        case FreshnessMode.LATEST:
            return fresh == 0
        case FreshnessMode.OLDEST:
            return stale > 0
        case FreshnessMode.MEDIAN:
            return 2 * fresh < count
        case FreshnessMode.PER_SYMBOL:
            return fresh < terms.fresh_share_min * count


def _last_end(books: Books, symbol: Symbol) -> datetime:
    """Return the end of the last bar; the start of the watch stands in for one never seen."""
    last = books.market.last.get(symbol)
    return books.freshness.since if last is None else last.end


def _every_s(terms: SymbolTerms, last: BarClosed | None) -> int:
    """Return how often a bar is expected: no more often than bars of their size can come."""
    return max(terms.bar_every_s, last.span_s if last is not None else 0)


def _is_always_open(terms: SymbolTerms) -> bool:
    return terms.exchange == ALWAYS_OPEN or not terms.enforce_hours
