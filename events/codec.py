"""Events to JSON text and back: the one list of all events, Decimals exact, times in UTC."""

from typing import Final, get_args

import msgspec

from events.account import (
    CashMoved,
    CommissionCharged,
    CommissionCorrected,
    CorporateActionAnnounced,
    CorporateActionApplied,
)
from events.broker import (
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerHeard,
    BrokerRestored,
    BrokerUnreachable,
    OrderNumbered,
    OrderNumbersWentBack,
)
from events.errors import UnknownEvent
from events.holds import HoldLifted, HoldPlaced
from events.instruments import (
    ContractResolved,
    ShortSaleReported,
    SymbolHalted,
    SymbolResumed,
    TradingHoursReported,
)
from events.machine import ClockJumped, DiskLow
from events.margin import (
    AccountReported,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
)
from events.market import BarClosed, BarMissing, MarketDataImpaired
from events.operator import (
    CommandRefused,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorHeld,
    OperatorKilled,
    OperatorLifted,
    OperatorOrderAsked,
    OperatorPromoteAsked,
    OperatorReconcileAsked,
    OperatorReloaded,
    OperatorResolveAsked,
    OperatorResumed,
    OperatorShadowed,
    PermitLost,
    StrategyPromoted,
)
from events.orders import (
    BrokerUnparsed,
    CancelSending,
    CancelWithheld,
    FillCorrected,
    IntentApproved,
    IntentRefused,
    OrderAcknowledged,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderSending,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
)
from events.reconciliation import (
    BooksReported,
    BreakOpened,
    BreakResolved,
    CashAdjusted,
    OrderAdopted,
    OrderWrittenOff,
    PositionAdjusted,
    ReconcileCompleted,
)
from events.session import (
    CalendarLoaded,
    ConfigLoaded,
    JournalContinued,
    JournalOpened,
    JournalRestored,
    SessionEnded,
    SessionStarted,
    SessionStopping,
    TimerFired,
)
from events.strategy import StrategyDeclined, StrategyFailed
from events.upcast import UPCASTS, Upcast

Command = (
    OperatorKilled
    | OperatorResumed
    | OperatorHeld
    | OperatorLifted
    | OperatorCancelAsked
    | OperatorFlattenAsked
    | OperatorOrderAsked
    | OperatorShadowed
    | OperatorPromoteAsked
    | OperatorReloaded
    | OperatorReconcileAsked
    | OperatorResolveAsked
)
"""What a person may tell the daemon."""

Input = (
    BarClosed
    | OrderWithheld
    | CancelWithheld
    | OrderAcknowledged
    | OrderWorking
    | OrderAmended
    | OrderRejected
    | OrderCancelled
    | OrderExpired
    | OrderFilled
    | FillCorrected
    | CommissionCharged
    | CommissionCorrected
    | BrokerUnparsed
    | BrokerHeard
    | OrderNumbered
    | OrderNumbersWentBack
    | BrokerConnected
    | BrokerDisconnected
    | BrokerDegraded
    | BrokerRestored
    | BrokerDataLost
    | BrokerUnreachable
    | CashMoved
    | TimerFired
    | CorporateActionAnnounced
    | ContractResolved
    | SymbolHalted
    | SymbolResumed
    | ShortSaleReported
    | TradingHoursReported
    | MarketDataImpaired
    | AccountReported
    | MarginReported
    | MarginUnavailable
    | BooksReported
    | JournalOpened
    | JournalContinued
    | JournalRestored
    | SessionStarted
    | SessionStopping
    | SessionEnded
    | ConfigLoaded
    | CalendarLoaded
    | PermitLost
    | ClockJumped
    | DiskLow
    | Command
)
"""What came from outside: replayed as it was, never decided again."""

Decided = (
    OrderIntended
    | MarginRequested
    | IntentApproved
    | IntentRefused
    | OrderSending
    | CancelSending
    | OrderUnknown
    | HoldPlaced
    | HoldLifted
    | StrategyDeclined
    | StrategyFailed
    | CorporateActionApplied
    | CommandRefused
    | StrategyPromoted
    | BarMissing
    | BreakOpened
    | BreakResolved
    | ReconcileCompleted
    | PositionAdjusted
    | CashAdjusted
    | OrderAdopted
    | OrderWrittenOff
)
"""What the core answered: the same inputs give the same again."""

JournalEvent = Input | Decided

INPUTS: Final[frozenset[type]] = frozenset(get_args(Input))
TAGS: Final[dict[type, str]] = {
    kind: str(kind.__struct_config__.tag) for kind in get_args(JournalEvent)
}


def tags_of(kind: type) -> tuple[str, ...]:
    """Return the tags that rows of `kind` may have: the present one, then those of older forms."""
    tags = [TAGS[kind]]
    for tag in tags:  # It grows meanwhile: an older form has older ones itself.
        tags += [older for older, upcast in UPCASTS.items() if upcast.tag == tag]
    return tuple(tags)


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[JournalEvent] = msgspec.json.Decoder(JournalEvent)

encode = _encoder.encode
"""Return the event as UTF-8 JSON with its tag under `type`."""


def decode(body: bytes | str, upcasts: dict[str, Upcast] = UPCASTS) -> JournalEvent:
    """Return the event `body` holds, older forms brought up to date.

    Raises:
        UnknownEvent: the tag, or a field, belongs to no event this version knows.
    """
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        return _decode_older(body, upcasts, error)


def _decode_older(
    body: bytes | str, upcasts: dict[str, Upcast], error: msgspec.ValidationError
) -> JournalEvent:
    fields = msgspec.json.decode(body)
    tag = fields.get("type") if isinstance(fields, dict) else None
    if tag not in upcasts:
        raise UnknownEvent(f"{error} (type {tag!r})") from error
    while upcast := upcasts.get(fields["type"]):
        fields = upcast.renew(fields) | {"type": upcast.tag}
    try:
        event: JournalEvent = msgspec.convert(fields, JournalEvent)
    except msgspec.ValidationError as still_wrong:
        raise UnknownEvent(f"{still_wrong} (type {tag!r}, brought up to date)") from still_wrong
    return event
