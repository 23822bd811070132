"""Errors of the broker in a row: what counts, how far it stops, and that it ends by itself."""

from typing import Any

import pytest

from daemon.core.core import CoreSettings
from events import (
    BrokerUnparsed,
    ClientOrderId,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldScope,
    IntentRefused,
    OperatorLifted,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderSending,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    WorkingOrders,
)
from projections.broker_errors import BrokerErrors
from tests.builders import a_bar, a_config, a_fill
from tests.core_desk import kinds, of
from tests.gate_desk import rules
from tests.operators import said
from tests.trip_desk import TripDesk, assert_decided_alike

LIMITS = rules(trips={"max_broker_errors": 3, "broker_quiet_s": 300, "broker_trips_max": 2})
O1 = ClientOrderId("o1")


def rejected(desk: TripDesk, *minutes: int) -> None:
    """Let the broker reject an order in each of those minutes after 15:00."""
    for minute in minutes:
        desk.step(OrderRejected(desk.sends(minute), "no such account"))


def tripped(*minutes: int) -> TripDesk:
    desk = TripDesk(LIMITS)
    rejected(desk, *(minutes or (0, 1, 2)))
    return desk


def lifted(desk: TripDesk, upto: str) -> list[HoldLifted]:
    return of(desk.pass_time(upto), HoldLifted)


def test_one_error_less_than_the_limit_holds_nothing() -> None:
    assert tripped(0, 1).held_by == []


def test_so_many_in_a_row_let_only_reducing_orders_pass() -> None:
    desk = TripDesk(LIMITS)
    order_id = desk.working(0)
    rejected(desk, 1, 2, 3)
    hold = desk.hold
    assert (hold.cause, hold.scope, hold.level) == (
        "BROKER_ERROR",
        HoldScope.ALL,
        HoldLevel.REDUCE,
    )
    assert (hold.by, hold.lifts) == ("circuit breaker", HoldLifts.CONDITION)
    assert hold.working is WorkingOrders.CANCEL_INCREASING
    assert hold.why == (
        "3 errors of the broker in a row, the last: an order was rejected: no such account; "
        "ends after 300 s without another"
    )
    # What works and may add to the position is asked back: cancels pass.
    assert desk.state.orders.open[order_id].cancel_requested
    assert len(of(desk.minute("15:04"), IntentRefused)) == 1


@pytest.mark.parametrize(
    "good",
    [
        OrderAcknowledged(O1),
        OrderWorking(O1),
        OrderCancelled(O1),
        OrderExpired(O1),
        a_fill(),
    ],
)
def test_any_good_word_between_starts_the_count_anew(good: Any) -> None:  # noqa: ANN401 - an event
    errors = BrokerErrors(in_a_row=2)
    errors.apply(good, 1)
    assert errors.in_a_row == 0


@pytest.mark.parametrize(
    ("bad", "said_last"),
    [
        (OrderRejected(O1, "no"), "an order was rejected: no"),
        (OrderUnknown(O1, "silence"), "an order is unknown: silence"),
        (BrokerUnparsed("raw", "odd"), "a report cannot be so: odd"),
    ],
)
def test_what_is_rejected_lost_or_unreadable_counts(bad: Any, said_last: str) -> None:  # noqa: ANN401 - an event
    errors = BrokerErrors(in_a_row=1)
    errors.apply(bad, 7)
    assert errors == BrokerErrors(2, 7, said_last)


def test_an_order_that_was_withheld_is_no_error_and_no_good_word() -> None:
    errors = BrokerErrors(in_a_row=2)
    errors.apply(OrderWithheld(O1, "dry run"), 1)
    assert errors.in_a_row == 2


def test_a_good_word_among_rejections_keeps_it_from_tripping() -> None:
    desk = TripDesk(LIMITS)
    rejected(desk, 0, 1)
    desk.working(2)
    rejected(desk, 3, 4)
    assert desk.held_by == []
    rejected(desk, 5)
    assert desk.held_by == ["BROKER_ERROR"]


def test_orders_nobody_answers_trip_it_too() -> None:
    desk = TripDesk(LIMITS)
    for minute in (0, 1, 2):
        desk.sends(minute)
    desk.pass_time("2024-01-02T15:02:30")
    assert desk.held_by == []
    desk.pass_time("2024-01-02T15:02:31")
    assert desk.hold.why.startswith("3 errors of the broker in a row, the last: an order is unkn")
    assert_decided_alike(desk)


@pytest.mark.parametrize("contradicts", ["", "another"])
def test_reports_nobody_can_read_trip_it_behind_their_own_halt(contradicts: str) -> None:
    desk = TripDesk(LIMITS)
    for number in range(3):
        desk.step(BrokerUnparsed(f"raw {number}", "odd", contradicts))
    assert desk.held_by.count("BROKER_ERROR") == 1
    assert len(desk.held_by) == 2


def test_it_lifts_by_itself_when_there_was_none_for_long_enough() -> None:
    desk = tripped()
    assert lifted(desk, "2024-01-02T15:07") == []
    (end,) = lifted(desk, "2024-01-02T15:07:01")
    assert (end.by, end.why) == ("circuit breaker", "no error of the broker for 300 s")
    assert desk.held_by == []
    assert len(of(desk.minute("15:08"), OrderSending)) == 1
    assert_decided_alike(desk)


def test_another_error_puts_that_off_and_places_no_second_hold() -> None:
    desk = TripDesk(LIMITS)
    late = desk.sends(0)
    rejected(desk, 1, 2, 3)
    desk.step(OrderRejected(late, "too late"), "2024-01-02T15:05")
    assert lifted(desk, "2024-01-02T15:10") == []
    assert len(lifted(desk, "2024-01-02T15:10:01")) == 1
    assert_decided_alike(desk)


def test_an_error_after_a_good_word_puts_it_off_as_well() -> None:
    desk = TripDesk(LIMITS)
    late, good = desk.sends(0), desk.sends(1)
    rejected(desk, 2, 3, 4)
    desk.pass_time("2024-01-02T15:05")
    desk.step(OrderAcknowledged(good), "2024-01-02T15:05")
    desk.step(OrderRejected(late, "too late"), "2024-01-02T15:06")
    assert desk.state.broker_errors.in_a_row == 1
    assert lifted(desk, "2024-01-02T15:11") == []
    assert len(lifted(desk, "2024-01-02T15:11:01")) == 1


def test_after_it_has_ended_the_count_starts_anew() -> None:
    desk = tripped()
    desk.pass_time("2024-01-02T15:08")
    rejected(desk, 10, 11)
    assert desk.held_by == []


def test_an_operator_may_lift_it_before_and_starts_the_count_anew() -> None:
    desk = tripped()
    desk.step(said(OperatorLifted, desk.hold.hold_id))
    rejected(desk, 3, 4)
    assert desk.held_by == []
    assert kinds(desk.pass_time("2024-01-02T15:30")) == [], "there is nothing to lift any more"
    rejected(desk, 31)
    assert desk.held_by == ["BROKER_ERROR"]


def test_after_so_many_times_in_a_session_only_an_operator_lifts_it() -> None:
    desk = tripped()
    for first in (10, 20):
        desk.pass_time(f"2024-01-02T15:{first}")
        assert desk.held_by == []
        rejected(desk, first, first + 1, first + 2)
    hold = desk.hold
    assert hold.lifts is HoldLifts.OPERATOR
    assert ", after 2 times in this session; look at the broker, then lift this" in hold.why
    assert lifted(desk, "2024-01-02T20:00") == []
    desk.step(said(OperatorLifted, hold.hold_id))
    assert desk.held_by == []
    assert_decided_alike(desk)


def test_the_next_session_counts_for_itself() -> None:
    desk = tripped()
    desk.pass_time("2024-01-02T15:10")
    rejected(desk, 10, 11, 12)
    assert desk.hold.lifts is HoldLifts.CONDITION
    desk.pass_time("2024-01-03T15:00")
    for minute in (1, 2, 3):
        order = desk.order(desk.step(a_bar(end=f"2024-01-03T15:0{minute}")))
        desk.step(OrderRejected(order.client_order_id, "no"))
    assert desk.hold.lifts is HoldLifts.CONDITION


def test_it_survives_a_restart_and_lifts_by_itself_there() -> None:
    after = tripped().restarted()
    assert after.held_by == ["BROKER_ERROR"]
    assert lifted(after, "2024-01-02T15:07") == []
    assert len(lifted(after, "2024-01-02T15:07:01")) == 1


def test_what_only_an_operator_lifts_is_not_lifted_by_a_restart() -> None:
    once = rules(trips={"max_broker_errors": 1, "broker_trips_max": 1})
    desk = TripDesk(once)
    rejected(desk, 0)
    desk.pass_time("2024-01-02T15:10")
    rejected(desk, 10)
    after = desk.restarted()
    assert kinds(after.pass_time("2024-01-02T20:00")) == []
    assert after.hold.lifts is HoldLifts.OPERATOR


def test_a_reload_sets_the_wait_and_the_count_anew() -> None:
    desk = tripped()
    sooner = rules(trips={"max_broker_errors": 1, "broker_quiet_s": 60})
    desk.core.use(CoreSettings(sooner, 30))
    desk.step(a_config("A", "B"), "2024-01-02T15:02:30")
    assert lifted(desk, "2024-01-02T15:03") == []
    assert len(lifted(desk, "2024-01-02T15:03:01")) == 1
    rejected(desk, 5)
    assert desk.held_by == ["BROKER_ERROR"]
