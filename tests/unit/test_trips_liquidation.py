"""The broker closes by itself what is held: it trips, holds everything, and an operator ends it.

The books have 100 of A at 100.
"""

from decimal import Decimal

import msgspec
import pytest

from events import (
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentRefused,
    OperatorLifted,
    OrderType,
    Record,
    TimeInForce,
    WorkingOrders,
)
from ops.sentences import sentence
from ops.stops import breaker_text, trips_of
from tests.builders import a_fill
from tests.core_desk import buy, of
from tests.looks import listed, seen
from tests.operators import said
from tests.unit.test_reconciliation import Looking

CLOSED = msgspec.structs.replace(
    a_fill("-40", execution_id="e9", order_id="permId-9", executed_at="2024-01-02T15:30"),
    is_liquidation=True,
)
"""The broker sells 40 of the 100."""


def the_hold(taken: list[Record]) -> HoldPlaced:
    (hold,) = of(taken, HoldPlaced)
    return hold


def test_a_liquidating_execution_trips_with_a_cause_of_its_own() -> None:
    at = Looking()
    hold = the_hold(at.step(CLOSED))
    assert (hold.cause, hold.scope, hold.level) == ("LIQUIDATION", HoldScope.ALL, HoldLevel.HALT)
    assert (hold.by, hold.lifts) == ("circuit breaker", HoldLifts.OPERATOR)
    assert hold.working is WorkingOrders.CANCEL_INCREASING
    assert breaker_text(trips_of(at.state)) == "TRIPPED (LIQUIDATION, lifted by an operator)"


def test_what_it_closed_is_in_the_books() -> None:
    at = Looking()
    at.step(CLOSED)
    assert at.state.positions.held(CLOSED.symbol).quantity == 60


def test_orders_that_may_increase_are_cancelled_and_none_passes() -> None:
    at = Looking()
    order_id = at.sends(
        "10", order_type=OrderType.LIMIT, limit_price=Decimal(90), time_in_force=TimeInForce.GTC
    )
    at.step(CLOSED)
    assert at.asked_to_cancel() == {order_id}
    run = at.core.desk.runs["trend"]
    run.strategy.bars = [buy("-5")]  # type: ignore[attr-defined]
    (refused,) = of(at.minute("15:31"), IntentRefused)
    assert "holds" in [check.name for check in refused.failed]


def test_one_of_an_order_of_ours_trips_as_well() -> None:
    at = Looking()
    order_id = at.sends("-40")
    ours = msgspec.structs.replace(CLOSED, client_order_id=order_id)
    assert the_hold(at.step(ours)).cause == "LIQUIDATION"


def test_a_foreign_execution_that_is_none_is_no_such_trip() -> None:
    at = Looking()
    foreign = msgspec.structs.replace(CLOSED, is_liquidation=False)
    assert the_hold(at.step(foreign)).cause == "foreign fill"


def test_while_it_stands_more_of_it_adds_no_hold_and_after_it_is_lifted_more_of_it_does() -> None:
    at = Looking()
    first = the_hold(at.step(CLOSED))
    more = msgspec.structs.replace(CLOSED, execution_id="e10")
    assert of(at.step(more), HoldPlaced) == []
    at.step(said(OperatorLifted, first.hold_id))
    again = msgspec.structs.replace(CLOSED, execution_id="e11", quantity=Decimal(-1))
    assert the_hold(at.step(again)).cause == "LIQUIDATION"


@pytest.mark.parametrize("kind", ["order", "execution"])
def test_one_that_a_look_shows_trips_once(kind: str) -> None:
    at = Looking()
    shown = (
        {"orders": [listed("", "-100", is_liquidation=True)]}
        if kind == "order"
        else {"executions": (msgspec.structs.replace(seen("e9", "-40"), is_liquidation=True),)}
    )
    first = at.look({"A": "100"}, "16:00:00", **shown)
    (hold,) = [each for each in of(first, HoldPlaced) if each.cause == "LIQUIDATION"]
    at.step(said(OperatorLifted, hold.hold_id))
    again = at.look({"A": "100"}, "16:10:00", **shown)
    assert [each.cause for each in of(again, HoldPlaced) if each.cause == "LIQUIDATION"] == []


def test_the_look_behind_the_execution_is_no_second_trip() -> None:
    at = Looking()
    hold = the_hold(at.step(CLOSED))
    shown = (msgspec.structs.replace(seen("e9", "-40"), is_liquidation=True),)
    at.look({"A": "60"}, "16:00:00", None, executions=shown)
    at.step(said(OperatorLifted, hold.hold_id))
    at.look({"A": "60"}, "16:10:00", None, executions=shown)
    assert "LIQUIDATION" not in {each.cause for each in at.state.holds.active.values()}


def test_a_person_reads_it() -> None:
    assert sentence(CLOSED) == "sold 40 at 100.00, A LIQUIDATION BY THE BROKER"
