"""Holds in force and the last ones lifted."""

from typing import assert_never

import msgspec

from events import HoldLevel, HoldLifted, HoldPlaced, HoldScope, Symbol

HISTORY_KEPT = 100


class PastHold(msgspec.Struct, frozen=True):
    """A hold that was lifted, by whom and why; both times are ns UTC."""

    placed: HoldPlaced
    lifted: HoldLifted
    placed_at: int = 0
    lifted_at: int = 0


class Holds(msgspec.Struct):
    """`active` by hold id, `placed_at` (ns UTC) likewise; `history` newest last."""

    active: dict[str, HoldPlaced] = {}
    placed_at: dict[str, int] = {}
    history: list[PastHold] = []

    def apply(self, event: HoldPlaced | HoldLifted, at: int) -> None:
        """Place or lift one hold; lifting one never lifts another."""
        match event:
            case HoldPlaced():
                self.active[event.hold_id] = event
                self.placed_at[event.hold_id] = at
            case HoldLifted():
                placed = self.active.pop(event.hold_id, None)
                if placed is not None:
                    placed_at = self.placed_at.pop(event.hold_id, 0)
                    past = PastHold(placed, event, placed_at, at)
                    self.history = [*self.history, past][-HISTORY_KEPT:]
            case _:
                assert_never(event)

    def stands(self, cause: str, subject: str) -> bool:
        """Say whether a hold for `cause` is in force on `subject`, or on that as its target."""
        return any(
            hold.cause == cause and (hold.subject or hold.target) == subject
            for hold in self.active.values()
        )

    def in_scope(self, strategy: str, symbol: Symbol) -> list[HoldPlaced]:
        """Return the holds that cover an order of `strategy` in `symbol`, oldest first."""
        return [hold for hold in self.active.values() if covers(hold, strategy, symbol)]


def strictest(holds: list[HoldPlaced]) -> HoldLevel | None:
    """Return the level that wins: HALT over REDUCE over none."""
    if any(hold.level is HoldLevel.HALT for hold in holds):
        return HoldLevel.HALT
    return HoldLevel.REDUCE if holds else None


def covers(hold: HoldPlaced, strategy: str, symbol: Symbol) -> bool:
    """Say whether `hold` is about an order of `strategy` in `symbol`."""
    match hold.scope:
        case HoldScope.ALL:
            return True
        case HoldScope.STRATEGY:
            return hold.target == strategy
        case HoldScope.SYMBOL:
            return hold.target == symbol
        case _:
            assert_never(hold.scope)
