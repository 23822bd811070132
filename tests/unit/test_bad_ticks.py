"""What one bad tick of something held must leave behind: nothing. A crash trips a bar later."""

from decimal import Decimal

import pytest

from tests.gate_desk import rules
from tests.operators import Told

UNDER = rules(
    account={"max_drawdown": "0.20", "max_daily_loss_usd": "1500"},
    prices={"outlier_threshold": "0.30"},
)


def after(*closes: str) -> Told:
    """Return a desk that holds 2,500 of A, a quarter of its equity, and has seen those minutes."""
    desk = Told(bought="2500", under=UNDER)
    for minute, close in enumerate(closes, 10):
        desk.minute(f"15:{minute}", close)
    return desk


@pytest.mark.xfail(strict=True, reason="the tick is the peak of equity for ever")
def test_a_tick_far_up_is_no_peak_that_equity_has_fallen_from() -> None:
    desk = after("100", "300", "100", "100")
    assert desk.state.pnl.peak_equity == Decimal(1_000_000)
    assert desk.holds == []


@pytest.mark.xfail(strict=True, reason="a price is booked before it is believed")
def test_a_tick_far_down_trips_nothing() -> None:
    desk = after("100", "40", "100", "100")
    assert desk.holds == []
    assert desk.state.pnl.drawdown_max == 0


def test_a_crash_trips() -> None:
    assert [hold.cause for hold in after("100", "40", "40").state.holds.active.values()] == [
        "DAILY_LOSS_EXCEEDED"
    ]
