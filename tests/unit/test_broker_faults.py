"""A broker whose messages go wrong by plan. The inner broker is the paper broker."""

import random
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from daemon.brokers import Broker
from daemon.brokers.commissions import order_cost
from daemon.brokers.faults import (
    Fault,
    FaultKind,
    FaultyBroker,
    Message,
    seeded_plan,
    with_faults,
)
from daemon.brokers.paper import PaperBroker
from daemon.config.options import BrokerConfig, Commission
from events import (
    CommissionCharged,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    TimeInForce,
)
from projections.order_states import OrderState
from tests.broker_desk import PLAIN, Desk, RandomTrader, a_bar, an_intent
from tests.builders import utc

LATE, DUPLICATE, REORDERED, LOST, UNSET = FaultKind
FLAT = "10 10 10 10"


def faulty(*plan: Fault, config: BrokerConfig = PLAIN) -> Callable[[], Broker]:
    return lambda: FaultyBroker(PaperBroker(config), plan)


def a_filled_order(*plan: Fault) -> Desk:
    """Return a desk after one order was sent and filled, with what came of its reports."""
    desk = Desk(faulty(*plan))
    desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    return desk


# Reports.


def test_without_a_plan_nothing_goes_wrong() -> None:
    assert a_filled_order().reported() == [OrderAcknowledged, OrderFilled, CommissionCharged]


def test_a_lost_report_never_comes() -> None:
    desk = a_filled_order(Fault(LOST, Message.ACKNOWLEDGED))
    assert desk.reported() == [OrderFilled, CommissionCharged]


def test_a_duplicate_comes_again_at_once_or_later_and_counts_once() -> None:
    at_once = a_filled_order(Fault(DUPLICATE, Message.FILLED, delay_reports=0))
    assert at_once.state.positions.held(an_intent("1").symbol).quantity == 100
    assert at_once.reported() == [OrderAcknowledged, OrderFilled, OrderFilled, CommissionCharged]
    later = a_filled_order(Fault(DUPLICATE, Message.FILLED, delay_reports=1))
    assert later.reported() == [OrderAcknowledged, OrderFilled, CommissionCharged, OrderFilled]


def test_a_reordered_report_changes_places_with_the_next_one() -> None:
    desk = a_filled_order(Fault(REORDERED, Message.ACKNOWLEDGED))
    assert desk.reported() == [OrderFilled, OrderAcknowledged, CommissionCharged]
    assert next(iter(desk.state.orders.closed.values())).state is OrderState.FILLED


def test_a_late_report_waits_for_as_many_others_as_the_plan_says() -> None:
    desk = a_filled_order(Fault(LATE, Message.ACKNOWLEDGED, delay_reports=2))
    assert desk.reported() == [OrderFilled, CommissionCharged, OrderAcknowledged]


def test_what_waits_can_be_released() -> None:
    desk = a_filled_order(Fault(LATE, Message.COMMISSION, delay_reports=9))
    assert desk.reported() == [OrderAcknowledged, OrderFilled]
    assert isinstance(desk.broker, FaultyBroker)
    desk.broker.release()
    desk.broker.release()
    assert desk.reported() == [CommissionCharged]


def test_what_waits_is_lost_when_the_broker_is_connected_again() -> None:
    desk = a_filled_order(Fault(LATE, Message.COMMISSION, delay_reports=2))
    desk.connect()  # The fill stands uncharged in the books: charged now.
    desk.place(an_intent("1"))
    desk.place(an_intent("1"))
    assert desk.reported() == [
        OrderAcknowledged,
        OrderFilled,
        CommissionCharged,
        OrderAcknowledged,
        OrderAcknowledged,
    ]


def test_only_the_nth_message_of_its_kind_goes_wrong() -> None:
    desk = Desk(faulty(Fault(LOST, Message.ACKNOWLEDGED, nth=2)))
    lost = [desk.place(an_intent("1"), at="2024-01-02T15:00") for _ in range(3)][1]
    states = {order.client_order_id: order.state for order in desk.state.orders.open.values()}
    assert states.pop(lost) is OrderState.SENDING
    assert set(states.values()) == {OrderState.ACKNOWLEDGED}


def test_a_cancel_can_cross_a_fill_whose_report_is_late() -> None:
    # 60 of 100 filled before the cancel; the books hear of the cancel first.
    config = msgspec.structs.replace(PLAIN, volume_share_max=Decimal("0.1"))
    desk = Desk(faulty(Fault(LATE, Message.FILLED, delay_reports=2), config=config))
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT, volume="600"))
    desk.cancel(order_id)
    assert desk.reported() == [OrderAcknowledged, CommissionCharged, OrderCancelled, OrderFilled]
    assert desk.order(order_id).state is OrderState.CANCELLED
    assert desk.order(order_id).filled == 60


def test_after_a_lost_fill_and_a_restart_no_execution_id_is_used_twice() -> None:
    # A tenth of 1,000 a bar. The first fill is lost, the second recorded: 200 are left for the
    # books, and the third must not look like the second again.
    config = msgspec.structs.replace(PLAIN, volume_share_max=Decimal("0.1"))
    plan = [Fault(LOST, Message.FILLED)]
    desk = Desk(lambda: FaultyBroker(PaperBroker(config), plan))
    order_id = desk.place(an_intent("300"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT), a_bar("2024-01-02T15:01", FLAT))
    assert desk.order(order_id).filled == 100
    plan.clear()
    desk.restart()
    desk.see(a_bar("2024-01-02T15:02", FLAT))
    assert desk.order(order_id).filled == 200


# What we send.


def test_a_lost_order_never_reaches_the_broker_until_a_restart_drives_it_again() -> None:
    desk = Desk(faulty(Fault(LOST, Message.SUBMIT)))
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert desk.order(order_id).state is OrderState.SENDING
    assert desk.reported() == []
    desk.restart()
    desk.see(a_bar("2024-01-02T15:01", FLAT))
    assert desk.reported() == [OrderAcknowledged, OrderFilled, CommissionCharged]


def test_an_order_that_arrives_twice_is_taken_once() -> None:
    desk = a_filled_order(Fault(DUPLICATE, Message.SUBMIT))
    assert desk.reported() == [OrderAcknowledged, OrderFilled, CommissionCharged]


def test_a_lost_cancel_leaves_the_order_working_until_a_restart_asks_again() -> None:
    desk = Desk(faulty(Fault(LOST, Message.CANCEL)))
    order_id = desk.place(an_intent("100", tif=TimeInForce.GTC), at="2024-01-02T15:00")
    desk.cancel(order_id)
    assert desk.reported() == [OrderAcknowledged]
    desk.restart()
    assert desk.reported() == [OrderCancelled]


def test_time_and_corporate_actions_pass_through() -> None:
    desk = Desk(faulty(Fault(LOST, Message.SUBMIT, nth=9)))
    desk.place(an_intent("100"), at="2024-01-02T20:00")
    desk.pass_time(utc("2024-01-02T21:01"))
    assert desk.reported() == [OrderAcknowledged, OrderExpired]
    assert desk.broker.outside is False


# Plans.


@pytest.mark.parametrize("kind", [LATE, REORDERED])
@pytest.mark.parametrize("message", [Message.SUBMIT, Message.CANCEL])
def test_what_we_send_can_only_be_lost_or_a_duplicate(kind: FaultKind, message: Message) -> None:
    with pytest.raises(ValueError, match=f"a {message} can be lost or a duplicate, not {kind}"):
        Fault(kind, message)


def test_a_late_report_without_a_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="delay_reports is 0"):
        Fault(LATE, Message.FILLED, delay_reports=0)


def test_two_faults_for_one_message_are_refused() -> None:
    with pytest.raises(ValueError, match="names the same message twice"):
        faulty(Fault(LOST, Message.FILLED), Fault(LATE, Message.FILLED))()


def test_the_configuration_can_name_a_plan() -> None:
    params: dict[str, object] = {
        "faults": [{"kind": "late", "message": "order.acknowledged", "delay_reports": 2}]
    }
    desk = Desk(lambda: with_faults(PaperBroker(PLAIN), params))
    desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert desk.reported() == [OrderFilled, CommissionCharged, OrderAcknowledged]


def test_a_configuration_without_faults_leaves_the_broker_as_it_is() -> None:
    broker = PaperBroker(PLAIN)
    assert with_faults(broker, {}) is broker
    assert isinstance(with_faults(broker, {"fault_seed": 0}), FaultyBroker)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"fautls": []}, "broker.params: Object contains unknown field `fautls`"),
        ({"faults": [{"kind": "lost", "message": "order"}]}, r"\$\.faults\[0\]\.message"),
        ({"faults": [{"kind": "late", "message": "submit"}]}, "can be lost or a duplicate"),
        ({"faults": [{"kind": "lost", "message": "cancel", "nth": 0}]}, r"\$\.faults\[0\]\.nth"),
        (
            {"fault_seed": 1, "faults": [{"kind": "lost", "message": "cancel"}]},
            "give faults or fault_seed, not both",
        ),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_its_key(
    params: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        with_faults(PaperBroker(PLAIN), params)


def test_a_seed_gives_the_same_plan_every_time_and_another_seed_another() -> None:
    assert seeded_plan(7) == seeded_plan(7)
    assert len({seeded_plan(seed) for seed in range(50)}) == 50


@pytest.mark.parametrize("seed", range(25))
def test_whatever_goes_wrong_a_restart_without_faults_leaves_no_order_open_or_over_filled(
    seed: int,
) -> None:
    config = BrokerConfig(commission=Commission.FIXED, slippage_bps=Decimal(3))
    plan = list(seeded_plan(seed))
    desk = Desk(lambda: FaultyBroker(PaperBroker(config), plan))
    trader = RandomTrader(desk, random.Random(seed))
    for minute in range(RandomTrader.MINUTES):
        trader.step(minute)
    plan.clear()
    desk.restart()
    desk.pass_time(utc("2024-01-05T00:00"))
    orders = desk.state.orders
    assert all(each.intent.time_in_force is TimeInForce.GTC for each in orders.open.values())
    assert orders.impossible == 0
    assert desk.state.cash.uncharged == {}
    for order in [*orders.open.values(), *orders.closed.values()]:
        assert 0 <= order.filled / (order.intent.quantity) <= 1
        # A lost fill keeps its fee, so an order may have paid more than its fills cost.
        shares, value = abs(order.filled), abs(order.fill_value)
        assert order.commission >= order_cost(Commission.FIXED, shares, value, Decimal(0))
