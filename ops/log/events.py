"""Which events of the journal are logged while a daemon lives, how loudly, and with what fields.

The journal has every event; the log is for whoever looks through the machine's logs first.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from events import (
    BarClosed,
    BarMissing,
    BooksReported,
    BreakOpened,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerHeard,
    BrokerUnparsed,
    BrokerUnreachable,
    CalendarLoaded,
    ClockJumped,
    CommandRefused,
    ConfigLoaded,
    DiskLow,
    FillCorrected,
    HoldPlaced,
    IntentApproved,
    IntentRefused,
    MarginReported,
    MarginRequested,
    MarketDataImpaired,
    OperatorKilled,
    OrderAmended,
    OrderIntended,
    OrderNumbered,
    OrderRejected,
    OrderUnknown,
    PermitLost,
    ReconcileCompleted,
    Record,
    StrategyDeclined,
    StrategyFailed,
    TimerFired,
    utc_from_nanoseconds,
)
from events.codec import TAGS, JournalEvent
from ops.log.lines import Level, Log
from ops.sentences import order_id_of, sentence, symbol_of

A_MINUTE: Final = 20
"""So many lines of one type about one thing are logged in a minute; the rest is counted."""
REFUSED_AN_HOUR: Final = 3
"""So many refusals of a symbol that differ in nothing but their numbers are logged in an hour."""
_MINUTE_NS: Final = 60 * 10**9
_HOUR_NS: Final = 60 * _MINUTE_NS
_NUMBER: Final = re.compile(r"[0-9][0-9,.]*")
_LEFT_OUT: Final = (
    BarClosed,
    BooksReported,
    BrokerHeard,
    CalendarLoaded,
    ConfigLoaded,
    IntentApproved,
    MarginReported,
    MarginRequested,
    OrderIntended,
    OrderNumbered,
    ReconcileCompleted,
    TimerFired,
    StrategyDeclined,
)
"""They come by the minute, are pages long, or say what the next one says again."""
_ERRORS: Final = (BrokerUnparsed, DiskLow, OperatorKilled, PermitLost, StrategyFailed)
_WARNINGS: Final = (
    BarMissing,
    BreakOpened,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerUnreachable,
    ClockJumped,
    CommandRefused,
    FillCorrected,
    HoldPlaced,
    MarketDataImpaired,
    OrderAmended,
    OrderRejected,
    OrderUnknown,
)


class _Kept(msgspec.Struct):
    """What is counted within one window of time, up to `most` lines of it."""

    tag: str
    symbol: str
    until: int
    most: int
    count: int = 0


class EventLog:
    """Logs what was recorded. Time is the records' own, so the same records make the same lines."""

    def __init__(self, log: Log) -> None:
        """Write to `log`."""
        self._log = log
        self._kept: dict[tuple[str, str, str], _Kept] = {}

    def take(self, records: Sequence[Record]) -> None:
        """Log what of `records` is for a log."""
        for record in records:
            if isinstance(record.event, _LEFT_OUT):
                continue
            self._end_windows(record.at)
            self._take(record, TAGS[type(record.event)], _symbol_of(record.event))

    def finish(self) -> None:
        """Say what was left out so far."""
        for kept in self._kept.values():
            self._tell_left_out(kept)
        self._kept.clear()

    def _take(self, record: Record, tag: str, symbol: str) -> None:
        event, text = record.event, sentence(record.event)
        if isinstance(event, IntentRefused):
            alike = (tag, symbol, _NUMBER.sub("0", text))
            fresh = _Kept(tag, symbol, record.at + _HOUR_NS, REFUSED_AN_HOUR)
        else:
            alike = (tag, symbol, "")
            fresh = _Kept(tag, symbol, record.at + _MINUTE_NS, A_MINUTE)
        kept = self._kept.setdefault(alike, fresh)
        kept.count += 1
        if kept.count > kept.most:
            return
        self._log.line(
            text,
            level_of(event),
            type=tag,
            seq=record.seq,
            trace=record.trace or record.seq,
            cause=record.cause,
            at=utc_from_nanoseconds(record.at).isoformat(),
            symbol=symbol,
            client_order_id=order_id_of(event),
        )

    def _end_windows(self, now: int) -> None:
        for alike in [alike for alike, kept in self._kept.items() if kept.until <= now]:
            self._tell_left_out(self._kept.pop(alike))

    def _tell_left_out(self, kept: _Kept) -> None:
        more = kept.count - kept.most
        if more > 0:
            about = f" of {kept.symbol}" if kept.symbol else ""
            text = f"and {more} more {kept.tag}{about} like it: `traded tail --type {kept.tag}`"
            self._log.line(text, Level.NOTICE, type=kept.tag, symbol=kept.symbol)


def level_of(event: JournalEvent) -> Level:
    """Return how loudly `event` is said."""
    if isinstance(event, _ERRORS):
        return Level.ERROR
    if isinstance(event, _WARNINGS):
        return Level.WARNING
    return Level.INFO


def _symbol_of(event: JournalEvent) -> str:
    """Return the symbol `event` is about; an order's id begins with the order's."""
    found = symbol_of(event)
    if found is None and (order := order_id_of(event)) is not None:
        return order.rsplit("-", 2)[0]
    return found or ""
