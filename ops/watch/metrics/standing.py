"""Metrics of what restricts trading: limits, holds, breaks, the broker, the disk."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import Metric

from events import HoldPlaced, utc_from_nanoseconds
from ops.render import one_line
from ops.standing import Status
from ops.watch.metrics.families import counter, counters, gauge, gauges
from ops.watch.past import Past
from projections import State
from projections.broker import LinkState

CAUSE_LONGEST = 60
"""Characters of a cause in a label."""


def limits(status: Status) -> Iterator[Metric]:
    """Yield the room each limit leaves."""
    use = status.margin_use
    yield gauges(
        "traded_limit_used_ratio",
        "Share of the limit in use, where it is tightest.",
        ["limit", "of"],
        [((each.limit_name, each.of), each.share) for each in status.headroom],
    )
    yield gauges(
        "traded_limit_headroom",
        "What the limit leaves, in its own unit.",
        ["limit", "of"],
        [((each.limit_name, each.of), each.headroom) for each in status.headroom],
    )
    yield gauge("traded_limits_not_set", "Limits without a value.", len(status.limits_not_set))
    yield gauge(
        "traded_margin_used_ratio", "Margin needed of what there is.", use.share if use else None
    )
    yield gauge(
        "traded_margin_alert_ratio", "Margin use to alert at.", use.alert_share if use else None
    )


def holds(state: State, status: Status) -> Iterator[Metric]:
    """Yield what stops orders."""
    yield gauge("traded_kill_switch_engaged", "1 while it stops all.", status.kill_switch_engaged)
    yield gauge(
        "traded_circuit_breaker_tripped",
        "1 while trading is stopped or reduced by itself.",
        status.circuit_breaker_tripped,
    )
    found = Counter(map(_labels, state.holds.active.values()))
    yield gauges("traded_holds", "Holds in force.", ["cause", "level"], found.items())
    yield gauge("traded_permit_lost", "1 while the permit to send is gone.", status.permit_lost)
    yield gauge("traded_dry_run", "1 while nothing is sent.", status.dry_run)


def _labels(hold: HoldPlaced) -> tuple[str, str]:
    return one_line(hold.cause, CAUSE_LONGEST), hold.level.value


def broker(status: Status, past: Past) -> Iterator[Metric]:
    """Yield how the books and the broker agree, and the way to it."""
    kinds = Counter(each.difference.kind.value for each in status.breaks)
    yield gauges("traded_breaks", "Open breaks with the broker's books.", ["kind"], kinds)
    yield gauge("traded_breaks_open", "Open breaks in all.", len(status.breaks))
    yield gauge(
        "traded_reconciled_timestamp_seconds",
        "When the books were last compared with the broker's.",
        status.reconciled_at,
    )
    yield gauge(
        "traded_reconcile_overdue", "1 while a comparison is overdue.", status.reconcile_overdue
    )
    link = status.broker
    yield gauge(
        "traded_broker_connected",
        "1 with a connection to a broker outside.",
        link.connected if link else None,
    )
    states = {} if link is None else {each.value: each is link.state for each in LinkState}
    yield gauges("traded_broker_state", "1 for how the connection is.", ["state"], states)
    yield counter("traded_broker_connects", "Connections made.", past.count("broker.connected"))
    yield counter(
        "traded_broker_disconnects", "Connections lost.", past.count("broker.disconnected")
    )
    yield counters(
        "traded_events",
        "Events in the journal, by type.",
        ["type"],
        past.events if past.complete else {},
    )


def machine(state: State, status: Status) -> Iterator[Metric]:
    """Yield what the machine and the calendar say."""
    disk = status.disk
    yield gauge("traded_disk_free_bytes", "Free for the journal.", disk.free_bytes)
    yield gauge("traded_disk_warn_bytes", "Room below which it is low.", disk.warn_bytes)
    yield gauge("traded_disk_halt_bytes", "Room below which trading stops.", disk.halt_bytes)
    known = [each for each in status.sessions if each.changes_in_s is not None]
    yield gauges(
        "traded_session_open",
        "1 while the exchange's session is open.",
        ["exchange"],
        {each.exchange: each.is_open for each in status.sessions},
    )
    yield gauges(
        "traded_session_changes_seconds",
        "Until the session opens, or else closes.",
        ["exchange"],
        {each.exchange: each.changes_in_s or 0.0 for each in known},
    )
    if state.seq:
        at = utc_from_nanoseconds(state.at)
        yield gauge("traded_last_event_timestamp_seconds", "Time of the last event.", at)
    yield counter("traded_journal_events", "Events in the journal.", state.seq)
