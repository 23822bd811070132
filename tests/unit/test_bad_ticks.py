"""What one bad tick of something held must leave behind: nothing. A crash counts a bar later."""

from decimal import Decimal

from tests.builders import a_config, a_fill
from tests.core_desk import OPENED, OPENING, A
from tests.gate_desk import rules
from tests.operators import Told

UNDER = rules(
    # A fill counts 1 % of its value as its commission until that is reported: 2500.
    account={"max_drawdown": "0.20", "max_daily_loss_usd": "2600"},
    prices={"outlier_threshold": "0.30"},
)
BELIEVING = (OPENED, a_config("A", "B", believed="0.30"), *OPENING[2:])


def after(*closes: str) -> Told:
    """Return a desk that holds 2,500 of A, a quarter of its equity, and has seen those minutes."""
    desk = Told(bought="2500", under=UNDER, opening=BELIEVING)
    for minute, close in enumerate(closes, 10):
        desk.minute(f"15:{minute}", close)
    return desk


def tripped(desk: Told) -> list[str]:
    return [hold.cause for hold in desk.state.holds.active.values()]


def test_a_tick_far_up_is_no_peak_that_equity_has_fallen_from() -> None:
    desk = after("100", "300", "100", "100")
    assert desk.state.pnl.peak_equity == Decimal(1_000_000)
    assert desk.holds == []


def test_a_tick_far_down_trips_nothing() -> None:
    desk = after("100", "40", "100", "100")
    assert desk.holds == []
    assert desk.state.pnl.drawdown_max == 0


def test_while_a_price_is_doubted_equity_is_what_it_was() -> None:
    assert after("101", "300").state.pnl.equity == Decimal(1_002_500)  # 1,000,000 + 2500 x 1


def test_a_crash_trips_with_the_second_bar_that_agrees() -> None:
    assert tripped(after("100", "40")) == []
    assert tripped(after("100", "40", "40")) == ["DAILY_LOSS_EXCEEDED"]


def test_what_falls_on_by_more_than_is_believed_waits_for_one_bar_and_not_for_ever() -> None:
    desk = after("100", "65", "40")
    assert tripped(desk) == ["DAILY_LOSS_EXCEEDED"]
    assert desk.state.pnl.equity == Decimal(850_000)  # 1,000,000 - 2500 x 60


def test_a_move_as_large_as_is_just_believed_is_booked_at_once() -> None:
    assert after("100", "130").state.pnl.equity == Decimal(1_075_000)  # + 2500 x 30


def test_a_fill_that_is_told_of_late_is_worth_its_own_price_while_the_bar_since_is_doubted() -> (
    None
):
    desk = after("100", "300")
    late = a_fill("1", execution_id="late", order_id="foreign", executed_at="2024-01-02T15:10")
    desk.step(late)
    assert desk.state.pnl.marks[A] == Decimal(100)


def test_books_of_a_journal_that_knows_no_threshold_stay_what_they_were() -> None:
    desk = Told(bought="2500", under=UNDER)
    desk.minute("15:10", "300")
    assert desk.state.pnl.equity == Decimal(1_500_000)  # 1,000,000 + 2500 x 200
