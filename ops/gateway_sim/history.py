"""Historical bars of the simulated gateway: which were asked for, and how they are cut. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Final

import msgspec

from daemon.new_york import midnight
from ops.gateway_sim.contracts import Error
from ops.gateway_sim.hours import Hours, new_york_day
from ops.gateway_sim.prices import TICK, Market, joined
from ops.gateway_sim.terms import Bar, HistoryRequest

BAR_SECONDS: Final = {
    "1 secs": 1,
    "5 secs": 5,
    "10 secs": 10,
    "15 secs": 15,
    "30 secs": 30,
    "1 min": 60,
    "2 mins": 120,
    "3 mins": 180,
    "5 mins": 300,
    "10 mins": 600,
    "15 mins": 900,
    "20 mins": 1200,
    "30 mins": 1800,
    "1 hour": 3600,
    "2 hours": 7200,
    "3 hours": 10800,
    "4 hours": 14400,
    "8 hours": 28800,
}
DAY_SIZES: Final = ("1 day", "1 week", "1 month")
WHATS: Final = frozenset({"TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST"})
KEPT_WHATS: Final = frozenset({"TRADES", "MIDPOINT", "BID", "ASK"})
PACED_SECONDS_MAX: Final = 30
"""Only bars this short count against the pacing rules."""
PACING_VIOLATION: Final = (
    162,
    "Historical Market Data Service error message:Historical data request pacing violation",
)

_DAY_UNITS: Final = {"D": 1, "W": 7, "M": 31, "Y": 366}
_SECONDS_MAX: Final = 86_400
_NO_SIZE: Final = Decimal(-1)
_IDENTICAL: Final = timedelta(seconds=15)
_BURST: Final = timedelta(seconds=2)
_BURST_MAX: Final = 6
_WINDOW: Final = timedelta(minutes=10)
_WINDOW_MAX: Final = 60


class HistoryPacing:
    """How many small-bar requests there were lately; the real gateway answers too many with 162."""

    def __init__(self) -> None:
        """Begin with none."""
        self._asked: list[tuple[datetime, HistoryRequest]] = []

    def is_violated(self, now: datetime, wanted: HistoryRequest) -> bool:
        """Count one more request; tell whether it is one too many."""
        if BAR_SECONDS.get(wanted.bar_size, _SECONDS_MAX) > PACED_SECONDS_MAX:
            return False
        self._asked = [(at, each) for at, each in self._asked if now - at < _WINDOW]
        same_contract = [
            at
            for at, each in self._asked
            if each.contract == wanted.contract and each.what == wanted.what and now - at < _BURST
        ]
        is_repeated = any(each == wanted and now - at < _IDENTICAL for at, each in self._asked)
        weight = 2 if wanted.what == "BID_ASK" else 1
        self._asked += [(now, wanted)] * weight
        is_burst = len(same_contract) + 1 >= _BURST_MAX
        return is_repeated or is_burst or len(self._asked) > _WINDOW_MAX


def refusal(wanted: HistoryRequest) -> Error | None:
    """Return what is wrong with a request as such."""
    if wanted.bar_size not in BAR_SECONDS and wanted.bar_size not in DAY_SIZES:
        return _invalid("Historical data bar size setting is invalid.")
    if _parsed_duration(wanted.duration) is None:
        return _invalid("Historical data query end date/time or duration is invalid.")
    if wanted.what not in WHATS:
        return _invalid(f"Incorrect what to show:{wanted.what}")
    if wanted.keep_up_to_date and wanted.end is not None:
        return _invalid("End time not supported with keeping up to date")
    if wanted.keep_up_to_date and wanted.what not in KEPT_WHATS:
        return _invalid(f"Incorrect what to show:{wanted.what}")
    return None


def begins(wanted: HistoryRequest, end: datetime, hours: Hours) -> datetime:
    """Return when the span that was asked for begins: days are sessions, seconds just pass."""
    parsed = _parsed_duration(wanted.duration)
    assert parsed is not None, wanted.duration
    number, unit = parsed
    if unit == "S":
        return end - timedelta(seconds=number)
    if unit != "D":
        return end - timedelta(days=number * _DAY_UNITS[unit])
    # Weekends and holidays are no days; two calendar days for each session and ten are enough.
    calendar_days = 2 * number + 10
    first = new_york_day(end) - timedelta(days=calendar_days)
    begun = [
        begin
        for session in hours.sessions(first, calendar_days + 1)
        if (begin := session.open if wanted.regular_hours else session.extended_open) < end
    ]
    return begun[-number] if len(begun) >= number else begun[0]


def bars(
    market: Market, con_id: int, wanted: HistoryRequest, end: datetime, hours: Hours
) -> tuple[Bar, ...]:
    """Return the bars that were asked for, the newest perhaps not over yet."""
    since = begins(wanted, end, hours)
    finest_s = BAR_SECONDS.get(wanted.bar_size, _SECONDS_MAX)
    pieces = (
        piece
        for piece in market.history(con_id, since, end, finest_s)
        if not wanted.regular_hours or hours.is_regular(piece.at)
    )
    return tuple(_cut(shown(pieces, wanted.what), wanted, hours))


def bar_start(at: datetime, wanted: HistoryRequest, hours: Hours) -> datetime:
    """Return the start of the bar that `at` is in: counted from New York's midnight.

    Bars of a day and more are told by their first date, which is midnight UTC here.
    """
    day = new_york_day(at)
    if wanted.bar_size in DAY_SIZES:
        if wanted.bar_size == "1 week":
            day -= timedelta(days=day.weekday())
        elif wanted.bar_size == "1 month":
            day = day.replace(day=1)
        return datetime.combine(day, time(), UTC)
    size = timedelta(seconds=BAR_SECONDS[wanted.bar_size])
    start = midnight(day) + (at - midnight(day)) // size * size
    session = hours.session(day)
    if session is None:
        return start
    # The bar in which trading begins starts with it, as the real one's first hour at 9:30.
    edges = [session.open] if wanted.regular_hours else [session.extended_open]
    return max([start, *(edge for edge in edges if edge <= at)])


def shown(pieces: Iterable[Bar], what: str) -> Iterator[Bar]:
    """Yield bars of what was asked for, made from trades: quotes are one tick beside them."""
    for piece in pieces:
        if what in {"TRADES", "ADJUSTED_LAST"}:
            yield piece
            continue
        shifts = {"BID": (-TICK, -TICK), "ASK": (TICK, TICK), "BID_ASK": (-TICK, TICK)}
        low, high = shifts.get(what, (Decimal(0), Decimal(0)))
        yield msgspec.structs.replace(
            piece,
            open=piece.open + low,
            low=piece.low + low,
            high=piece.high + high,
            close=piece.close + high,
            volume=_NO_SIZE,
            wap=_NO_SIZE,
            count=-1,
        )


def extended(begun: Bar | None, piece: Bar, wanted: HistoryRequest, hours: Hours) -> Bar:
    """Return the bar that `piece` is in, with what had `begun` of it."""
    start = bar_start(piece.at, wanted, hours)
    whole_day = wanted.bar_size in DAY_SIZES
    pieces = [begun, piece] if begun is not None and begun.at == start else [piece]
    return _joined(pieces, start, whole_day=whole_day)


def _cut(pieces: Iterable[Bar], wanted: HistoryRequest, hours: Hours) -> Iterator[Bar]:
    whole_day = wanted.bar_size in DAY_SIZES
    for start, group in groupby(pieces, lambda piece: bar_start(piece.at, wanted, hours)):
        yield _joined(list(group), start, whole_day=whole_day)


def _joined(pieces: list[Bar], start: datetime, *, whole_day: bool) -> Bar:
    bar = joined(pieces, start, whole_day=whole_day)
    if pieces[0].volume != _NO_SIZE:
        return bar
    return msgspec.structs.replace(bar, volume=_NO_SIZE, wap=_NO_SIZE, count=-1)


def _parsed_duration(duration: str) -> tuple[int, str] | None:
    number, _, unit = duration.partition(" ")
    if not number.isascii() or not number.isdigit() or unit not in {"S", *_DAY_UNITS}:
        return None
    seconds = int(number)
    too_many = _SECONDS_MAX if unit == "S" else 10_000
    return (seconds, unit) if 0 < seconds <= too_many else None


def _invalid(cause: str) -> Error:
    return 321, f"Error validating request.-'bP' : cause - {cause}"
