"""What works on when the broker did or said what nobody understands: what protects, and no more."""

from decimal import Decimal
from typing import Any

import pytest

from events import (
    BrokerUnparsed,
    ClientOrderId,
    HoldPlaced,
    JournalOpened,
    Mode,
    OrderCancelled,
    OrderType,
    SessionStarted,
    WorkingOrders,
)
from events.codec import Input
from tests.builders import a_fill
from tests.core_desk import OPENING, of
from tests.operators import Told

STOP: dict[str, Any] = {"order_type": OrderType.STOP, "stop_price": Decimal(90)}
LIMIT: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(95)}


def foreign(quantity: str, execution_id: str = "f1") -> Input:
    at = "2024-01-02T15:30"
    return a_fill(quantity, order_id="foreign", execution_id=execution_id, executed_at=at)


def protected() -> tuple[Told, ClientOrderId, ClientOrderId]:
    """Return a desk that is long 100, its stop, and an order for 5 more."""
    desk = Told()
    return desk, desk.sends("-100", **STOP), desk.sends("5", **LIMIT)


def test_the_stop_of_a_position_that_was_closed_at_the_broker_is_cancelled() -> None:
    desk, stop, buying = protected()
    desk.step(foreign("-100"))
    assert desk.asked_to_cancel() == {stop, buying}


def test_each_further_fill_of_the_same_foreign_order_is_looked_at_again() -> None:
    desk, stop, buying = protected()
    desk.step(foreign("-40"))
    assert desk.asked_to_cancel() == {buying}, "60 are left, and 40 too many are less than that"
    taken = desk.step(foreign("-60", "f2"))
    assert desk.asked_to_cancel() == {buying, stop}
    assert of(taken, HoldPlaced) == []


@pytest.mark.parametrize(
    "event",
    [
        BrokerUnparsed("?", "it is no report"),
        BrokerUnparsed("other", "it was told otherwise", "this"),
        OrderCancelled(ClientOrderId("nobody's")),
    ],
)
def test_what_cannot_be_understood_cancels_what_increases_and_leaves_the_stop(event: Input) -> None:
    desk, _, buying = protected()
    (hold,) = of(desk.step(event), HoldPlaced)
    assert hold.working is WorkingOrders.CANCEL_INCREASING
    assert desk.asked_to_cancel() == {buying}


def test_an_over_fill_cancels_what_no_longer_reduces() -> None:
    desk, stop, buying = protected()
    selling = desk.sends("-1", **STOP)
    desk.fill(selling, "-101")  # 100 too many: nothing is held any more.
    assert desk.asked_to_cancel() == {stop, buying}


def test_books_that_are_in_doubt_since_before_the_start_say_of_no_order_what_it_would_do() -> None:
    desk = Told(opening=(JournalOpened("j1", Mode.LIVE, "live"), *OPENING[1:]))
    desk.sends("5", **LIMIT)
    doubt = SessionStarted("1", {}, {}, live_feed=True, doubts=("the end of the journal is lost",))
    taken = of(desk.step(doubt), HoldPlaced)
    assert {hold.working for hold in taken} == {WorkingOrders.KEEP}
    assert desk.asked_to_cancel() == set()
