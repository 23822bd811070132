"""Where the broker's trading hours are not those of the calendar: said, and never taken silently.

Either may be wrong: a calendar that knows nothing of a day of mourning, a broker that says nothing
of an early close. What is traded by is the calendar; a person has to look which one is right.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final, Protocol

import msgspec

from events import ReportedHours, SessionHours, Symbol, SymbolTerms, TradingHoursReported
from projections.calendar import ALWAYS_OPEN, Calendar
from projections.instruments import Instruments

_DAY: Final = timedelta(days=1)
_CLOSED: Final = "closed"


class HoursDoubt(msgspec.Struct, frozen=True):
    """What calendar and broker say of one day of an exchange, and of which symbols it says so."""

    exchange: str
    day: date | None
    calendar: str
    broker: str
    symbols: tuple[Symbol, ...]

    @property
    def text(self) -> str:
        """The doubt in a sentence."""
        whose = ", ".join(self.symbols)
        if self.day is None:
            return f"the broker's hours of {whose} cannot be read: {self.broker}"
        said = f"{self.broker} at the broker ({whose})"
        return f"{self.day}: {self.calendar} in the calendar, {said}"


class Books(Protocol):
    """What of the books is needed here."""

    calendar: Calendar
    instruments: Instruments
    symbols: dict[Symbol, SymbolTerms]


def hours_doubts(books: Books, now: datetime) -> list[HoursDoubt]:
    """Return the differences of the days still to come at `now`, one a day and way to differ."""
    found: dict[tuple[str, date | None, str, str], list[Symbol]] = {}
    for symbol, terms in sorted(books.symbols.items()):
        reported = books.instruments.hours.get(symbol)
        if reported is None or terms.exchange == ALWAYS_OPEN or not terms.enforce_hours:
            continue
        for day, ours, theirs in _differences(books, terms, reported, now):
            found.setdefault((terms.exchange, day, ours, theirs), []).append(symbol)
    return [HoursDoubt(*what, tuple(symbols)) for what, symbols in found.items()]


def _differences(
    books: Books, terms: SymbolTerms, reported: TradingHoursReported, now: datetime
) -> Iterator[tuple[date | None, str, str]]:
    """Yield each day that differs, as the calendar and as the broker have it."""
    if reported.unread:
        yield None, "", reported.unread
        return
    theirs = reported.extended if terms.extended_hours else reported.regular
    sessions = books.calendar.exchanges.get(terms.exchange)
    ours = {each.day: each for each in (sessions.hours if sessions else ())}
    if not theirs:
        return
    day, last = min(each.day for each in theirs), max(each.day for each in theirs)
    while day <= last:
        stretches = [each for each in theirs if each.day == day]
        calendar = _ours(ours.get(day), extended=terms.extended_hours)
        broker = _theirs(stretches)
        if calendar != broker and _is_to_come(ours.get(day), stretches, day, now):
            yield day, calendar, broker
        day += _DAY


def _ours(session: SessionHours | None, *, extended: bool) -> str:
    if session is None:
        return _CLOSED
    if extended:
        return _span(session.extended_open, session.extended_close)
    return _span(session.open, session.close)


def _theirs(stretches: Sequence[ReportedHours]) -> str:
    """Return the stretches of a day; a day the broker does not name is closed there."""
    spans = [_span(each.open, each.close) for each in stretches if each.open and each.close]
    return " and ".join(spans) or _CLOSED


def _span(begins: datetime, ends: datetime) -> str:
    return f"{begins:%H:%M} to {ends:%H:%M} UTC"


def _is_to_come(
    session: SessionHours | None, stretches: Sequence[ReportedHours], day: date, now: datetime
) -> bool:
    """Say whether anything of that day, by either, is still ahead."""
    closes = [each.close for each in stretches if each.close is not None]
    closes += [session.extended_close] if session is not None else []
    return max(closes) > now if closes else day >= now.date()
