"""Lifting the hold of a loss that still stands: what the operator is told, and what follows."""

from decimal import Decimal

import msgspec

from daemon.control.answers import answer_from
from daemon.control.confirmation import Numbers, numbers_of
from daemon.core.core import CoreSettings
from daemon.core.looks import ReconciliationTerms
from daemon.core.promotion import PromotionRule
from daemon.gate import Limits
from events import HoldLifted, HoldPlaced, OperatorLifted, OrderSending, Record
from ops.sentences import sentence
from projections import State
from projections.canonical import canonical_view
from tests.builders import state_after
from tests.core_desk import buy, of
from tests.gate_desk import limits
from tests.operators import Told, said

FALLEN = limits(max_drawdown="0.20")


def at_a_loss(under: Limits, close: str = "70") -> Told:
    """Return a desk of 1,000,000 that held 8,000 of A at 100, now at `close`."""
    desk = Told(bought="8000")
    desk.core.use(CoreSettings(under))
    desk.minute("15:30", close)
    return desk


def told(desk: Told) -> Numbers:
    """Return what is to be confirmed before the one hold is lifted."""
    (hold,) = desk.holds
    account = desk.core.orders.limits.account
    lifted, terms = said(OperatorLifted, hold), ReconciliationTerms()
    return numbers_of(lifted, desk.state, PromotionRule(), account, terms)


def lift(desk: Told) -> list[Record]:
    (hold,) = desk.holds
    return desk.step(said(OperatorLifted, hold))


def test_a_drawdown_that_stands_starts_a_new_peak_and_says_so_before() -> None:
    desk = at_a_loss(FALLEN)  # 1,000,000 - 8000 x 30
    numbers = told(desk)
    assert numbers.facts[1] == (
        "it is still reached: the peak is given up, and the drawdown counts from the equity of "
        "this moment on"
    )
    assert numbers.estimates[:2] == (
        "now: 0.2400 below the peak, the limit is 0.20",
        "equity 760,000.00 USD takes the place of the peak, 1,000,000.00",
    )
    taken = lift(desk)
    (lifted,) = of(taken, HoldLifted)
    assert lifted.new_peak == Decimal(760_000)
    assert "the drawdown counts from 760,000.00 USD on" in answer_from(taken).lines
    assert "the drawdown counts from 760,000.00 on" in sentence(lifted)


def test_behind_it_the_drawdown_counts_from_there() -> None:
    desk = at_a_loss(FALLEN)
    lift(desk)
    assert of(desk.minute("15:31", "69"), HoldPlaced) == []
    run = desk.core.desk.runs["trend"].strategy
    run.bars = [buy("1")]  # type: ignore[attr-defined] # a script
    assert of(desk.minute("15:32", "70"), OrderSending), "and the gate lets orders pass"
    # 8000 x 51 = 408,000 and 200,000 of cash: 20 % below 760,000, to the dollar.
    assert of(desk.minute("15:33", "51.01"), HoldPlaced) == []
    (hold,) = of(desk.minute("15:34", "51"), HoldPlaced)
    assert hold.why == "0.2000 below the peak, the limit is 0.20"
    assert desk.state.pnl.drawdown_max == Decimal("0.24"), "the worst of both stays known"


def test_a_drawdown_that_was_won_back_keeps_its_peak() -> None:
    desk = at_a_loss(FALLEN)
    desk.minute("15:31", "76")  # 0.192
    assert len(told(desk).facts) == 1
    (lifted,) = of(lift(desk), HoldLifted)
    assert lifted.new_peak is None
    assert desk.state.pnl.peak_equity == Decimal(1_000_000)


def test_a_days_loss_and_leverage_say_that_the_next_price_trips_them_again() -> None:
    desk = at_a_loss(limits(max_daily_loss_usd="200000"))
    assert told(desk).facts[1].startswith("it is still reached and the next price trips it again")
    assert told(desk).estimates[0] == "now: the day's loss is 240000.00 USD, its limit 200000"
    (lifted,) = of(lift(desk), HoldLifted)
    assert lifted.new_peak is None
    desk = at_a_loss(limits(emergency_leverage="0.5"))
    assert "reduce first" in told(desk).facts[1]
    assert told(desk).estimates[0].startswith("now: 560000.00 USD are held with 760000.00 USD")


def test_a_new_peak_outlives_a_restart_and_a_replay() -> None:
    desk = at_a_loss(FALLEN)
    taken = lift(desk)
    text = msgspec.json.encode(desk.state)
    assert msgspec.json.decode(text, type=State).pnl == desk.state.pnl
    again = state_after(*(record.event for record in taken))
    assert canonical_view(again)["peak_equity"] == Decimal(760_000)
