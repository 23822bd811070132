import pytest

from events import HoldLevel, HoldLifted, HoldLifts, HoldPlaced, HoldScope, Symbol
from projections import State
from projections.holds import HISTORY_KEPT, strictest
from tests.builders import fold, state_after

A, B = Symbol("A"), Symbol("B")


def a_hold(
    hold_id: str,
    level: HoldLevel = HoldLevel.HALT,
    scope: HoldScope = HoldScope.ALL,
    target: str = "",
) -> HoldPlaced:
    return HoldPlaced(
        hold_id, scope, level, "test", "operator", "to see", HoldLifts.OPERATOR, target
    )


def lifted(hold_id: str) -> HoldLifted:
    return HoldLifted(hold_id, "operator", "seen")


def level(state: State, strategy: str = "trend", symbol: Symbol = A) -> HoldLevel | None:
    return strictest(state.holds.in_scope(strategy, symbol))


def test_without_a_hold_nothing_is_held() -> None:
    assert level(State()) is None


@pytest.mark.parametrize("order", [("reduce", "halt"), ("halt", "reduce")])
def test_the_strictest_hold_wins_whichever_came_first(order: tuple[str, str]) -> None:
    holds = {"halt": a_hold("h1", HoldLevel.HALT), "reduce": a_hold("h2", HoldLevel.REDUCE)}
    assert level(state_after(*(holds[name] for name in order))) is HoldLevel.HALT


def test_lifting_one_hold_lifts_no_other() -> None:
    state = state_after(a_hold("h1", HoldLevel.HALT), a_hold("h2", HoldLevel.REDUCE))
    assert level(fold(state, lifted("h1"))) is HoldLevel.REDUCE
    assert level(fold(state, lifted("h2"))) is None


def test_two_equal_holds_are_two_holds() -> None:
    state = state_after(a_hold("h1"), a_hold("h2"), lifted("h1"))
    assert list(state.holds.active) == ["h2"]


def test_a_hold_covers_its_scope_only() -> None:
    state = state_after(
        a_hold("h1", HoldLevel.HALT, HoldScope.SYMBOL, "A"),
        a_hold("h2", HoldLevel.REDUCE, HoldScope.STRATEGY, "trend"),
    )
    assert level(state, "trend", A) is HoldLevel.HALT
    assert level(state, "trend", B) is HoldLevel.REDUCE
    assert level(state, "weights", A) is HoldLevel.HALT
    assert level(state, "weights", B) is None


def test_a_strategy_named_like_a_symbol_is_not_that_symbol() -> None:
    state = state_after(a_hold("h1", HoldLevel.HALT, HoldScope.STRATEGY, "A"))
    assert level(state, "trend", A) is None


def test_lifting_a_hold_twice_or_one_that_never_was_changes_nothing() -> None:
    state = state_after(a_hold("h1"), a_hold("h2"), lifted("h1"), lifted("h1"), lifted("h9"))
    assert list(state.holds.active) == ["h2"]
    assert [past.placed.hold_id for past in state.holds.history] == ["h1"]


def test_the_history_keeps_who_lifted_the_last_ones_and_why() -> None:
    ids = [f"h{number}" for number in range(HISTORY_KEPT + 3)]
    state = state_after(*(event for each in ids for event in (a_hold(each), lifted(each))))
    assert [past.placed.hold_id for past in state.holds.history] == ids[3:]
    assert state.holds.history[-1].lifted == lifted(ids[-1])
