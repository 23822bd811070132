"""The gateway's way to write down when a contract trades, read into UTC. Pure.

`20240105:0930-20240105:1600;20240106:CLOSED`, on the clocks of a zone that is named beside it.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daemon.brokers.gateway.messages import Unreadable, zone_of
from events import ReportedHours, Symbol, TradingHoursReported

_CLOSED: Final = "CLOSED"
_WITH_DAY: Final = "%Y%m%d:%H%M"


def hours_report(symbol: Symbol, regular: str, extended: str, zone: str) -> TradingHoursReported:
    """Return what the gateway says of a symbol's hours; what cannot be read is kept as it is."""
    try:
        clock = _clock(zone)
        return TradingHoursReported(
            symbol, tuple(_hours(regular, clock)), tuple(_hours(extended, clock))
        )
    except Unreadable as error:
        return TradingHoursReported(symbol, unread=f"{error}: {regular!r} in {zone!r}")


def _clock(zone: str) -> ZoneInfo:
    name = zone.split(" ", maxsplit=1)[0]
    try:
        return zone_of(name)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise Unreadable("no time zone that is known") from error


def _hours(text: str, clock: ZoneInfo) -> Iterator[ReportedHours]:
    if not text:
        raise Unreadable("no hours")
    for part in text.split(";"):
        day, _, times = part.partition(":")
        if not part:
            continue
        if times == _CLOSED:
            yield ReportedHours(_day(day))
            continue
        # Several stretches of one day share its date, which only the first one names.
        for stretch in times.split(","):
            begins, _, ends = stretch.partition("-")
            opens, closes = _moment(day, begins, clock), _moment(day, ends, clock)
            yield ReportedHours(closes.astimezone(clock).date(), opens, closes)


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError as error:
        raise Unreadable(f"{text!r} is no date") from error


def _moment(day: str, text: str, clock: ZoneInfo) -> datetime:
    try:
        naive = datetime.strptime(text if ":" in text else f"{day}:{text}", _WITH_DAY)  # noqa: DTZ007 - the zone comes next
    except ValueError as error:
        raise Unreadable(f"{text!r} is no time") from error
    return naive.replace(tzinfo=clock).astimezone(UTC)
