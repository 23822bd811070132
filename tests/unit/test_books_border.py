"""A look that cannot be so is not believed: it is journaled raw, and everything is held."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.brokers.border import LISTED_MAX, checked
from events import (
    BooksReported,
    BrokerCash,
    BrokerPosition,
    BrokerUnparsed,
    HoldPlaced,
    HoldScope,
    Symbol,
    nanoseconds,
)
from tests.builders import utc
from tests.core_desk import of
from tests.looks import a_look, listed, over, seen
from tests.operators import Told

NOW = nanoseconds(utc("2024-01-02T16:00:05"))
NAN, ENDLESS, SENTINEL = Decimal("NaN"), Decimal("Infinity"), Decimal("1.7976931348623157E+308")
A = Symbol("A")


def position(quantity: Decimal, cost: Decimal | None = None) -> BrokerPosition:
    return BrokerPosition(A, quantity, cost)


def an_order(**changes: Any) -> Any:  # noqa: ANN401 - an order with anything in it
    return msgspec.structs.replace(listed("o1", "5"), **changes)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"positions": (position(NAN),)},
        {"positions": (position(ENDLESS),)},
        {"positions": (position(SENTINEL),)},
        {"positions": (position(Decimal("1e-19")),)},
        {"positions": (position(Decimal(1), NAN),)},
        {"positions": (position(Decimal(1)), position(Decimal(2)))},
        {"positions": (BrokerPosition(Symbol("A\nB"), Decimal(1)),)},
        {"positions": (BrokerPosition(Symbol("A" * 101), Decimal(1)),)},
        {"positions": ((A, 1),)},
        {"cash": BrokerCash(NAN)},
        {"cash": BrokerCash(Decimal(1), SENTINEL)},
        {"open_orders": (an_order(quantity=NAN, remaining=NAN),)},
        {"open_orders": (an_order(limit_price=SENTINEL),)},
        {"open_orders": (an_order(remaining=Decimal(6)),)},
        {"open_orders": (an_order(remaining=Decimal(-1)),)},
        {"open_orders": (an_order(order_ref="", perm_id=""),)},
        {"open_orders": (an_order(status="\x1b[2J"),)},
        {"completed_orders": (over("o1", "x" * 101),)},
        {"executions": (seen("e1", "1"), seen("e1", "1"))},
        {"executions": (seen("e1", "NaN"),)},
        {"executions": tuple(seen(str(n), "1") for n in range(LISTED_MAX + 1))},
        {"began_at": utc("2024-01-04T00:00")},
        {"connected_since": utc("2024-01-04T00:00")},
        {"began_at": "now"},
        {"look_id": ""},
        {"look_id": None},
    ],
    ids=lambda spoilt: str(spoilt)[:50].encode("unicode_escape").decode(),
)
def test_what_cannot_be_so_is_unparsed_as_a_whole(spoilt: dict[str, Any]) -> None:
    report = msgspec.structs.replace(a_look({"A": "1"}, "100"), **spoilt)
    found = checked(report, NOW)
    assert isinstance(found, BrokerUnparsed)
    assert found.why


def test_an_honest_look_passes_the_border_as_it_is() -> None:
    look = a_look(
        {"A": "-1.5", "ES 20DEC24": "2"},
        "-100.25",
        [listed("", "-5", "-2"), listed("o1", "5", "0"), listed("o1", "5")],
        completed_orders=(over("o2"),),
        executions=(seen("0001.01", "-3"),),
        missing={"cash": "asked twice, no answer"},
    )
    assert checked(look, NOW) is look


def test_a_look_that_is_not_believed_holds_everything_and_compares_nothing() -> None:
    told = Told()
    report = checked(a_look({"A": "NaN"}), NOW)
    assert not isinstance(report, BooksReported)
    (hold,) = of(told.step(report), HoldPlaced)
    assert (hold.scope, hold.cause) == (HoldScope.ALL, "unparsed report")
    assert told.state.reconciliation.last is None
