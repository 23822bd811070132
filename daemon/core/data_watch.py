"""The watch over the data: which bars are missing, and what old data stops.

Pure. A stale symbol stops itself, too few fresh ones stop everything, both with REDUCE: what makes
a position smaller may pass, for being stuck in one blindly is the greater danger. Orders that work
already stay. What has been fresh for a while again is free; what keeps failing is an operator's.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from daemon.core.self_lifting import lifted_by
from events import (
    BarClosed,
    BarMissing,
    FreshnessMode,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    Symbol,
    TimerKind,
    Trip,
    utc_from_nanoseconds,
)
from projections import State
from projections.calendar import ALWAYS_OPEN
from projections.freshness import (
    first_awaited,
    lacks_fresh,
    open_from,
    stale_from,
    watched_symbols,
)
from projections.stretches import Stretch

CALENDAR_ENDS: Final = "CALENDAR_ENDS"
"""The cause of the hold that a calendar places which nobody has renewed."""
HORIZON_MIN: Final = timedelta(days=30)
"""With less of the calendar ahead nothing new is begun: what is unknown counts as closed."""
HORIZON_GOOD: Final = timedelta(days=180)
"""With less of it ahead than this something is wrong, and there is time to see to it."""
_BY: Final = "core"
_APART: Final = timedelta(seconds=1)
"""Two looks at one symbol are never due within the same second: that names a timer."""

Holds = Iterator[HoldPlaced | HoldLifted]


def bar_due(state: State, symbol: Symbol) -> datetime | None:
    """Return by when the next expected bar of `symbol` must be there, None when none is."""
    awaited = first_awaited(state, symbol)
    return None if awaited is None else _deadline(state, awaited)


def missing_bar(state: State, symbol: Symbol, due: datetime) -> BarMissing | None:
    """Return what is missing of `symbol` at `due`, None when its bar has come after all."""
    awaited = first_awaited(state, symbol)
    if awaited is None or _deadline(state, awaited) > due:
        return None
    return BarMissing(symbol, awaited.start, awaited.end)


def passed_over(state: State, bar: BarClosed) -> list[BarMissing]:
    """Return what `bar`, not folded yet, leaves behind: bars come in order, so it comes no more."""
    found: list[BarMissing] = []
    terms, last = state.symbols.get(bar.symbol), state.market.last.get(bar.symbol)
    if last is not None and terms is not None:
        between = bar.end - last.end
        if between.days == 0 and between.seconds <= terms.bar_every_s:
            return found  # The usual case: no stretch is that short.
    if not state.in_session(bar):
        return found
    awaited = first_awaited(state, bar.symbol)
    while awaited is not None and awaited.end < bar.end:
        found.append(BarMissing(bar.symbol, awaited.start, awaited.end))
        awaited = first_awaited(state, bar.symbol, awaited.end)
    return found


def look_due(state: State, symbol: Symbol) -> datetime | None:
    """Return when the age of `symbol` must be looked at next, None: only a bar can change it.

    That is when it becomes stale, in hours in which it trades, or has been fresh for long enough.
    """
    freshness = state.freshness
    if symbol in freshness.stale:
        since = freshness.stale[symbol]
        if since is None:
            return None
        due = utc_from_nanoseconds(since) + timedelta(seconds=freshness.terms.lift_after_s)
    else:
        stale = stale_from(state, symbol)
        found = stale and open_from(state, symbol, max(stale, freshness.since))
        if not found:
            return None
        due = found
    last = state.timers.last_watch(TimerKind.DATA_WATCH, symbol)
    return due if last is None else max(due, last + _APART)


def data_holds(state: State, root: int) -> Holds:
    """Yield what old data now stops and what it stops no more; `root` is the input's seq."""
    freshness = state.freshness
    watched = watched_symbols(state) if freshness.watching else []
    stale = [symbol for symbol in watched if symbol in freshness.stale]
    stopped: dict[str, str] = {}
    if stale and lacks_fresh(state, len(stale)):
        fresh = len(watched) - len(stale)
        stopped[""] = f"{fresh} of {len(watched)} symbols are fresh ({freshness.terms.mode})"
    if freshness.terms.mode is FreshnessMode.PER_SYMBOL:
        stopped |= {symbol: _why(state, symbol) for symbol in stale}
    active = [hold for hold in state.holds.active.values() if hold.cause == Trip.DATA_STALE]
    held = {hold.target for hold in active}
    for target, why in stopped.items():
        if target not in held:
            yield _stale_hold(state, target, why, root)
    for hold in active:
        if hold.target in freshness.halted:
            continue  # Nothing can show that it is fresh again before it is resumed.
        if hold.target not in stopped and hold.lifts is HoldLifts.CONDITION:
            why = f"fresh for {freshness.terms.lift_after_s} s" if watched else "not watched now"
            yield HoldLifted(hold.hold_id, _BY, why)


def horizon_of(state: State, now: datetime) -> dict[str, timedelta]:
    """Return how far ahead each exchange in use is known; what has no calendar is not known."""
    exchanges = sorted({terms.exchange for terms in state.symbols.values()} - {ALWAYS_OPEN})
    ends = {exchange: state.calendar.horizon(exchange) for exchange in exchanges}
    return {exchange: (end or now) - now for exchange, end in ends.items()}


def ending_calendar(state: State, root: int) -> Iterator[HoldPlaced]:
    """Yield the hold that a calendar places which ends soon and nobody has renewed.

    Recorded bars end before their calendar: only live trading needs it to go on.
    """
    if not state.freshness.live:
        return
    now = utc_from_nanoseconds(state.at)
    ending = [
        f"{exchange} is known for {ahead.days} more days"
        for exchange, ahead in horizon_of(state, now).items()
        if ahead < HORIZON_MIN
    ]
    if ending and not any(hold.cause == CALENDAR_ENDS for hold in state.holds.active.values()):
        yield HoldPlaced(
            hold_id=f"{CALENDAR_ENDS}-{root}",
            scope=HoldScope.ALL,
            level=HoldLevel.REDUCE,
            cause=CALENDAR_ENDS,
            by=_BY,
            why="; ".join(ending),
            lifts=HoldLifts.CONDITION,
        )


def renewed_calendars(state: State) -> Iterator[HoldLifted]:
    """Yield the end of that hold once every calendar reaches far enough again."""
    now = utc_from_nanoseconds(state.at)
    if all(ahead >= HORIZON_MIN for ahead in horizon_of(state, now).values()):
        for hold in state.holds.active.values():
            if hold.cause == CALENDAR_ENDS:
                yield HoldLifted(hold.hold_id, _BY, "the calendars reach far enough again")


def _stale_hold(state: State, target: str, why: str, root: int) -> HoldPlaced:
    trips_max = state.freshness.terms.trips_max
    lifts, why = lifted_by(state, Trip.DATA_STALE, target, trips_max, why)
    return HoldPlaced(
        hold_id=f"{Trip.DATA_STALE}-{target or 'all'}-{root}",
        scope=HoldScope.SYMBOL if target else HoldScope.ALL,
        level=HoldLevel.REDUCE,
        cause=Trip.DATA_STALE.value,
        by=_BY,
        why=why,
        lifts=lifts,
        target=target,
    )


def _why(state: State, symbol: Symbol) -> str:
    last = state.market.last.get(symbol)
    if last is None:
        return f"no bar of {symbol} has come"
    return f"the last bar of {symbol} ended at {last.end:%Y-%m-%d %H:%M:%S} UTC"


def _deadline(state: State, awaited: Stretch) -> datetime:
    return awaited.end + timedelta(seconds=state.freshness.terms.grace_s)
