"""The breaks as they are shown: where the books differ, and how earlier ones ended."""

from datetime import datetime

import msgspec

from events import BreakOpened, Resolution, utc_from_nanoseconds
from ops.stops import end_of_break
from projections import State


class BreakLine(msgspec.Struct, frozen=True):
    """One break, and the command that ends it where the broker is right.

    The last four are None while it stands; what is over has no command any more.
    """

    opened: BreakOpened
    opened_at: datetime
    command: str = ""
    resolved_at: datetime | None = None
    how: Resolution | None = None
    by: str | None = None
    why: str | None = None


class ShownBreaks(msgspec.Struct, frozen=True):
    """Where the books differ, and where they did, newest last."""

    open: list[BreakLine]
    history: list[BreakLine]


def breaks_of(state: State, history: int) -> ShownBreaks:
    """Return the breaks that stand, and the last `history` that are over."""
    book = state.reconciliation
    return ShownBreaks(
        open=[
            BreakLine(
                each,
                utc_from_nanoseconds(book.opened_at.get(each.break_id, 0)),
                end_of_break(each),
            )
            for each in book.open.values()
        ],
        history=[
            BreakLine(
                each.opened,
                utc_from_nanoseconds(each.opened_at),
                resolved_at=utc_from_nanoseconds(each.resolved_at),
                how=each.resolved.how,
                by=each.resolved.by,
                why=each.resolved.why,
            )
            for each in book.history[len(book.history) - history :]
        ],
    )
