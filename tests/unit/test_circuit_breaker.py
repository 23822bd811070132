"""The circuit breaker: a loss that reaches its limit holds everything, and who ends that."""

from decimal import Decimal

import msgspec
import pytest

from daemon.core.core import CoreSettings
from daemon.gate import Limits
from daemon.gate.limits import DailyLossLifts
from events import (
    BarClosed,
    CashMoved,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    OperatorLifted,
    OrderSending,
    OrderType,
    Record,
    TimerFired,
    TimerKind,
    WorkingOrders,
)
from tests.builders import a_bar, a_commission, a_deposit, a_fill, a_withdrawal, utc
from tests.core_desk import Scripted, buy, kinds, of
from tests.gate_desk import WIDE, limits
from tests.operators import Told, said

LOSS = limits(max_daily_loss_usd="500")
"""100 shares are held at 100: at 95 the day has lost 500."""


def under(found: Limits, *, lifts: DailyLossLifts = DailyLossLifts.NEXT_SESSION) -> Told:
    desk = Told()
    account = msgspec.structs.replace(found.account, daily_loss_lifts=lifts)
    desk.core.use(CoreSettings(msgspec.structs.replace(found, account=account)))
    return desk


def at(close: str, moment: str = "2024-01-02T15:30") -> BarClosed:
    return a_bar(close, end=moment)


def tripped(taken: list[Record]) -> list[str]:
    return [hold.cause for hold in of(taken, HoldPlaced)]


def test_a_loss_short_of_its_limit_holds_nothing() -> None:
    assert tripped(under(LOSS).step(at("95.01"))) == []


def test_a_loss_that_reaches_its_limit_lets_only_reducing_orders_pass() -> None:
    desk = under(LOSS)
    taken = desk.step(at("95"))
    (hold,) = of(taken, HoldPlaced)
    assert (hold.cause, hold.scope, hold.level) == (
        "DAILY_LOSS_EXCEEDED",
        HoldScope.ALL,
        HoldLevel.REDUCE,
    )
    assert (hold.by, hold.lifts) == ("circuit breaker", HoldLifts.NEXT_SESSION)
    assert hold.working is WorkingOrders.CANCEL_INCREASING
    assert hold.why == "the day's loss is 500.00 USD, its limit 500"


def test_the_trip_cancels_what_may_add_to_the_position() -> None:
    desk = under(LOSS)
    buying = desk.sends("5", order_type=OrderType.LIMIT, limit_price=Decimal(90))
    desk.sends("-100", order_type=OrderType.STOP, stop_price=Decimal(80))
    desk.step(at("95"))
    assert desk.asked_to_cancel() == {buying}


def test_a_trip_that_stands_is_not_tripped_again() -> None:
    desk = under(LOSS)
    desk.step(at("95"))
    assert tripped(desk.step(at("90", "2024-01-02T15:31"))) == []
    assert len(desk.holds) == 1


def test_what_was_won_back_does_not_lift_it() -> None:
    desk = under(LOSS)
    desk.step(at("95"))
    desk.step(at("100", "2024-01-02T15:31"))
    assert len(desk.holds) == 1


def test_the_next_session_lifts_a_days_loss() -> None:
    desk = under(LOSS)
    desk.step(at("95"))
    taken = desk.step(at("95", "2024-01-03T15:00"))
    (lifted,) = of(taken, HoldLifted)
    assert (lifted.by, lifted.why) == ("core", "the next session")
    assert desk.holds == []
    # Its loss is the day before's: 4.99 more a share is not yet 500 again.
    assert tripped(desk.step(at("90.01", "2024-01-03T15:01"))) == []
    assert tripped(desk.step(at("90", "2024-01-03T15:02"))) == ["DAILY_LOSS_EXCEEDED"]


def test_a_schedule_at_the_open_of_the_next_session_decides_without_the_hold() -> None:
    trend = Scripted()
    desk = Told(trend, Scripted())
    desk.core.use(CoreSettings(LOSS))
    desk.step(at("95"))
    trend.timers = [buy("1")]
    # The day is over with the first input after its close, before anything is decided on that.
    taken = desk.step(TimerFired(TimerKind.SCHEDULE, "trend/open", utc("2024-01-03T14:30")))
    assert kinds(taken)[:3] == ["timer.fired", "hold.lifted", "order.intended"]
    assert of(taken, OrderSending)


def test_a_days_loss_that_an_operator_is_to_lift_outlives_the_day() -> None:
    desk = under(LOSS, lifts=DailyLossLifts.OPERATOR)
    (hold,) = of(desk.step(at("95")), HoldPlaced)
    assert hold.lifts is HoldLifts.OPERATOR
    desk.step(at("95", "2024-01-03T15:00"))
    assert desk.holds == [hold.hold_id]
    desk.step(said(OperatorLifted, hold.hold_id))
    assert desk.holds == []


def test_an_operator_may_lift_a_days_loss_before_the_next_session() -> None:
    desk = under(LOSS)
    desk.step(at("95"))
    desk.step(at("96", "2024-01-02T15:31"))
    desk.step(said(OperatorLifted, desk.holds[0]))
    assert desk.holds == []
    # As long as it is not reached again.
    assert tripped(desk.step(at("95.01", "2024-01-02T15:32"))) == []
    assert tripped(desk.step(at("95", "2024-01-02T15:33"))) == ["DAILY_LOSS_EXCEEDED"]


def test_a_drawdown_holds_until_an_operator_lifts_it() -> None:
    # The peak is the 1,000,000 that were paid in: 100 shares from 100 to 90 are a thousandth.
    desk = under(limits(max_drawdown="0.001"))
    assert tripped(desk.step(at("90.01"))) == []
    (hold,) = of(desk.step(at("90", "2024-01-02T15:31")), HoldPlaced)
    assert (hold.cause, hold.level, hold.lifts) == (
        "DRAWDOWN_EXCEEDED",
        HoldLevel.REDUCE,
        HoldLifts.OPERATOR,
    )
    assert hold.why == "0.0010 below the peak, the limit is 0.001"
    desk.step(at("100", "2024-01-03T15:00"))
    assert desk.holds == [hold.hold_id]


def test_leverage_below_the_emergency_holds_nothing() -> None:
    # 100 shares at 100 are a hundredth of the 1,000,000 that are there.
    assert tripped(under(limits(emergency_leverage="0.0100001")).step(at("100"))) == []


def test_leverage_at_the_emergency_lets_only_reducing_orders_pass_until_an_operator_lifts_it() -> (
    None
):
    desk = under(limits(emergency_leverage="0.01"))
    (hold,) = of(desk.step(at("100")), HoldPlaced)
    assert (hold.cause, hold.scope, hold.level) == (
        "EMERGENCY_LEVERAGE",
        HoldScope.ALL,
        HoldLevel.REDUCE,
    )
    assert (hold.lifts, hold.working) == (HoldLifts.OPERATOR, WorkingOrders.CANCEL_INCREASING)
    assert hold.why == (
        "10000.00 USD are held with 1000000.00 USD of equity, the limit is 0.01 times; "
        "reduce, then lift this"
    )
    desk.step(at("50", "2024-01-03T15:00"))
    assert desk.holds == [hold.hold_id], "less leverage and the next session do not lift it"
    desk.step(said(OperatorLifted, hold.hold_id))
    assert tripped(desk.step(at("51", "2024-01-03T15:01"))) == []


def test_leverage_that_is_still_there_trips_again_with_the_next_price() -> None:
    desk = under(limits(emergency_leverage="0.01"))
    desk.step(at("100"))
    desk.step(said(OperatorLifted, desk.holds[0]))
    assert tripped(desk.step(at("101", "2024-01-02T15:31"))) == ["EMERGENCY_LEVERAGE"]


def test_longs_and_shorts_add_up_to_leverage() -> None:
    # 100 of A are held; 100 of B sold short make it 20,000 of 1,000,000, net of nothing.
    desk = under(limits(emergency_leverage="0.02"))
    assert tripped(desk.step(at("100"))) == []
    desk.step(a_fill("-100", execution_id="short", order_id="o9", symbol="B"))
    assert desk.state.pnl.value == 0
    assert desk.state.pnl.gross == 20_000
    assert "EMERGENCY_LEVERAGE" in [hold.cause for hold in desk.state.holds.active.values()]


def test_a_fee_that_is_not_yet_known_is_no_equity_to_lever() -> None:
    # 110 shares at 100 are 11,000 of 1,000,000 less the fee: 10 at the most, nobody has named it.
    for charged, trips in (("0", []), (None, ["EMERGENCY_LEVERAGE"])):
        desk = Told()
        order = desk.sends("10")
        desk.step(a_fill("10", execution_id="late", order_id=order, executed_at="2024-01-02T15:20"))
        if charged is not None:
            desk.step(a_commission(charged, execution_id="late", order_id=order))
        desk.core.use(CoreSettings(limits(emergency_leverage="0.0110001")))
        assert tripped(desk.step(at("100"))) == trips


def test_nothing_held_is_no_leverage_even_without_equity() -> None:
    desk = Told(bought="0")
    desk.core.use(CoreSettings(limits(emergency_leverage="0.01")))
    assert tripped(desk.step(a_withdrawal("1000000"))) == []


def test_both_may_trip_at_once_and_are_lifted_apart() -> None:
    desk = under(limits(max_daily_loss_usd="500", max_drawdown="0.0005"))
    assert tripped(desk.step(at("95"))) == ["DAILY_LOSS_EXCEEDED", "DRAWDOWN_EXCEEDED"]
    desk.step(at("95", "2024-01-03T15:00"))
    assert [hold.cause for hold in desk.state.holds.active.values()] == ["DRAWDOWN_EXCEEDED"]


def test_a_fee_that_is_not_yet_known_counts_at_its_most() -> None:
    # 110 shares at 95.50 have lost 495. A fee nobody has named yet is a hundredth of the 1000 that
    # the last ten cost, 10, at the most: 505.
    for charged, trips in (("0", []), (None, ["DAILY_LOSS_EXCEEDED"])):
        desk = under(LOSS)
        order = desk.sends("10")
        desk.step(a_fill("10", execution_id="late", order_id=order, executed_at="2024-01-02T15:20"))
        if charged is not None:
            desk.step(a_commission(charged, execution_id="late", order_id=order))
        assert tripped(desk.step(at("95.50"))) == trips


@pytest.mark.parametrize("moved", [a_deposit("5000", "more"), a_withdrawal("5000")])
def test_money_that_comes_or_goes_is_no_loss(moved: CashMoved) -> None:
    assert tripped(under(LOSS).step(moved)) == []


def test_without_a_limit_there_is_nothing_to_trip() -> None:
    # And no order either: that is the gate's.
    desk = under(limits(max_daily_loss_usd=None, max_drawdown=None))
    assert tripped(desk.step(at("1"))) == []


def test_new_limits_are_looked_at_with_the_next_price() -> None:
    desk = under(WIDE)
    assert tripped(desk.step(at("95"))) == []
    desk.core.use(CoreSettings(LOSS))
    assert tripped(desk.step(at("94", "2024-01-02T15:31"))) == ["DAILY_LOSS_EXCEEDED"]
