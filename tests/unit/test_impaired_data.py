"""Live data that does not come, or comes late: what is held, and what a person reads of it."""

import pytest

from daemon.core.impaired_data import IMPAIRED, NEXT_STEP
from events import (
    DataTrouble,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentRefused,
    MarketDataImpaired,
    OperatorLifted,
    OrderSending,
    Symbol,
)
from ops.news import News
from ops.sentences import sentence
from tests.core_desk import A, CoreDesk, Scripted, buy, kinds, of

SAID = "354: Requested market data is not subscribed."


def impaired(
    trouble: DataTrouble = DataTrouble.NO_PERMISSION, *, symbol: str = "A", accepted: bool = False
) -> MarketDataImpaired:
    return MarketDataImpaired(Symbol(symbol), trouble, SAID, accepted)


@pytest.mark.parametrize("trouble", list(DataTrouble))
def test_a_symbol_without_live_data_is_held_with_what_was_said_and_what_to_do(
    trouble: DataTrouble,
) -> None:
    desk = CoreDesk()
    (hold,) = of(desk.step(impaired(trouble)), HoldPlaced)
    assert (hold.scope, hold.target, hold.level) == (HoldScope.SYMBOL, "A", HoldLevel.REDUCE)
    assert (hold.cause, hold.lifts) == (IMPAIRED, HoldLifts.OPERATOR)
    assert hold.why == f"{trouble}: {NEXT_STEP[trouble]} ({SAID})"


def test_nothing_is_bought_of_it_and_other_symbols_go_on() -> None:
    held, free = CoreDesk(Scripted(bars=[buy()])), CoreDesk(Scripted(bars=[buy()]))
    held.step(impaired())
    free.step(impaired(symbol="B"))
    (refused,) = of(held.minute(), IntentRefused)
    assert [check.name for check in refused.failed] == ["holds"]
    assert of(free.minute(), OrderSending)


def test_said_again_it_is_one_hold_and_lifted_it_is_placed_again() -> None:
    desk = CoreDesk()
    (hold,) = of(desk.step(impaired()), HoldPlaced)
    assert kinds(desk.step(impaired())) == ["market-data.impaired"]
    # Another symbol is another hold.
    assert [each.target for each in of(desk.step(impaired(symbol="B")), HoldPlaced)] == ["B"]
    lifted = desk.step(OperatorLifted("cmd", "ann", 1, "subscribed", hold.hold_id))
    assert [each.hold_id for each in of(lifted, HoldLifted)] == [hold.hold_id]
    assert of(desk.step(impaired()), HoldPlaced)


def test_delayed_data_that_is_accepted_is_said_and_holds_nothing() -> None:
    desk = CoreDesk()
    told = desk.step(impaired(DataTrouble.DELAYED, accepted=True))
    assert kinds(told) == ["market-data.impaired"]
    assert sentence(told[0].event) == (
        f"its live data is impaired, delayed, and it is traded on all the same: {SAID}"
    )


def test_a_person_at_the_daemon_reads_both_and_what_to_type() -> None:
    lines = list(News().of(CoreDesk().step(impaired())))
    assert lines[0].endswith(f"A: its live data is impaired, no permission: {SAID}")
    assert f"REDUCE on A by core: {IMPAIRED}: no permission: subscribe to its" in lines[1]
    assert f"({SAID})" in lines[1]
    assert lines[2].startswith(f"  next: `traded holds`, then: traded lift {IMPAIRED}-A-")


def test_the_hold_names_the_symbol_it_is_on() -> None:
    desk = CoreDesk()
    desk.step(impaired())
    assert [hold.target for hold in desk.state.holds.in_scope("trend", A)] == ["A"]
    assert desk.state.holds.in_scope("trend", Symbol("B")) == []
