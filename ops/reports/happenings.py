"""What stood in the way and what was out of the ordinary, followed event by event. Pure."""

from collections import Counter, deque
from datetime import datetime, timedelta
from typing import Final

from events import (
    BreakOpened,
    BreakResolved,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerUnparsed,
    BrokerUnreachable,
    ClockJumped,
    DiskLow,
    HoldLifted,
    HoldPlaced,
    JournalRestored,
    MarketDataImpaired,
    OperatorCommand,
    OperatorKilled,
    PermitLost,
    Record,
    SessionEnded,
    SessionStarted,
    StrategyFailed,
    StrategyPromoted,
    SymbolHalted,
    utc_from_nanoseconds,
)
from ops.reports.shape import BreakSpan, Happening, HoldSpan
from ops.sentences import hold_text, sentence, symbol_of
from projections import State
from projections.differences import difference_text

SHOWN: Final = 30
_KINDS: Final[tuple[tuple[str, tuple[type, ...]], ...]] = (
    ("start", (SessionStarted,)),
    ("end", (SessionEnded,)),
    ("restore", (JournalRestored,)),
    ("clock jump", (ClockJumped,)),
    ("disk low", (DiskLow,)),
    ("strategy failed", (StrategyFailed,)),
    ("connection", (BrokerDisconnected, BrokerDegraded, BrokerUnreachable)),
    ("unreadable report", (BrokerUnparsed,)),
    ("impaired data", (MarketDataImpaired,)),
    ("trading halt", (SymbolHalted,)),
    ("kill", (OperatorKilled, PermitLost)),
    ("promotion", (StrategyPromoted,)),
)
CRASH: Final = "start without an end"
"""A start behind a session that never said that it ended: a crash, or a kill -9."""


class Happenings:
    """Follows holds and breaks, and notes what is out of the ordinary."""

    def __init__(self, before: State) -> None:
        """Start with what stood `before`."""
        self._ran = bool(before.identity.sessions) and not before.identity.ended
        self.counts: Counter[str] = Counter()
        self.last: deque[Happening] = deque(maxlen=SHOWN)
        self._holds = {
            hold_id: _hold(hold, before.holds.placed_at.get(hold_id, 0))
            for hold_id, hold in before.holds.active.items()
        }
        self._breaks = {
            break_id: _break(found, before.reconciliation.opened_at.get(break_id, 0))
            for break_id, found in before.reconciliation.open.items()
        }

    def take(self, record: Record) -> None:
        """Take one record."""
        event, at = record.event, utc_from_nanoseconds(record.at)
        match event:
            case HoldPlaced():
                self._holds[event.hold_id] = _hold(event, record.at)
            case HoldLifted():
                hold = self._holds.get(event.hold_id)
                if hold is not None and hold.lifted_at is None:
                    hold.lifted_at, hold.lifted_by, hold.lifted_why = at, event.by, event.why
            case BreakOpened():
                self._breaks[event.break_id] = _break(event, record.at)
            case BreakResolved():
                found = self._breaks.get(event.break_id)
                if found is not None and found.resolved_at is None:
                    found.resolved_at, found.how = at, event.how.value
                    found.by, found.why = event.by, event.why
            case _:
                kind = self._kind(record)
                if kind:
                    self.counts[kind] += 1
                    about = symbol_of(event)
                    text = f"{about}: {sentence(event)}" if about else sentence(event)
                    self.last.append(Happening(kind, record.seq, at, text))

    def holds(self, begins: datetime, ends: datetime) -> list[HoldSpan]:
        """Return the holds, with how long each stood between both moments."""
        for hold in self._holds.values():
            until = min(hold.lifted_at or ends, ends)
            since = max(hold.placed_at, begins)
            hold.held_s = max((until - since) / timedelta(seconds=1), 0.0)
        return list(self._holds.values())

    def breaks(self) -> list[BreakSpan]:
        """Return the breaks that stood in the period."""
        return list(self._breaks.values())

    def _kind(self, record: Record) -> str:
        event = record.event
        if isinstance(event, SessionStarted):
            crashed, self._ran = self._ran, True
            return CRASH if crashed else "start"
        if isinstance(event, SessionEnded):
            self._ran = False
        for kind, types in _KINDS:
            if isinstance(event, types):
                return kind
        return "operator's command" if isinstance(event, OperatorCommand) else ""


def _hold(hold: HoldPlaced, at: int) -> HoldSpan:
    return HoldSpan(hold.hold_id, hold_text(hold), utc_from_nanoseconds(at))


def _break(opened: BreakOpened, at: int) -> BreakSpan:
    text = difference_text(opened.difference)
    symbol = opened.difference.symbol
    shown = f"{symbol}: {text}" if symbol else text
    return BreakSpan(opened.break_id, shown, utc_from_nanoseconds(at))
