"""Which events a report is of: sessions of the exchange by whose closes the days are counted.

A day reaches from one close to the next, as the day's P&L does; a week from the last close before
its Monday to its own last one; a session from open to close. What ended by a close and was recorded
a little later (the last bar, the last fills and their commissions) still belongs to it.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Final

import click
import msgspec

from events import (
    BarClosed,
    CommissionCharged,
    OrderFilled,
    Record,
    SessionHours,
    nanoseconds,
    utc_from_nanoseconds,
)
from events.journal import JournalReader
from ops.render import CELL_LONGEST, one_line
from ops.reports.shape import Period

LATE: Final = timedelta(minutes=10)
"""How long after a close what ended by then may be recorded and still belongs to it."""
_WEEK: Final = re.compile(r"(?:(\d{4})-?W?)?(\d{1,2})|(\d{4})-W(\d{1,2})", re.IGNORECASE)


class Span(msgspec.Struct, frozen=True):
    """A period as its sessions: from `begins` to `ends`, with the sessions in between."""

    kind: str
    name: str
    begins: datetime
    ends: datetime
    sessions: list[SessionHours]


class Ahead(click.UsageError):
    """What was asked for has no session: the text says which there are."""


class Book:
    """The sessions of a journal, and where in it each one ends."""

    def __init__(self, reader: JournalReader, exchange: str, hours: list[SessionHours]) -> None:
        """Take those of `hours`, the sessions of `exchange`, that the journal reaches into.

        Raises:
            Ahead: there is none.
        """
        first, last = next(reader.records(), None), next(reader.records_back(), None)
        self._reader = reader
        self.exchange = exchange
        self._all = hours
        if first is None or last is None or not self._all:
            raise Ahead("the journal covers no session: it has no calendar, or nothing in it yet")
        self._first, self._last = first, last
        began, ended = utc_from_nanoseconds(first.at), utc_from_nanoseconds(last.at)
        self.sessions = [each for each in self._all if began < each.close and each.open < ended]
        if not self.sessions:
            raise Ahead(f"the journal covers no session of {self.exchange}")

    def day(self, text: str | None, *, only_session: bool) -> Period:
        """Return the day (or only the session) of the date `text`, the last one without.

        Raises:
            click.UsageError: it is no date, or there is no session on it.
        """
        hours = self.sessions[-1] if text is None else self._on(_date(text))
        begins = self._close_before(hours)
        kind, name = ("session", f"session of {hours.day}") if only_session else ("day", "")
        return self._period(
            Span(
                kind,
                name or f"day {hours.day}",
                hours.open if only_session else begins,
                hours.close,
                [hours],
            )
        )

    def week(self, text: str | None) -> Period:
        """Return the ISO week `text` (9, or 2013-W09), the last one without.

        A number alone is of the last year that the journal has that week of.

        Raises:
            click.UsageError: it is no week, or there is no session in it.
        """
        year, number = self._week_meant(text)
        try:
            monday = date.fromisocalendar(year, number, 1)
        except ValueError:
            raise click.UsageError(f"--week {number}: {year} has no such week") from None
        days = (monday, monday + timedelta(days=6))
        found = [each for each in self.sessions if days[0] <= each.day <= days[1]]
        name = f"week {year}-W{number:02}"
        if not found:
            raise Ahead(f"{name}, {days[0]} to {days[1]}: no session; {self._covered()}")
        of_week = [each for each in self._all if days[0] <= each.day <= days[1]]
        begins = self._close_before(of_week[0])
        return self._period(Span("week", name, begins, of_week[-1].close, of_week))

    def cut(self, close: datetime) -> int:
        """Return the last event of the day that ends at `close`."""
        seq = self._reader.seq_at(nanoseconds(close))
        until = nanoseconds(close + LATE)
        cut, executions = seq, set[str]()
        records = self._reader.records(seq, min(seq + _LATE_MAX, self._last.seq))
        for record in takewhile(lambda each: each.at <= until, records):
            if _is_of(record, close, executions):
                cut = record.seq
        return cut

    def _week_meant(self, text: str | None) -> tuple[int, int]:
        if text is None:
            year, number, _ = self.sessions[-1].day.isocalendar()
            return year, number
        found = _WEEK.fullmatch(text)
        if found is None:
            shown = one_line(repr(text), CELL_LONGEST)
            raise click.UsageError(f"--week {shown} is no week: write 9 or 2013-W09")
        number = int(found[2] or found[4])
        if found[1] or found[3]:
            return int(found[1] or found[3]), number
        years = [
            each.day.isocalendar().year
            for each in self.sessions
            if each.day.isocalendar().week == number
        ]
        return (years[-1] if years else self.sessions[-1].day.isocalendar().year), number

    def _close_before(self, hours: SessionHours) -> datetime:
        """Return where the day of a session begins; the first of the table begins the journal."""
        index = self._all.index(hours)
        if index:
            return self._all[index - 1].close
        return min(utc_from_nanoseconds(self._first.at), hours.open)

    def _on(self, day: date) -> SessionHours:
        for hours in self.sessions:
            if hours.day == day:
                return hours
        raise Ahead(f"{day}, a {day:%A}: no session; {self._covered()}")

    def _covered(self) -> str:
        first, last = self.sessions[0].day, self.sessions[-1].day
        return f"the journal covers those of {self.exchange} from {first} to {last}"

    def _period(self, span: Span) -> Period:
        opening = span.kind == "session"
        begins = nanoseconds(span.begins)
        after = self._reader.seq_at(begins - 1) if opening else self.cut(span.begins)
        if begins <= self._first.at:
            after = 0
        upto = max(self.cut(span.ends), after)
        first = self._reader.record(after + 1) or self._last
        last = self._reader.record(upto) or self._first
        return Period(
            kind=span.kind,
            name=span.name,
            exchange=self.exchange,
            days=[each.day for each in span.sessions],
            begins=span.begins,
            ends=span.ends,
            after=after,
            upto=upto,
            covered_from=utc_from_nanoseconds(first.at),
            covered_to=utc_from_nanoseconds(last.at),
            over=self._last.at >= nanoseconds(span.ends),
        )

    def cuts(self, period: Period) -> list[tuple[date, int]]:
        """Return each session of `period` that the journal reaches into, with its last event."""
        hours = {each.day: each for each in self.sessions}
        reached = [hours[day] for day in period.days if day in hours]
        return [(each.day, min(self.cut(each.close), period.upto)) for each in reached]


_LATE_MAX: Final = 100_000
"""Events looked at behind a close for what still belongs to it."""


def _is_of(record: Record, close: datetime, executions: set[str]) -> bool:
    """Say whether what was recorded after `close` had happened by then."""
    match record.event:
        case BarClosed(end=end):
            return end <= close
        case OrderFilled(executed_at=at, execution_id=execution) if at <= close:
            executions.add(execution)
            return True
        case CommissionCharged(execution_id=execution):
            return execution in executions
        case _:
            return False


def days_text(days: Sequence[date]) -> str:
    """Return the sessions as they are named: the day, or from which to which."""
    if len(days) == 1:
        return f"{days[0]:%A} {days[0]}"
    return f"{len(days)} sessions, {days[0]} to {days[-1]}"


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        shown = one_line(repr(text), CELL_LONGEST)
        raise click.UsageError(f"{shown} is no date: write 2024-07-03") from None
