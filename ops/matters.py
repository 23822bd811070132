"""Which events a person has to know of, on a terminal and as alerts, and what to type then."""

from collections.abc import Iterator
from typing import Final

import events
from events import HoldLifts, HoldPlaced, Trip
from ops.stops import RESOLVE_ALL, ending_of

NEWS: Final = (
    events.BreakOpened,
    events.BreakResolved,
    events.BrokerConnected,
    events.BrokerDataLost,
    events.BrokerDegraded,
    events.BrokerDisconnected,
    events.BrokerRestored,
    events.BrokerUnparsed,
    events.BrokerUnreachable,
    events.CancelWithheld,
    events.ClockJumped,
    events.DiskLow,
    events.HoldLifted,
    events.HoldPlaced,
    events.MarketDataImpaired,
    events.OrderAmended,
    events.OrderNumbersWentBack,
    events.OrderUnknown,
    events.PermitLost,
    events.StrategyFailed,
)
"""What matters while it happens, on whatever it is read."""
NEXT_OF_FAILURE: Final = "`traded status`, and `traded resume STRATEGY` when it is mended"


def next_of_hold(hold: HoldPlaced) -> Iterator[str]:
    """Say what to type, where only an operator ends it."""
    if hold.lifts is not HoldLifts.OPERATOR:
        return
    ending = ending_of(hold)
    if hold.cause == Trip.RECONCILIATION_BREAK:
        yield f"  next: `{ending.look}`; if the broker is right, as it is on a first day:"
        yield f"        {RESOLVE_ALL}"
    else:
        yield f"  next: `{ending.look}`, then: {ending.command}"
