"""The broker's books against ours: what counts as a difference, and where it likely comes from.

The books have 100 of A, bought at 100 without a fee out of 1,000,000 dollars: 990,000 are left.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from events import (
    BooksReported,
    BreakKind,
    BrokerCash,
    BrokerList,
    CorporateActionAnnounced,
    CorporateActionKind,
    Difference,
    LikelyCause,
    OrderCancelled,
    OrderType,
    Symbol,
    TimeInForce,
)
from projections.differences import Comparison, compare, difference_text
from tests.builders import a_dividend, a_fill, fold
from tests.looks import a_look, listed, over, seen
from tests.operators import Told

LEFT = "990000"
DOLLAR = Decimal(1)
LIMIT: dict[str, Any] = {
    "order_type": OrderType.LIMIT,
    "limit_price": Decimal(90),
    "time_in_force": TimeInForce.GTC,
}


def compared(told: Told, look: BooksReported, tolerance: Decimal = DOLLAR) -> Comparison:
    return compare(told.state, look, tolerance)


def the_one(told: Told, look: BooksReported) -> Difference:
    (found,) = compared(told, look).differences
    return found


def shown(found: Sequence[Difference]) -> list[str]:
    return [f"{each.kind} {each.symbol}{each.subject} {each.delta}" for each in found]


# What agrees.


def test_equal_books_agree_in_everything_that_was_compared() -> None:
    told = Told()
    order_id = told.sends("5")
    look = a_look({"A": "100"}, LEFT, [listed(order_id, "5")], executions=(seen("e2", "100"),))
    # A, the cash, one order and one execution.
    assert compared(told, look) == Comparison(4, (), (), ())


def test_a_position_of_nothing_is_no_position() -> None:
    assert compared(Told(), a_look({"A": "100.0", "B": "0"}, LEFT)).differences == ()


def test_a_list_that_did_not_come_is_not_compared_and_never_empty() -> None:
    told = Told()
    told.sends("5")
    nothing = a_look(positions=None, open_orders=None, completed_orders=None, executions=None)
    silent = msgspec.structs.replace(nothing, cash=BrokerCash())
    for look in (nothing, silent):
        assert compared(told, look) == Comparison(0, (), tuple(BrokerList), ())


def test_cash_within_the_tolerance_agrees_and_a_cent_more_does_not() -> None:
    told = Told()
    assert compared(told, a_look({"A": "100"}, "990001")).differences == ()
    assert compared(told, a_look({"A": "100"}, "989999")).differences == ()
    assert shown(compared(told, a_look({"A": "100"}, "990001.01")).differences) == ["cash  1.01"]
    assert shown(compared(told, a_look({"A": "100"}, "989998.99")).differences) == ["cash  -1.01"]


def test_a_commission_that_is_not_reported_yet_may_have_been_taken_off() -> None:
    told = Told(bought="0")
    order_id = told.sends("100")
    told.step(a_fill("100", order_id=order_id, executed_at="2024-01-02T15:02"))
    # Bought for 10,000: the most the commission can be is 1 % of that.
    assert compared(told, a_look({"A": "100"}, "989900")).differences == ()
    assert shown(compared(told, a_look({"A": "100"}, "989898")).differences) == ["cash  -102"]
    assert shown(compared(told, a_look({"A": "100"}, "990002")).differences) == ["cash  2"]


def test_an_average_cost_that_differs_is_said_and_is_no_difference() -> None:
    told = Told()
    near = compared(told, a_look({"A": "100"}, LEFT, costs={"A": "100.9"}))
    far = compared(told, a_look({"A": "100"}, LEFT, costs={"A": "101.1"}))
    assert (near.costs_differing, far.costs_differing) == ((), (Symbol("A"),))
    assert far.differences == ()


def test_an_order_sent_after_the_look_began_need_not_be_in_it() -> None:
    told = Told()
    told.sends("5")  # At 15:03.
    assert compared(told, a_look({"A": "100"}, LEFT, at="2024-01-02T15:03:00")).differences == ()
    later = compared(told, a_look({"A": "100"}, LEFT, at="2024-01-02T15:03:01"))
    assert [each.kind for each in later.differences] == [BreakKind.MISSING_ORDER]


# What differs.


@pytest.mark.parametrize(
    ("held", "difference"),
    [
        ({"A": "60"}, "position A -40"),
        ({}, "position A -100"),
        ({"A": "-100"}, "position A -200"),
        ({"A": "100", "XYZ": "7"}, "position XYZ 7"),
        ({"A": "100.5"}, "position A 0.5"),
    ],
)
def test_shares_that_one_side_has_and_the_other_has_not(
    held: dict[str, str], difference: str
) -> None:
    assert shown(compared(Told(), a_look(held, LEFT)).differences) == [difference]


def test_an_order_nobody_here_has_sent_is_foreign() -> None:
    found = the_one(Told(), a_look({"A": "100"}, LEFT, [listed("", "-30", perm_id="4711")]))
    assert found.about == ("foreign order", "A", "permId-4711")
    assert (found.internal, found.broker) == (None, Decimal(-30))


def test_an_order_of_ours_that_the_broker_does_not_list_is_missing() -> None:
    told = Told()
    order_id = told.sends("5")
    found = the_one(told, a_look({"A": "100"}, LEFT, completed_orders=(over(order_id),)))
    assert (found.kind, found.subject) == (BreakKind.MISSING_ORDER, order_id)
    assert found.note == "the broker has it as Cancelled"


def test_an_order_that_is_over_here_and_open_there_is_unended() -> None:
    told = Told()
    order_id = told.sends("5")
    told.step(OrderCancelled(order_id))
    found = the_one(told, a_look({"A": "100"}, LEFT, [listed(order_id, "5")]))
    assert (found.kind, found.note) == (BreakKind.UNENDED_ORDER, "here it is CANCELLED")


@pytest.mark.parametrize(
    ("terms", "note"),
    [
        ({"limit_price": Decimal(91)}, "limit 91 instead of 90"),
        ({"order_type": "MKT"}, "type MKT instead of LMT"),
        ({"time_in_force": "DAY"}, "time in force DAY instead of GTC"),
        ({"stop_price": Decimal(5)}, "stop 5 instead of none"),
        ({"symbol": "B"}, "symbol B instead of A"),
    ],
)
def test_an_order_whose_terms_somebody_has_changed_is_amended(
    terms: dict[str, Any], note: str
) -> None:
    told = Told()
    order_id = told.sends("5", **LIMIT)
    there: dict[str, Any] = {"order_type": "LMT", "time_in_force": "GTC"} | terms
    found = the_one(told, a_look({"A": "100"}, LEFT, [listed(order_id, "5", **there)]))
    assert (found.kind, found.note) == (BreakKind.AMENDED_ORDER, note)


def test_terms_that_the_broker_does_not_say_are_the_same() -> None:
    told = Told()
    order_id = told.sends("5", **LIMIT)
    silent = listed(order_id, "5", order_type="", time_in_force="")
    assert compared(told, a_look({"A": "100"}, LEFT, [silent])).differences == ()


def test_a_quantity_that_somebody_has_changed_is_amended_too() -> None:
    told = Told()
    order_id = told.sends("5")
    found = the_one(told, a_look({"A": "100"}, LEFT, [listed(order_id, "9")]))
    assert (found.kind, found.internal, found.broker) == (BreakKind.AMENDED_ORDER, 5, 9)


def test_two_live_orders_under_one_reference_are_a_double_order() -> None:
    told = Told()
    order_id = told.sends("5")
    twice = [listed(order_id, "5"), listed(order_id, "5", perm_id="78")]
    found = the_one(told, a_look({"A": "100"}, LEFT, twice))
    assert (found.kind, found.internal, found.broker) == (BreakKind.DOUBLE_ORDER, 5, 10)


def test_an_execution_that_is_in_no_fill_of_ours_is_unknown() -> None:
    look = a_look({"A": "100"}, LEFT, executions=(seen("e2", "100"), seen("e99", "3", "o7")))
    found = the_one(Told(), look)
    assert found.about == ("unknown execution", "A", "e99")
    assert (found.broker, found.note) == (3, "of order o7")


# Where it likely comes from.


def causes(told: Told, look: BooksReported) -> dict[str, LikelyCause]:
    return {each.kind.value: each.likely_cause for each in compared(told, look).differences}


def test_shares_and_an_execution_nobody_counted_are_a_missed_fill() -> None:
    look = a_look({"A": "103"}, "989700", executions=(seen("e99", "3"),))
    assert set(causes(Told(), look).values()) == {LikelyCause.MISSED_FILL}


def test_shares_that_an_open_order_of_ours_could_have_brought_are_a_missed_fill() -> None:
    told = Told()
    told.sends("5")
    assert causes(told, a_look({"A": "105"}))["position"] is LikelyCause.MISSED_FILL
    assert causes(told, a_look({"A": "95"}))["position"] is LikelyCause.UNKNOWN
    assert causes(told, a_look({"A": "106"}))["position"] is LikelyCause.UNKNOWN


def test_shares_that_have_just_been_filled_are_lag() -> None:
    told = Told()
    told.state.reconciliation.note_fill(Symbol("A"), told.state.at)  # At 15:02.
    soon = a_look({}, "1000000", at="2024-01-02T15:03:00")
    late = a_look({}, "1000000", at="2024-01-02T15:03:01")
    assert causes(told, soon)["position"] is LikelyCause.LAG
    assert causes(told, late)["position"] is LikelyCause.MANUAL_TRADE


def test_shares_for_which_about_their_price_was_paid_are_a_manual_trade() -> None:
    # 40 sold at about 100: 4,000 dollars more, 5 % either way.
    for cash in ("993801", "994199"):
        found = causes(Told(), a_look({"A": "60"}, cash))
        assert found == {"position": LikelyCause.MANUAL_TRADE, "cash": LikelyCause.MANUAL_TRADE}
    assert causes(Told(), a_look({"A": "60"}, "994201"))["position"] is LikelyCause.UNKNOWN


@pytest.mark.parametrize("held", ["200", "300", "2000", "150", "50", "33", "10"])
def test_shares_at_the_ratio_of_a_split_are_a_split(held: str) -> None:
    assert causes(Told(), a_look({"A": held}, LEFT)) == {"position": LikelyCause.SPLIT}


@pytest.mark.parametrize("held", ["-200", "190", "49", "0"])
def test_other_ratios_are_none(held: str) -> None:
    assert causes(Told(), a_look({"A": held}, LEFT)) == {"position": LikelyCause.UNKNOWN}


def test_shares_of_a_symbol_whose_split_is_announced_are_a_split() -> None:
    told = Told()
    day = told.state.pnl.day_started.date().replace(year=2024)
    told.step(CorporateActionAnnounced("s", Symbol("A"), day, CorporateActionKind.SPLIT, 7, 3))
    assert causes(told, a_look({"A": "233"}, LEFT)) == {"position": LikelyCause.SPLIT}


def test_cash_that_a_receivable_would_bring_is_a_dividend() -> None:
    told = Told()
    fold(told.state, a_dividend("0.30", "100", "30"))
    assert causes(told, a_look({"A": "100"}, "990030")) == {"cash": LikelyCause.DIVIDEND}


def test_a_little_less_cash_is_a_fee_and_a_lot_is_not_known() -> None:
    assert causes(Told(), a_look({"A": "100"}, "989990")) == {"cash": LikelyCause.FEE}
    late = "2024-01-12T16:00:00"  # No time for interest.
    assert causes(Told(), a_look({"A": "100"}, "989989", at=late)) == {"cash": LikelyCause.UNKNOWN}
    assert causes(Told(), a_look({"A": "100"}, "990005", at=late)) == {"cash": LikelyCause.UNKNOWN}


def test_orders_others_made_or_changed_are_manual_and_ended_ones_lag() -> None:
    told = Told()
    order_id = told.sends("5")
    foreign = a_look({"A": "100"}, LEFT, [listed("", "1"), listed(order_id, "5")])
    assert causes(told, foreign) == {"foreign order": LikelyCause.MANUAL_TRADE}
    ended = a_look({"A": "100"}, LEFT, completed_orders=(over(order_id),))
    assert causes(told, ended) == {"missing order": LikelyCause.LAG}
    assert causes(told, a_look({"A": "100"}, LEFT)) == {"missing order": LikelyCause.UNKNOWN}


def test_a_difference_reads_as_a_sentence() -> None:
    found = the_one(Told(), a_look({"A": "60"}, LEFT))
    text = "position: here 100, at the broker 60; cause unknown"
    assert difference_text(found) == text
