"""End-of-life evidence: which orders a whole look proves to be over, and all that forbids it.

The session closes at 21:00 UTC, extended hours at 01:00; the books have 100 of A. An order for the
day is sent at 15:03, and nobody answers.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from events import (
    BooksReported,
    ClientOrderId,
    OperatorFlattenAsked,
    OrderIntended,
    OrderType,
    OrderUnknown,
    OrderWrittenOff,
    Record,
    TimeInForce,
)
from projections.order_states import OrderState
from tests.builders import a_calendar, a_config, a_deposit, a_fill, a_session, utc
from tests.core_desk import OPENED, kinds, of
from tests.looks import a_look, listed, over, seen
from tests.operators import Told, said

EVENING = "2024-01-02T21:30:00"
WHOLE = a_look({"A": "100"}, at=EVENING)
LIMIT: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(90)}


def after(told: Told, look: BooksReported = WHOLE) -> list[Record]:
    return told.step(look, f"{look.began_at:%Y-%m-%dT%H:%M:%S}")


def state_of(told: Told, order_id: ClientOrderId) -> OrderState:
    order = told.state.orders.find(order_id)
    assert order is not None
    return order.state


def test_an_order_for_the_day_that_no_list_has_after_the_close_is_over() -> None:
    told = Told()
    order_id = told.sends("5")
    taken = after(told)
    (end,) = of(taken, OrderWrittenOff)
    assert kinds(taken) == ["broker.books-reported", "order.written-off", "reconcile.completed"]
    assert state_of(told, order_id) is OrderState.EXPIRED
    assert not told.state.orders.open
    assert end.by == "core"
    assert end.why == (
        "DAY, its session closed 2024-01-02 21:00 UTC; it is in none of the broker's open orders, "
        "completed orders and executions, each whole, on a connection since 2024-01-02 13:00 UTC, "
        "and the positions agree (look look-2024-01-02T21:30:00)"
    )


def test_the_look_is_its_cause_and_the_order_its_walk() -> None:
    told = Told()
    order = told.state.orders.find(told.sends("5"))
    assert order is not None
    look, end, _ = after(told)
    assert (end.cause, end.trace) == (look.seq, order.trace)


@pytest.mark.parametrize("in_force", [TimeInForce.DAY, TimeInForce.IOC])
def test_an_order_of_unknown_whereabouts_is_over_by_it_too(in_force: TimeInForce) -> None:
    told = Told()
    order_id = told.sends("5", time_in_force=in_force, **LIMIT)
    told.recorder.emit(OrderUnknown(order_id, "no answer"))
    after(told)
    assert state_of(told, order_id) is OrderState.EXPIRED


def test_what_is_left_of_an_order_is_over_when_all_its_executions_are_counted() -> None:
    told = Told()
    order_id = told.sends("5")
    told.step(a_fill("2", execution_id="x1", order_id=order_id, executed_at="2024-01-02T15:04"))
    counted = a_look({"A": "102"}, at=EVENING, executions=(seen("x1", "2", order_id),))
    after(told, counted)
    order = told.state.orders.find(order_id)
    assert order is not None
    assert (order.state, order.filled) == (OrderState.EXPIRED, 2)


def test_a_fill_that_comes_after_all_still_counts() -> None:
    told = Told()
    order_id = told.sends("5")
    after(told)
    told.step(a_fill("5", execution_id="x1", order_id=order_id, executed_at="2024-01-02T15:04"))
    assert told.state.positions.held(WHOLE.positions[0].symbol).quantity == 105  # type: ignore[index] # it has one


@pytest.mark.parametrize(
    "spoilt",
    [
        {"positions": None},
        {"open_orders": None},
        {"completed_orders": None},
        {"executions": None},
        {"connected_since": None},
        {"connected_since": utc("2024-01-02T21:00:00.000001")},
        {"began_at": utc("2024-01-02T21:00:00")},
        {"positions": a_look({"A": "105"}).positions},
        {"positions": ()},
    ],
    ids=lambda spoilt: " ".join(f"{name} {value}" for name, value in spoilt.items())[:60],
)
def test_anything_less_is_no_evidence(spoilt: dict[str, Any]) -> None:
    told = Told()
    order_id = told.sends("5")
    taken = after(told, msgspec.structs.replace(WHOLE, **spoilt))
    assert of(taken, OrderWrittenOff) == []
    assert state_of(told, order_id) is OrderState.ACKNOWLEDGED


def test_an_order_that_any_list_has_is_not_over_by_absence() -> None:
    for where in ("open_orders", "completed_orders", "executions"):
        told = Told()
        order_id = told.sends("5")
        entry: Any = {
            "open_orders": listed(order_id, "5"),
            "completed_orders": over(order_id),
            "executions": seen("x-unheard", "5", order_id),
        }[where]
        taken = after(told, msgspec.structs.replace(WHOLE, **{where: (entry,)}))
        assert of(taken, OrderWrittenOff) == []


def test_a_flatten_that_waits_for_the_order_goes_on_when_it_is_over() -> None:
    told = Told()
    told.sends("5")
    told.step(said(OperatorFlattenAsked, None, trust_broker=True))  # Its cancel is not answered.
    taken = after(told)
    (closing,) = of(taken, OrderIntended)
    assert (closing.symbol, closing.quantity, closing.closing) == ("A", -100, True)


@pytest.mark.parametrize("in_force", [TimeInForce.GTC, TimeInForce.OPG, TimeInForce.CLS])
def test_other_times_in_force_are_an_operators(in_force: TimeInForce) -> None:
    told = Told()
    order_id = told.sends("5", time_in_force=in_force, **LIMIT)
    assert of(after(told), OrderWrittenOff) == []
    assert state_of(told, order_id) is not OrderState.EXPIRED


def test_where_extended_hours_count_the_session_ends_with_them() -> None:
    opening = (
        OPENED,
        a_config("A", "B", extended_hours=True),
        a_calendar(*(a_session(f"2024-01-0{day}") for day in (2, 3, 4, 5))),
        a_deposit("1000000"),
    )
    told = Told(opening=opening)
    told.sends("5")
    assert of(after(told), OrderWrittenOff) == []
    late = a_look({"A": "100"}, at="2024-01-03T01:00:01")
    assert len(of(after(told, late), OrderWrittenOff)) == 1
