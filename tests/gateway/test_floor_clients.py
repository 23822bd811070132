"""Several clients at the simulated gateway's floor, people at its screen, and its own restarts."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ops.gateway_sim import store
from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.reports import ExecutionReport, To
from ops.gateway_sim.terms import Execution, ExecutionFilter
from ops.gateway_sim.working_orders import BookRules
from tests.gateway_floor import ACCOUNT, DAY, NOON, SPY, FloorDesk, lines, terms

A_LIMIT = terms(1, "BUY", 10, "LMT", limit="99.00")


def executed(told: list[To]) -> Execution:
    """Return the one execution that was told."""
    (execution,) = {each.report.execution for each in told if type(each.report) is ExecutionReport}
    return execution


def test_every_client_has_its_own_ids_and_no_permanent_id_comes_twice() -> None:
    desk = FloorDesk()
    assert (desk.floor.next_valid_id(1), desk.floor.next_valid_id(2)) == (1, 1)
    desk.place(1, A_LIMIT)
    desk.place(2, terms(40, "BUY", 10, "LMT", limit="99.00"))
    assert (desk.floor.next_valid_id(1), desk.floor.next_valid_id(2)) == (2, 41)
    assert desk.perm_id(1, 1) != desk.perm_id(2, 40)


def test_an_id_that_was_used_is_refused_with_103_and_a_filled_order_with_104() -> None:
    desk = FloorDesk()
    desk.place(1, terms(5, "BUY", 10, "LMT", limit="99.00"))
    assert desk.place(1, terms(4, "BUY", 10)) == ["1: error 4 103"]
    desk.cancel(1, 5)
    assert desk.place(1, terms(5, "BUY", 10)) == ["1: error 5 103"]
    desk.place(1, terms(6, "BUY", 10))
    assert desk.place(1, terms(6, "BUY", 20)) == ["1: error 6 104"]


def test_a_client_neither_sees_nor_cancels_the_orders_of_another() -> None:
    desk = FloorDesk()
    desk.place(1, A_LIMIT)
    assert desk.floor.open_orders(2) == []
    assert [order.client_id for order in desk.floor.all_open_orders()] == [1]
    assert desk.cancel(2, 1) == ["2: error 1 10147"]
    cancelled = ["1: orderStatus 1 Cancelled 0/10", "1: error 1 202"]
    assert desk.heard(desk.floor.cancel_all(desk.now)) == cancelled
    # What has just ended cannot be cancelled, what ended long ago is not spoken of.
    assert desk.heard(desk.floor.cancel_all(desk.now)) == ["1: error 1 161"]
    assert desk.heard(desk.floor.cancel_all(desk.now + timedelta(minutes=1))) == []


def test_a_master_client_is_told_of_everybodys_orders() -> None:
    desk = FloorDesk(rules=BookRules(master_client_id=9))
    told = desk.place(1, A_LIMIT)
    assert told[:2] == ["1: openOrder 1 Submitted 10", "9: openOrder 1 Submitted 10"]


def test_a_manual_order_has_no_id_until_client_0_binds_it() -> None:
    desk = FloorDesk()
    assert desk.heard(desk.floor.place_by_hand(desk.now, SPY, A_LIMIT)) == []
    (manual,) = desk.floor.all_open_orders()
    assert (manual.order_id, manual.client_id) == (0, 0)
    assert desk.floor.open_orders(0) == []
    assert desk.heard(desk.floor.bind_manual_orders(0)) == [
        "0: orderBound -1",
        "0: openOrder -1 Submitted 10",
        "0: orderStatus -1 Submitted 0/10",
    ]
    # From now on a new one is bound at once, and client 0 may cancel both.
    assert desk.heard(desk.floor.place_by_hand(desk.now, SPY, A_LIMIT))[0] == "0: orderBound -2"
    assert desk.cancel(0, -1) == ["0: orderStatus -1 Cancelled 0/10", "0: error -1 202"]


def test_the_fill_of_an_unbound_manual_order_is_told_to_client_0_only_as_an_execution() -> None:
    desk = FloorDesk()
    desk.floor.place_by_hand(desk.now, SPY, A_LIMIT)
    assert desk.price("99.00") == ["0: execDetails 0 BUY 10 @ 99.00", "0: commissionReport 1.00"]


def test_an_order_modified_by_hand_is_told_to_its_owner() -> None:
    desk = FloorDesk()
    desk.place(1, A_LIMIT)
    amended = terms(0, "BUY", 25, "LMT", limit="98.00")
    told = desk.heard(desk.floor.modify_by_hand(desk.now, desk.perm_id(1, 1), amended))
    assert told == ["1: openOrder 1 Submitted 25", "1: orderStatus 1 Submitted 0/25"]


def test_a_liquidation_closes_the_position_and_says_what_it_is() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10))
    told = desk.floor.liquidate(desk.now, "SPY")
    execution = executed(told)
    assert (execution.liquidation, execution.client_id, execution.order_id) == (1, 0, 0)
    # Who asks for positions finds none; the portfolio shows it at 0 until midnight.
    assert desk.floor.positions() == []
    assert [line.quantity for line in desk.floor.portfolio()] == [0]


def test_ids_may_go_back_and_then_name_two_orders() -> None:
    desk = FloorDesk()
    for order_id in (1, 2):
        desk.place(1, terms(order_id, "BUY", 10, "LMT", limit="99.00"))
    desk.floor.roll_back_ids(1, 2)
    assert desk.floor.next_valid_id(1) == 2
    desk.place(1, terms(2, "SELL", 5, "LMT", limit="110.00"))
    assert [order.order_id for order in desk.floor.open_orders(1)] == [1, 2, 2]


def test_a_forgotten_order_was_never_there() -> None:
    desk = FloorDesk()
    desk.place(1, A_LIMIT)
    desk.floor.forget_order(desk.perm_id(1, 1))
    assert desk.floor.all_open_orders() == []
    assert desk.cancel(1, 1) == ["1: error 1 10147"]


def test_an_order_is_found_by_its_reference_over_or_not() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10, order_ref="mine"))
    found = desk.floor.find_order(order_ref="mine")
    assert found is not None
    assert found.filled == 10
    assert desk.floor.find_order(order_ref="another") is None


def test_executions_and_completed_orders_are_known_until_midnight_in_new_york() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10))
    midnight = NOON + timedelta(hours=12)
    desk.go_to(midnight - timedelta(seconds=1))
    assert len(desk.floor.executions(desk.now, ExecutionFilter())) == 1
    desk.go_to(midnight)
    assert desk.floor.executions(desk.now, ExecutionFilter()) == []
    assert desk.completed() == []
    assert desk.shares() == 10
    # What it no longer knows it cannot tell apart from what never was, but ids stay used.
    assert desk.cancel(1, 1) == ["1: error 1 10147"]
    assert desk.place(1, terms(1, "BUY", 10)) == ["1: error 1 103"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ExecutionFilter(), 2),
        (ExecutionFilter(client_id=2), 1),
        (ExecutionFilter(symbol="IBM"), 0),
        (ExecutionFilter(side="BOT"), 1),
        (ExecutionFilter(side="SELL"), 1),
        (ExecutionFilter(account="U1"), 0),
        (ExecutionFilter(since=NOON + timedelta(seconds=30)), 1),
    ],
)
def test_executions_are_chosen_by_the_clients_filter(wanted: ExecutionFilter, found: int) -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10))
    desk.go_to(NOON + timedelta(minutes=1))
    desk.place(2, terms(1, "SELL", 5))
    assert len(desk.floor.executions(desk.now, wanted)) == found


def test_a_restart_keeps_everything_but_what_was_never_transmitted(tmp_path: Path) -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10))
    desk.place(1, terms(2, "BUY", 10, "LMT", limit="99.00", tif="GTC"))
    desk.place(1, terms(3, "SELL", 10, "TRAIL", stop="5.00", tif="GTC"))
    desk.place(1, terms(4, "BUY", 10, "LMT", limit="99.00", transmit=False))
    path = tmp_path / "gateway.json"
    store.save(path, desk.floor.state())
    later = NOON + timedelta(minutes=5)
    again = open_floor(None, ACCOUNT, Decimal(7), later, path)
    assert again.positions() == desk.floor.positions()
    assert again.open_orders(1) == desk.floor.open_orders(1)
    assert again.next_valid_id(1) == 5
    everything = ExecutionFilter()
    assert again.executions(later, everything) == desk.floor.executions(desk.now, everything)
    assert again.completed_orders(later, api_only=True) == desk.completed()
    again_4 = again.submit(later, 1, SPY, terms(4, "BUY", 10, "LMT", limit="99.00"))
    assert lines(again_4) == ["1: error 4 103"]
    # The order still works.
    told = again.set_price(later, "SPY", Decimal(99))
    assert executed(told).order_id == 2
    # Who restarts it a day later finds yesterday forgotten, but for money and good-till orders.
    next_day = open_floor(None, ACCOUNT, Decimal(7), NOON + DAY, path)
    assert next_day.executions(NOON + DAY, everything) == []
    assert len(next_day.open_orders(1)) == 2


def test_a_stop_that_was_triggered_stays_so_over_a_restart(tmp_path: Path) -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "SELL", 10, "STP LMT", stop="99.00", limit="98.95"))
    assert desk.price("98.00")[-1] == "1: orderStatus 1 Submitted 0/10"
    path = tmp_path / "gateway.json"
    store.save(path, desk.floor.state())
    again = open_floor(None, ACCOUNT, Decimal(7), NOON, path)
    # Its limit is reached, its stop is not reached a second time.
    told = again.set_price(NOON, "SPY", Decimal("99.50"))
    assert executed(told).shares == 10


@pytest.mark.parametrize("text", [b"", b"{}", b'{"account": 1}', b"\xff", b"[1, 2"])
def test_a_damaged_state_is_refused_with_its_path(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "gateway.json"
    path.write_bytes(text)
    with pytest.raises(store.BadState, match=r"gateway\.json: this is no state"):
        open_floor(None, ACCOUNT, Decimal(1), NOON, path)


def test_the_state_of_another_account_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.json"
    store.save(path, FloorDesk().floor.state())
    with pytest.raises(store.BadState, match="DU1234567"):
        open_floor(None, "DU7", Decimal(1), NOON, path)
