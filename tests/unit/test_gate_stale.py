"""The gate on data that does not come: what the data watch calls stale is no ground to trade."""

from decimal import Decimal

import pytest

from daemon import gate
from daemon.gate import RiskApproved, RiskRefused
from events import (
    ClientOrderId,
    ConfigLoaded,
    FreshnessMode,
    FreshnessTerms,
    OrderIntended,
    Symbol,
    SymbolHalted,
    SymbolTerms,
)
from events.codec import JournalEvent
from projections import State
from tests.builders import a_bar, a_calendar, a_deposit, a_session, an_order, fold, state_after, utc
from tests.gate_desk import WIDE, a_free_fill, an, asked, failed

B = Symbol("B")


def watched(
    *events: JournalEvent, mode: FreshnessMode = FreshnessMode.PER_SYMBOL, recorded: bool = True
) -> State:
    """Return books in which data is too old after ten minutes; A's last bar ended at 15:00."""
    terms = SymbolTerms("NYSE", enforce_hours=True, extended_hours=False)
    return state_after(
        ConfigLoaded(
            {},
            {Symbol("A"): terms, B: terms},
            FreshnessTerms(mode, max_age_s=600, recorded=recorded),
        ),
        a_calendar(a_session("2024-01-02"), a_session("2024-01-03")),
        a_deposit("10000"),
        a_bar("100"),
        *events,
    )


def stale(state: State, at: str, *batch: OrderIntended) -> tuple[bool, str]:
    check = asked(state, *(batch or (an(),)), now=utc(f"2024-01-02T{at}"))["data_stale"]
    return check.passed, check.note


def test_what_is_older_than_the_watch_allows_is_refused_before_any_hold_is_placed() -> None:
    state = watched()
    assert stale(state, "15:09:59.999999") == (True, "")
    assert stale(state, "15:10") == (False, "no fresh data of A")
    checks = asked(state, an(), now=utc("2024-01-02T15:10"))
    assert failed(checks) == ["data_stale"]


def test_a_night_makes_nothing_stale() -> None:
    state = watched(a_bar("100", end="2024-01-02T21:00"))
    checks = asked(state, an(), now=utc("2024-01-03T14:39"))
    assert checks["data_stale"].passed
    assert not asked(state, an(), now=utc("2024-01-03T14:40"))["data_stale"].passed


def test_what_nobody_watches_is_not_stale() -> None:
    assert stale(watched(recorded=False), "20:00") == (True, "")


def test_a_batch_with_a_stale_symbol_is_refused_as_a_whole() -> None:
    state = watched(a_bar("50", symbol="B", end="2024-01-02T15:09"))
    fresh = an(symbol=B, client_order_id=ClientOrderId("b"))
    assert stale(state, "15:10", fresh) == (True, "")
    for batch in ((an(), fresh), (fresh, an())):
        answers = gate.check(batch, state, WIDE, utc("2024-01-02T15:10"))
        assert {type(each) for each in answers} == {RiskRefused}
        notes = [
            {check.name: check.note for check in each.checks}["data_stale"] for each in answers
        ]
        assert notes == ["no fresh data of A"] * 2
    assert stale(state, "15:19", an(), fresh) == (False, "no fresh data of A, B")


def test_what_reduces_may_pass_as_it_may_pass_the_hold() -> None:
    held = (*an_order("held", "40"), *a_free_fill("40"))
    state = watched(*held, a_bar("50", symbol="B", end="2024-01-02T15:09"))
    assert stale(state, "15:10", an("-40")) == (True, "no fresh data of A")
    assert stale(state, "15:10", an("-41")) == (False, "no fresh data of A")
    # But not to make room for something else in the same batch.
    other = an("1", symbol=B, client_order_id=ClientOrderId("b"))
    answers = gate.check((an("-40"), other), state, WIDE, utc("2024-01-02T15:10"))
    assert {type(each) for each in answers} == {RiskRefused}
    out = an("-10", client_order_id=ClientOrderId("b"))
    answers = gate.check((an("-30"), out), state, WIDE, utc("2024-01-02T15:10"))
    assert {type(each) for each in answers} == {RiskApproved}


@pytest.mark.parametrize(
    ("mode", "passes"),
    [
        # Of two symbols A is stale and B is not.
        (FreshnessMode.PER_SYMBOL, {"A": False, "B": True}),
        (FreshnessMode.LATEST, {"A": True, "B": True}),
        (FreshnessMode.OLDEST, {"A": False, "B": False}),
        (FreshnessMode.MEDIAN, {"A": True, "B": True}),
    ],
)
def test_the_mode_says_whose_age_counts(mode: FreshnessMode, passes: dict[str, bool]) -> None:
    state = watched(a_bar("50", symbol="B", end="2024-01-02T15:09"), mode=mode)
    found = {name: stale(state, "15:10", an(symbol=Symbol(name)))[0] for name in "AB"}
    assert found == passes


def test_a_halted_symbol_is_refused_as_halted_and_not_as_stale() -> None:
    state = fold(watched(), SymbolHalted(Symbol("A"), "news"), at="2024-01-02T15:01")
    checks = asked(state, an(), now=utc("2024-01-02T15:20"))
    assert failed(checks) == ["symbol_halted"]


def test_without_any_bar_there_is_no_price_to_fall_back_on() -> None:
    checks = asked(watched(), an(symbol=B, quantity=Decimal(1)), now=utc("2024-01-02T15:05"))
    assert {"price_known", "data_age_s", "data_stale"} <= set(failed(checks))
    assert checks["price_known"].value is None


def test_a_symbol_that_is_configured_no_more_has_no_age() -> None:
    state = watched()
    state.symbols = {}
    checks = asked(state, an(), now=utc("2024-01-02T15:05"))
    assert (checks["data_age_s"].passed, checks["data_age_s"].note) == (False, "no price")
