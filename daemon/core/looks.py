"""When the broker's books are looked at: by the clock, after fills, again where they differ."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from daemon.config.bounds import Age, Window
from events import LookWhy, TimerKind, utc_from_nanoseconds
from projections import State
from projections.reconciliation import INCOMPLETE

BOOKS: Final = "books"
"""What the timer for a look is about."""
RETRY: Final = timedelta(seconds=600)
"""How long a look that was asked for may take before it is asked for again."""


class ReconciliationTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often the broker's books are looked at (live), and what counts as a difference.

    A fill, and a difference seen first, are looked at again after `settle_s`. Without a comparison
    for `overdue_s` the daemon counts as not ready. Cash within `cash_tolerance_usd` agrees.
    """

    every_s: Age = 3_600
    settle_s: Window = 10
    overdue_s: Age = 7_200
    cash_tolerance_usd: Annotated[Decimal, Meta(extra={"ge": 0, "le": 1_000})] = Decimal(1)


def next_look(state: State, terms: ReconciliationTerms) -> datetime | None:
    """Return when the broker's books are looked at next, None where that is not by the clock.

    Recorded bars have their looks at start and stop: on the way they would only cost time.
    """
    if not state.freshness.live:
        return None
    due, _ = _next_look(state, terms)
    asked = state.timers.last_watch(TimerKind.RECONCILE, BOOKS)
    # One that is asked for and not answered is asked for again, and not before its time.
    return due if asked is None or due > asked else asked + RETRY


def why_now(state: State, terms: ReconciliationTerms) -> LookWhy:
    """Return what the look that comes next is for."""
    _, why = _next_look(state, terms)
    return why


def _next_look(state: State, terms: ReconciliationTerms) -> tuple[datetime, LookWhy]:
    book = state.reconciliation
    last = max(utc_from_nanoseconds(book.looked_at), state.freshness.since)
    settle = timedelta(seconds=terms.settle_s)
    dues = [(last + timedelta(seconds=terms.every_s), LookWhy.SCHEDULE)]
    if book.unsettled_since:
        dues.append((utc_from_nanoseconds(book.unsettled_since) + settle, LookWhy.AFTER_FILL))
    is_waiting = book.completed is not None and book.completed.waiting
    if is_waiting or state.holds.stands(INCOMPLETE, ""):
        dues.append((last + settle, LookWhy.SECOND_LOOK))
    return min(dues)


def look_id_of(command_seq: int) -> str:
    """Return what the look is called that the command at `command_seq` asks for."""
    return f"{LookWhy.OPERATOR}-{command_seq}"


def is_overdue(state: State, terms: ReconciliationTerms, now: datetime) -> bool:
    """Say whether nobody has compared the books for too long, on a live feed."""
    since = max(utc_from_nanoseconds(state.reconciliation.compared_at), state.freshness.since)
    return state.freshness.live and now - since > timedelta(seconds=terms.overdue_s)
