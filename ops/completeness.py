"""Reads what was expected of a session and what came, out of a journal."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from events import BarClosed, CalendarLoaded, ConfigLoaded, SessionStarted, nanoseconds
from events.journal import JournalReader
from ops.render import progress
from projections.completeness import Certificate, Completeness

_SET_UP = (ConfigLoaded, CalendarLoaded, SessionStarted)
_EARLIER = timedelta(days=1)
"""How far a clock may have gone back for a day's bars still to be found from there on."""
_LATER = timedelta(days=2)
"""How long after its midnight a day's last bar may be recorded."""
_WORTH_A_BAR = 20_000


def fields_of(found: Sequence[Certificate]) -> dict[str, object]:
    """Return the certificates as machines get them."""
    shown = [{"complete": each.complete, "certificate": each} for each in found]
    return {"complete": all(each.complete for each in found), "sessions": shown}


def set_up(reader: JournalReader) -> Completeness:
    """Return the fold with everything in it but the bars."""
    records = list(reader.records_back(kinds=_SET_UP))
    records += list(next(([each] for each in reader.records_back()), []))
    book = Completeness()
    for record in sorted(records, key=lambda record: record.seq):
        if not isinstance(record.event, BarClosed):
            book.apply(record)
        book.ended = max(book.ended, record.at)
    return book


def read_bars(reader: JournalReader, book: Completeness, days: Sequence[date]) -> None:
    """Take the bars of `days`; no bar is recorded before it has ended."""
    begin = datetime.combine(days[0], time(), UTC) - _EARLIER
    end = datetime.combine(days[-1], time(), UTC) + _LATER
    start, last = reader.seq_at(nanoseconds(begin)), reader.seq_at(nanoseconds(end))
    wanted = set(days)
    near = {day + timedelta(days=step) for day in wanted for step in (-1, 0, 1)}
    with progress("events read", last - start) as reached:
        for record in reader.records(start, last):
            event = record.event
            if type(event) is BarClosed and event.end.date() in near:
                book.apply(record)
            if not record.seq % _WORTH_A_BAR:
                reached(record.seq - start)
