from decimal import Decimal

import pytest

from events import (
    CancelSending,
    ClientOrderId,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
    OrderWorking,
    Symbol,
)
from events.codec import JournalEvent
from projections import State
from projections.exposure import WorstCase, worst_case
from tests.builders import a_fill, an_intent, an_order, fold, state_after

A = Symbol("A")
O1 = ClientOrderId("o1")


def worst(state: State, strategy: str | None = None) -> WorstCase:
    held = state.positions.held(A).quantity
    orders = [order for order in state.orders.open.values() if order.symbol == A]
    return worst_case(
        held, [each.reserved for each in orders if strategy in {None, each.intent.strategy}]
    )


def extremes(held: str, longest: str, shortest: str) -> WorstCase:
    return WorstCase(Decimal(held), Decimal(longest), Decimal(shortest))


def test_nothing_held_and_nothing_open_is_no_exposure() -> None:
    assert worst(State()) == extremes("0", "0", "0")


def test_buys_and_sells_are_not_netted() -> None:
    # 100 to buy and 150 to sell: 100 long if only the buy fills, 150 short if only the sell does.
    state = state_after(*an_order("o1", "100"), *an_order("o2", "-150"))
    assert worst(state) == extremes("0", "100", "-150")
    assert worst(state).quantity == Decimal(150)


def test_what_is_held_moves_both_extremes() -> None:
    # 40 of 100 bought, 60 still to come; 30 to sell: up to 100 long, down to 10.
    state = state_after(*an_order("o1", "100"), a_fill("40"), *an_order("o2", "-30"))
    assert worst(state) == extremes("40", "100", "10")


def test_an_intent_counts_from_its_approval() -> None:
    intent, approved, _ = an_order("o1", "100")
    state = state_after(intent)
    assert worst(state).longest == 0
    assert worst(fold(state, approved)).longest == Decimal(100)


@pytest.mark.parametrize(
    "report",
    [
        OrderWorking(O1),
        OrderUnknown(O1, "no answer"),
        CancelSending(O1, "changed my mind"),
    ],
)
def test_working_unknown_and_being_cancelled_still_count(report: JournalEvent) -> None:
    assert worst(state_after(*an_order("o1", "100"), report)).longest == Decimal(100)


@pytest.mark.parametrize("report", [OrderCancelled(O1), OrderRejected(O1, "no"), a_fill("100")])
def test_what_is_over_no_longer_counts(report: JournalEvent) -> None:
    state = state_after(*an_order("o1", "100"), report)
    assert worst(state).longest == state.positions.held(A).quantity


def test_other_symbols_and_other_strategies_can_be_left_out() -> None:
    state = state_after(
        *an_order("o1", "100", strategy="trend"),
        *an_order("o2", "10", strategy="weights"),
        *an_order("o3", "7", symbol="B"),
    )
    assert worst(state).longest == Decimal(110)
    assert worst(state, "weights").longest == Decimal(10)


def test_a_refused_intent_never_counts() -> None:
    assert worst(state_after(an_intent("o1", "100"))) == extremes("0", "0", "0")
