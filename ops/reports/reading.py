"""Reading what a report needs from a journal: only the period's own records are gone through."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from events import (
    BarClosed,
    CalendarLoaded,
    ClientOrderId,
    OrderIntended,
    Record,
)
from events.journal import JournalReader
from ops.books import read_books
from ops.completeness import read_bars, set_up
from ops.decision_counts import counted
from ops.decision_trace import newest_decisions, shadow_times
from ops.moments import now_of
from ops.opened import opened
from ops.readiness import checklist
from ops.render import progress
from ops.reports.figures import Around, report_of
from ops.reports.period import Ahead, Book
from ops.reports.shape import Period, Report
from ops.reports.trading import Decided
from projections import State
from projections.calendar import Calendar

TOP_BLOCKERS: Final = 5
_BARS_BACK: Final = 5_000
"""Bars looked at for the last one of a symbol before a decision."""
_WORTH_A_BAR: Final = 20_000

Choose = Callable[[Book], Period]


def read_report(journal: Path, choose: Choose) -> Report:
    """Return the report of the period that `choose` takes of the journal's.

    Raises:
        JournalError: the journal cannot be read, or does not end where its witness says.
        click.UsageError: there is no such period.
    """
    points = checklist(journal)
    with opened(journal) as reader:
        bars = set_up(reader)
        exchange = _day_exchange(reader)
        sessions = bars.sessions.get(exchange)
        if sessions is None:
            raise Ahead("the journal has no calendar yet, so no session and nothing to report")
        book = Book(reader, exchange, sessions.hours)
        period = choose(book)
        read_bars(reader, bars, period.days)
        certificates = list(bars.certificates(period.days))
        state = read_books(reader, period.after).state
        in_shadow = shadow_times(reader)
        made = newest_decisions(reader, period.upto, period.after)
        decisions = counted(made, "data", TOP_BLOCKERS)
        around = Around(
            journal=str(journal),
            made_at=now_of(reader),
            period=period,
            cuts=book.cuts(period),
            points=points,
            decisions=decisions,
            certificates=certificates,
            find=_finder(reader, state),
            in_shadow=in_shadow,
            shadows=any(each.group == "shadow" for each in decisions),
        )
        with progress("events of the period", period.upto - period.after) as reached:
            records = reader.records(period.after, period.upto)
            return report_of(state, _told(records, period, reached), around)


def _day_exchange(reader: JournalReader) -> str:
    """Return the exchange whose closes end the days, as the books have it."""
    calendar = Calendar()
    for record in reversed(list(reader.records_back(kinds=(CalendarLoaded,)))):
        if isinstance(record.event, CalendarLoaded):
            calendar.load(record.event)
    return calendar.day_exchange


def _finder(reader: JournalReader, before: State) -> Callable[[ClientOrderId], Decided | None]:
    """Return what finds an earlier order's intent, and the last price before it."""

    def find(order_id: ClientOrderId) -> Decided | None:
        found = reader.find(OrderIntended, order_id)
        if found is None or not isinstance(found.event, OrderIntended):
            return None
        intent = found.event
        for record in islice(reader.records_back(found.seq, kinds=(BarClosed,)), _BARS_BACK):
            bar = record.event
            if (
                isinstance(bar, BarClosed)
                and bar.symbol == intent.symbol
                and before.in_session(bar)
            ):
                return Decided(intent, bar.close)
        return Decided(intent, None)

    return find


def _told(
    records: Iterable[Record], period: Period, reached: Callable[[int], None]
) -> Iterator[Record]:
    """Yield `records`, and tell how far they have come."""
    for record in records:
        yield record
        if not record.seq % _WORTH_A_BAR:
            reached(record.seq - period.after)
