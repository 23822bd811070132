"""Holds that their condition lifts: so many in a session, and then an operator has to look."""

from events import HoldLifts
from projections import State


def lifted_by(
    state: State, cause: str, target: str, trips_max: int, why: str
) -> tuple[HoldLifts, str]:
    """Return what ends the hold that `cause` now places on `target`, and `why` with that said."""
    if state.trips.in_session(cause, target, state.pnl.day_ends_at) < trips_max:
        return HoldLifts.CONDITION, why
    return HoldLifts.OPERATOR, f"{why}, after {trips_max} times in this session"
