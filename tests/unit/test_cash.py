from decimal import Decimal

import pytest

from events import CashMoved, CashMovementKind
from projections import State
from tests.builders import (
    a_bar,
    a_commission,
    a_config,
    a_deposit,
    a_dividend,
    a_fill,
    a_payment,
    a_split,
    a_withdrawal,
    an_order,
    fold,
    state_after,
)


def cash_by_identity(state: State) -> Decimal:
    """Return what cash must be: what came in and was earned, less fees and what was paid for."""
    cash, positions = state.cash, state.positions
    earned = cash.external_flows + cash.dividends + positions.realised_pnl
    return earned - cash.fees - positions.cost


def test_a_purchase_costs_its_value_and_its_commission_and_a_sale_brings_it() -> None:
    state = state_after(a_deposit("1000"), *an_order(), a_fill("100", "6"), a_commission("1.25"))
    assert state.cash.balance == Decimal("398.75")  # 1000 - 600 - 1.25
    fold(state, a_fill("-100", "7", execution_id="e2"), a_commission("1", execution_id="e2"))
    assert state.cash.balance == Decimal("1097.75")  # 398.75 + 700 - 1
    assert state.cash.fees == Decimal("2.25")


def test_a_short_sale_brings_cash() -> None:
    state = state_after(a_deposit("1000"), *an_order(quantity="-50"), a_fill("-50", "20"))
    assert state.cash.balance == Decimal(2000)


def test_deposits_and_withdrawals_are_external_and_dividends_are_not() -> None:
    state = state_after(a_deposit("1000"), a_withdrawal("300"), a_payment("0.47", "47"))
    assert state.cash.balance == Decimal(747)
    assert state.cash.external_flows == Decimal(700)
    assert state.cash.dividends == Decimal(47)


def test_an_unknown_commission_counts_at_its_most() -> None:
    # 1 % of 100 x 250 = 250; the order of 20 dollars may cost its minimum of 1.
    state = state_after(*an_order(quantity="-101"), a_fill("-100", "250", execution_id="e1"))
    assert state.cash.uncharged_max == Decimal(250)
    fold(state, a_fill("-1", "20", execution_id="e2"))
    assert state.cash.uncharged_max == Decimal(251)
    fold(state, a_commission("0.50", execution_id="e1"))
    assert state.cash.uncharged_max == Decimal(1)
    assert state.cash.fees == Decimal("0.50")


def test_a_commission_that_comes_before_its_fill_is_charged_once() -> None:
    state = state_after(a_deposit("1000"), *an_order(), a_commission("1"))
    assert state.cash.fees == Decimal(1)
    fold(state, a_fill("100", "6"), a_commission("1"))
    assert state.cash.balance == Decimal(399)  # 1000 - 1 - 600
    assert state.cash.uncharged_max == 0
    assert state.cash.charged_first == {}


@pytest.mark.parametrize(
    ("held", "receivable"),
    [("100", "265"), ("-100", "-265")],  # 100 x 2.65: received when long, owed when short
)
def test_a_dividend_is_a_receivable_from_ex_and_cash_when_paid(held: str, receivable: str) -> None:
    state = state_after(a_deposit(), *an_order(quantity=held), a_fill(held, "100"))
    before = state.cash.balance
    fold(state, a_dividend("2.65", held, receivable))
    assert state.cash.balance == before
    assert state.cash.receivable == Decimal(receivable)
    fold(state, a_payment("2.65", receivable))
    assert state.cash.balance == before + Decimal(receivable)
    assert state.cash.receivable == 0


def test_tax_withheld_from_a_dividend_leaves_nothing_to_be_paid() -> None:
    # 265 promised, 225.25 paid (15 % withheld): the rest will not come.
    state = state_after(*an_order(), a_fill("100", "100"), a_dividend("2.65", "100", "265"))
    fold(state, a_payment("2.65", "225.25"))
    assert state.cash.receivable == 0
    assert state.cash.dividends == Decimal("225.25")


def test_two_dividends_are_paid_apart() -> None:
    state = state_after(
        *an_order(),
        a_fill("100", "100"),
        a_dividend("2.65", "100", "265"),
        a_dividend("3.05", "100", "305"),
        a_payment("2.65", "265"),
    )
    assert state.cash.receivable == Decimal(305)


def test_a_cash_movement_reported_twice_counts_once() -> None:
    state = state_after(a_deposit("1000"), a_deposit("1000"))
    assert state.cash.balance == Decimal(1000)
    assert state.pnl.equity == Decimal(1000)
    assert state.cash.is_repeat(a_deposit("1000"))
    assert not state.cash.is_repeat(a_deposit("1000", "second savings"))
    # The same reference may name a payment of another kind.
    assert not state.cash.is_repeat(
        CashMoved(CashMovementKind.DIVIDEND, Decimal(1), "opening capital")
    )


def test_cash_is_flows_and_result_less_fees_and_cost_after_every_event() -> None:
    state = State()
    for event in (
        a_config("A"),
        a_deposit("10000"),
        *an_order("o1", "110"),
        a_fill("60", "30.01", execution_id="e1"),
        a_fill("50", "30.02", execution_id="e2"),
        a_commission("1", execution_id="e2"),
        a_bar("29.5"),
        a_commission("1.07", execution_id="e1"),
        *an_order("o2", "-33"),
        a_fill("-33", "31.7777", execution_id="e3", order_id="o2"),
        a_dividend("0.47", "77", "36.19"),
        a_split("1:20", "77", "3", in_lieu="535.50", price="31.5"),  # 0.85 x 630
        *an_order("o3", "-10"),
        a_fill("-10", "640", execution_id="e4", order_id="o3"),
        a_payment("0.47", "36.19"),
        a_split("3:2", "-7", "-10", in_lieu="-213.33", price="640"),  # 0.5 x 426.67
        a_withdrawal("1234.56"),
        *an_order("o4", "10"),
        a_fill("10", "420", execution_id="e5", order_id="o4"),
    ):
        fold(state, event)
        assert state.cash.balance == cash_by_identity(state), event
    assert state.positions.cost == 0
