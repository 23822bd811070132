"""Which events are alerts, and how much each matters. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from events import (
    AT_START,
    BreakOpened,
    BreakResolved,
    BrokerDataLost,
    BrokerUnparsed,
    CancelWithheld,
    ClockJumped,
    DiskLow,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    JournalRestored,
    MarketDataImpaired,
    OrderAmended,
    OrderNumbersWentBack,
    OrderUnknown,
    PermitLost,
    Record,
    SessionEnded,
    SessionStarted,
    StrategyFailed,
    StrategyPromoted,
)
from events.codec import TAGS, JournalEvent
from ops.matters import NEWS, NEXT_OF_FAILURE, next_of_hold
from ops.render import one_line
from ops.sentences import order_id_of, sentence, symbol_of
from ops.stops import is_by_hand, is_kill, is_trip
from ops.watch.alerts.alert import Alert, Severity
from projections import State
from projections.broker import DISCONNECTED
from projections.strategies import FAILED

DOWN: Final = "daemon-down"
"""The cause of what is told of a daemon that ended without having said why."""
ALERTING: Final = (*NEWS, JournalRestored, SessionStarted, SessionEnded, StrategyPromoted)
"""What is looked through for alerts."""
_TITLES: Final[dict[type[JournalEvent], tuple[Severity, str, str]]] = {
    BreakOpened: (Severity.CRITICAL, "the broker's books differ", "`traded breaks`"),
    BreakResolved: (Severity.INFO, "a break is over", "`traded breaks`"),
    BrokerDataLost: (Severity.WARNING, "subscriptions are lost", "`traded status`"),
    BrokerUnparsed: (Severity.CRITICAL, "a report that cannot be so", "`traded holds`"),
    CancelWithheld: (Severity.CRITICAL, "a cancel did not leave", "`traded orders`"),
    ClockJumped: (Severity.CRITICAL, "the clock jumped", "`traded holds`"),
    DiskLow: (Severity.CRITICAL, "the disk is low", "make room, then `traded status`"),
    JournalRestored: (Severity.WARNING, "the journal was restored", "`traded ready`"),
    MarketDataImpaired: (Severity.WARNING, "live data is impaired", "`traded status`"),
    OrderAmended: (Severity.CRITICAL, "somebody changed an order", "`traded orders`"),
    OrderNumbersWentBack: (Severity.CRITICAL, "order numbers went back", "`traded orders`"),
    OrderUnknown: (Severity.CRITICAL, "order UNKNOWN", "`traded orders`, and look at the broker"),
    PermitLost: (Severity.STOP, "the permit to send is gone", "`traded ready`, `traded resume`"),
    StrategyFailed: (Severity.CRITICAL, "a strategy failed", NEXT_OF_FAILURE),
    StrategyPromoted: (Severity.INFO, "a strategy sends from now on", "`traded status`"),
}
"""How what needs no more thought is told; the connection is told by how long it is away."""


class Past(msgspec.Struct):
    """What is remembered of the events before: whether a session was open, as far as they say."""

    session_open: bool = False


def what_happened(
    state: State, records: Sequence[Record], past: Past, *, sends: bool
) -> Iterator[Alert]:
    """Yield the alerts in `records`, by the books behind them; `sends`: orders may leave."""
    for record in records:
        event = record.event
        match event:
            case SessionStarted() | SessionEnded():
                yield _session(record, event, past, sends=sends)
            case HoldPlaced():
                if (alert := _placed(record, event)) is not None:
                    yield alert
            case HoldLifted():
                if (alert := _lifted(record, event, state)) is not None:
                    yield alert
            case _ if type(event) in _TITLES:
                yield _plain(record)


def _plain(record: Record) -> Alert:
    event = record.event
    severity, title, then = _TITLES[type(event)]
    symbol, order = symbol_of(event), order_id_of(event)
    about = one_line(symbol or (order or "").rsplit("-", 2)[0])
    said = f"{one_line(order)}: {sentence(event)}" if order else sentence(event)
    text = f"{about}: {said}" if symbol else said
    title = f"{title}: {about}" if about else title
    cause = f"{TAGS[type(event)]}:{_subject(event) or about}"
    return Alert(cause, severity, title, text, then, record.at)


def _subject(event: JournalEvent) -> str:
    """Return what makes two events of a type the same thing again, where that is no symbol."""
    if isinstance(event, BreakOpened):
        return one_line(" ".join(event.difference.about))
    if isinstance(event, BrokerUnparsed):
        return one_line(event.why)
    strategy: str = getattr(event, "strategy", "")
    return one_line(order_id_of(event) or strategy)


def _session(
    record: Record, event: SessionStarted | SessionEnded, past: Past, *, sends: bool
) -> Alert:
    was_open, past.session_open = past.session_open, isinstance(event, SessionStarted)
    if isinstance(event, SessionEnded):
        severity = Severity.STOP if sends else Severity.INFO
        title = f"the daemon ended: {one_line(event.reason, 60)}"
        then = "`traded status`; start it again: `traded run`"
        return Alert("session-ended:", severity, title, sentence(event), then, record.at)
    if was_open:
        title = "the daemon was killed or crashed, and is back"
        text = f"the session before ended without a word; now {sentence(event)}"
        then = "`traded status`, then `traded breaks`"
        return Alert(DOWN, Severity.STOP, title, text, then, record.at, ("session-ended:",))
    clears = ("session-ended:", DOWN)
    begun = "session-started:"
    return Alert(
        begun,
        Severity.INFO,
        "the daemon runs",
        sentence(event),
        "`traded status`",
        record.at,
        clears,
    )


def _placed(record: Record, hold: HoldPlaced) -> Alert | None:
    if hold.cause in {DISCONNECTED, FAILED}:
        return None  # The connection's is told behind its grace, a strategy's by its own event.
    then = " ".join(line.strip().removeprefix("next: ") for line in next_of_hold(hold))
    return Alert(
        _cause_of_hold(hold),
        severity_of(hold),
        _title_of_hold(hold),
        sentence(hold),
        then or "`traded holds`; it lifts by itself",
        record.at,
        (f"over-{_cause_of_hold(hold)}",),
    )


def _lifted(record: Record, lifted: HoldLifted, state: State) -> Alert | None:
    # Of the newest holds that were lifted the books have the hold itself.
    kept = reversed(state.holds.history)
    hold = next((each.placed for each in kept if each.placed.hold_id == lifted.hold_id), None)
    if hold is not None and hold.cause == DISCONNECTED:
        return None
    cause = f"hold:{one_line(lifted.hold_id)}" if hold is None else _cause_of_hold(hold)
    title = "a hold is lifted" if hold is None else f"over: {_title_of_hold(hold)}"
    held = sorted({one_line(each.cause) for each in state.holds.active.values()})
    left = f"; still held: {', '.join(held[:5])}" if held else "; nothing is held any more"
    text = sentence(lifted) + left
    return Alert(f"over-{cause}", Severity.INFO, title, text, "`traded holds`", record.at, (cause,))


def severity_of(hold: HoldPlaced) -> Severity:
    """Return how much a hold matters.

    What a person placed or started is known to a person, and what ends by itself may wait; the kill
    switch and all else that stopped trading by itself may not.
    """
    if is_kill(hold):
        return Severity.STOP
    if hold.lifts is HoldLifts.CONDITION or hold.cause == AT_START or is_by_hand(hold):
        return Severity.WARNING
    return Severity.STOP if is_trip(hold) else Severity.CRITICAL


def _title_of_hold(hold: HoldPlaced) -> str:
    if is_kill(hold):
        return "KILL SWITCH engaged"
    on = f" on {one_line(hold.target)}" if hold.scope is not HoldScope.ALL else ""
    tripped = severity_of(hold) is Severity.STOP
    what = "circuit breaker tripped" if tripped else hold.level
    return f"{what}: {one_line(hold.cause)}{on}"


def _cause_of_hold(hold: HoldPlaced) -> str:
    return one_line(f"hold:{hold.cause} {hold.target} {hold.subject}".rstrip())
