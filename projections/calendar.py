"""Exchange sessions as loaded into the journal: may we trade now, and which day is it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate, islice

import msgspec

from events import CalendarLoaded, SessionHours, nanoseconds

ALWAYS_OPEN = "24/7"
MAIN_EXCHANGE = "NYSE"
_INSTANT = timedelta(microseconds=1)


class Sessions(msgspec.Struct, dict=True):
    """The sessions of one exchange in order."""

    hours: list[SessionHours] = []
    closes: list[datetime] = []

    def __post_init__(self) -> None:
        """Start with no session found."""
        # For speed only, and no field: what was asked is no part of the books.
        self._last_found: SessionHours | None = None
        self._sums: dict[bool, list[timedelta]] = {}

    def covering(self, moment: datetime, *, extended: bool) -> SessionHours | None:
        """Return the session with `moment` in (open, close], None when the exchange is closed.

        The open end is where a session starts because a bar is named by the moment it ends.
        """
        found = self._last_found
        if found is None or not found.extended_open < moment <= found.extended_close:
            index = bisect_left(self.closes, moment)
            if index == len(self.closes):
                return None
            found = self.hours[index]
            if moment <= found.extended_open:
                return None
            self._last_found = found
        if extended or found.open < moment <= found.close:
            return found
        return None

    def at_hand(self, moment: datetime) -> SessionHours | None:
        """Return the session whose extended hours `moment` is in, or else the next one."""
        index = bisect_left(self.closes, moment)
        return self.hours[index] if index < len(self.hours) else None

    def next_auction(self, moment: datetime, *, opening: bool) -> datetime | None:
        """Return the first opening (else closing) auction after `moment`, None past the horizon."""
        index = bisect_left(self.closes, moment)
        for hours in self.hours[index : index + 2]:
            auction = hours.open if opening else hours.close
            if auction > moment:
                return auction
        return None

    def open_time(self, since: datetime, until: datetime, *, extended: bool) -> timedelta | None:
        """Return how long the exchange was open from `since` to `until`, 0 where that is earlier.

        None where the table does not reach so far, or starts too late.
        """
        first = bisect_right(self.closes, since)
        last = bisect_left(self.closes, until)
        if last == len(self.hours) or (first == 0 and since < self.hours[0].extended_open):
            return None
        if first > last:
            return timedelta()
        in_first = _overlap(self.hours[first], since, until, extended=extended)
        if first == last:
            return in_first
        sums = self._open_before(extended=extended)
        in_last = _overlap(self.hours[last], since, until, extended=extended)
        return in_first + (sums[last] - sums[first + 1]) + in_last

    def _open_before(self, *, extended: bool) -> list[timedelta]:
        """Return for each session how long all before it were open together."""
        if extended not in self._sums:
            spans = (_span(hours, extended=extended) for hours in self.hours)
            self._sums[extended] = list(accumulate(spans, initial=timedelta()))
        return self._sums[extended]

    def first_ending_after(self, moment: datetime) -> SessionHours | None:
        """Return the first session whose regular close is after `moment`, None past the horizon."""
        index = self.index_ending_after(moment)
        return self.hours[index] if index < len(self.hours) else None

    def spans_after(
        self, moment: datetime, *, extended: bool
    ) -> Iterator[tuple[datetime, datetime]]:
        """Yield when the exchange is open after `moment`, up to the horizon: from, to."""
        for hours in islice(self.hours, bisect_right(self.closes, moment), None):
            opens, closes = hours.open, hours.close
            if extended:
                opens, closes = hours.extended_open, hours.extended_close
            if closes > moment:
                yield max(opens, moment), closes

    def index_ending_after(self, moment: datetime) -> int:
        """Return the index of the first session whose regular close is after `moment`."""
        return bisect_right(self.hours, moment, key=lambda hours: hours.close)


class Calendar(msgspec.Struct):
    """Sessions by exchange, and how to read them.

    `day_exchange` is the one whose closes end the P&L days; `day_closes` has them, in ns UTC.
    """

    exchanges: dict[str, Sessions] = {}
    day_exchange: str = ""
    day_closes: list[int] = []

    def load(self, event: CalendarLoaded) -> None:
        """Take an exchange's sessions.

        NYSE's end the P&L days, else those of the first exchange loaded that has any.
        """
        ordered = sorted(event.sessions, key=lambda hours: hours.close)
        self.exchanges[event.exchange] = Sessions(
            ordered, [hours.extended_close for hours in ordered]
        )
        self.day_exchange = min(self.exchanges, key=_rank)
        days = self.exchanges[self.day_exchange].hours
        self.day_closes = [nanoseconds(hours.close) for hours in days]

    def has(self, event: CalendarLoaded) -> bool:
        """Say whether `event` says nothing but what is known."""
        known = self.exchanges.get(event.exchange)
        return known is not None and tuple(known.hours) == event.sessions

    def in_session(self, exchange: str, moment: datetime, *, extended: bool) -> bool:
        """Say whether `exchange` trades at `moment`; an exchange without a calendar is closed."""
        if exchange == ALWAYS_OPEN:
            return True
        sessions = self.exchanges.get(exchange)
        return sessions is not None and sessions.covering(moment, extended=extended) is not None

    def spans_after(
        self, exchange: str, moment: datetime, *, extended: bool
    ) -> Iterator[tuple[datetime, datetime]]:
        """Yield when `exchange` is open after `moment`; of one without a calendar, nothing."""
        sessions = self.exchanges.get(exchange)
        if sessions is not None:
            yield from sessions.spans_after(moment, extended=extended)

    def horizon(self, exchange: str) -> datetime | None:
        """Return the last close known of `exchange`; None without a calendar: it is closed."""
        sessions = self.exchanges.get(exchange)
        return sessions.hours[-1].close if sessions is not None and sessions.hours else None

    def takes_orders(self, exchange: str, moment: datetime, *, extended: bool) -> bool:
        """Say whether an order sent at `moment` meets an open exchange: both ends of a session do.

        At the very open an order can trade; at the very close a bar has just ended, and what it
        led to counts as sent in that session.
        """
        return self.in_session(exchange, moment, extended=extended) or self.in_session(
            exchange, moment + _INSTANT, extended=extended
        )

    def open_time(
        self, exchange: str, since: datetime, until: datetime, *, extended: bool
    ) -> timedelta | None:
        """Return how long `exchange` was open from `since` to `until`; None when nobody knows."""
        if exchange == ALWAYS_OPEN:
            return max(until - since, timedelta())
        sessions = self.exchanges.get(exchange)
        return None if sessions is None else sessions.open_time(since, until, extended=extended)

    def next_daily(self, exchange: str, end: datetime, span: timedelta) -> datetime | None:
        """Return when the bar after a daily one that ended at `end` is due.

        None where a bar that long is no daily one, or nobody knows the sessions. The session after
        a half day is longer than the bar before it.
        """
        sessions = self.exchanges.get(exchange)
        hours = sessions.at_hand(end) if sessions else None
        if sessions is None or hours is None or span < hours.close - hours.open:
            return None
        after = sessions.first_ending_after(end)
        return after.close if after else None

    def day_of(self, at: int) -> tuple[int, int] | None:
        """Return the closes, in ns UTC, between which the P&L day of `at` lies: (start, end].

        None past the horizon, where nobody knows when the day ends. The first day of the table
        starts with the epoch.
        """
        closes = self.day_closes
        index = bisect_left(closes, at)
        if index == len(closes):
            return None
        return closes[index - 1] if index else 0, closes[index]


def _span(hours: SessionHours, *, extended: bool) -> timedelta:
    return hours.extended_close - hours.extended_open if extended else hours.close - hours.open


def _overlap(hours: SessionHours, since: datetime, until: datetime, *, extended: bool) -> timedelta:
    """Return how much of the session lies between both moments."""
    opens = hours.extended_open if extended else hours.open
    closes = hours.extended_close if extended else hours.close
    return max(min(until, closes) - max(since, opens), timedelta())


def _rank(exchange: str) -> int:
    return {MAIN_EXCHANGE: 0, ALWAYS_OPEN: 2}.get(exchange, 1)
