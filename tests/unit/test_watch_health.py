"""When somebody has to look: each reason by itself, and what the three words mean."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from daemon.heartbeat import Heartbeat, Histogram
from events import JournalOpened, Mode
from ops.daemon_state import DaemonState, Running
from ops.headroom import MarginUse
from ops.standing import BrokerStanding, Status, StrategyStanding, UnknownOrder, status_of
from ops.watch.app import Seen
from ops.watch.health import Beside, Health, HealthStatus, health_of, is_deciding_late
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
        (
            "heartbeat_old",
            {
                "heartbeat": msgspec.structs.replace(a_heartbeat(), at=NOW - timedelta(seconds=16)),
                "daemon": DaemonState(Running.UNHEARD, 7),
            },
        ),
    ],
)
def test_what_stops_trading_is_unhealthy(
    tmp_path: Path, code: str, changes: dict[str, object]
) -> None:
    seen, status, beside = well(tmp_path)
    found = health(msgspec.structs.replace(seen, **changes), status, beside)
    assert [each.code for each in found.reasons if each.status is HealthStatus.UNHEALTHY] == [code]
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


def test_a_heartbeat_is_young_for_fifteen_seconds(tmp_path: Path) -> None:
    seen, status, beside = well(tmp_path)
    beat = msgspec.structs.replace(a_heartbeat(), at=NOW - timedelta(seconds=15))
    assert codes(health(msgspec.structs.replace(seen, heartbeat=beat), status, beside)) == []


def test_only_a_strategy_that_has_failed_is_counted(tmp_path: Path) -> None:
    seen, status, beside = well(tmp_path)
    each = StrategyStanding("trend", False, 0, 0, 0, "", [])  # noqa: FBT003 - a strategy as it is
    failed = msgspec.structs.replace(each, name="greedy", failed="ZeroDivisionError")
    assert codes(health(seen, msgspec.structs.replace(status, strategies=[each]), beside)) == []
    both = msgspec.structs.replace(status, strategies=[each, failed])
    found = health(seen, both, beside)
    assert [(each.code, each.text) for each in found.reasons] == [
        ("strategy_failed", "strategies that have failed and are asked no more: 1")
    ]


def test_limits_are_missed_only_where_there_is_a_journal(tmp_path: Path) -> None:
    seen, status, beside = well(tmp_path)
    empty = msgspec.structs.replace(status, seq=0, limits_not_set=["max_order_usd"])
    assert codes(health(seen, empty, beside)) == []


@pytest.mark.parametrize(("share", "found"), [("0.59", []), ("0.60", ["margin"])])
def test_margin_in_use_is_degraded_from_its_alert_on(
    tmp_path: Path, share: str, found: list[str]
) -> None:
    seen, status, beside = well(tmp_path)
    use = MarginUse(Decimal(share), Decimal("0.60"))
    assert codes(health(seen, msgspec.structs.replace(status, margin_use=use), beside)) == found


def deciding_late(seen: Seen, *, failed: str = "", simulated: bool = False) -> bool:
    """Say whether bars of two minutes ago are held against a strategy that was never asked."""
    opened = msgspec.structs.replace(OPENED, simulated_time=simulated)
    state = state_after(opened, a_config(), a_deposit())
    state.strategies.forgive("trend", 1)
    state.strategies.answers["trend"].failed = failed
    earlier = NOW - timedelta(seconds=120)
    beat = msgspec.structs.replace(a_heartbeat(), started_at=earlier, last_decision_at=None)
    return is_deciding_late(msgspec.structs.replace(seen, state=state, heartbeat=beat))


def test_a_strategy_that_was_never_asked_since_the_start_is_late_too(tmp_path: Path) -> None:
    seen, _, _ = well(tmp_path)
    assert deciding_late(seen)


def test_nobody_is_late_where_all_have_failed_or_time_is_not_the_machines(tmp_path: Path) -> None:
    seen, _, _ = well(tmp_path)
    assert not deciding_late(seen, failed="ZeroDivisionError")
    assert not deciding_late(seen, simulated=True)
