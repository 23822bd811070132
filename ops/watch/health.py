"""Whether a person has to look: what stops trading is unhealthy, what restricts it degraded. Pure.

The texts are shown to whoever asks, without a token: they count and name kinds, and say nothing of
money, symbols or accounts, and nothing in anybody else's words.
"""

from collections.abc import Iterator, Sized
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from ops.daemon_state import Running
from ops.render import span
from ops.standing import Status
from ops.watch.app import Seen
from ops.watch.terms import BACKUP_MAX, DECISION_MAX, HEARTBEAT_MAX, is_backup_late
from projections.broker import LinkState


class HealthStatus(StrEnum):
    """The three words; the worst reason decides."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class Reason(msgspec.Struct, frozen=True):
    """One thing that is not as it should be: a `code` for machines, and words."""

    code: str
    status: HealthStatus
    text: str


class Health(msgspec.Struct, frozen=True):
    """The verdict, with every reason, the worst first."""

    status: HealthStatus
    reasons: list[Reason]
    service: str
    timestamp: datetime


class Beside(msgspec.Struct):
    """What is known besides the journal and the daemon, told by who takes care of it.

    `backup_at` is when the newest backup was made. `alerts_sent` and `alerts_failed` count by path,
    `alerts_failing` are the paths whose last alert did not arrive.
    """

    backup_at: datetime | None = None
    alerts_sent: dict[str, int] = {}
    alerts_failed: dict[str, int] = {}
    alerts_failing: set[str] = set()


def health_of(seen: Seen, status: Status, beside: Beside, now: datetime) -> Health:
    """Return how the daemon of `seen`, which stands as `status` says, is at `now`."""
    reasons = [
        *(Reason(code, HealthStatus.UNHEALTHY, text) for code, text in _stopping(seen, now)),
        *(
            Reason(code, HealthStatus.DEGRADED, text)
            for code, text in _restricting(seen, status, beside, now)
        ),
    ]
    worst = reasons[0].status if reasons else HealthStatus.HEALTHY
    return Health(worst, reasons, "traded", now)


_Found = Iterator[tuple[str, str]]


def _stopping(seen: Seen, now: datetime) -> _Found:
    """Yield what keeps orders from being made at all, or nobody can know whether they are."""
    if seen.problem:
        yield "journal", "the journal cannot be read as of now: see `traded verify`"
    match seen.daemon.running:
        case Running.STOPPED:
            yield "daemon_stopped", "the daemon does not run"
        case Running.HUNG:
            yield "daemon_hung", "the daemon's trading loop does not answer"
        case Running.ANSWERS | Running.UNHEARD:
            beat = seen.heartbeat
            if beat is not None and now - beat.at > HEARTBEAT_MAX:
                old = span((now - beat.at) / timedelta(seconds=1))
                yield "heartbeat_old", f"the last heartbeat of the daemon is {old} old"


def _restricting(seen: Seen, status: Status, beside: Beside, now: datetime) -> _Found:
    """Yield what keeps some orders away, or will if nobody looks."""
    yield from _about_the_daemon(seen)
    yield from _about_the_books(seen, status)
    if status.disk.is_low:
        yield "disk", "the journal's disk is low on room"
    if beside.alerts_failing:
        yield "alerts", f"ways of alerting that fail: {len(beside.alerts_failing)}"
    if is_backup_late(status.mode, beside.backup_at, now):
        yield "backup_old", f"there is no backup of the last {span(BACKUP_MAX.total_seconds())}"


def _about_the_books(seen: Seen, status: Status) -> _Found:
    stale, link, margin = seen.state.freshness.stale, status.broker, status.margin_use
    failed = [each for each in status.strategies if each.failed]
    found: dict[str, tuple[bool | Sized, str]] = {
        "kill_switch": (status.kill_switch_engaged, "the kill switch is engaged"),
        "circuit_breaker": (status.circuit_breaker_tripped, "the circuit breaker is tripped"),
        "holds": (status.holds, "holds in force"),
        "permit": (status.permit_lost, "the permit to send is gone"),
        "breaks": (status.breaks, "open breaks with the broker's books"),
        "unknown_orders": (status.unknown_orders, "orders of unknown whereabouts"),
        "stale_data": (stale, "symbols with stale data"),
        "reconcile_overdue": (
            status.reconcile_overdue,
            "the books were not compared with the broker's in time",
        ),
        "broker_away": (
            link is not None and not link.connected,
            "there is no connection to the broker",
        ),
        "broker_degraded": (
            link is not None and link.state is LinkState.DEGRADED,
            "something is missing of the connection to the broker, and orders are sent",
        ),
        "strategy_failed": (failed, "strategies that have failed and are asked no more"),
        "limits_not_set": (
            status.limits_not_set if status.seq else (),
            "limits that are not set, so that no order passes",
        ),
        "margin": (
            margin is not None and margin.is_high,
            "more of the margin is in use than wanted",
        ),
    }
    for code, (what, text) in found.items():
        if what:
            yield code, text if isinstance(what, bool) else f"{text}: {len(what)}"


def _about_the_daemon(seen: Seen) -> _Found:
    beat = seen.heartbeat
    if seen.daemon.running is Running.UNHEARD:
        yield "daemon_unheard", "the daemon runs and cannot be asked whether it answers"
    if seen.daemon.troubles:
        yield "daemon_troubles", f"troubles the daemon speaks of: {len(seen.daemon.troubles)}"
    if seen.daemon.running is not Running.STOPPED and beat is None:
        yield "heartbeat_missing", "the daemon writes no heartbeat"
    if is_deciding_late(seen):
        yield "no_evaluations", "bars arrive, and no strategy is asked"


def is_deciding_late(seen: Seen) -> bool:
    """Say whether bars came that a strategy has to be asked about, and none was asked."""
    beat, opened, strategies = seen.heartbeat, seen.state.identity.opened, seen.state.strategies
    if beat is None or beat.last_bar_at is None or opened is None or opened.simulated_time:
        return False  # A simulated world's bars cannot be held against the machine's clock.
    if all(each.failed for each in strategies.answers.values()):
        return False
    return beat.last_bar_at - (beat.last_decision_at or beat.started_at) > DECISION_MAX
