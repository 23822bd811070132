"""What becomes of one client's orders at the simulated gateway, and in which order it is told."""

from datetime import timedelta
from decimal import Decimal

import pytest

from ops.gateway_sim.reports import (
    Notice,
)
from ops.gateway_sim.terms import (
    Contract,
    ExecutionFilter,
    OrderTerms,
)
from ops.gateway_sim.working_orders import BookRules
from tests.gateway_floor import CLOSE, DAY, NOON, OPEN, SECOND, FloorDesk, terms


def test_a_market_order_is_told_as_the_real_gateway_tells_it() -> None:
    desk = FloorDesk()
    # As in recordings of the real gateway. A commission is never below 1.00.
    assert desk.place(1, terms(1, "BUY", 10)) == [
        "1: openOrder 1 Submitted 10",
        "1: orderStatus 1 Submitted 0/10",
        "1: execDetails 1 BUY 10 @ 100.01",
        "1: openOrder 1 Filled 10",
        "1: orderStatus 1 Filled 10/0",
        "1: openOrder 1 Filled 10 for 1.00",
        "1: commissionReport 1.00",
    ]
    assert desk.place(1, terms(2, "SELL", 10)) == [
        "1: openOrder 2 PreSubmitted 10",
        "1: orderStatus 2 PreSubmitted 0/10",
        "1: openOrder 2 Submitted 10",
        "1: orderStatus 2 Submitted 0/10",
        "1: execDetails 2 SELL 10 @ 99.99",
        "1: openOrder 2 Filled 10",
        "1: orderStatus 2 Filled 10/0",
        "1: openOrder 2 Filled 10 for 1.00",
        "1: orderStatus 2 Filled 10/0",
        "1: commissionReport 1.00",
    ]
    assert desk.shares() == 0


def test_a_limit_order_away_from_the_market_waits_until_the_price_touches_it() -> None:
    desk = FloorDesk()
    # What rests is told twice.
    assert desk.place(1, terms(1, "BUY", 10, "LMT", limit="99.50")) == [
        "1: openOrder 1 Submitted 10",
        "1: orderStatus 1 Submitted 0/10",
        "1: openOrder 1 Submitted 10",
        "1: orderStatus 1 Submitted 0/10",
    ]
    assert desk.price("99.51") == []
    assert "1: execDetails 1 BUY 10 @ 99.50" in desk.price("99.50")


def test_a_limit_order_gets_the_better_price_of_a_gap() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10, "LMT", limit="99.50"))
    # It opens at 98.00 and asks 98.01.
    assert "1: execDetails 1 BUY 10 @ 98.01" in desk.price("98.00")


def test_an_order_larger_than_what_is_offered_fills_in_parts() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "SELL", 10, "LMT", limit="101.00"))
    assert desk.price("101.00", size=4) == [
        "1: execDetails 1 SELL 4 @ 101.00",
        "1: openOrder 1 Submitted 10",
        "1: orderStatus 1 Submitted 4/6",
        "1: commissionReport 1.00",
    ]
    assert "1: orderStatus 1 Filled 10/0" in desk.price("101.00", size=6)
    # 10 shares cost 0.05, the minimum of 1.00 was paid with the first four.
    costs = [cost for _, cost in desk.floor.executions(desk.now, ExecutionFilter())]
    assert [cost.commission for cost in costs if cost is not None] == [1, 0]


def test_two_orders_share_what_is_offered_and_the_older_is_served_first() -> None:
    desk = FloorDesk()
    for order_id in (1, 2):
        desk.place(1, terms(order_id, "SELL", 10, "LMT", limit="101.00"))
    told = desk.price("101.00", size=15)
    assert "1: orderStatus 1 Filled 10/0" in told
    assert "1: orderStatus 2 Submitted 5/5" in told
    # Nothing is left for who comes now; the next one has to wait for the next price.
    assert desk.place(1, terms(3, "SELL", 10))[-1] == "1: orderStatus 3 Submitted 0/10"


@pytest.mark.parametrize(
    ("action", "stop", "price", "fill"),
    [("SELL", "99.00", "98.90", "98.89"), ("BUY", "101.00", "101.20", "101.21")],
)
def test_a_stop_is_held_until_its_trigger_and_then_pays_the_spread(
    action: str, stop: str, price: str, fill: str
) -> None:
    desk = FloorDesk()
    assert desk.place(1, terms(1, action, 10, "STP", stop=stop))[-1] == (
        "1: orderStatus 1 PreSubmitted 0/10 (trigger)"
    )
    assert desk.price("100.50") == []
    assert f"1: execDetails 1 {action} 10 @ {fill}" in desk.price(price)


def test_a_stop_limit_that_is_jumped_over_is_submitted_and_rests() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "SELL", 10, "STP LMT", stop="99.00", limit="98.95"))
    assert desk.price("98.00")[-1] == "1: orderStatus 1 Submitted 0/10"
    assert "1: execDetails 1 SELL 10 @ 98.95" in desk.price("98.95")


def test_a_trailing_stop_follows_the_price_and_never_comes_back() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "SELL", 10, "TRAIL", stop="1.00"))
    assert desk.floor.all_open_orders()[0].trail_stop == Decimal("99.00")
    desk.price("102.00")
    desk.price("101.50")
    assert desk.floor.all_open_orders()[0].trail_stop == Decimal("101.00")
    assert "1: execDetails 1 SELL 10 @ 100.99" in desk.price("101.00")


def test_a_cancelled_order_says_so_and_says_202() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10, "LMT", limit="99.00"))
    assert desk.cancel(1, 1) == ["1: orderStatus 1 Cancelled 0/10", "1: error 1 202"]
    assert desk.floor.all_open_orders() == []
    assert [line.completed_status for line in desk.completed()] == ["Cancelled by Trader"]


def test_a_cancel_of_what_is_over_or_unknown_fails_with_its_own_code() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10))
    assert desk.cancel(1, 1) == ["1: error 1 10148"]
    assert desk.told[0].report == Notice(
        1, 10148, "OrderId 1 that needs to be cancelled cannot be cancelled, state: Filled."
    )
    assert desk.cancel(1, 2) == ["1: error 2 10147"]


def test_an_order_may_fill_while_its_cancel_takes_its_time() -> None:
    desk = FloorDesk(rules=BookRules(cancel_takes=SECOND))
    desk.place(1, terms(1, "BUY", 10, "LMT", limit="99.00"))
    assert desk.cancel(1, 1) == ["1: orderStatus 1 PendingCancel 0/10"]
    assert desk.cancel(1, 1) == ["1: error 1 10148"]
    filled = desk.price("99.00", size=4)
    assert "1: orderStatus 1 PendingCancel 4/6" in filled
    assert desk.go_to(NOON + SECOND) == ["1: orderStatus 1 Cancelled 4/6", "1: error 1 202"]


def test_a_modified_order_keeps_its_ids_and_may_trade_at_once() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10, "LMT", limit="99.00"))
    perm_id = desk.perm_id(1, 1)
    modified = desk.place(1, terms(1, "BUY", 20, "LMT", limit="100.05"))
    assert "1: execDetails 1 BUY 20 @ 100.01" in modified
    assert desk.perm_id(1, 1) == perm_id


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (terms(1, "SELL", 10, "LMT", limit="99.00"), 105),
        (terms(1, "BUY", 10, "STP", stop="101.00"), 329),
        (terms(1, "BUY", 10, "LMT", limit="99.001"), 110),
        (terms(1, "BUY", 4, "LMT", limit="99.00"), 201),
        (terms(1, "BUY", 10, "LMT", limit="99.00", parent_id=77), 135),
        (terms(1, "BUY", 10_000, "LMT", limit="99.00"), 201),
    ],
)
def test_a_refused_modification_leaves_the_order_as_it_was(wanted: OrderTerms, code: int) -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10, "LMT", limit="99.00"))
    desk.price("99.00", size=4)
    before = desk.floor.all_open_orders()
    assert desk.place(1, wanted) == [f"1: error 1 {code}"]
    assert desk.floor.all_open_orders() == before


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (terms(1, "BUY", 0), 434),
        (terms(1, "HOLD", 1), 321),
        (terms(1, "BUY", 1, "FEELINGS"), 321),
        (terms(1, "BUY", 1, tif="FOREVER"), 321),
        (terms(1, "BUY", 1, "LMT"), 321),
        (terms(1, "BUY", 1, "LMT", limit="99.999"), 110),
        (terms(1, "BUY", 1, "LMT", limit="Infinity"), 110),
        (terms(1, "BUY", 1, account="U7"), 321),
        (terms(1, "BUY", 1, tif="GTD", good_till="tomorrow"), 391),
        (terms(1, "BUY", 1, tif="GTD", good_till="20240102 10:00:00 UTC"), 201),
        (terms(1, "BUY", 1, "MOC", tif="IOC"), 111),
        (terms(1, "BUY", 1, parent_id=9), 10006),
        (terms(1, "BUY", 1, what_if=True, transmit=False), 413),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_never_was(wanted: OrderTerms, code: int) -> None:
    desk = FloorDesk()
    assert desk.place(1, wanted) == [f"1: error 1 {code}"]
    assert desk.floor.all_open_orders() == []
    assert desk.completed() == []


def test_an_order_for_an_unknown_or_ambiguous_contract_is_refused_with_200() -> None:
    desk = FloorDesk()
    nothing = Contract(symbol="NOSUCH", security_type="STK", exchange="SMART", currency="USD")
    assert desk.place(1, terms(1, "BUY", 1), nothing) == ["1: error 1 200"]
    # Without a currency it may be the listing in Mexico.
    either = Contract(symbol="SPY", security_type="STK")
    assert desk.place(1, terms(2, "BUY", 1), either) == ["1: error 2 200"]


def test_an_order_the_account_cannot_carry_is_inactive_with_201() -> None:
    desk = FloorDesk(cash=1_000)
    # 30 shares at 100 need 1,500 of initial margin.
    assert desk.place(1, terms(1, "BUY", 30)) == [
        "1: openOrder 1 Inactive 30",
        "1: orderStatus 1 Inactive 0/30",
        "1: error 1 201",
    ]
    assert desk.place(1, terms(2, "BUY", 19))[-2] == "1: openOrder 2 Filled 19 for 1.00"


def test_an_order_outside_hours_is_held_with_399_until_the_opening() -> None:
    desk = FloorDesk(OPEN - timedelta(minutes=30))
    assert desk.place(1, terms(1, "BUY", 10)) == [
        "1: openOrder 1 PreSubmitted 10",
        "1: orderStatus 1 PreSubmitted 0/10",
        "1: error 1 399",
        "1: openOrder 1 PreSubmitted 10",
        "1: orderStatus 1 PreSubmitted 0/10",
    ]
    assert desk.told[2].report == Notice(
        1,
        399,
        "Order Message:\nBUY 10 SPY ARCA\nWarning: Your order will not be placed at the exchange "
        "until 2024-01-03 09:30:00 US/Eastern.",
    )
    assert desk.price("100.50") == []
    assert desk.go_to(OPEN) == ["1: openOrder 1 Submitted 10", "1: orderStatus 1 Submitted 0/10"]
    assert "1: execDetails 1 BUY 10 @ 101.01" in desk.price("101.00")


def test_a_limit_order_may_trade_outside_hours_if_it_says_so() -> None:
    desk = FloorDesk(OPEN - timedelta(minutes=30))
    wanted = terms(1, "BUY", 10, "LMT", limit="100.05", outside_rth=True)
    assert "1: execDetails 1 BUY 10 @ 100.01" in desk.place(1, wanted)
    # For a market order that is ignored, and said.
    assert desk.place(1, terms(2, "BUY", 10, outside_rth=True))[1:4] == [
        "1: orderStatus 2 PreSubmitted 0/10",
        "1: error 2 399",
        "1: error 2 2109",
    ]


def test_a_day_order_ends_with_its_session_and_a_gtc_order_does_not() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10, "LMT", limit="90.00"))
    desk.place(1, terms(2, "BUY", 10, "LMT", limit="90.00", tif="GTC"))
    assert desk.go_to(CLOSE) == ["1: orderStatus 1 Cancelled 0/10", "1: error 1 202"]
    desk.go_to(NOON + DAY)
    assert "1: execDetails 2 BUY 10 @ 90.00" in desk.price("90.00")


def test_an_order_good_till_a_date_ends_then() -> None:
    desk = FloorDesk()
    till = "20240103 13:00:00 US/Eastern"
    desk.place(1, terms(1, "BUY", 10, "LMT", limit="90.00", tif="GTD", good_till=till))
    assert desk.go_to(NOON + timedelta(minutes=59)) == []
    assert desk.go_to(NOON + timedelta(minutes=60)) == [
        "1: orderStatus 1 Cancelled 0/10",
        "1: error 1 202",
    ]


def test_an_ioc_order_takes_what_there_is_and_the_rest_is_cancelled() -> None:
    desk = FloorDesk()
    desk.price("100.00", size=4)
    told = desk.place(1, terms(1, "BUY", 10, "LMT", limit="100.01", tif="IOC"))
    assert told[-4:] == [
        "1: openOrder 1 PendingCancel 10 for 1.00",
        "1: orderStatus 1 PendingCancel 4/6",
        "1: orderStatus 1 Cancelled 4/6",
        "1: error 1 202",
    ]
    desk.price("100.00", size=4)
    told = desk.place(1, terms(2, "BUY", 10, "LMT", limit="100.01", tif="FOK"))
    assert told[-2:] == ["1: orderStatus 2 Cancelled 0/10", "1: error 2 202"]


def test_orders_for_the_auctions_trade_at_the_close_and_at_the_open() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 10, "MOC"))
    desk.place(1, terms(2, "BUY", 10, "LOC", limit="100.50"))
    desk.place(1, terms(3, "BUY", 10, "LOC", limit="99.50"))
    desk.place(1, terms(4, "BUY", 10, tif="OPG"))
    assert desk.price("100.25") == []
    closed = desk.go_to(CLOSE)
    assert "1: execDetails 1 BUY 10 @ 100.25" in closed
    assert "1: execDetails 2 BUY 10 @ 100.25" in closed
    assert closed[-2:] == ["1: orderStatus 3 Cancelled 0/10", "1: error 3 202"]
    assert "1: error 5 399" in desk.place(1, terms(5, "BUY", 1))
    desk.go_to(OPEN + DAY)
    assert "1: execDetails 4 BUY 10 @ 103.01" in desk.price("103.00")


def test_an_order_for_the_close_comes_too_late_ten_minutes_before_it() -> None:
    desk = FloorDesk(CLOSE - timedelta(minutes=10))
    assert desk.place(1, terms(1, "BUY", 10, "MOC")) == ["1: error 1 201"]


def test_a_script_can_fill_what_is_over_and_reject_or_cancel_what_is_not() -> None:
    desk = FloorDesk(rules=BookRules(fills_by_itself=False))
    assert desk.place(1, terms(1, "BUY", 10))[-1] == "1: orderStatus 1 Submitted 0/10"
    perm_id = desk.perm_id(1, 1)
    desk.cancel(1, 1)
    late = desk.heard(desk.floor.fill(desk.now, perm_id, Decimal(10), Decimal(101)))
    assert late[0] == "1: execDetails 1 BUY 10 @ 101"
    assert late[2] == "1: orderStatus 1 Filled 10/0"
    for order_id in (2, 3):
        desk.place(1, terms(order_id, "BUY", 10))
    rejected = desk.floor.reject(desk.now, desk.perm_id(1, 2), 203, "not allowed")
    assert desk.heard(rejected)[1:] == ["1: orderStatus 2 Inactive 0/10", "1: error 2 203"]
    expired = desk.floor.expire(desk.now, desk.perm_id(1, 3), "price check")
    assert desk.heard(expired) == ["1: orderStatus 3 Cancelled 0/10", "1: error 3 202"]
