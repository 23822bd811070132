from decimal import Decimal

import pytest

from events import Symbol
from projections import State
from projections.positions import FLAT, Position, after_fill
from tests.builders import a_deposit, a_fill, a_split, an_order, fold, state_after

A = Symbol("A")


def traded(*trades: tuple[str, str]) -> Position:
    """Return the position after (quantity, price) trades."""
    position = FLAT
    for quantity, price in trades:
        position = after_fill(position, Decimal(quantity), Decimal(price))
    return position


def a_position(quantity: str, cost: str, realised_pnl: str) -> Position:
    return Position(Decimal(quantity), Decimal(cost), Decimal(realised_pnl))


def two_strategies(first: str, second: str, names: tuple[str, str] = ("first", "second")) -> State:
    """Return books in which two strategies hold that many shares of A, all traded at 30."""
    return state_after(
        a_deposit(),
        *an_order("o1", first, strategy=names[0]),
        *an_order("o2", second, strategy=names[1]),
        a_fill(first, "30", order_id="o1", execution_id="e1"),
        a_fill(second, "30", order_id="o2", execution_id="e2"),
    )


@pytest.mark.parametrize(
    ("trades", "expected"),
    [
        # Long: 100 x 10 = 1000, then 100 x 12 more.
        ([("100", "10"), ("100", "12")], ("200", "2200", "0")),
        # Half of it sold at 13: 100 x 13 - 2200 / 2 = 200.
        ([("100", "10"), ("100", "12"), ("-100", "13")], ("100", "1100", "200")),
        # All of it sold at 9: 100 x 9 - 1000 = -100.
        ([("100", "10"), ("-100", "9")], ("0", "0", "-100")),
        # Short: 50 sold at 20 is a cost of -1000; bought back at 18: 1000 - 900 = 100.
        ([("-50", "20")], ("-50", "-1000", "0")),
        ([("-50", "20"), ("50", "18")], ("0", "0", "100")),
        # A fifth of the short bought back at 25: 200 - 250 = -50, and 800 of the cost stay.
        ([("-50", "20"), ("10", "25")], ("-40", "-800", "-50")),
        # Flip: 100 bought at 10, 150 sold at 12: 100 x 2 = 200 won, 50 short at 12.
        ([("100", "10"), ("-150", "12")], ("-50", "-600", "200")),
        # And back: 50 short at 12, 80 bought at 11: 50 won, 30 long at 11.
        ([("-50", "12"), ("80", "11")], ("30", "330", "50")),
        # A third of a cost that has no exact third: 100 / 3 = 33.33333333, the rest stays.
        ([("3", "33.3333"), ("-1", "40")], ("2", "66.6666", "6.6667")),
        ([("7", "1.0000001"), ("-3", "1")], ("4", "4.0000004", "-0.0000003")),
    ],
)
def test_a_trade_moves_quantity_cost_and_result(
    trades: list[tuple[str, str]], expected: tuple[str, str, str]
) -> None:
    assert traded(*trades) == a_position(*expected)


def test_a_cost_without_an_exact_third_loses_nothing() -> None:
    # 3 for 100 dollars; 1 goes at 33.33333333, 1 at 33.33333334 (half of the rest), the last at
    # what is left: together all of the 100, so selling at 40 each wins 120 - 100 = 20 exactly.
    position = Position(Decimal(3), Decimal(100))
    for _ in range(3):
        position = after_fill(position, Decimal(-1), Decimal(40))
    assert position == a_position("0", "0", "20")


def test_nothing_is_left_of_the_cost_when_all_is_closed() -> None:
    # 3 x 0.333333333 has more digits than a cost is rounded to.
    assert traded(("3", "0.333333333"), ("-3", "1")) == a_position("0", "0", "2.000000001")


def test_the_average_entry_price_is_the_price_paid_and_a_shorts_the_price_received() -> None:
    assert traded(("100", "10"), ("100", "12")).average_entry_price == Decimal(11)
    assert traded(("-50", "20"), ("10", "25")).average_entry_price == Decimal(20)
    assert traded(("100", "10"), ("-100", "12")).average_entry_price is None


def test_each_strategy_has_its_own_part_of_the_accounts_position() -> None:
    state = two_strategies("100", "-30")
    assert state.positions.held_by("first", A).quantity == Decimal(100)
    assert state.positions.held_by("second", A).quantity == Decimal(-30)
    assert state.positions.held(A).quantity == Decimal(70)
    assert state.positions.held_by("third", A) == FLAT


def test_a_fill_of_nobodys_order_is_the_accounts_alone() -> None:
    state = state_after(a_fill("100", "10", order_id="placed by hand"))
    assert state.positions.held(A) == a_position("100", "1000", "0")
    assert state.positions.by_strategy == {}


def test_a_split_multiplies_the_shares_and_leaves_the_cost() -> None:
    # 100 at 30, 7:1: 700 for the same 3000 dollars.
    state = state_after(a_deposit(), *an_order(), a_fill("100", "30"), a_split("7:1", "100", "700"))
    assert state.positions.held(A) == a_position("700", "3000", "0")
    assert state.positions.held_by("trend", A) == a_position("700", "3000", "0")


def test_a_reverse_split_sells_the_fraction_for_the_cash_in_lieu() -> None:
    # 110 at 3 = 330; 1:20 makes 5.5, so 5 stay with 5 / 5.5 of the cost, 300, and the half that
    # cost 30 is paid 0.5 x 80 = 40: 10 won.
    split = a_split("1:20", "110", "5", in_lieu="40", price="4")
    state = state_after(a_deposit(), *an_order(quantity="110"), a_fill("110", "3"), split)
    assert state.positions.held(A) == a_position("5", "300", "10")
    assert state.positions.held_by("trend", A) == a_position("5", "300", "10")


def test_a_short_pays_for_its_fraction_in_a_reverse_split() -> None:
    # 110 sold at 3: cost -330; 5.5 short becomes 5, the half that brought 30 is bought for 40.
    split = a_split("1:20", "-110", "-5", in_lieu="-40", price="4")
    state = state_after(a_deposit(), *an_order(quantity="-110"), a_fill("-110", "3"), split)
    assert state.positions.held(A) == a_position("-5", "-300", "-10")


def test_a_holding_smaller_than_one_new_share_is_paid_out() -> None:
    # 15 at 3 = 45; 1:20 makes 0.75, paid at 80: 60 for what cost 45.
    split = a_split("1:20", "15", "0", in_lieu="60", price="4")
    state = state_after(a_deposit(), *an_order(quantity="15"), a_fill("15", "3"), split)
    assert state.positions.held(A) == a_position("0", "0", "15")


def test_two_strategies_share_out_whole_shares_and_every_cent_in_a_split() -> None:
    # 5 + 5 bought at 30; 1:3 at 45 makes 3.33, so 3 stay and 0.33 x 135 = 45 is paid. Running
    # totals: the first holds 1.67, rounded down 1, paid 0.67 x 135 = 90; the second gets the rest,
    # 2, which are 0.33 more than its 1.67, bought for 45.
    state = two_strategies("5", "5")
    fold(state, a_split("1:3", "10", "3", in_lieu="45", price="45"))
    # First: 150 x 1 / 1.67 = 90 of the cost stay, 90 paid for the 60 that go. Second: 150 + 45.
    assert state.positions.held_by("first", A) == a_position("1", "90", "30")
    assert state.positions.held_by("second", A) == a_position("2", "195", "0")
    assert state.positions.held(A) == a_position("3", "270", "15")


def test_strategies_share_out_a_split_in_the_order_of_their_names() -> None:
    # 5 + 5, 1:2: 2.5 and 2.5. The first by name is rounded down, whoever traded first.
    state = two_strategies("5", "5", names=("z", "a"))
    fold(state, a_split("1:2", "10", "5", price="30"))
    assert state.positions.held_by("a", A).quantity == Decimal(2)
    assert state.positions.held_by("z", A).quantity == Decimal(3)


def test_what_was_really_paid_for_a_fraction_is_shared_out_to_the_cent() -> None:
    # 0.33 x 90 would be 30; 29.97 came. The last in the row makes up for the difference.
    state = two_strategies("5", "5")
    fold(state, a_split("1:3", "10", "3", in_lieu="29.97", price="30"))
    parts = [state.positions.held_by(name, A) for name in ("first", "second")]
    assert [part.realised_pnl - part.cost for part in parts] == [-90, Decimal("-180.03")]


def test_fractional_holdings_stay_fractional_in_a_split() -> None:
    # 5.25 + 5.25 = 10.5; 3:1 makes 15.75 each.
    state = two_strategies("5.25", "5.25")
    fold(state, a_split("3:1", "10.5", "31.5", price="30"))
    assert state.positions.held_by("first", A) == a_position("15.75", "157.5", "0")
    assert state.positions.held_by("second", A) == a_position("15.75", "157.5", "0")


def test_opposite_strategies_stay_opposite_in_a_split_of_a_flat_account() -> None:
    # 5 and -5 at 30 cancel out. 1:2: 2.5 each becomes 2 and -2; the first gets 0.5 x 60 = 30 for
    # its half, which the second pays.
    state = two_strategies("5", "-5")
    fold(state, a_split("1:2", "0", "0", price="30"))
    assert state.positions.held_by("first", A) == a_position("2", "120", "0")
    assert state.positions.held_by("second", A) == a_position("-2", "-120", "0")
    assert state.positions.held(A).quantity == 0


def test_a_split_without_a_price_keeps_the_fractions() -> None:
    # Nobody can pay for a fraction at a price nobody knows: 5 + 5 at 1:4 is 1.25 + 1.25.
    state = two_strategies("5", "5")
    fold(state, a_split("1:4", "10", "2.5"))
    assert state.positions.held_by("first", A) == a_position("1.25", "150", "0")
    assert state.positions.held_by("second", A) == a_position("1.25", "150", "0")


def test_shares_bought_by_hand_are_split_with_the_rest() -> None:
    # 5 of a strategy and 2 by hand, 1:2: 3.5, so 3; the strategy's 2.5 become 2, the 1 is nobody's.
    state = state_after(
        a_deposit(),
        *an_order(quantity="5"),
        a_fill("5", "30"),
        a_fill("2", "30", order_id="by hand", execution_id="e2"),
        a_split("1:2", "7", "3", in_lieu="30", price="30"),
    )
    assert state.positions.held(A).quantity == Decimal(3)
    assert state.positions.held_by("trend", A) == a_position("2", "120", "0")


def test_totals_sum_over_all_symbols() -> None:
    state = state_after(
        *an_order("o1", "100"),
        *an_order("o2", "-10", symbol="B"),
        a_fill("100", "10", execution_id="e1"),
        a_fill("-10", "50", execution_id="e2", order_id="o2", symbol="B"),
        a_fill("-40", "11", execution_id="e3"),
    )
    # 60 x 10 - 10 x 50 = 100 of cost; 40 x (11 - 10) = 40 won.
    assert state.positions.cost == Decimal(100)
    assert state.positions.realised_pnl == Decimal(40)
