"""How close each limit came: read from the checks that every decision of the gate has recorded."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

import msgspec

from events import Check, IntentApproved, IntentRefused, Record, utc_from_nanoseconds
from events.orders import OrderEvent


class Approach(msgspec.Struct, frozen=True):
    """A value of a check, the limit it had then, the share of the limit used, and where."""

    value: Decimal
    limit: Decimal
    share: Decimal
    at: datetime
    seq: int
    client_order_id: str


class LimitUse(msgspec.Struct):
    """One check: its last value, its closest approach on the last day and in all of the history.

    `asked` counts the decisions, `refused` those it did not let pass.
    """

    name: str
    last: Approach
    closest_today: Approach | None
    closest: Approach
    asked: int = 1
    refused: int = 0


def limit_uses(decisions: Iterable[Record], today: date) -> list[LimitUse]:
    """Return every numeric limit that `decisions` name, in the gate's order."""
    uses: dict[str, LimitUse] = {}
    for record in decisions:
        event = record.event
        if not isinstance(event, IntentApproved | IntentRefused):
            continue
        for check in event.checks:
            found = _approach(check, record, event)
            if found is not None:
                _note(uses, check, found, today)
    return list(uses.values())


def _note(uses: dict[str, LimitUse], check: Check, found: Approach, today: date) -> None:
    use = uses.get(check.name)
    is_today = found.at.date() == today
    if use is None:
        uses[check.name] = LimitUse(
            check.name, found, found if is_today else None, found, refused=not check.passed
        )
        return
    use.asked += 1
    use.refused += not check.passed
    use.last = found
    use.closest = max(use.closest, found, key=_share)
    if is_today:
        use.closest_today = max(use.closest_today or found, found, key=_share)


def _share(approach: Approach) -> Decimal:
    return approach.share


def _approach(check: Check, record: Record, event: OrderEvent) -> Approach | None:
    """Return how close `check` came, None for one without numbers."""
    if check.value is None or check.limit is None or not check.limit:
        return None
    share = check.value / check.limit
    at = utc_from_nanoseconds(record.at)
    return Approach(check.value, check.limit, share, at, record.seq, event.client_order_id)
