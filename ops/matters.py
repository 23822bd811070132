"""Which events a person has to know of, on a terminal and as alerts, and what to type then."""

from collections.abc import Iterator
from typing import Final

from events import (
    AT_START,
    KILL_SWITCH,
    BreakOpened,
    BreakResolved,
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerRestored,
    BrokerUnparsed,
    BrokerUnreachable,
    CancelWithheld,
    ClockJumped,
    DiskLow,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    MarketDataImpaired,
    OrderAmended,
    OrderNumbersWentBack,
    OrderUnknown,
    PermitLost,
    StrategyFailed,
    Trip,
)

NEWS: Final = (
    BreakOpened,
    BreakResolved,
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerRestored,
    BrokerUnparsed,
    BrokerUnreachable,
    CancelWithheld,
    ClockJumped,
    DiskLow,
    HoldLifted,
    HoldPlaced,
    MarketDataImpaired,
    OrderAmended,
    OrderNumbersWentBack,
    OrderUnknown,
    PermitLost,
    StrategyFailed,
)
"""What matters while it happens, on whatever it is read."""
NEXT_OF_FAILURE: Final = "`traded status`, and `traded resume STRATEGY` when it is mended"


def next_of_hold(hold: HoldPlaced) -> Iterator[str]:
    """Say what to type, where only an operator ends it."""
    if hold.lifts is not HoldLifts.OPERATOR:
        return
    if hold.cause == Trip.RECONCILIATION_BREAK:
        yield "  next: `traded breaks`; if the broker is right, as it is on a first day:"
        yield '        traded resolve --all --adopt --reason "what you found"'
    elif hold.cause in {AT_START, KILL_SWITCH}:
        yield '  next: `traded ready`, then: traded resume --why "what you found"'
    else:
        yield f'  next: `traded holds`, then: traded lift {hold.hold_id} --why "what you found"'
