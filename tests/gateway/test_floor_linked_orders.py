"""Orders that are linked at the simulated gateway: brackets and groups that cancel one another."""

from decimal import Decimal

import pytest

from ops.gateway_sim.terms import Status
from tests.gateway_floor import IBM, FloorDesk, terms


def place_bracket(desk: FloorDesk, quantity: int = 10, limit: str = "99.00") -> list[str]:
    """Place a parent with a target and a stop: nothing leaves before the last one says so."""
    first = terms(1, "BUY", quantity, "LMT", limit=limit, transmit=False)
    target = terms(2, "SELL", quantity, "LMT", limit="105.00", parent_id=1, transmit=False)
    stop = terms(3, "SELL", quantity, "STP", stop="95.00", parent_id=1)
    assert desk.place(1, first) == desk.place(1, target) == []
    return desk.place(1, stop)


def test_a_bracket_is_told_when_its_last_order_is_transmitted() -> None:
    desk = FloorDesk()
    told = place_bracket(desk)
    # Each is told twice, one after the other.
    assert [line for line in told if "orderStatus" in line][::2] == [
        "1: orderStatus 1 Submitted 0/10",
        "1: orderStatus 2 PreSubmitted 0/10 (child)",
        "1: orderStatus 3 PreSubmitted 0/10 (child,trigger)",
    ]
    parent, target, stop = desk.floor.open_orders(1)
    assert (target.parent_perm_id, stop.parent_perm_id) == (parent.perm_id, parent.perm_id)
    # The real gateway names the children's group after their parent.
    assert target.terms.oca_group == stop.terms.oca_group == f"{parent.perm_id}"
    assert (target.terms.oca_type, parent.terms.oca_group) == (3, "")


def test_a_child_that_is_modified_stays_in_its_group() -> None:
    desk = FloorDesk()
    place_bracket(desk)
    desk.price("99.00")
    assert desk.place(1, terms(2, "SELL", 10, "LMT", limit="104.00"))[0] == (
        "1: openOrder 2 Submitted 10"
    )
    assert "1: orderStatus 3 Cancelled 0/10" in desk.price("104.00")


def test_children_do_not_trade_before_their_parent_and_do_after_it() -> None:
    desk = FloorDesk()
    place_bracket(desk)
    assert not any("execDetails 2" in line for line in desk.price("106.00"))
    filled = desk.price("99.00")
    assert "1: execDetails 1 BUY 10 @ 99.00" in filled
    assert "1: orderStatus 2 Submitted 0/10" in filled
    assert "1: orderStatus 3 PreSubmitted 0/10 (trigger)" in filled


def test_when_the_target_fills_the_stop_is_cancelled() -> None:
    desk = FloorDesk()
    place_bracket(desk)
    desk.price("99.00")
    done = desk.price("105.00")
    assert "1: execDetails 2 SELL 10 @ 105.00" in done
    assert done[-2:] == ["1: orderStatus 3 Cancelled 0/10", "1: error 3 202"]
    assert desk.shares() == 0


def test_when_the_target_fills_in_part_the_stop_shrinks_with_it() -> None:
    desk = FloorDesk()
    place_bracket(desk)
    desk.price("99.00")
    # 4 of 10 are sold, so the stop protects the 6 that are left.
    assert desk.price("105.00", size=4)[-2:] == [
        "1: openOrder 3 PreSubmitted 6",
        "1: orderStatus 3 PreSubmitted 0/6 (trigger)",
    ]
    desk.price("94.00")
    assert desk.shares() == 0


def test_a_cancelled_parent_takes_its_children_with_it() -> None:
    desk = FloorDesk()
    place_bracket(desk)
    cancelled = desk.cancel(1, 1)
    assert [line for line in cancelled if "Cancelled" in line] == [
        "1: orderStatus 1 Cancelled 0/10",
        "1: orderStatus 2 Cancelled 0/10",
        "1: orderStatus 3 Cancelled 0/10",
    ]
    assert desk.floor.all_open_orders() == []


def test_a_parent_that_is_cancelled_half_filled_leaves_its_children_for_that_half() -> None:
    desk = FloorDesk()
    place_bracket(desk)
    desk.price("99.00", size=4)
    cancelled = desk.cancel(1, 1)
    assert "1: orderStatus 2 Submitted 0/4" in cancelled
    assert "1: orderStatus 3 PreSubmitted 0/4 (trigger)" in cancelled


def test_a_parent_the_account_cannot_carry_takes_its_children_with_it() -> None:
    desk = FloorDesk(cash=1_000)
    told = place_bracket(desk, quantity=30, limit="100.00")
    assert "1: error 1 201" in told
    assert [line.status for line in desk.completed()] == [
        Status.INACTIVE,
        Status.CANCELLED,
        Status.CANCELLED,
    ]


def test_a_child_of_an_order_that_is_gone_is_missing_its_parent() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10, "LMT", limit="99.00"))
    desk.cancel(1, 1)
    child = terms(2, "SELL", 10, "LMT", limit="105.00", parent_id=1)
    assert desk.place(1, child) == ["1: error 2 10006"]


def test_a_child_of_a_filled_parent_works_at_once() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10))
    child = terms(2, "SELL", 10, "LMT", limit="105.00", parent_id=1)
    assert desk.place(1, child)[-1] == "1: orderStatus 2 Submitted 0/10"


def test_untransmitted_orders_are_seen_by_nobody_and_forgotten_with_their_client() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10, "LMT", limit="99.00", transmit=False))
    assert desk.floor.all_open_orders() == []
    desk.place(1, terms(2, "BUY", 10, "LMT", limit="90.00"))
    desk.floor.end_session(1)
    assert desk.price("98.00") == []
    # The id is used up all the same, and what was transmitted works on.
    assert desk.place(1, terms(1, "BUY", 10)) == ["1: error 1 103"]
    assert [order.order_id for order in desk.floor.open_orders(1)] == [2]


@pytest.mark.parametrize(("oca_type", "left"), [(1, None), (2, Decimal(12)), (3, Decimal(12))])
def test_a_group_cancels_or_shrinks_its_other_orders(oca_type: int, left: Decimal | None) -> None:
    desk = FloorDesk()
    desk.price("50.00", "IBM")
    one = terms(1, "BUY", 10, "LMT", limit="99.00", oca_group="either", oca_type=oca_type)
    desk.place(1, one)
    other = terms(1, "BUY", 20, "LMT", limit="49.00", oca_group="either", oca_type=oca_type)
    desk.place(2, other, IBM)
    # 4 of 10 is two fifths: the other order keeps three fifths of its 20.
    told = desk.price("99.00", size=4)
    others = [order for order in desk.floor.all_open_orders() if order.client_id == 2]
    assert [order.remaining for order in others] == ([] if left is None else [left])
    assert ("2: error 1 202" in told) is (left is None)


def test_the_last_fill_of_a_group_cancels_the_others_whatever_its_type() -> None:
    desk = FloorDesk()
    for order_id in (1, 2):
        wanted = terms(order_id, "BUY", 10, "LMT", limit="99.00", oca_group="one", oca_type=3)
        desk.place(1, wanted)
    told = desk.price("99.00")
    assert "1: orderStatus 1 Filled 10/0" in told
    assert told[-2:] == ["1: orderStatus 2 Cancelled 0/10", "1: error 2 202"]
    assert desk.shares() == 10
