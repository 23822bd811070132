"""What a clock that was set back does to the books: nothing in them lies ahead of the time it is.

What was last done at a moment that is still to come counts as done now; else what follows it by the
clock would wait until that moment has come again. What is done once a day stays done.
"""

from typing import Final

from events import Symbol, TimerKind, utc_from_nanoseconds
from projections.broker import BrokerLink
from projections.broker_errors import BrokerErrors
from projections.freshness import Freshness
from projections.reconciliation import Reconciliation
from projections.timers import Timers

_REPEATED: Final = (TimerKind.DATA_WATCH, TimerKind.BROKER_WATCH, TimerKind.RECONCILE)


def set_back(  # noqa: PLR0913, PLR0917 - every book that keeps a time to wait from
    at: int,
    timers: Timers,
    reconciliation: Reconciliation,
    broker: BrokerLink,
    errors: BrokerErrors,
    freshness: Freshness,
) -> None:
    """Let no time in these books be later than `at`, ns UTC."""
    now = utc_from_nanoseconds(at)
    for kind in _REPEATED:
        watched = timers.watched.get(kind, {})
        watched.update({subject: min(due, now) for subject, due in watched.items()})
    reconciliation.looked_at = min(reconciliation.looked_at, at)
    reconciliation.compared_at = min(reconciliation.compared_at, at)
    reconciliation.unsettled_since = min(reconciliation.unsettled_since, at)
    filled: dict[Symbol, int] = reconciliation.filled_at
    filled.update({symbol: min(when, at) for symbol, when in filled.items()})
    broker.since = min(broker.since, at)
    errors.last_at = min(errors.last_at, at)
    freshness.since = min(freshness.since, now)
    for symbol, since in freshness.stale.items():
        freshness.stale[symbol] = None if since is None else min(since, at)
