"""What is reported again: the same is dropped, something else under its id holds everything."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from events import (
    BrokerUnparsed,
    ClientOrderId,
    CorporateActionAnnounced,
    CorporateActionKind,
    HoldLevel,
    HoldLifted,
    HoldPlaced,
    HoldScope,
    OrderAcknowledged,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderWithheld,
    OrderWorking,
    Record,
    Symbol,
)
from events.codec import Input, decode, encode
from projections import State
from projections.order_states import OrderState
from projections.orders import CLOSED_KEPT
from tests.builders import a_commission, a_deposit, a_fill, an_order, fold, utc
from tests.core_desk import A, CoreDesk, Scripted, buy, kinds, of

DAY = utc("2024-01-03T00:00").date()
SPLIT = CorporateActionAnnounced("s1", A, DAY, CorporateActionKind.SPLIT, 2, 1)
HELD = ["broker.unparsed", "hold.placed"]


def a_desk() -> tuple[CoreDesk, ClientOrderId]:
    """Return a desk whose one order, for 10 of A, was filled and charged, and the order's id."""
    desk = CoreDesk(Scripted(bars=[buy("10")]))
    order_id = desk.order(desk.minute("15:00")).client_order_id
    desk.effects()
    for event in (*reports(order_id), a_deposit("5", "more"), SPLIT):
        assert len(desk.step(event)) == 1
    return desk, order_id


def reports(order_id: ClientOrderId) -> tuple[Input, Input]:
    fill = a_fill("4", "100.0", order_id=order_id, executed_at="2024-01-02T15:01")
    return fill, a_commission("1", order_id=order_id)


def the_hold(records: list[Record]) -> HoldPlaced:
    (hold,) = of(records, HoldPlaced)
    assert (hold.scope, hold.level) == (HoldScope.ALL, HoldLevel.HALT)
    return hold


def books(state: State) -> tuple[object, ...]:
    actions = state.corporate_actions
    return state.positions, state.cash, state.orders.fills, actions.pending, actions.terms


FILL, FEE = reports(ClientOrderId("o"))
CHANGED: list[tuple[Input, dict[str, Any]]] = [
    (FILL, {"quantity": Decimal(5)}),
    (FILL, {"price": Decimal("100.01")}),
    (FILL, {"symbol": Symbol("B")}),
    (FILL, {"executed_at": utc("2024-01-02T15:01:00.000001")}),
    (FILL, {"client_order_id": ClientOrderId("another")}),
    (FEE, {"amount": Decimal("1.01")}),
    (FEE, {"client_order_id": ClientOrderId("another")}),
    (a_deposit("5", "more"), {"amount": Decimal(6)}),
    (SPLIT, {"new_shares": 3}),
    (SPLIT, {"ex_date": utc("2024-01-04T00:00").date()}),
]


@pytest.mark.parametrize(("event", "other"), CHANGED)
def test_another_body_under_a_known_id_is_kept_raw_and_holds_everything(
    event: Any,  # noqa: ANN401 - any of the four
    other: dict[str, Any],
) -> None:
    desk, order_id = a_desk()
    if hasattr(event, "client_order_id"):
        event = msgspec.structs.replace(event, client_order_id=order_id)
    before = msgspec.json.encode(books(desk.state))
    dropped = desk.repeats
    assert desk.step(event) == []
    contradicting = msgspec.structs.replace(event, **other)
    records = desk.step(contradicting)
    assert kinds(records) == [*HELD, "cancel.sending"], "the rest of the order is asked back"
    # It is recorded as it came, and nowhere counted.
    (raw,) = of(records, BrokerUnparsed)
    assert decode(raw.raw) == contradicting
    assert msgspec.json.encode(books(desk.state)) == before
    hold = the_hold(records)
    assert hold.cause == "contradicting report"
    assert raw.raw in hold.why
    assert raw.contradicts in hold.why
    assert desk.repeats == dropped + 1


def test_the_hold_names_what_is_recorded_and_what_is_said_now() -> None:
    desk, order_id = a_desk()
    fill = msgspec.structs.replace(FILL, client_order_id=order_id, quantity=Decimal(5))
    told = the_hold(desk.step(fill)).why
    assert told.startswith(
        f"recorded is 4 A at 100 on 2024-01-02T15:01:00+00:00 for {order_id}; now it is "
    )
    assert '"quantity":"5"' in told


def test_a_number_written_otherwise_is_the_same_number() -> None:
    desk, order_id = a_desk()
    same = a_fill("4.000", "1E+2", order_id=order_id, executed_at="2024-01-02T15:01")
    assert desk.step(same) == []
    assert desk.step(a_commission("1.00", order_id=order_id)) == []
    assert desk.step(a_deposit("5.0", "more")) == []
    assert desk.repeats == 3


def test_a_contradiction_is_decided_again_in_the_same_way() -> None:
    # What is recorded is the raw report: alone it leads to the same hold.
    desk, order_id = a_desk()
    records = desk.step(a_commission("2", order_id=order_id))
    again, _ = a_desk()
    (raw,) = of(records, BrokerUnparsed)
    assert of(again.step(decode(encode(raw))), HoldPlaced) == of(records, HoldPlaced)  # type: ignore[arg-type] # an input


# One hold for one matter.


def test_a_report_that_comes_again_and_again_adds_no_hold() -> None:
    desk, order_id = a_desk()
    wrong = a_commission("2", order_id=order_id)
    assert kinds(desk.step(wrong)) == [*HELD, "cancel.sending"]
    assert [kinds(desk.step(wrong)) for _ in range(3)] == [["broker.unparsed"]] * 3
    for number in range(3):
        rejected = desk.step(OrderRejected(ClientOrderId("nobody's"), str(number)))
        assert len(of(rejected, HoldPlaced)) == (number == 0)
    for number in range(3):
        unparsed = desk.step(BrokerUnparsed(str(number), "nonsense"))
        assert len(of(unparsed, HoldPlaced)) == (number == 0)
    for number in range(3):
        fill = a_fill("4", execution_id=f"x{number}", order_id="by hand")
        assert len(of(desk.step(fill), HoldPlaced)) == (number == 0)
    assert len(desk.state.holds.active) == 4


def test_another_order_or_another_cause_is_another_hold() -> None:
    desk, order_id = a_desk()
    steps: list[Input] = [
        a_fill("1", execution_id="x1", order_id="by hand"),
        a_fill("1", execution_id="x2", order_id="by another hand"),
        OrderWorking(ClientOrderId("by hand")),
        a_commission("2", order_id=order_id),
        a_deposit("9", "more"),
    ]
    assert [len(of(desk.step(event), HoldPlaced)) for event in steps] == [1] * 5


def test_once_a_hold_is_lifted_the_next_such_report_places_another() -> None:
    desk, _ = a_desk()
    report = OrderWorking(ClientOrderId("nobody's"))
    first = the_hold(desk.step(report))
    desk.recorder.emit(HoldLifted(first.hold_id, "me", "looked at it"))
    second = the_hold(desk.step(report))
    assert second.hold_id != first.hold_id


# Orders that ended so long ago that they are kept no more.


def a_forgetful_desk(*last: Input) -> tuple[CoreDesk, ClientOrderId]:
    """Return a desk that has forgotten its order for 10 of A, which ended with `last`."""
    desk = CoreDesk(Scripted(bars=[buy("10")], fills=[]))
    order_id = desk.order(desk.minute("15:00")).client_order_id
    for report in last:
        desk.step(msgspec.structs.replace(report, client_order_id=order_id))
    for number in range(2 * CLOSED_KEPT):
        other = f"o{number}"
        fold(desk.state, *an_order(other), OrderCancelled(ClientOrderId(other)))
    assert desk.state.orders.find(order_id) is None
    return desk, order_id


CANCELLED = OrderCancelled(ClientOrderId("o"))


def test_a_fill_of_a_forgotten_order_is_booked_to_its_strategy_and_holds_everything() -> None:
    desk, order_id = a_forgetful_desk(CANCELLED)
    strategy = desk.runs[0].strategy
    assert isinstance(strategy, Scripted)
    fill = a_fill("10", "100", order_id=order_id, execution_id="late")
    records = desk.step(fill)
    assert kinds(records) == ["order.filled", "hold.placed"]
    hold = the_hold(records)
    assert hold.cause == "late fill"
    assert f"{order_id} of trend" in hold.why
    assert desk.state.positions.held(A).quantity == 10
    assert desk.state.positions.held_by("trend", A).quantity == 10
    assert desk.state.cash.balance == 999_000  # 1000000 - 10 x 100
    assert desk.state.orders.foreign_executions == {}
    assert strategy.heard[-1] == fill
    # Its fee counts, and both are known when they come again.
    desk.step(a_commission("1", execution_id="late", order_id=order_id))
    assert desk.state.cash.fees == 1
    assert desk.step(fill) == []
    assert desk.state.positions.held(A).quantity == 10


@pytest.mark.parametrize(
    "word",
    [
        OrderAcknowledged(ClientOrderId("o")),
        OrderWorking(ClientOrderId("o")),
        CANCELLED,
        OrderRejected(ClientOrderId("o"), "late"),
    ],
)
def test_a_word_on_a_forgotten_order_is_old_news(word: Input) -> None:
    desk, order_id = a_forgetful_desk(CANCELLED)
    assert desk.step(msgspec.structs.replace(word, client_order_id=order_id)) == []
    assert desk.state.holds.active == {}
    assert desk.repeats == 1


def test_an_order_that_never_left_is_not_remembered_as_one_that_may_fill() -> None:
    desk, order_id = a_forgetful_desk(OrderWithheld(ClientOrderId("o"), "dry run"))
    assert the_hold(desk.step(a_fill("10", order_id=order_id))).cause == "foreign fill"
    assert desk.state.positions.by_strategy == {}


def test_whose_an_order_was_outlives_a_restart() -> None:
    desk, order_id = a_forgetful_desk(CANCELLED)
    again = msgspec.json.decode(msgspec.json.encode(desk.state), type=State)
    assert again == desk.state
    assert again.orders.strategy_of(order_id) == "trend"
    assert again.orders.strategy_of(ClientOrderId("nobody's")) is None


def test_a_late_fill_of_an_order_still_kept_is_checked_as_ever() -> None:
    desk = CoreDesk(Scripted(bars=[buy("10")]))
    order_id = desk.order(desk.minute("15:00")).client_order_id
    desk.step(OrderCancelled(order_id))
    fill: OrderFilled = a_fill("10", order_id=order_id)
    assert kinds(desk.step(fill)) == ["order.filled"]
    assert desk.state.orders.closed[order_id].state is OrderState.FILLED
