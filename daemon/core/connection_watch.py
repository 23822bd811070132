"""The watch over the connection to a broker outside: what its loss stops, and when that ends.

Pure. Without a connection nothing may be decided that would have to be sent; what works at the
exchange goes on. A connection that has stood for a while is trusted again; one that keeps breaking
is an operator's.
"""

from datetime import datetime, timedelta
from typing import Final

from daemon.core.self_lifting import lifted_by
from events import (
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    utc_from_nanoseconds,
)
from projections import State
from projections.broker import DISCONNECTED

LIFT_AFTER_S: Final = 30
"""A connection that has stood so long is trusted again."""
TRIPS_MAX: Final = 10
"""So many losses in one session end by themselves; the nightly reset alone is one or two."""
SUBJECT: Final = "broker"
"""What the timer that looks at the connection is about."""
_BY: Final = "core"


def lost(state: State, root: int) -> HoldPlaced | None:
    """Return the hold for a lost connection, None where one stands; `root` is the input's seq."""
    if any(hold.cause == DISCONNECTED for hold in state.holds.active.values()):
        return None
    lifts, why = lifted_by(state, DISCONNECTED, "", TRIPS_MAX, state.broker.reason)
    return HoldPlaced(
        hold_id=f"{DISCONNECTED}-{root}",
        scope=HoldScope.ALL,
        level=HoldLevel.HALT,
        cause=DISCONNECTED,
        by=_BY,
        why=why,
        lifts=lifts,
    )


def trusted_at(state: State) -> datetime | None:
    """Return when the hold of a lost connection ends, None while it does not."""
    if not state.broker.connected or not any(_ends_by_itself(each) for each in _holds(state)):
        return None
    return utc_from_nanoseconds(state.broker.since) + timedelta(seconds=LIFT_AFTER_S)


def trusted(state: State) -> list[HoldLifted]:
    """Return the end of that hold, where its time has come."""
    why = f"connected for {LIFT_AFTER_S} s"
    if not state.broker.connected:
        return []
    return [HoldLifted(each.hold_id, _BY, why) for each in _holds(state) if _ends_by_itself(each)]


def _holds(state: State) -> list[HoldPlaced]:
    return list(state.holds.active.values())


def _ends_by_itself(hold: HoldPlaced) -> bool:
    return hold.cause == DISCONNECTED and hold.lifts is HoldLifts.CONDITION
