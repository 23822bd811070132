"""Each metric by its value: what is put in by hand comes out under its name, labels and all."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from prometheus_client.core import Metric

from events import BreakKind, BreakOpened, Difference, HoldLevel, Symbol, SymbolHalted
from ops.headroom import Headroom, MarginUse
from ops.room import DiskRoom
from ops.sessions_ahead import SessionStanding
from ops.standing import BrokerStanding, DataAge, Status, status_of
from ops.watch.app import Seen
from ops.watch.metrics import standing, trading
from ops.watch.past import Past
from projections import State
from projections.broker import LinkState
from projections.strategies import StrategyAnswers
from tests.alert_desk import a_hold
from tests.builders import (
    MORNING,
    a_bar,
    a_config,
    a_deposit,
    a_fill,
    an_intent,
    state_after,
    utc,
)

NOW = utc(MORNING)
A = Symbol("A")
DIFFERENCE = Difference(BreakKind.FOREIGN_ORDER, A, "permId-7", None, Decimal(5))
Told = dict[tuple[str, ...], float]


def told(metrics: Iterable[Metric]) -> Told:
    """Return each sample by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def status_with(folder: Path, state: State, **changes: object) -> Status:
    return msgspec.structs.replace(status_of(state, folder / "j.db", None, NOW), **changes)


def a_past(folder: Path, state: State, **counts: int) -> Past:
    """Return a past that was read, with so many events of each type ('.' and '-' are '_' here)."""
    past = Past(Seen(folder / "j.db", state, "", None, None))  # type: ignore[arg-type]  # not asked
    names = {"broker_connected": "broker.connected", "broker_disconnected": "broker.disconnected"}
    past.events = Counter({names.get(name, f"order.{name}"): n for name, n in counts.items()})
    past.complete = True
    return past


def test_what_stops_orders_is_told_as_it_stands(tmp_path: Path) -> None:
    state = state_after(a_hold("kill switch", "h1"), a_hold("DAILY_LOSS_EXCEEDED", "h2"))
    names = {
        "traded_kill_switch_engaged": "kill_switch_engaged",
        "traded_circuit_breaker_tripped": "circuit_breaker_tripped",
        "traded_permit_lost": "permit_lost",
        "traded_dry_run": "dry_run",
    }
    for one, field in names.items():
        fields = {each: each == field for each in names.values()}
        found = told(standing.holds(state, status_with(tmp_path, state, **fields)))
        assert [name for name in names if found[name,]] == [one]
    assert found["traded_holds", "kill switch", HoldLevel.HALT] == 1
    assert found["traded_holds", "DAILY_LOSS_EXCEEDED", HoldLevel.HALT] == 1


def test_the_room_under_a_limit_and_the_margin_are_told(tmp_path: Path) -> None:
    state = State()
    room = Headroom("order_usd", "A", Decimal(3), Decimal(10), Decimal(7), Decimal("0.3"))
    use = MarginUse(Decimal("0.2"), Decimal("0.6"))
    changes = {"headroom": [room], "limits_not_set": ["x", "y"], "margin_use": use}
    assert told(standing.limits(status_with(tmp_path, state, **changes))) == {
        ("traded_limit_used_ratio", "order_usd", "A"): 0.3,
        ("traded_limit_headroom", "order_usd", "A"): 7,
        ("traded_limits_not_set",): 2,
        ("traded_margin_used_ratio",): 0.2,
        ("traded_margin_alert_ratio",): 0.6,
    }


@pytest.mark.parametrize("link", list(LinkState))
def test_the_way_to_the_broker_and_its_breaks_are_told(tmp_path: Path, link: LinkState) -> None:
    state = State()
    connected = link is not LinkState.DISCONNECTED
    status = status_with(
        tmp_path,
        state,
        broker=BrokerStanding(link, connected, NOW, ""),
        breaks=[BreakOpened("b1", DIFFERENCE), BreakOpened("b2", DIFFERENCE)],
        reconciled_at=NOW,
        reconcile_overdue=True,
    )
    past = a_past(tmp_path, state, broker_connected=5, broker_disconnected=4)
    found = told(standing.broker(status, past))
    assert {name[1] for name in found if name[0] == "traded_broker_state" and found[name]} == {link}
    assert found["traded_broker_connected",] == connected
    assert (found["traded_broker_connects_total",], found["traded_broker_disconnects_total",]) == (
        5,
        4,
    )
    assert (found["traded_breaks", BreakKind.FOREIGN_ORDER], found["traded_breaks_open",]) == (2, 2)
    assert found["traded_reconciled_timestamp_seconds",] == NOW.timestamp()
    assert found["traded_reconcile_overdue",] == 1


def test_the_machine_and_its_calendar_are_told(tmp_path: Path) -> None:
    state = state_after(a_deposit())
    sessions = [
        SessionStanding("NYSE", True, changes_in_s=90.0),  # noqa: FBT003 - a session as it is
        SessionStanding("NASDAQ", False),  # noqa: FBT003 - as above
    ]
    status = status_with(tmp_path, state, disk=DiskRoom(3, 2, 1), sessions=sessions)
    assert told(standing.machine(state, status)) == {
        ("traded_disk_free_bytes",): 3,
        ("traded_disk_warn_bytes",): 2,
        ("traded_disk_halt_bytes",): 1,
        ("traded_session_open", "NYSE"): 1,
        ("traded_session_open", "NASDAQ"): 0,
        ("traded_session_changes_seconds", "NYSE"): 90,
        ("traded_last_event_timestamp_seconds",): NOW.timestamp(),
        ("traded_journal_events_total",): 1,
    }


def test_what_came_in_and_how_old_it_is_is_told(tmp_path: Path) -> None:
    state = state_after(a_config("A", "B"), a_bar("101"))
    state.market.off_session, state.freshness.missed = 3, 4
    state.freshness.stale[A] = NOW  # type: ignore[assignment]  # that it is there counts
    state.halts.active[Symbol("B")] = SymbolHalted(Symbol("B"))
    age = DataAge(A, Decimal(101), NOW - timedelta(seconds=7), 7.0)
    found = told(trading.market(state, status_with(tmp_path, state, data=[age])))
    assert found == {
        ("traded_bars_total",): 1,
        ("traded_bars_off_session_total",): 3,
        ("traded_bars_missing_total",): 4,
        ("traded_data_age_seconds", "A"): 7,
        ("traded_last_close_usd", "A"): 101,
        ("traded_data_stale", "A"): 1,
        ("traded_data_stale", "B"): 0,
        ("traded_symbol_halted", "A"): 0,
        ("traded_symbol_halted", "B"): 1,
    }


def test_decisions_are_told_by_strategy_and_checks_by_result(tmp_path: Path) -> None:
    state = State()
    state.strategies.answers["t"] = StrategyAnswers(intended=7, approved=4, refused=3, failed="x")
    state.strategies.answers["s"] = StrategyAnswers(shadow=True)
    past = a_past(tmp_path, state)
    past.checks[("order_usd", True)], past.checks[("order_usd", False)] = 6, 5
    found = told(trading.decisions(state, past))
    assert found["traded_intents_total", "t"] == 7
    assert found["traded_decisions_total", "t", "approved"] == 4
    assert found["traded_decisions_total", "t", "refused"] == 3
    assert (found["traded_strategy_failed", "t"], found["traded_strategy_failed", "s"]) == (1, 0)
    assert (found["traded_strategy_shadow", "t"], found["traded_strategy_shadow", "s"]) == (0, 1)
    assert found["traded_checks_total", "order_usd", "passed"] == 6
    assert found["traded_checks_total", "order_usd", "failed"] == 5


def test_orders_are_told_by_state_and_by_what_was_recorded(tmp_path: Path) -> None:
    state = state_after(a_config(), an_intent("o1"), an_intent("o2"))
    counts = {
        name: number
        for number, name in enumerate(
            ("sending", "acknowledged", "rejected", "cancelled", "expired", "withheld", "unknown"),
            start=1,
        )
    }
    past = a_past(tmp_path, state, **counts, filled=9)
    past.bought_usd, past.sold_usd = Decimal(50), Decimal(24)
    found = told(trading.orders(state, past))
    assert found["traded_orders_open", "INTENDED"] == 2
    assert found["traded_orders_unknown",] == found["traded_orders_open", "UNKNOWN"] == 0
    kinds = {"sent" if name == "sending" else name: number for name, number in counts.items()}
    reports = {
        name[1]: number for name, number in found.items() if name[0] == "traded_order_reports_total"
    }
    assert reports == kinds
    assert found["traded_fills_total",] == 9
    assert found["traded_filled_usd_total", "buy"] == 50
    assert found["traded_filled_usd_total", "sell"] == 24


def test_money_is_told_under_its_own_name() -> None:
    """10 bought at 100 and 4 of them sold at 110; the mark is the last fill: 40 and 60 made."""
    state = state_after(
        a_config(),
        a_deposit("1000"),
        an_intent("o1", "10"),
        a_fill("10", "100"),
        an_intent("o2", "-4"),
        a_fill("-4", "110", execution_id="e2", order_id="o2"),
    )
    found = told(trading.money(state))
    expected = {
        "traded_equity_usd": 1_100,  # 1000 + 40 + 60
        "traded_result_usd": 100,
        "traded_realised_pnl_usd": 40,
        "traded_unrealised_pnl_usd": 60,
        "traded_cash_usd": 440,  # 1000 - 1000 + 440
        "traded_external_flows_usd": 1_000,
        "traded_exposure_gross_usd": 660,  # 6 at 110
        "traded_exposure_net_usd": 660,
        "traded_receivables_usd": 0,
        "traded_dividends_usd": 0,
    }
    assert {name: found[name,] for name in expected} == expected
    assert found["traded_equity_peak_usd",] == 1_100
    assert found["traded_position_shares", "A"] == 6
    assert found["traded_position_value_usd", "A"] == 660
    assert found["traded_position_unrealised_usd", "A"] == 60
