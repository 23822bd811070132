"""A cancel that got lost: the order is unknown, and what shows that it lives lets one ask again."""

from collections.abc import Sequence
from typing import Any

import pytest

from daemon.core.recorder import Cancel
from events import (
    CancelSending,
    ClientOrderId,
    OrderAcknowledged,
    OrderCancelled,
    OrderUnknown,
    OrderWorking,
    Record,
    SessionStarted,
    TimerFired,
    TimerKind,
)
from events.codec import Input
from projections.order_states import OrderState
from projections.orders import Order
from tests.builders import a_deposit, a_fill, an_order, fold, state_after, utc
from tests.core_desk import CoreDesk, Scripted, buy, kinds, of

O1 = ClientOrderId("o1")
LOST = "the cancel was not answered in time"


class Desk(CoreDesk):
    """A desk whose one order, for 10 of A, was sent at 15:00:00; 30 seconds may an answer take."""

    def __init__(self, **changes: Any) -> None:  # noqa: ANN401 - any field of an intent
        super().__init__(Scripted(bars=[buy("10", **changes)]))
        self.order_id = self.order(self.minute("15:00")).client_order_id
        self.effects()

    @property
    def now(self) -> Order:
        return self.state.orders.open[self.order_id]

    def hear(self, report: Any, at: str) -> list[Record]:  # noqa: ANN401 - a kind of report
        return self.step(report(self.order_id), f"2024-01-02T{at}")

    def cancel(self, at: str) -> list[Record]:
        """Ask for a cancel; a deposit tells the core how late it is."""
        self.step(a_deposit("1", at), f"2024-01-02T{at}")
        self.core.orders.cancel(self.order_id, "by hand")
        taken, self.recorder.records = self.recorder.records, []
        return taken


def times(records: Sequence[Record], kind: TimerKind) -> list[str]:
    return [f"{each.due:%H:%M:%S}" for each in of(records, TimerFired) if each.kind is kind]


def test_a_cancel_is_not_repeated_while_its_answer_is_awaited() -> None:
    desk = Desk()
    desk.hear(OrderAcknowledged, "15:00:01")
    assert kinds(desk.cancel("15:01:00")) == ["cancel.sending"]
    assert desk.cancel("15:01:29") == []
    assert desk.effects() == [Cancel(desk.order_id)]


def test_a_second_cancel_goes_out_when_the_first_one_was_not_answered() -> None:
    desk = Desk()
    desk.hear(OrderAcknowledged, "15:00:01")
    first = desk.cancel("15:01:00")
    desk.pass_time("2024-01-02T15:01:31")
    assert desk.now.state is OrderState.UNKNOWN
    second = desk.cancel("15:02:00")
    assert kinds(first + second) == ["cancel.sending"] * 2
    assert desk.effects() == [Cancel(desk.order_id)] * 2
    # Neither has a key in the journal that the other one could have, too.
    assert [record.event.key() for record in first + second] == [None, None]
    assert desk.now.reserved == 10


def test_the_second_cancel_is_waited_for_on_its_own_and_the_first_reason_stays() -> None:
    desk = Desk()
    desk.hear(OrderAcknowledged, "15:00:01")
    desk.cancel("15:01:00")
    records = desk.pass_time("2024-01-02T15:01:31")
    desk.cancel("15:02:00")
    assert (desk.now.state, desk.now.reason) == (OrderState.UNKNOWN, LOST)
    records += desk.pass_time("2024-01-02T16:00")
    assert times(records, TimerKind.ANSWER_DEADLINE) == ["15:01:30", "15:02:30"]
    assert len(of(records, OrderUnknown)) == 2
    # After that, a third one may go out.
    assert kinds(desk.cancel("16:00:00")) == ["cancel.sending"]


@pytest.mark.parametrize("alive", [OrderAcknowledged, OrderWorking])
def test_a_sign_of_life_shows_that_the_cancel_was_lost(alive: Any) -> None:  # noqa: ANN401 - a report
    desk = Desk()
    desk.hear(OrderAcknowledged, "15:00:01")
    desk.cancel("15:01:00")
    desk.pass_time("2024-01-02T15:01:31")
    assert desk.now.cancel_requested
    desk.hear(alive, "15:03:00")
    assert not desk.now.cancel_requested
    assert kinds(desk.cancel("15:04:00")) == ["cancel.sending"]
    assert desk.now.cancel_requested
    desk.hear(OrderCancelled, "15:04:01")
    assert desk.state.orders.open == {}


def test_a_partial_fill_is_a_sign_of_life_too() -> None:
    desk = Desk()
    desk.cancel("15:00:10")
    desk.pass_time("2024-01-02T15:01:00")
    desk.step(a_fill("4", order_id=desk.order_id, executed_at="2024-01-02T15:02"))
    assert (desk.now.state, desk.now.cancel_requested) == (OrderState.PARTIALLY_FILLED, False)


def test_a_sign_of_life_while_the_answer_is_awaited_says_nothing_about_the_cancel() -> None:
    desk = Desk()
    desk.cancel("15:00:10")
    desk.hear(OrderAcknowledged, "15:00:11")
    desk.hear(OrderWorking, "15:00:12")
    assert desk.now.cancel_requested
    assert desk.cancel("15:00:13") == []


def test_a_sign_of_life_before_the_answer_to_a_second_cancel_leaves_that_one_standing() -> None:
    desk = Desk()
    desk.cancel("15:00:10")
    desk.pass_time("2024-01-02T15:01:00")
    desk.cancel("15:02:00")
    desk.hear(OrderWorking, "15:02:01")
    assert (desk.now.state, desk.now.cancel_requested) == (OrderState.WORKING, True)
    assert desk.cancel("15:02:02") == []


def test_a_cancel_that_is_due_is_made_once_whatever_came_of_it() -> None:
    desk = Desk(cancel_after_s=60)
    desk.hear(OrderAcknowledged, "15:00:01")
    records = desk.pass_time("2024-01-02T15:02:00")
    desk.hear(OrderWorking, "15:02:00")
    for _ in range(3):
        desk.step(SessionStarted("1", {}, {}))
        records += desk.pass_time("2024-01-02T20:00")
    assert times(records, TimerKind.CANCEL_AFTER) == ["15:01:00"]
    assert len(of(records, CancelSending)) == 1


def test_a_cancel_by_hand_that_got_lost_does_not_take_the_place_of_the_one_that_is_due() -> None:
    desk = Desk(cancel_after_s=600)
    desk.hear(OrderAcknowledged, "15:00:01")
    desk.cancel("15:01:00")
    desk.pass_time("2024-01-02T15:05:00")
    desk.hear(OrderWorking, "15:05:00")
    records = desk.pass_time("2024-01-02T15:10:01")
    assert kinds(records) == ["timer.fired", "cancel.sending"]
    assert times(records, TimerKind.CANCEL_AFTER) == ["15:10:00"]


@pytest.mark.parametrize("is_fill", [True, False])
def test_one_that_came_due_meanwhile_is_made_up_for_when_the_order_turns_out_to_live(
    is_fill: bool,  # noqa: FBT001 - a table
) -> None:
    desk = Desk(cancel_after_s=70)
    desk.hear(OrderAcknowledged, "15:00:01")
    desk.cancel("15:01:00")
    assert times(desk.pass_time("2024-01-02T15:05"), TimerKind.CANCEL_AFTER) == []
    if is_fill:
        desk.step(a_fill("4", order_id=desk.order_id, executed_at="2024-01-02T15:05"))
    else:
        desk.hear(OrderWorking, "15:05:00")
    overdue = desk.core.deadlines.take_due(utc("2024-01-02T15:05:01"))
    assert overdue == TimerFired(TimerKind.CANCEL_AFTER, desk.order_id, utc("2024-01-02T15:01:10"))
    assert kinds(desk.step(overdue, "2024-01-02T15:05:01")) == ["timer.fired", "cancel.sending"]


# A deadline belongs to the sending it was set for.


def test_the_deadline_of_an_earlier_cancel_says_nothing_of_a_later_one() -> None:
    desk = Desk()
    desk.hear(OrderAcknowledged, "15:00:01")
    desk.cancel("15:01:00")
    desk.pass_time("2024-01-02T15:01:31")
    desk.hear(OrderWorking, "15:01:40")
    desk.cancel("15:01:45")
    stale = TimerFired(TimerKind.ANSWER_DEADLINE, desk.order_id, utc("2024-01-02T15:01:30"))
    assert kinds(desk.step(stale, "2024-01-02T15:01:46")) == ["timer.fired"]
    assert desk.now.state is OrderState.WORKING
    assert of(desk.pass_time("2024-01-02T15:02:16"), OrderUnknown) == [
        OrderUnknown(desk.order_id, LOST)
    ]


def test_the_deadline_of_the_order_says_nothing_of_its_cancel() -> None:
    desk = Desk()
    desk.cancel("15:00:20")
    desk.hear(OrderAcknowledged, "15:00:25")
    # 15:00:30 was for the acknowledgement, which has come; the cancel has until 15:00:50.
    assert desk.pass_time("2024-01-02T15:00:50") == []
    records = desk.pass_time("2024-01-02T15:00:51")
    assert times(records, TimerKind.ANSWER_DEADLINE) == ["15:00:50"]
    assert of(records, OrderUnknown) == [OrderUnknown(desk.order_id, LOST)]


def test_two_deadlines_within_one_second_are_two_in_the_journal() -> None:
    keys = [
        TimerFired(TimerKind.ANSWER_DEADLINE, "o1", utc(f"2024-01-02T15:00:30{fraction}")).key()
        for fraction in ("", ".000001", ".1", ".100001")
    ]
    # Whole seconds stay as they were: orders are named after them.
    assert keys == [
        "answer-deadline|o1|20240102T150030",
        "answer-deadline|o1|20240102T150030.000001",
        "answer-deadline|o1|20240102T150030.100000",
        "answer-deadline|o1|20240102T150030.100001",
    ]


# The fold alone.


def test_why_an_order_is_unknown_stays_whatever_is_asked_of_it() -> None:
    state = state_after(*an_order(), OrderUnknown(O1, "no answer"), CancelSending(O1, "too slow"))
    assert state.orders.open[O1].reason == "no answer"
    fold(state, OrderUnknown(O1, LOST))
    assert state.orders.open[O1].reason == "no answer"
    fold(state, OrderCancelled(O1, "gone"))
    assert state.orders.closed[O1].reason == "gone"


ALIVE: list[Input] = [OrderAcknowledged(O1), OrderWorking(O1), a_fill("40")]


@pytest.mark.parametrize("report", ALIVE)
def test_an_order_that_lives_after_all_is_asked_to_end_by_nobody(report: Input) -> None:
    state = state_after(*an_order(), CancelSending(O1, "too slow"), OrderUnknown(O1, LOST), report)
    order = state.orders.open[O1]
    assert (order.cancel_requested, order.cancel_sent_at) == (False, 0)
