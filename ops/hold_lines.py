"""The holds as they are shown: what stands, what was lifted, and what ends each."""

from datetime import datetime

import msgspec

from events import HoldPlaced, utc_from_nanoseconds
from ops.stops import Tripped, ending_of, is_killed, trips_of
from projections import State


class HoldLine(msgspec.Struct, frozen=True):
    """One hold, and the command that ends it; the last three are None while it stands.

    What was lifted has no command any more.
    """

    hold: HoldPlaced
    placed_at: datetime
    command: str = ""
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lifted_why: str | None = None


class ShownHolds(msgspec.Struct, frozen=True):
    """What is held, and what was, newest last."""

    kill_switch_engaged: bool
    circuit_breaker_trips: list[Tripped]
    active: list[HoldLine]
    history: list[HoldLine]


def holds_of(state: State, history: int) -> ShownHolds:
    """Return the holds in force, and the last `history` that were lifted."""
    books = state.holds
    return ShownHolds(
        kill_switch_engaged=is_killed(state),
        circuit_breaker_trips=trips_of(state),
        active=[
            HoldLine(
                hold,
                utc_from_nanoseconds(books.placed_at.get(hold.hold_id, 0)),
                ending_of(hold).command,
            )
            for hold in books.active.values()
        ],
        history=[
            HoldLine(
                each.placed,
                utc_from_nanoseconds(each.placed_at),
                lifted_at=utc_from_nanoseconds(each.lifted_at),
                lifted_by=each.lifted.by,
                lifted_why=each.lifted.why,
            )
            for each in books.history[len(books.history) - history :]
        ],
    )
