"""What the broker has and the books have not: the gate counts it like orders that may fill.

The books have 100 of A at 100 dollars; an order for 10 more is asked about.
"""

from decimal import Decimal
from typing import Any

from events import (
    BooksReported,
    BreakKind,
    BreakOpened,
    BreakResolved,
    Difference,
    OrderType,
    Resolution,
    Symbol,
)
from projections import State
from tests.builders import a_bar, fold
from tests.gate_desk import A, an, asked, failed, holding, limits, rules
from tests.looks import a_look, listed

B = Symbol("B")


def a_break(
    kind: BreakKind, ours: str | None, theirs: str, symbol: str = "A", subject: str = ""
) -> BreakOpened:
    here = None if ours is None else Decimal(ours)
    return BreakOpened("break-1", Difference(kind, Symbol(symbol), subject, here, Decimal(theirs)))


def books(opened: BreakOpened, look: BooksReported | None = None) -> State:
    state = fold(holding("100"), a_bar("100", symbol="B"))
    return fold(state, *(() if look is None else (look,)), opened)


def position_after(state: State, **intent: Any) -> Any:  # noqa: ANN401 - any field
    return asked(state, an("10", **intent))["position_shares"].value


def test_shares_that_only_the_broker_has_are_part_of_the_worst_case() -> None:
    assert position_after(holding("100")) == 110
    assert position_after(books(a_break(BreakKind.POSITION, "100", "150"))) == 160
    # Fewer there make nothing smaller here: one of both is wrong, and nobody knows which.
    assert position_after(books(a_break(BreakKind.POSITION, "100", "40"))) == 110


def test_shares_of_another_symbol_count_for_the_account() -> None:
    state = books(a_break(BreakKind.POSITION, "0", "-30", "B"))
    checks = asked(state, an("10"), under=limits(max_gross_usd="13999"))
    # 110 of A and 30 of B short, all at 100.
    assert checks["gross_usd"].value == 14_000
    assert failed(checks) == ["gross_usd"]


def test_shares_of_a_symbol_without_a_price_let_nothing_new_pass() -> None:
    state = books(a_break(BreakKind.POSITION, "0", "5", "XYZ"))
    assert "gross_usd" in failed(asked(state, an("10")))


def test_a_foreign_order_counts_in_full_and_could_trade_with_ours() -> None:
    name = "permId-77"
    look = a_look(orders=[listed("", "-200", limit_price=Decimal(99), order_type="LMT")])
    state = books(a_break(BreakKind.FOREIGN_ORDER, None, "-200", "A", name), look)
    checks = asked(state, an("10"), under=rules(orders={"allow_opposite": False}))
    assert failed(checks) == ["own_opposite"]
    assert checks["own_opposite"].note == f"it could trade with {name}"
    below = an("10", order_type=OrderType.LIMIT, limit_price=Decimal(98))
    assert failed(asked(state, below, under=rules(orders={"allow_opposite": False}))) == []
    # It may sell 100 short: no sale reduces any more.
    short = asked(state, an("-10"), under=limits(allow_short=False))
    assert "short_allowed" in failed(short)


def test_shares_are_no_order_and_trade_with_nobody() -> None:
    state = books(a_break(BreakKind.POSITION, "100", "40"))
    checks = asked(state, an("10"), under=rules(orders={"allow_opposite": False}))
    assert failed(checks) == []


def test_what_is_resolved_counts_no_more() -> None:
    state = books(a_break(BreakKind.POSITION, "100", "150"))
    fold(state, BreakResolved("break-1", Resolution.AGREEMENT, "core", "they agree"))
    assert position_after(state) == 110
    assert state.positions.held(A).quantity == 100
