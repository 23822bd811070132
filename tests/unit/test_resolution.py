"""Resolving breaks: what an operator's word books, what that does to results, what it refuses.

The books have 100 of A, bought at 100 out of 1,000,000 dollars, and A is at 100: 990,000 are left.
"""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from daemon.control.confirmation import numbers_of
from daemon.core.looks import ReconciliationTerms
from daemon.core.promotion import PromotionRule
from daemon.core.recorder import LookAtBooks
from daemon.gate.limits import AccountLimits
from events import (
    BY_HAND,
    BreakResolved,
    CashAdjusted,
    CorporateActionAnnounced,
    CorporateActionKind,
    HoldLevel,
    HoldLifted,
    HoldPlaced,
    HoldScope,
    LookWhy,
    OperatorFlattenAsked,
    OperatorResolveAsked,
    OrderAdopted,
    OrderCancelled,
    OrderIntended,
    OrderSending,
    OrderType,
    OrderWorking,
    OrderWrittenOff,
    PositionAdjusted,
    Record,
    Resolution,
    Symbol,
    TimeInForce,
)
from projections.order_states import OrderState
from tests.builders import a_commission, a_dividend, a_fill, fold
from tests.core_desk import A, B, kinds, of
from tests.journals import write
from tests.looks import listed, seen
from tests.operators import Told, said, why_refused
from tests.unit.test_reconciliation import LEFT, Looking

C = Symbol("C")
LATE = "2024-01-02T16:00:30"


def broken(held: dict[str, str], cash: str | None = LEFT, **more: Any) -> Looking:  # noqa: ANN401 - any field
    """Return books of which two looks have shown something else."""
    at = Looking()
    at.twice(held, cash, **more)
    at.effects()
    return at


def resolve(at: Told, number: int | None = 1, **fields: Any) -> list[Record]:  # noqa: ANN401 - the command's
    """Resolve the break of that number, None: all."""
    names = list(at.state.reconciliation.open)
    name = None if number is None else names[number - 1]
    if "adjust" in fields:
        fields = {key: Decimal(text) for key, text in fields.items()}
    return at.step(said(OperatorResolveAsked, name, command_id=f"cmd-{at.state.seq}", **fields))


def asked(at: Told, **fields: Any) -> tuple[str, ...]:  # noqa: ANN401 - the command's
    """Return what is confirmed before the one break is resolved."""
    (name,) = at.state.reconciliation.open
    command = said(OperatorResolveAsked, name, **fields)
    return numbers_of(
        command, at.state, PromotionRule(), AccountLimits(), ReconciliationTerms()
    ).facts


# Shares.


def test_adopting_books_what_the_broker_has_ends_the_break_and_lifts_its_hold() -> None:
    at = broken({"A": "60"}, costs={"A": "101"})
    taken = resolve(at)
    assert kinds(taken) == [
        *("operator.resolve-asked", "position.adjusted", "break.resolved", "hold.lifted"),
    ]
    held = at.state.positions.held(A)
    # At the broker's average: 60 x 101.
    assert (held.quantity, held.cost, held.realised_pnl) == (60, 6060, 0)
    assert (at.breaks, at.holds) == ([], [])
    (resolved,) = of(taken, BreakResolved)
    assert (resolved.how, resolved.by, resolved.why) == (Resolution.ADOPTED, "ann", "because")


def test_the_broker_is_asked_once_more_behind_it() -> None:
    at = broken({"A": "60"})
    (command, *_) = resolve(at)
    assert at.effects() == [LookAtBooks(f"operator-{command.seq}", LookWhy.OPERATOR)]
    at.look({"A": "60"}, "16:01:00")
    assert at.breaks == []


def test_what_is_adjusted_is_no_result_of_the_day_the_peak_or_a_strategy() -> None:
    at = broken({"A": "60"})
    before = (at.state.pnl.day_pnl, at.state.pnl.drawdown, at.state.positions.realised_pnl)
    resolve(at)
    pnl = at.state.pnl
    # 40 shares at 100 are gone, and no money came for them.
    assert pnl.equity == 996_000
    assert (pnl.day_pnl, pnl.drawdown, at.state.positions.realised_pnl) == before
    trend = at.state.positions.held_by("trend", A)
    assert (trend.quantity, trend.realised_pnl) == (100, 0)
    assert at.state.positions.held_by(BY_HAND, A).quantity == -40


def test_cash_and_cost_still_add_up() -> None:
    at = broken({"A": "60", "B": "7"}, "980000", costs={"A": "101", "B": "95"})
    resolve(at, None)
    cash, positions = at.state.cash, at.state.positions
    flows = cash.external_flows + cash.dividends + positions.realised_pnl - cash.fees
    assert cash.balance == flows - positions.cost == 980_000
    # 60 and 7, both at their last price of 100.
    assert at.state.pnl.equity == 986_700


def test_shares_nobody_here_knew_are_the_operators_and_flatten_closes_them() -> None:
    at = broken({"A": "100", "B": "30"}, costs={"B": "80"})
    at.minute("16:01", symbol="B")
    resolve(at)
    held = at.state.positions.held(B)
    assert (held.quantity, held.cost) == (30, 2400)
    assert at.state.pnl.equity == 1_003_000  # 30 at the last price of 100.
    taken = at.step(said(OperatorFlattenAsked, B, command_id="cmd-flatten"), "2024-01-02T16:01")
    (intended,) = of(taken, OrderIntended)
    assert (intended.strategy, intended.quantity) == (BY_HAND, -30)
    assert len(of(taken, OrderSending)) == 1
    at.fill(intended.client_order_id, "-30", symbol="B")
    assert at.state.positions.held(B).quantity == 0
    assert at.state.positions.held_by(BY_HAND, B).realised_pnl == 600  # Adopted at 80.


def test_without_a_cost_from_the_broker_shares_of_a_known_average_keep_it() -> None:
    at = broken({"A": "60"})
    resolve(at)
    assert at.state.positions.held(A).cost == 6000


def test_shares_of_which_nobody_says_what_they_cost_want_a_price() -> None:
    at = broken({"A": "100", "C": "5"})
    refused = why_refused(resolve(at))
    assert refused.endswith("nobody says what C cost: give --adjust and --price")
    resolve(at, adjust="5", price="12.5")
    held = at.state.positions.held(C)
    assert (held.quantity, held.cost) == (5, Decimal("62.5"))
    assert at.state.pnl.marks[C] == Decimal("12.5")
    assert at.breaks == []


def test_shares_that_cost_nothing_are_booked_at_nothing() -> None:
    at = broken({"A": "100", "C": "5"}, costs={"C": "0"})
    resolve(at)
    assert (at.state.positions.held(C).cost, at.state.pnl.equity) == (0, 1_000_000)


def test_adjusting_by_part_of_it_leaves_the_break_and_its_hold() -> None:
    at = broken({"A": "60"})
    taken = resolve(at, adjust="-30")
    assert kinds(taken) == ["operator.resolve-asked", "position.adjusted"]
    held = at.state.positions.held(A)
    assert (held.quantity, held.cost) == (70, 7000)  # The part that went took its cost with it.
    assert (at.breaks, len(at.holds)) == (["position A"], 1)


def test_adjusting_adds_shares_at_the_operators_price() -> None:
    at = broken({"A": "110"})
    resolve(at, adjust="10", price="90")
    assert at.state.positions.held(A).cost == 10_900
    assert at.breaks == []


def test_adopting_through_zero_leaves_no_old_cost_behind() -> None:
    at = broken({"A": "-20"}, costs={"A": "102"})
    resolve(at)
    held = at.state.positions.held(A)
    assert (held.quantity, held.cost) == (-20, -2040)
    gone = broken({})
    resolve(gone)
    assert (gone.state.positions.held(A).quantity, gone.state.positions.held(A).cost) == (0, 0)


# Cash.


def test_cash_is_adopted_as_an_external_flow() -> None:
    at = broken({"A": "100"}, "985000")
    taken = resolve(at)
    (adjusted,) = of(taken, CashAdjusted)
    assert adjusted.amount == -5000
    assert (at.state.cash.balance, at.state.pnl.day_pnl) == (985_000, 0)
    assert at.state.cash.external_flows == 995_000
    assert at.holds == []


def test_cash_that_a_dividend_was_to_bring_is_its_payment_and_no_new_money() -> None:
    at = Looking()
    announced = CorporateActionAnnounced(
        "dividend 0.30", A, date(2024, 1, 2), CorporateActionKind.DIVIDEND
    )
    fold(at.state, announced, a_dividend("0.30", "100", "30"), at="2024-01-02T15:30")
    assert at.state.corporate_actions.unpaid
    at.twice({"A": "100"}, "990030")
    (booked, _) = asked(at)
    assert booked.endswith("no profit or loss of the day: it pays dividend 0.30")
    resolve(at)
    cash = at.state.cash
    assert (cash.balance, cash.dividends, cash.receivable) == (990_030, 30, 0)
    assert (at.state.corporate_actions.unpaid, at.state.pnl.day_pnl) == ({}, 0)
    # It was part of equity since A went ex.
    assert (cash.external_flows, at.state.pnl.equity) == (1_000_000, 1_000_000)


def test_cash_adjusted_to_within_the_tolerance_is_resolved() -> None:
    at = broken({"A": "100"}, "985000")
    resolve(at, adjust="-4999")
    assert at.breaks == []
    half = broken({"A": "100"}, "985000")
    resolve(half, adjust="-4998")
    assert half.breaks == ["cash"]


# Orders.


def test_a_foreign_order_is_taken_into_the_books_and_counts_there() -> None:
    at = broken({"A": "100"}, orders=[listed("", "-30", "-20", perm_id="9", order_type="TRAIL")])
    (adopted,) = of(resolve(at), OrderAdopted)
    order = at.state.orders.open[adopted.client_order_id]
    assert (order.client_order_id, order.state) == ("permId-9", OrderState.WORKING)
    assert (order.reserved, order.intent.strategy) == (-20, BY_HAND)
    assert order.intent.order_type is OrderType.MARKET  # The worst that a TRAIL can be.
    assert at.state.reconciliation.elsewhere == []
    # Its fill is a fill like any other, of the operator's.
    at.step(a_fill("-20", execution_id="f9", order_id="permId-9", executed_at="2024-01-02T16:02"))
    at.step(a_commission("0", execution_id="f9", order_id="permId-9"))
    assert at.state.positions.held_by(BY_HAND, A).quantity == -20
    assert at.holds == []


def test_an_amended_order_goes_on_under_its_new_terms() -> None:
    at = Looking()
    order_id = at.sends("5")
    at.step(a_fill("2", execution_id="f1", order_id=order_id, executed_at="2024-01-02T15:04"))
    amended = listed(order_id, "9", "7", order_type="LMT", limit_price=Decimal(99))
    at.twice({"A": "102"}, cash=None, orders=[amended])
    resolve(at)
    order = at.state.orders.open[order_id]
    assert (order.intent.quantity, order.filled, order.reserved) == (9, 2, 7)
    assert (order.intent.limit_price, order.intent.strategy) == (99, "trend")
    assert order.state is OrderState.PARTIALLY_FILLED
    at.look({"A": "102"}, "16:01:00", cash=None, orders=[amended])
    assert at.breaks == []


def test_an_order_over_here_and_open_there_lives_on_in_the_books() -> None:
    at = Looking()
    order_id = at.sends("5")
    at.step(OrderCancelled(order_id))
    at.twice({"A": "100"}, orders=[listed(order_id, "5")])
    resolve(at)
    assert at.state.orders.open[order_id].reserved == 5


def test_a_missing_order_is_written_off_by_the_operators_word() -> None:
    at = Looking()
    order_id = at.sends(
        "5",
        time_in_force=TimeInForce.GTC,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(90),
    )
    at.twice({"A": "100"})
    (gone,) = of(resolve(at), OrderWrittenOff)
    assert (gone.client_order_id, gone.by) == (order_id, "ann")
    order = at.state.orders.find(order_id)
    assert order is not None
    assert (order.state, order.reason) == (OrderState.EXPIRED, "because")


def test_a_fill_of_an_order_that_was_written_off_holds_everything_until_a_person_has_looked() -> (
    None
):
    """The broker sold 5 of 100 unheard; 95 are taken over, and then the fill makes 90 of them."""
    at = Looking()
    order_id = at.sends("-5")
    at.twice({"A": "95"})
    resolve(at, None)
    assert at.state.positions.account[A].quantity == 95
    told = at.step(a_fill("-5", execution_id="f1", order_id=order_id, executed_at=LATE))
    (hold,) = of(told, HoldPlaced)
    assert (hold.cause, hold.scope, hold.level) == ("late fill", HoldScope.ALL, HoldLevel.HALT)
    assert "counted twice" in hold.why
    assert at.state.positions.account[A].quantity == 90


async def test_an_order_that_was_written_off_and_came_back_may_vanish_again(tmp_path: Path) -> None:
    at = Looking()
    order_id = at.sends("5")
    at.twice({"A": "100"})
    gone = of(resolve(at), OrderWrittenOff)
    for moment in ("16:01:00", "16:01:10"):
        at.look({"A": "100"}, moment, orders=[listed(order_id, "5")])
    resolve(at)
    for moment in ("16:02:00", "16:02:10"):
        at.look({"A": "100"}, moment)
    gone += of(resolve(at), OrderWrittenOff)
    assert [each.client_order_id for each in gone] == [order_id, order_id]
    await write(tmp_path / "j.db", *gone)  # The file takes the second as well.


def test_a_missing_order_that_was_heard_of_since_the_look_is_not_written_off_by_it() -> None:
    at = Looking()
    order_id = at.sends("5")
    at.twice({"A": "100"})
    # It was slow to be accepted: no list had it yet.
    at.step(OrderWorking(order_id), "2024-01-02T16:00:11")
    assert "the books have moved" in why_refused(resolve(at))
    assert at.state.orders.open[order_id].reserved == 5


def test_a_missing_order_that_was_partly_filled_since_the_look_is_not_written_off_by_it() -> None:
    at = Looking()
    order_id = at.sends("5")
    at.twice({"A": "100"})
    at.step(a_fill("2", execution_id="f1", order_id=order_id, executed_at="2024-01-02T16:00:30"))
    assert "the books have moved" in why_refused(resolve(at))
    assert at.state.orders.open[order_id].reserved == 3


def test_a_missing_order_that_was_heard_of_only_before_the_look_is_written_off() -> None:
    at = Looking()
    order_id = at.sends("5")
    at.step(OrderWorking(order_id), "2024-01-02T15:59:59")
    at.twice({"A": "100"})
    assert len(of(resolve(at), OrderWrittenOff)) == 1


def test_an_unknown_execution_is_signed_off_and_not_asked_about_again() -> None:
    at = broken({"A": "100"}, executions=(seen("x1", "1"),))
    resolve(at)
    at.twice({"A": "100"}, executions=(seen("x1", "1"),))
    assert at.breaks == []
    assert of(resolve_nothing(at), BreakResolved) == []


def resolve_nothing(at: Told) -> list[Record]:
    return at.step(said(OperatorResolveAsked, None, command_id="cmd-nothing"))


# All, and refusals.


def test_all_of_an_opening_balance_is_booked_at_once() -> None:
    at = Looking(bought="0")
    orders = [listed("", "3", symbol="A", perm_id="5")]
    at.twice({"A": "10", "B": "-4"}, "250000", orders=orders, costs={"A": "90", "B": "110"})
    resolve(at, None)
    positions = at.state.positions
    assert (positions.held(A).cost, positions.held(B).cost) == (900, -440)
    assert (at.state.cash.balance, list(at.state.orders.open)) == (250_000, ["permId-5"])
    # 10 at 100 less 4 at 100.
    assert (at.state.pnl.equity, at.state.pnl.day_pnl) == (250_600, 0)
    assert (at.breaks, at.holds) == ([], [])


def test_all_is_all_or_nothing() -> None:
    at = broken({"A": "60", "C": "5"})  # What C cost nobody says.
    before = at.books
    assert "C cost" in why_refused(resolve(at, None))
    assert (at.books, len(at.breaks)) == (before, 2)


def test_books_that_have_moved_since_the_look_are_not_adjusted_by_it() -> None:
    at = Looking()
    order_id = at.sends("5")
    at.twice({"A": "60"}, "1", orders=[listed(order_id, "5")])
    at.step(a_fill("5", execution_id="f1", order_id=order_id, executed_at="2024-01-02T16:00:30"))
    for number in (1, 2):
        assert "the books have moved" in why_refused(resolve(at, number))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (("break-9-9",), "there is no open break break-9-9"),
        ((None, Decimal(1)), "adjust one break at a time"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: tuple[Any, ...], why: str) -> None:
    at = broken({"A": "60"})
    assert why_refused(at.step(said(OperatorResolveAsked, *fields))) == why


def test_without_a_break_there_is_nothing_to_resolve() -> None:
    assert why_refused(resolve_nothing(Looking())) == "there is no open break"


def test_orders_are_adopted_never_adjusted() -> None:
    at = broken({"A": "100"}, orders=[listed("", "30")])
    refused = why_refused(resolve(at, adjust="5"))
    assert refused.endswith("a foreign order is adopted, not adjusted")


def test_holds_of_other_breaks_stay() -> None:
    at = broken({"A": "60", "B": "7"}, costs={"B": "90"})
    (lifted,) = of(resolve(at, 1), HoldLifted)
    (hold,) = at.state.holds.active.values()
    assert (hold.target, hold.hold_id == lifted.hold_id) == ("B", False)


# What is confirmed.


def test_what_is_confirmed_says_what_is_booked_and_what_it_means() -> None:
    at = broken({"A": "60"})
    (break_id,) = at.state.reconciliation.open
    booked, lifts = asked(at)
    assert booked == (
        f"{break_id}: books -40 A: 100 -> 60, cost -4000, valued at 100: equity -4000 USD, "
        "no profit or loss of the day; they are the operator's, no strategy's"
    )
    assert lifts.startswith("lifts HALT on A (RECONCILIATION_BREAK)")


def test_what_will_be_refused_is_not_confirmed() -> None:
    assert asked(broken({"A": "100", "C": "5"})) == ()


def test_a_part_says_that_the_break_stays() -> None:
    booked, *rest = asked(broken({"A": "60"}), adjust=Decimal(-30))
    assert booked.endswith("; the break stays open")
    assert rest == []


def test_the_adjustment_is_named_after_who_made_it() -> None:
    (adjusted,) = of(resolve(broken({"A": "60"})), PositionAdjusted)
    assert (adjusted.by, adjusted.why, adjusted.price) == ("ann", "because", 100)
