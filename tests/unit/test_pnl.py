from decimal import Decimal

import pytest

from events import Symbol
from projections import State
from tests.builders import (
    a_bar,
    a_calendar,
    a_commission,
    a_config,
    a_deposit,
    a_fill,
    a_session,
    a_withdrawal,
    an_order,
    fold,
    state_after,
)

A = Symbol("A")
OPENING = (a_config("A"), a_calendar(a_session("2024-01-02"), a_session("2024-01-03")))


def holding(quantity: str, price: str, deposit: str = "10000") -> State:
    return state_after(
        *OPENING,
        a_deposit(deposit),
        *an_order(quantity=quantity),
        a_fill(quantity, price),
    )


def marked(state: State, *closes: str) -> State:
    """Return `state` after a minute bar for each of `closes`, from 15:01 on."""
    for minute, close in enumerate(closes, 1):
        fold(state, a_bar(close, end=f"2024-01-02T15:{minute:02}"))
    return state


@pytest.mark.parametrize(
    ("quantity", "price", "close", "unrealised"),
    [("100", "10", "12", "200"), ("-50", "20", "25", "-250"), ("-50", "20", "18", "100")],
)
def test_the_unrealised_result_is_value_less_cost(
    quantity: str, price: str, close: str, unrealised: str
) -> None:
    state = marked(holding(quantity, price), close)
    held = state.positions.held(A)
    assert state.pnl.unrealised_pnl(A, held) == Decimal(unrealised)
    assert state.pnl.equity == Decimal(10000) + Decimal(unrealised)


def test_what_was_never_priced_has_no_unrealised_result() -> None:
    state = State()
    assert state.pnl.unrealised_pnl(A, state.positions.held(A)) == 0


def test_a_fill_values_what_is_held_at_its_price() -> None:
    # 100 at 10, 50 more at 11: 150 x 11, so the 100 have won 100.
    state = holding("100", "10")
    fold(state, a_fill("50", "11", execution_id="e2", executed_at="2024-01-02T15:01"))
    assert state.pnl.marks[A] == Decimal(11)
    assert state.pnl.equity == Decimal(10100)


def test_a_fill_reported_late_does_not_turn_the_price_back() -> None:
    # Filled at 15:00:30 for 9, reported after the bar that ended at 15:01 at 10.
    state = marked(holding("100", "10"), "10")
    fold(state, a_fill("50", "9", execution_id="e2", executed_at="2024-01-02T15:00:30"))
    assert state.pnl.marks[A] == Decimal(10)
    assert state.pnl.equity == Decimal(10050)  # 50 bought for 1 below the price


def test_a_fill_at_the_next_bars_open_is_newer_than_the_bar_that_ends_there() -> None:
    state = marked(holding("100", "10"), "10")
    fold(state, a_fill("50", "12", execution_id="e2", executed_at="2024-01-02T15:01"))
    assert state.pnl.marks[A] == Decimal(12)


def test_a_bar_of_what_is_not_held_moves_no_equity() -> None:
    state = state_after(*OPENING, a_deposit("100"), a_bar("7"), a_bar("8", symbol="B"))
    assert state.pnl.equity == Decimal(100)
    assert state.pnl.marks == {}


def test_a_closed_position_is_worth_nothing_whatever_the_price() -> None:
    state = holding("100", "10")
    fold(state, a_fill("-100", "12", execution_id="e2", executed_at="2024-01-02T15:01"))
    marked(state, "50")
    assert state.pnl.value == 0
    assert state.pnl.equity == Decimal(10200)


def test_the_days_result_is_the_change_of_equity_less_what_came_in() -> None:
    # 9000 + 100 x 10 = 10000; fee 1, price to 12: +200 - 1; 5000 more came in.
    state = holding("100", "10")
    fold(state, a_commission("1"), a_deposit("5000", "second savings"))
    marked(state, "12")
    assert state.pnl.equity == Decimal(15199)
    assert state.pnl.day_pnl == Decimal(199)


def test_the_next_days_result_starts_at_the_close() -> None:
    state = marked(holding("100", "10"), "12")
    fold(state, a_bar("11", end="2024-01-03T15:00"))
    assert state.pnl.day_start_equity == Decimal(10200)
    assert state.pnl.day_pnl == Decimal(-100)
    # Money that leaves is no loss.
    fold(state, a_withdrawal("200"), at="2024-01-03T16:00")
    assert state.pnl.day_pnl == Decimal(-100)


def test_the_drawdown_is_the_share_of_the_peak_that_is_lost() -> None:
    # 10000, up to 11000, down to 8800: a fifth of the peak is gone.
    state = marked(holding("100", "100"), "110", "88")
    assert state.pnl.peak_equity == Decimal(11000)
    assert state.pnl.drawdown == Decimal("0.2")
    # Half of it comes back; the worst is remembered.
    marked(state, "99")
    assert state.pnl.drawdown == Decimal("0.1")
    assert state.pnl.drawdown_max == Decimal("0.2")


@pytest.mark.parametrize("flow", [a_withdrawal("4400"), a_deposit("8800", "more")])
def test_money_in_or_out_leaves_the_drawdown_as_it_is(flow: object) -> None:
    # 8800 of a peak of 11000 is a drawdown of a fifth. Half of the equity leaves, or as much comes
    # in again: the peak is halved, or doubled, with it.
    state = marked(holding("100", "100"), "110", "88")
    fold(state, flow)  # type: ignore[arg-type] # one of the events above
    assert state.pnl.drawdown == Decimal("0.2")
    assert state.pnl.drawdown_max == Decimal("0.2")


def test_a_withdrawal_at_the_peak_is_no_drawdown() -> None:
    state = state_after(a_deposit("10000"), a_withdrawal("2500"))
    assert state.pnl.peak_equity == Decimal(7500)
    assert state.pnl.drawdown == 0
    assert state.pnl.drawdown_max == 0


def test_more_than_all_can_be_lost() -> None:
    # 100 short at 100 with 1000 of one's own; at 115 that is 500 less than nothing.
    state = marked(holding("-100", "100", deposit="1000"), "115")
    assert state.pnl.equity == Decimal(-500)
    assert state.pnl.drawdown == Decimal("1.5")


def test_after_everything_is_lost_new_money_starts_a_new_peak() -> None:
    state = marked(holding("-100", "100", deposit="1000"), "115")
    fold(state, a_deposit("2000", "once more"))
    assert state.pnl.equity == Decimal(1500)
    assert state.pnl.peak_equity == Decimal(1500)
    assert state.pnl.drawdown == 0


def test_an_account_that_was_emptied_has_no_drawdown() -> None:
    state = state_after(a_deposit("1000"), a_withdrawal("1000"))
    assert state.pnl.peak_equity == 0
    assert state.pnl.drawdown == 0


def test_losing_without_ever_having_had_anything_is_no_share_of_anything() -> None:
    state = state_after(*OPENING, *an_order(), a_fill("100", "10"), a_commission("1"))
    assert state.pnl.equity == Decimal(-1)
    assert state.pnl.drawdown == 0
