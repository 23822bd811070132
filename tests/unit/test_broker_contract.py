"""What every broker owes the engine, whichever it is. A new broker joins the list `BROKERS`."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from daemon.brokers import Broker
from daemon.brokers.faults import FaultyBroker
from daemon.brokers.paper import PaperBroker
from events import (
    CommissionCharged,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderType,
    TimeInForce,
)
from events.codec import decode, encode
from projections.order_states import TERMINAL, OrderState
from tests.broker_desk import PLAIN, Desk, a_bar, a_day, an_intent
from tests.builders import utc

CONFIG = msgspec.structs.replace(PLAIN, volume_share_max=Decimal("0.1"))
FLAT = "10 10 10 10"

BROKERS: dict[str, Callable[[], Broker]] = {
    "paper": lambda: PaperBroker(CONFIG),
    "paper behind faults that never come": lambda: FaultyBroker(PaperBroker(CONFIG), ()),
}


@pytest.fixture(params=list(BROKERS))
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(BROKERS[request.param])


def test_a_good_order_is_acknowledged_before_anything_else(desk: Desk) -> None:
    desk.place(an_intent("100"), at="2024-01-02T15:00")
    assert desk.reported() == [OrderAcknowledged]


def test_a_bad_order_is_rejected_with_a_reason_and_nothing_else(desk: Desk) -> None:
    desk.place(an_intent("100", order_type=OrderType.LIMIT), at="2024-01-02T15:00")
    assert desk.reason() != ""
    assert desk.reported() == [OrderRejected]


def test_an_order_sent_again_stands_as_it_is(desk: Desk) -> None:
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.submit(desk.order(order_id).intent)
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.submit(desk.order(order_id).intent)
    desk.see(a_bar("2024-01-02T15:01", FLAT))
    assert desk.order(order_id).filled == 100
    assert desk.reported() == [OrderAcknowledged, OrderFilled, CommissionCharged]


@pytest.mark.parametrize("quantity", ["250", "-250"])
def test_fills_have_the_orders_sign_add_up_to_it_and_are_each_charged_after(
    desk: Desk, quantity: str
) -> None:
    # A tenth of 1,000 a bar: 100, 100 and 50.
    order_id = desk.place(an_intent(quantity), at="2024-01-02T15:00")
    for minute in range(4):
        desk.see(a_bar(f"2024-01-02T15:0{minute}", FLAT))
    assert sum(fill.quantity for fill in desk.fills) == Decimal(quantity)
    assert all(fill.quantity * Decimal(quantity) > 0 for fill in desk.fills)
    executions = [fill.execution_id for fill in desk.fills]
    assert len(set(executions)) == 3
    assert desk.order(order_id).state is OrderState.FILLED
    assert desk.reported() == [OrderAcknowledged, *[OrderFilled, CommissionCharged] * 3]
    assert desk.state.cash.uncharged == {}


def test_a_cancel_ends_an_order_and_asking_again_does_no_harm(desk: Desk) -> None:
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.cancel(order_id)
    desk.cancel(order_id)
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert desk.reported() == [OrderAcknowledged, OrderCancelled]


def test_a_cancel_of_an_order_that_is_over_or_unknown_does_no_harm(desk: Desk) -> None:
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.reported()
    desk.broker.cancel(order_id)
    desk.broker.cancel(an_intent("1").client_order_id)
    assert desk.reported() == []


def test_a_day_order_ends_with_its_session(desk: Desk) -> None:
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.pass_time(utc("2024-01-03T14:30"))
    assert desk.reported() == [OrderAcknowledged, OrderExpired]
    assert desk.order(order_id).state in TERMINAL


def test_a_part_filled_order_goes_on_where_it_was_after_a_restart(desk: Desk) -> None:
    order_id = desk.place(an_intent("150", tif=TimeInForce.GTC), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.restart()
    desk.see(a_day("2024-01-03", FLAT), a_day("2024-01-04", FLAT, close="18:00"))
    assert desk.order(order_id).filled == 150
    executions = [fill.execution_id for fill in desk.fills]
    assert len(executions) == len(set(executions)) == 2


def test_a_restart_with_nothing_unanswered_reports_nothing(desk: Desk) -> None:
    desk.place(an_intent("150", tif=TimeInForce.GTC), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.reported()
    desk.restart()
    assert desk.reported() == []


def test_every_report_can_be_journaled_as_it_is(desk: Desk) -> None:
    desk.place(an_intent("150"), at="2024-01-02T15:00")
    desk.cancel(desk.place(an_intent("10")))
    desk.place(an_intent("0"))
    desk.see(a_bar("2024-01-02T20:59", FLAT))
    assert {type(report) for report in desk.reports} == {
        OrderAcknowledged,
        OrderCancelled,
        OrderRejected,
        OrderFilled,
        CommissionCharged,
        OrderExpired,
    }
    for report in desk.reports:
        assert decode(encode(report)) == report
