"""When somebody has to look: each reason by itself, and what the three words mean."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from daemon.heartbeat import Heartbeat, Histogram
from events import JournalOpened, Mode
from ops.daemon_state import DaemonState, Running
from ops.standing import BrokerStanding, Status, UnknownOrder, status_of
from ops.watch.app import Seen
from ops.watch.health import Beside, Health, HealthStatus, health_of
from projections.broker import LinkState
from tests.builders import MORNING, a_config, a_deposit, state_after, utc
from tests.operators import held

NOW = utc(MORNING)
OPENED = JournalOpened("4d1a7a0c9f32b6e5", Mode.PAPER, "test")
NOTHING = Histogram((), (0,), 0.0)
RUNS = DaemonState(Running.ANSWERS, 7)
Change = Callable[[Seen, Status, Beside], Status]


def a_heartbeat() -> Heartbeat:
    parts = dict.fromkeys(("loop_lag", "commit", "decision", "order"), NOTHING)
    return Heartbeat(1, 7, NOW, NOW, 3, 9, "PAPER", 1, 1, 0, 1, NOW, NOW, 0, **parts)


def a_link(state: LinkState) -> BrokerStanding:
    return BrokerStanding(state, state is not LinkState.DISCONNECTED, NOW, "")


def well(folder: Path) -> tuple[Seen, Status, Beside]:
    """Return all there is of a daemon that nothing is wrong with."""
    state = state_after(OPENED, a_config(), a_deposit())
    seen = Seen(folder / "journal.db", state, "", RUNS, a_heartbeat())
    status = status_of(state, seen.journal, None, NOW)
    status = msgspec.structs.replace(
        status, limits_not_set=[], reconcile_overdue=False, permit_lost=False
    )
    return seen, status, Beside()


def health(seen: Seen, status: Status, beside: Beside) -> Health:
    return health_of(seen, status, beside, NOW)


def codes(found: Health) -> list[str]:
    return [each.code for each in found.reasons]


def test_a_daemon_that_nothing_is_wrong_with_is_healthy(tmp_path: Path) -> None:
    found = health(*well(tmp_path))
    assert (found.status, found.reasons, found.service) == (HealthStatus.HEALTHY, [], "traded")
    assert found.timestamp == NOW


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("journal", {"problem": "row 7 is damaged"}),
        ("daemon_stopped", {"daemon": DaemonState(Running.STOPPED), "heartbeat": None}),
        ("daemon_hung", {"daemon": DaemonState(Running.HUNG, 7)}),
        (
            "heartbeat_old",
            {"heartbeat": msgspec.structs.replace(a_heartbeat(), at=NOW - timedelta(seconds=16))},
        ),
    ],
)
def test_what_stops_trading_is_unhealthy(
    tmp_path: Path, code: str, changes: dict[str, object]
) -> None:
    seen, status, beside = well(tmp_path)
    found = health(msgspec.structs.replace(seen, **changes), status, beside)
    assert codes(found) == [code]
    assert found.status is HealthStatus.UNHEALTHY


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("kill_switch", {"kill_switch_engaged": True}),
        ("circuit_breaker", {"circuit_breaker_tripped": True}),
        ("holds", {"holds": [held()]}),
        ("permit", {"permit_lost": True}),
        ("breaks", {"breaks": [None]}),
        ("unknown_orders", {"unknown_orders": [UnknownOrder("o1", "no answer")]}),
        ("reconcile_overdue", {"reconcile_overdue": True}),
        ("broker_away", {"broker": a_link(LinkState.DISCONNECTED)}),
        ("broker_degraded", {"broker": a_link(LinkState.DEGRADED)}),
        ("limits_not_set", {"limits_not_set": ["max_order_usd"]}),
        ("backup_old", {"mode": Mode.LIVE}),
    ],
)
def test_what_restricts_trading_is_degraded(
    tmp_path: Path, code: str, changes: dict[str, object]
) -> None:
    seen, status, beside = well(tmp_path)
    found = health(seen, msgspec.structs.replace(status, **changes), beside)
    assert codes(found) == [code]
    assert found.status is HealthStatus.DEGRADED


def test_a_disk_low_on_room_is_degraded(tmp_path: Path) -> None:
    seen, status, beside = well(tmp_path)
    low = msgspec.structs.replace(status.disk, free_bytes=status.disk.warn_bytes - 1)
    assert codes(health(seen, msgspec.structs.replace(status, disk=low), beside)) == ["disk"]


def test_a_backup_of_last_night_is_new_enough_and_one_before_is_not(tmp_path: Path) -> None:
    seen, status, beside = well(tmp_path)
    live = msgspec.structs.replace(status, mode=Mode.LIVE)
    beside.backup_at = NOW - timedelta(hours=25)
    assert codes(health(seen, live, beside)) == []
    beside.backup_at = NOW - timedelta(hours=27)
    assert codes(health(seen, live, beside)) == ["backup_old"]


def test_a_way_of_alerting_that_fails_is_degraded(tmp_path: Path) -> None:
    seen, status, beside = well(tmp_path)
    beside.alerts_failing = {"mail"}
    assert codes(health(seen, status, beside)) == ["alerts"]


def test_stale_data_is_degraded_and_counted_not_named(tmp_path: Path) -> None:
    seen, status, beside = well(tmp_path)
    seen.state.freshness.stale["SECRET"] = None  # type: ignore[index] # a symbol
    found = health(seen, status, beside)
    assert codes(found) == ["stale_data"]
    assert found.reasons[0].text == "symbols with stale data: 1"


def test_a_daemon_without_a_heartbeat_or_that_cannot_be_asked_is_degraded(tmp_path: Path) -> None:
    seen, status, beside = well(tmp_path)
    assert codes(health(msgspec.structs.replace(seen, heartbeat=None), status, beside)) == [
        "heartbeat_missing"
    ]
    unheard = DaemonState(Running.UNHEARD, 7, "no socket", ("the permit is gone",))
    assert codes(health(msgspec.structs.replace(seen, daemon=unheard), status, beside)) == [
        "daemon_unheard",
        "daemon_troubles",
    ]


@pytest.mark.parametrize(("late_s", "found"), [(60, []), (61, ["no_evaluations"])])
def test_bars_that_nothing_is_decided_on_are_noticed(
    tmp_path: Path, late_s: int, found: list[str]
) -> None:
    seen, status, beside = well(tmp_path)
    seen.state.strategies.forgive("trend", 1)  # so that there is one
    beat = msgspec.structs.replace(a_heartbeat(), last_decision_at=NOW - timedelta(seconds=late_s))
    assert codes(health(msgspec.structs.replace(seen, heartbeat=beat), status, beside)) == found


def test_the_worst_reason_decides_and_stands_first(tmp_path: Path) -> None:
    seen, status, beside = well(tmp_path)
    killed = msgspec.structs.replace(status, kill_switch_engaged=True)
    hung = msgspec.structs.replace(seen, daemon=DaemonState(Running.HUNG, 7))
    found = health(hung, killed, beside)
    assert codes(found) == ["daemon_hung", "kill_switch"]
    assert found.status is HealthStatus.UNHEALTHY
