"""The core: what it makes of bars, reports, fills, fees and deadlines, and what it drops."""

from typing import Any

import msgspec
import pytest

from daemon.core.recorder import Cancel
from events import (
    CancelSending,
    ClientOrderId,
    CorporateActionAnnounced,
    CorporateActionKind,
    HoldLevel,
    HoldPlaced,
    HoldScope,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    Record,
    SessionStarted,
    Symbol,
    TimerFired,
    TimerKind,
)
from events.codec import Input
from projections.order_states import OrderState
from tests.builders import (
    a_calendar,
    a_commission,
    a_deposit,
    a_fill,
    a_payment,
    a_session,
    utc,
)
from tests.core_desk import OPENING, A, CoreDesk, Scripted, buy, kinds, of
from tests.gate_desk import limits

HALTED = ["hold.placed"]


def a_sent_order(*fills: Any, **changes: Any) -> tuple[CoreDesk, ClientOrderId]:  # noqa: ANN401 - any answer
    """Return a desk whose first strategy has just bought 10 of A at 15:00, and the order's id."""
    desk = CoreDesk(Scripted(bars=[buy("10", **changes)], fills=list(fills)))
    order = desk.order(desk.minute("15:00"))
    desk.effects()
    return desk, order.client_order_id


def fill_of(order_id: ClientOrderId, quantity: str = "10", **changes: Any) -> OrderFilled:  # noqa: ANN401 - any field
    fill = a_fill(quantity, order_id=order_id, executed_at="2024-01-02T15:01")
    return msgspec.structs.replace(fill, **changes)


def the_hold(records: list[Record]) -> tuple[str, HoldScope, HoldLevel]:
    (hold,) = of(records, HoldPlaced)
    return hold.cause, hold.scope, hold.level


# Bars.


def test_a_bar_that_came_before_is_dropped_and_counted_whatever_it_says_now() -> None:
    desk = CoreDesk(Scripted())
    desk.minute("15:00")
    assert desk.minute("15:00") == []
    assert desk.minute("15:00", close="200") == []
    assert desk.minute("14:59") == []
    assert desk.repeats == 3
    assert desk.state.market.price(A) == 100
    assert kinds(desk.minute("15:00", symbol="B")) == ["bar.closed"]


def test_a_bar_off_session_is_recorded_and_shown_to_nobody() -> None:
    trend = Scripted(bars=[buy()])
    desk = CoreDesk(trend)
    assert kinds(desk.minute("14:30")) == ["bar.closed"]
    assert kinds(desk.minute("21:01")) == ["bar.closed"]
    assert (trend.heard, desk.state.market.price(A), desk.state.market.off_session) == ([], None, 2)


def test_a_bar_of_what_a_strategy_does_not_trade_is_not_shown_to_it() -> None:
    trend = Scripted(bars=[buy()])
    assert kinds(CoreDesk(trend).minute("15:00", symbol="B")) == ["bar.closed"]
    assert trend.heard == []


# Reports.


def test_a_report_follows_from_its_orders_sending() -> None:
    desk, order_id = a_sent_order()
    (record,) = desk.step(OrderAcknowledged(order_id, "17"))
    order = desk.state.orders.open[order_id]
    assert (record.cause, record.trace) == (order.sending_seq, order.trace)


REPORTS: list[Any] = [OrderAcknowledged, OrderWorking, OrderCancelled, OrderExpired]


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_that_changes_nothing_is_dropped_and_counted(report: Any) -> None:  # noqa: ANN401 - a kind
    desk, order_id = a_sent_order()
    first = report(order_id)
    desk.step(first)
    assert desk.step(first) == []
    assert desk.step(OrderAcknowledged(order_id)) == []
    assert desk.repeats == 2


def test_a_fill_or_a_fee_reported_again_is_dropped_and_counted() -> None:
    desk, order_id = a_sent_order()
    fill, fee = fill_of(order_id, "4"), a_commission("1", order_id=order_id)
    assert kinds(desk.step(fill) + desk.step(fee)) == ["order.filled", "commission.charged"]
    assert desk.step(fill) + desk.step(fee) == []
    assert desk.repeats == 2
    assert desk.state.positions.held(A).quantity == 4
    assert desk.state.cash.fees == 1


def test_cash_and_announcements_reported_again_are_dropped_and_counted() -> None:
    desk = CoreDesk()
    split = CorporateActionAnnounced(
        "split", A, utc("2024-01-03T00:00").date(), CorporateActionKind.SPLIT, 2, 1
    )
    once: list[Input] = [a_deposit("5", "more"), a_payment("1", "7"), split]
    for event in once:
        assert len(desk.step(event)) == 1
        assert desk.step(event) == []
    assert desk.repeats == 3
    assert desk.state.cash.balance == 1_000_012


def test_no_two_records_of_a_kind_ever_have_the_same_key() -> None:
    # The journal refuses a second one: that would stop the daemon.
    desk, order_id = a_sent_order(cancel_after_s=10)
    inputs: list[Input] = [
        OrderAcknowledged(order_id),
        fill_of(order_id, "4"),
        a_commission("1", order_id=order_id),
        a_deposit("5", "more"),
        OrderCancelled(order_id),
    ]
    records = [record for _ in range(2) for event in inputs for record in desk.step(event)]
    keys = [
        (kind, record.event.key()) for kind, record in zip(kinds(records), records, strict=True)
    ]
    keyed = [key for key in keys if key[1] is not None]
    assert len(set(keyed)) == len(keyed) >= 3


# What cannot be.


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"quantity": 11}, "over-fill"),
        ({"quantity": -10}, "impossible fill"),
        ({"symbol": "B"}, "impossible fill"),
        ({"client_order_id": "nobody's"}, "foreign fill"),
    ],
)
def test_a_fill_that_cannot_be_right_is_booked_and_holds_everything(
    wrong: dict[str, Any], cause: str
) -> None:
    desk, order_id = a_sent_order()
    if "quantity" in wrong:
        wrong = {"quantity": fill_of(order_id).quantity * wrong["quantity"] / 10}
    records = desk.step(fill_of(order_id, **wrong))
    assert kinds(records)[:2] == ["order.filled", "hold.placed"]
    assert the_hold(records) == (cause, HoldScope.ALL, HoldLevel.HALT)
    assert desk.state.positions.held(Symbol(wrong.get("symbol", "A"))).quantity != 0


def test_two_fills_that_together_are_too_much_hold_everything() -> None:
    desk, order_id = a_sent_order()
    assert kinds(desk.step(fill_of(order_id, "6"))) == ["order.filled"]
    second = fill_of(order_id, "5", execution_id="e2")
    assert the_hold(desk.step(second))[0] == "over-fill"


def test_a_fill_of_an_order_that_was_never_sent_holds_everything() -> None:
    desk = CoreDesk(Scripted(bars=[buy("11")]), under=limits(max_order_shares="10"))
    refused = desk.order(desk.minute("15:00")).client_order_id
    assert the_hold(desk.step(fill_of(refused)))[0] == "impossible fill"
    desk, withheld = a_sent_order()
    desk.step(OrderWithheld(withheld, "dry run"))
    assert the_hold(desk.step(fill_of(withheld)))[0] == "impossible fill"


def test_a_fill_after_the_cancel_is_none_of_that() -> None:
    desk, order_id = a_sent_order()
    desk.step(OrderCancelled(order_id))
    assert kinds(desk.step(fill_of(order_id))) == ["order.filled"]
    assert desk.state.positions.held(A).quantity == 10


@pytest.mark.parametrize(
    "report", [OrderAcknowledged(ClientOrderId("nobody's")), OrderWorking(ClientOrderId("no"))]
)
def test_a_report_on_nobodys_order_holds_everything(report: Input) -> None:
    desk, _ = a_sent_order()
    records = desk.step(report)
    assert kinds(records)[1:] == [*HALTED, "cancel.sending"], "ours is asked back"
    assert the_hold(records) == ("impossible report", HoldScope.ALL, HoldLevel.HALT)


def test_a_report_that_cannot_follow_holds_everything_and_changes_no_order() -> None:
    desk, order_id = a_sent_order()
    desk.step(fill_of(order_id))
    records = desk.step(OrderRejected(order_id, "no"))
    assert the_hold(records)[0] == "impossible report"
    assert desk.state.orders.closed[order_id].state is OrderState.FILLED


def test_behind_such_a_hold_nothing_is_sent_any_more() -> None:
    desk = CoreDesk(Scripted(bars=[buy()]))
    desk.step(fill_of(ClientOrderId("nobody's")), "2024-01-02T14:50")
    assert kinds(desk.minute("15:00"))[1:] == ["order.intended", "intent.refused"]
    assert desk.effects() == []


# Deadlines. The order was sent at 15:00:00; an answer may take 30 seconds.


def test_an_order_without_an_answer_is_unknown_and_stays_reserved() -> None:
    desk, order_id = a_sent_order()
    assert desk.pass_time("2024-01-02T15:00:30") == []
    records = desk.pass_time("2024-01-02T15:00:31")
    assert kinds(records) == ["timer.fired", "order.unknown"]
    assert (records[1].trace, records[1].cause) == (
        desk.state.orders.open[order_id].trace,
        records[0].seq,
    )
    order = desk.state.orders.open[order_id]
    assert (order.state, order.reserved) == (OrderState.UNKNOWN, 10)
    assert desk.effects() == []
    # Silence says nothing more about it, for ever; the broker's word does.
    assert desk.pass_time("2024-03-01T00:00") == []
    desk.step(OrderWorking(order_id))
    assert desk.state.orders.open[order_id].state is OrderState.WORKING


def test_an_order_that_was_answered_in_time_is_never_asked_about() -> None:
    desk, order_id = a_sent_order()
    desk.step(OrderAcknowledged(order_id), "2024-01-02T15:00:29")
    assert desk.pass_time("2024-03-01T00:00") == []


def test_an_order_is_cancelled_when_its_time_is_over() -> None:
    desk, order_id = a_sent_order(cancel_after_s=60)
    desk.step(OrderAcknowledged(order_id), "2024-01-02T15:00:01")
    assert desk.pass_time("2024-01-02T15:01") == []
    records = desk.pass_time("2024-01-02T15:01:01")
    assert kinds(records) == ["timer.fired", "cancel.sending"]
    assert of(records, CancelSending) == [CancelSending(order_id, "cancel_after_s is over")]
    assert desk.effects() == [Cancel(order_id)]
    assert desk.state.orders.open[order_id].reserved == 10
    # Asked again, by whom ever, it is not sent a second time.
    desk.core.orders.cancel(order_id, "again")
    assert desk.effects() == []


def test_a_cancel_without_an_answer_leaves_the_order_unknown_and_reserved() -> None:
    desk, order_id = a_sent_order(cancel_after_s=60)
    desk.step(OrderAcknowledged(order_id), "2024-01-02T15:00:01")
    desk.pass_time("2024-01-02T15:01:01")
    assert desk.pass_time("2024-01-02T15:01:30") == []
    records = desk.pass_time("2024-01-02T15:01:31")
    assert of(records, OrderUnknown) == [
        OrderUnknown(order_id, "the cancel was not answered in time")
    ]
    order = desk.state.orders.open[order_id]
    assert (order.state, order.reserved) == (OrderState.UNKNOWN, 10)


def test_a_cancel_that_was_answered_is_the_end_of_it() -> None:
    desk, order_id = a_sent_order(cancel_after_s=60)
    desk.step(OrderAcknowledged(order_id), "2024-01-02T15:00:01")
    desk.pass_time("2024-01-02T15:01:01")
    desk.step(OrderCancelled(order_id), "2024-01-02T15:01:02")
    assert desk.pass_time("2024-03-01T00:00") == []
    assert desk.state.orders.open == {}


@pytest.mark.parametrize(
    "ended", [fill_of(ClientOrderId("o")), OrderRejected(ClientOrderId("o"), "no")]
)
def test_an_order_that_is_over_is_not_cancelled(ended: Any) -> None:  # noqa: ANN401 - a report
    desk, order_id = a_sent_order(cancel_after_s=60)
    desk.step(msgspec.structs.replace(ended, client_order_id=order_id), "2024-01-02T15:00:10")
    assert desk.pass_time("2024-03-01T00:00") == []


def test_deadlines_outlive_a_restart_and_a_new_calendar() -> None:
    desk, order_id = a_sent_order(cancel_after_s=60)
    again = CoreDesk(Scripted(), state=desk.state, opening=())
    for restarted in (desk, again):
        restarted.core.deadlines.restart()
    again.step(a_calendar(a_session("2024-01-02")))
    again.step(SessionStarted("1", {}, {}))
    assert kinds(again.pass_time("2024-01-02T15:01:01")) == [
        *("timer.fired", "order.unknown", "timer.fired", "cancel.sending")
    ]
    assert again.effects() == [Cancel(order_id)]


def test_no_deadline_fires_twice_whatever_the_broker_says_and_however_often_we_start() -> None:
    # Acknowledged, cancelled at 15:01, unknown at 15:01:30; but the cancel got lost: it works on.
    desk, order_id = a_sent_order(cancel_after_s=60)
    start = SessionStarted("1", {}, {})
    fired: list[TimerFired] = []
    for step in (OrderAcknowledged(order_id), start, OrderWorking(order_id), start, start):
        desk.step(step)
        fired += of(desk.pass_time("2024-01-02T16:00"), TimerFired)
    assert [(event.kind, f"{event.due:%H:%M:%S}") for event in fired] == [
        (TimerKind.CANCEL_AFTER, "15:01:00"),
        (TimerKind.ANSWER_DEADLINE, "15:01:30"),
    ]


def test_a_deadline_that_comes_after_the_answer_does_nothing() -> None:
    desk, order_id = a_sent_order()
    late = TimerFired(TimerKind.ANSWER_DEADLINE, order_id, utc("2024-01-02T15:00:30"))
    desk.step(OrderAcknowledged(order_id))
    assert kinds(desk.step(late)) == ["timer.fired"]


def test_a_deadline_of_an_order_nobody_knows_does_nothing() -> None:
    desk = CoreDesk()
    for kind in TimerKind:
        timer = TimerFired(kind, "nobody's", utc("2024-01-02T15:00"))
        assert kinds(desk.step(timer)) == ["timer.fired"]


# Starting.


def test_a_strategy_that_decides_otherwise_than_its_journal_is_on_halt_from_the_start() -> None:
    trend, other = Scripted(bars=[buy()]), Scripted(bars=[buy()])
    desk = CoreDesk(trend, other)
    started = SessionStarted("1", {}, {}, {"trend": "decided differently from the journal at 7"})
    assert kinds(desk.step(started)) == ["session.started", "strategy.failed", "hold.placed"]
    records = desk.minute("15:00")
    assert [each.strategy for each in of(records, OrderIntended)] == ["other"]
    assert trend.heard == []


def test_nothing_is_said_twice_in_an_opening() -> None:
    desk = CoreDesk()
    assert desk.state.seq == len(OPENING)
    assert desk.repeats == 0
