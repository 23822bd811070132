"""What the loss of the broker stops, when that ends by itself, and when it is an operator's."""

from events import (
    BrokerConnected,
    BrokerDisconnected,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    WorkingOrders,
)
from tests.core_desk import CoreDesk, Scripted, buy, kinds, of

LOST = BrokerDisconnected("1100: gone")
BACK = BrokerConnected("127.0.0.1:4002", 1001, 178, 7)


def test_a_lost_connection_holds_everything_and_leaves_working_orders_alone() -> None:
    desk = CoreDesk()
    (hold,) = of(desk.step(LOST, "2024-01-02T15:00"), HoldPlaced)
    assert (hold.scope, hold.level, hold.working) == (
        HoldScope.ALL,
        HoldLevel.HALT,
        WorkingOrders.KEEP,
    )
    assert (hold.cause, hold.why) == ("BROKER_DISCONNECTED", "1100: gone")
    assert kinds(desk.step(LOST, "2024-01-02T15:01")) == ["broker.disconnected"]


def test_nothing_is_sent_without_a_connection() -> None:
    desk = CoreDesk(Scripted(bars=[buy()]))
    desk.step(LOST, "2024-01-02T14:59")
    assert "intent.refused" in kinds(desk.minute("15:00"))


def test_a_connection_that_stands_for_thirty_seconds_is_trusted() -> None:
    desk = CoreDesk()
    desk.step(LOST, "2024-01-02T15:00")
    desk.step(BACK, "2024-01-02T15:01")
    assert desk.pass_time("2024-01-02T15:01:30") == []
    assert kinds(desk.pass_time("2024-01-02T15:01:31")) == ["timer.fired", "hold.lifted"]
    assert desk.state.holds.active == {}


def test_a_connection_lost_again_waits_anew() -> None:
    desk = CoreDesk()
    desk.step(LOST, "2024-01-02T15:00:00")
    desk.step(BACK, "2024-01-02T15:01:00")
    desk.step(LOST, "2024-01-02T15:01:10")
    assert desk.pass_time("2024-01-02T15:05") == []
    desk.step(BACK, "2024-01-02T15:05:00")
    assert desk.pass_time("2024-01-02T15:05:30") == []
    assert kinds(desk.pass_time("2024-01-02T15:05:31")) == ["timer.fired", "hold.lifted"]


def test_after_ten_losses_in_a_session_only_an_operator_lifts() -> None:
    desk = CoreDesk()
    for minute in range(11):
        (hold,) = of(desk.step(LOST, f"2024-01-02T15:{minute:02}:00"), HoldPlaced)
        assert (hold.lifts is HoldLifts.OPERATOR) is (minute == 10)
        desk.step(BACK, f"2024-01-02T15:{minute:02}:10")
        desk.pass_time(f"2024-01-02T15:{minute:02}:50")
    assert len(desk.state.holds.active) == 1
    assert desk.pass_time("2024-01-02T20:00") == []


def test_a_connection_for_data_alone_stops_no_order() -> None:
    desk = CoreDesk()
    assert kinds(desk.step(BrokerDisconnected("gone", sends=False), "2024-01-02T15:00")) == [
        "broker.disconnected"
    ]
    assert desk.state.holds.active == {}


def test_the_numbers_that_were_used_are_known_after_a_restart() -> None:
    desk = CoreDesk()
    desk.step(BACK, "2024-01-02T15:00")
    assert desk.state.broker.order_id_max == 6
