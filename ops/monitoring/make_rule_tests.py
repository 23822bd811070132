"""Writes `traded.rules.test.yml`: for each alert series that make it fire, and ones that do not.

`python -m ops.monitoring.make_rule_tests`; a test compares the file with what this writes.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

HERE: Final = Path(__file__).parent
RULES: Final = "traded.rules.yml"
TESTS: Final = HERE / "traded.rules.test.yml"

_HISTOGRAM: Final = {
    "TradedOrdersSlow": ("traded_order_seconds_bucket", "0.25", "1.0"),
    "TradedSignalsSlow": ("traded_decision_seconds_bucket", "2.5", "10.0"),
}
FIRING: Final[dict[str, tuple[str, str]]] = {
    "TradedNotScraped": ('up{job="traded"}', "0"),
    "TradedDaemonDown": ('traded_daemon_state{state="hung"}', "1"),
    "TradedNoHeartbeat": ("traded_heartbeat_age_seconds", "60"),
    "TradedUnhealthy": ('traded_health{status="unhealthy"}', "1"),
    "TradedJournalUnreadable": ("traded_watch_problem", "1"),
    "TradedKillSwitchEngaged": ("traded_kill_switch_engaged", "1"),
    "TradedCircuitBreakerTripped": ("traded_circuit_breaker_tripped", "1"),
    "TradedPermitLost": ("traded_permit_lost", "1"),
    "TradedHolds": ('traded_holds{cause="operator",level="HALT"}', "1"),
    "TradedBreaks": ("traded_breaks_open", "1"),
    "TradedUnknownOrders": ("traded_orders_unknown", "1"),
    "TradedManyOpenOrders": ('traded_orders_open{state="WORKING"}', "11"),
    "TradedNoEvaluations": ("traded_evaluations_missing", "1"),
    "TradedStaleData": ('traded_data_stale{symbol="A"}', "1"),
    "TradedBrokerAway": ("traded_broker_connected", "0"),
    "TradedReconcileOverdue": ("traded_reconcile_overdue", "1"),
    "TradedMarginHigh": ("traded_margin_used_ratio", "0.61"),
    "TradedStrategyFailed": ('traded_strategy_failed{strategy="trend"}', "1"),
    "TradedBackupOld": ("traded_backup_age_seconds", "100000"),
    "TradedAlertsFail": ("traded_alert_paths_failing", "1"),
    "TradedWatchBehind": ("traded_watch_behind_events", "1001"),
}
"""What makes each alert fire: a series, and the value it has all the time."""
QUIET: Final[dict[str, str]] = {
    'up{job="traded"}': "1",
    'traded_daemon_state{state="running"}': "1",
    'traded_daemon_state{state="hung"}': "0",
    "traded_heartbeat_age_seconds": "1",
    'traded_health{status="unhealthy"}': "0",
    "traded_watch_problem": "0",
    "traded_kill_switch_engaged": "0",
    "traded_circuit_breaker_tripped": "0",
    "traded_permit_lost": "0",
    "traded_breaks_open": "0",
    "traded_orders_unknown": "0",
    'traded_orders_open{state="WORKING"}': "10",
    "traded_evaluations_missing": "0",
    'traded_data_stale{symbol="A"}': "0",
    "traded_broker_connected": "1",
    "traded_reconcile_overdue": "0",
    "traded_margin_used_ratio": "0.6",
    'traded_strategy_failed{strategy="trend"}': "0",
    "traded_backup_age_seconds": "3600",
    "traded_alert_paths_failing": "0",
    "traded_watch_behind_events": "0",
    "traded_disk_free_bytes": "9e9",
    "traded_disk_warn_bytes": "1e9",
}
"""A day without anything to alert on: just within each threshold."""
_MINUTES: Final = 120
"""Longer than any alert waits."""
_FILLING: Final = 480
"""Longer than the six hours from which a disk's end is foretold."""


def made() -> bytes:
    """Return the file."""
    tests = [_quiet()]
    tests += [_one(alert, {series: value}) for alert, (series, value) in FIRING.items()]
    for alert, (name, below, above) in _HISTOGRAM.items():
        slow = {f'{name}{{le="{below}"}}': "0+0x%d", f'{name}{{le="{above}"}}': "0+60x%d"}
        slow[f'{name}{{le="+Inf"}}'] = "0+60x%d"
        tests.append(_one(alert, {each: text % _MINUTES for each, text in slow.items()}))
    low = {"traded_disk_free_bytes": "9e8", "traded_disk_warn_bytes": "1e9"}
    tests.append(_one("TradedDiskLow", low))
    # 9 GB less 10 MB a minute: empty within fifteen hours.
    filling = {"traded_disk_free_bytes": f"9e9-1e7x{_FILLING}", "traded_disk_warn_bytes": "1e9"}
    tests.append(_one("TradedDiskFillsUp", filling, _FILLING))
    found = {"rule_files": [RULES], "evaluation_interval": "1m", "tests": tests}
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def _series(found: dict[str, str], minutes: int) -> list[dict[str, str]]:
    return [
        {"series": name, "values": value if "x" in value else f"{value}x{minutes}"}
        for name, value in found.items()
    ]


def _one(alert: str, series: dict[str, str], minutes: int = _MINUTES) -> dict[str, Any]:
    """Return a test in which `alert` fires at the end, whatever else does."""
    expression = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) by (alertname)'
    name = f'{{alertname="{alert}"}}'
    samples = [{"labels": name, "value": 1}]
    asked = {"expr": expression, "eval_time": f"{minutes}m", "exp_samples": samples}
    found = _series(series, minutes)
    return {"interval": "1m", "input_series": found, "promql_expr_test": [asked]}


def _quiet() -> dict[str, Any]:
    asked = {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{_FILLING}m", "exp_samples": []}
    found = _series(QUIET, _FILLING)
    return {"interval": "1m", "input_series": found, "promql_expr_test": [asked]}


if __name__ == "__main__":
    TESTS.write_bytes(made())
