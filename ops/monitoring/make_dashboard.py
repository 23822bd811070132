"""Writes `traded.dashboard.json`, the dashboard for Grafana.

`python -m ops.monitoring.make_dashboard`; a test compares the file with what this writes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

DASHBOARD: Final = Path(__file__).parent / "traded.dashboard.json"
_WIDTH: Final = 24
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}

STATS: Final = (
    ("Healthy", 'traded_health{status="healthy"}', "bool_yes_no"),
    ("Daemon answers", 'traded_daemon_state{state="running"}', "bool_yes_no"),
    ("Kill switch", "traded_kill_switch_engaged", "bool_on_off"),
    ("Circuit breaker", "traded_circuit_breaker_tripped", "bool_on_off"),
    ("Holds", "sum(traded_holds) or vector(0)", "none"),
    ("Breaks", "traded_breaks_open", "none"),
    ("Unknown orders", "traded_orders_unknown", "none"),
    ("Heartbeat age", "traded_heartbeat_age_seconds", "s"),
)
CHARTS: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("Equity", "currencyUSD", {"equity": "traded_equity_usd", "peak": "traded_equity_peak_usd"}),
    (
        "Drawdown",
        "percentunit",
        {"now": "traded_drawdown_ratio", "worst": "traded_drawdown_max_ratio"},
    ),
    ("The day's result", "currencyUSD", {"day": "traded_day_pnl_usd"}),
    (
        "Exposure",
        "currencyUSD",
        {"gross": "traded_exposure_gross_usd", "net": "traded_exposure_net_usd"},
    ),
    ("Positions", "currencyUSD", {"{{symbol}}": "traded_position_value_usd"}),
    ("Unrealised", "currencyUSD", {"{{symbol}}": "traded_position_unrealised_usd"}),
    ("Limits in use", "percentunit", {"{{limit}} {{of}}": "topk(8, traded_limit_used_ratio)"}),
    ("Margin in use", "percentunit", {"use": "traded_margin_used_ratio"}),
    ("Open orders", "none", {"{{state}}": "traded_orders_open"}),
    ("Orders a minute", "none", {"{{kind}}": "60 * rate(traded_order_reports_total[5m])"}),
    (
        "Decisions a minute",
        "none",
        {"{{strategy}} {{outcome}}": "60 * rate(traded_decisions_total[5m])"},
    ),
    (
        "Checks that failed, a minute",
        "none",
        {"{{check}}": 'topk(8, 60 * rate(traded_checks_total{result="failed"}[5m]))'},
    ),
    ("Bars a minute", "none", {"bars": "60 * rate(traded_bars_total[5m])"}),
    ("Data age", "s", {"{{symbol}}": "topk(10, traded_data_age_seconds)"}),
    (
        "Order latency",
        "s",
        {
            "p50": "histogram_quantile(0.5, rate(traded_order_seconds_bucket[5m]))",
            "p99": "histogram_quantile(0.99, rate(traded_order_seconds_bucket[5m]))",
        },
    ),
    (
        "Decision and commit latency, p99",
        "s",
        {
            "decision": "histogram_quantile(0.99, rate(traded_decision_seconds_bucket[5m]))",
            "commit": "histogram_quantile(0.99, rate(traded_commit_seconds_bucket[5m]))",
        },
    ),
    (
        "Loop lag, p99, and queue",
        "s",
        {
            "lag": "histogram_quantile(0.99, rate(traded_loop_lag_seconds_bucket[5m]))",
            "queued": "traded_queue_depth",
        },
    ),
    (
        "Broker",
        "none",
        {
            "connected": "traded_broker_connected",
            "lost in an hour": "increase(traded_broker_disconnects_total[1h])",
        },
    ),
    (
        "Journal",
        "bytes",
        {"file": "traded_journal_bytes", "log": "traded_journal_log_bytes"},
    ),
    ("Disk", "bytes", {"free": "traded_disk_free_bytes", "low at": "traded_disk_warn_bytes"}),
    ("Backup age", "s", {"age": "traded_backup_age_seconds"}),
    (
        "The watcher",
        "none",
        {"behind": "traded_watch_behind_events", "streams": "traded_watch_streams"},
    ),
)


def expressions() -> Iterator[str]:
    """Yield every expression of the dashboard."""
    yield from (expression for _, expression, _ in STATS)
    for _, _, lines in CHARTS:
        yield from lines.values()


def made() -> bytes:
    """Return the file."""
    panels = [*_stats(), *_charts()]
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    found = {
        "title": "traded",
        "uid": "traded",
        "tags": ["traded"],
        "schemaVersion": 39,
        "version": 1,
        "timezone": "utc",
        "refresh": "15s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def _stats() -> Iterator[dict[str, Any]]:
    width = _WIDTH // len(STATS)
    for place, (title, expression, unit) in enumerate(STATS):
        at = {"x": place * width, "y": 0, "w": width, "h": 4}
        yield _panel("stat", title, unit, {title: expression}, at)


def _charts() -> Iterator[dict[str, Any]]:
    width, height = _WIDTH // 2, 8
    for place, (title, unit, lines) in enumerate(CHARTS):
        at = {"x": place % 2 * width, "y": 4 + place // 2 * height, "w": width, "h": height}
        yield _panel("timeseries", title, unit, lines, at)


def _panel(
    kind: str, title: str, unit: str, lines: dict[str, str], at: dict[str, int]
) -> dict[str, Any]:
    return {
        "type": kind,
        "title": title,
        "datasource": _SOURCE,
        "gridPos": at,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": expression, "legendFormat": legend}
            for place, (legend, expression) in enumerate(lines.items())
        ],
    }


if __name__ == "__main__":
    DASHBOARD.write_bytes(made())
