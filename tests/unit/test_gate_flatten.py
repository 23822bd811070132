"""What an operator's flatten passes in the gate that stops every other order, and what not.

It is told from others by its `closing`; that alone lets nothing pass that may do more than reduce.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.gate import Limits
from events import (
    ClientOrderId,
    HoldLevel,
    OperatorFlattenAsked,
    OrderType,
    OrderUnknown,
    Symbol,
    SymbolHalted,
)
from projections import State
from tests.builders import (
    a_bar,
    a_calendar,
    a_config,
    a_fill,
    a_session,
    an_order,
    fold,
    state_after,
)
from tests.gate_desk import OPENING, WIDE, A, a_hold, an, asked, failed, holding, limits, rules
from tests.operators import said

B = Symbol("B")
NO_OPPOSITE = rules(orders={"allow_opposite": False}, account={"allow_short": False})


def unpriced() -> State:
    """Return books with 10 of B, of which no bar has come."""
    bought = a_fill("10", "50", order_id="by hand", execution_id="x", symbol="B")
    return state_after(*OPENING, bought)


def beside_an_unknown(quantity: str) -> State:
    state = fold(holding("40"), *an_order("lost", quantity))
    return fold(state, OrderUnknown(ClientOrderId("lost"), "no answer"))


@pytest.mark.parametrize(
    ("state", "under", "stops"),
    [
        (fold(holding("40"), a_hold(HoldLevel.HALT)), WIDE, {"holds"}),
        (holding("40"), limits(deny_symbols=(A,)), {"symbol_allowed"}),
        (holding("40"), limits(allow_symbols=(B,)), {"symbol_allowed"}),
        (holding("40"), limits(max_order_shares="1"), {"order_shares"}),
        (beside_an_unknown("5"), NO_OPPOSITE, {"own_opposite"}),
        (beside_an_unknown("-5"), NO_OPPOSITE, {"short_allowed"}),
    ],
)
def test_a_flatten_passes_what_stops_others(state: State, under: Limits, stops: set[str]) -> None:
    assert failed(asked(state, an("-40", closing=True), under=under)) == []
    assert set(failed(asked(state, an("-40"), under=under))) == stops
    # What would do more than flatten is none, whatever it says of itself.
    more = msgspec.structs.replace(under, account=limits(allow_short=False).account)
    assert failed(asked(state, an("-41", closing=True), under=more)) != []


def test_a_flatten_needs_no_price() -> None:
    of_b: dict[str, Any] = {"symbol": B}
    assert failed(asked(unpriced(), an("-10", closing=True, **of_b))) == []
    found = failed(asked(unpriced(), an("-10", **of_b)))
    assert found == ["price_known", "data_age_s", "outlier", "order_usd"]
    assert {"price_known", "order_usd"} <= set(
        failed(asked(unpriced(), an("-11", closing=True, **of_b)))
    )


def test_what_is_being_flattened_is_held_for_everything_else() -> None:
    state = fold(holding("40"), a_bar(symbol="B"), said(OperatorFlattenAsked, A))
    checks = asked(state, an("-1"))
    assert failed(checks) == ["holds"]
    assert checks["holds"].note == "HALT: it is being flattened by ann"
    assert failed(asked(state, an("1", symbol=B))) == []
    assert failed(asked(state, an("-40", closing=True))) == []


def test_an_unknown_order_of_another_symbol_counts_for_a_flatten_too() -> None:
    state = fold(holding("40"), a_bar(symbol="B"), *an_order("lost", "5", symbol="B"))
    fold(state, OrderUnknown(ClientOrderId("lost"), "no answer"))
    assert asked(state, an("-40", closing=True))["gross_usd"].value == 4000 + 500


def test_a_flatten_waits_for_the_exchange_and_for_a_configuration() -> None:
    state = holding("40")
    fold(state, a_calendar(a_session("2024-01-03")))
    assert failed(asked(state, an("-40", closing=True)))[:2] == ["session_open", "order_hours"]
    fold(state, a_config("B"))
    assert "valid_input" in failed(asked(state, an("-40", closing=True)))


def test_a_flatten_passes_no_check_that_is_about_something_else() -> None:
    state = fold(holding("40"), SymbolHalted(A))
    assert failed(asked(state, an("-40", closing=True))) == ["symbol_halted"]
    parts = an("-0.5", closing=True)
    assert failed(asked(holding("40"), parts)) == ["size_step"]
    too_far = an("-40", closing=True, order_type=OrderType.LIMIT, limit_price=Decimal(80))
    near = rules(prices={"max_distance_last": "0.10"})
    assert failed(asked(holding("40"), too_far, under=near)) == ["collar_last"]
