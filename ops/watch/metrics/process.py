"""Metrics of the processes: the daemon by its heartbeat, the journal's files, and the watcher."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

from prometheus_client.core import Metric

from events.segments import segment_files, segments_path
from ops.daemon_state import Running
from ops.watch.app import Seen
from ops.watch.health import Beside, Health, HealthStatus, is_deciding_late
from ops.watch.metrics.families import counter, counters, gauge, gauges, histogram

GROWTH_OVER_S: Final = 300.0


def daemon(seen: Seen, health: Health) -> Iterator[Metric]:
    """Yield what the daemon does and says of itself."""
    beat, now = seen.heartbeat, datetime.now(UTC)
    yield gauges(
        "traded_daemon_state",
        "1 for what the daemon does.",
        ["state"],
        {each.value: each is seen.daemon.running for each in Running},
    )
    yield gauges(
        "traded_health",
        "1 for how it is.",
        ["status"],
        {each.value: each is health.status for each in HealthStatus},
    )
    yield gauges(
        "traded_health_reason",
        "1 for each reason not to be healthy.",
        ["code"],
        {each.code: 1 for each in health.reasons},
    )
    age = None if beat is None else (now - beat.at).total_seconds()
    yield gauge("traded_heartbeat_age_seconds", "Since the last heartbeat.", age)
    started = beat.started_at if beat else None
    yield gauge("traded_start_timestamp_seconds", "When the daemon was started.", started)
    yield gauge(
        "traded_last_decision_timestamp_seconds",
        "When a strategy was last asked.",
        beat.last_decision_at if beat else None,
    )
    yield gauge(
        "traded_evaluations_missing",
        "1 while bars arrive and no strategy is asked.",
        is_deciding_late(seen),
    )
    yield counter("traded_session_bars", "Bars since the start.", beat.bars if beat else None)
    yield counter(
        "traded_session_decisions", "Decisions since the start.", beat.decisions if beat else None
    )
    yield counter("traded_session_orders", "Orders since the start.", beat.orders if beat else None)
    yield gauge(
        "traded_queue_depth", "Reports and commands that wait.", beat.queued if beat else None
    )
    yield histogram(
        "traded_loop_lag_seconds", "How late the loop was.", beat.loop_lag if beat else None
    )
    yield histogram(
        "traded_commit_seconds", "Commits of the journal.", beat.commit if beat else None
    )
    yield histogram(
        "traded_decision_seconds",
        "From an input to its turn on disk.",
        beat.decision if beat else None,
    )
    yield histogram(
        "traded_order_seconds", "From sending to the broker's word.", beat.order if beat else None
    )


class JournalFiles:
    """Measures the journal's files, and how fast they grow."""

    def __init__(self, journal: Path) -> None:
        """Bind to the journal."""
        self._journal = journal
        self._sizes: deque[tuple[float, int]] = deque()

    def families(self) -> Iterator[Metric]:
        """Yield their sizes now."""
        own = self._journal
        file, log = _size(own), _size(own.with_name(own.name + "-wal"))
        sealed = sum(map(_size, segment_files(segments_path(own))))
        yield gauge("traded_journal_bytes", "The journal's file.", file)
        yield gauge("traded_journal_log_bytes", "Its write-ahead log.", log)
        yield gauge("traded_journal_sealed_bytes", "What of it is archived.", sealed)
        yield gauge(
            "traded_journal_growth_bytes_per_second",
            "How fast all of it grew in the last five minutes.",
            self._growth(file + sealed),
        )

    def _growth(self, size: int) -> float | None:
        now = monotonic()
        self._sizes.append((now, size))
        while now - self._sizes[0][0] > GROWTH_OVER_S:
            self._sizes.popleft()
        since, before = self._sizes[0]
        return None if now <= since else (size - before) / (now - since)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def beside_it(beside: Beside) -> Iterator[Metric]:
    """Yield what is known besides."""
    at = beside.backup_at
    age = None if at is None else (datetime.now(UTC) - at).total_seconds()
    yield gauge("traded_backup_age_seconds", "Since the newest backup was made.", age)
    yield counters("traded_alerts_sent", "Alerts that arrived.", ["path"], beside.alerts_sent)
    yield counters(
        "traded_alerts_failed", "Alerts that did not arrive.", ["path"], beside.alerts_failed
    )
    yield gauge(
        "traded_alert_paths_failing",
        "Ways of alerting whose last alert did not arrive.",
        len(beside.alerts_failing),
    )
