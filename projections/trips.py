"""How often a condition has placed holds that lift by themselves: so many a session, no more."""

import msgspec

from events import HoldLifts, HoldPlaced


class InSession(msgspec.Struct):
    """So many in the session whose day ends at `day_ends_at`."""

    day_ends_at: int
    count: int


class Trips(msgspec.Struct):
    """Holds that their condition lifts, by cause and by target ("" for everything)."""

    counted: dict[str, dict[str, InSession]] = {}

    def count(self, hold: HoldPlaced, day_ends_at: int) -> None:
        """Count `hold`, if it lifts by itself, in the session it was placed in."""
        if hold.lifts is HoldLifts.CONDITION:
            count = self.in_session(hold.cause, hold.target, day_ends_at) + 1
            self.counted.setdefault(hold.cause, {})[hold.target] = InSession(day_ends_at, count)

    def in_session(self, cause: str, target: str, day_ends_at: int) -> int:
        """Return how many of `cause` on `target` there were in that session."""
        found = self.counted.get(cause, {}).get(target)
        return found.count if found is not None and found.day_ends_at == day_ends_at else 0
