from datetime import date
from decimal import Decimal

import pytest

from events import (
    ConfigLoaded,
    CorporateActionAnnounced,
    CorporateActionKind,
    Symbol,
)
from events.codec import JournalEvent
from projections import State
from projections.corporate_actions import ShareFactor
from tests.builders import (
    a_bar,
    a_calendar,
    a_commission,
    a_config,
    a_deposit,
    a_dividend,
    a_fill,
    a_payment,
    a_session,
    a_split,
    an_order,
    fold,
    state_after,
)

A = Symbol("A")
CENT = Decimal("0.01")


def holding(quantity: str, price: str) -> State:
    """Return books with 100000 dollars, `quantity` of A bought at 100 and now at `price`."""
    return state_after(
        a_config("A"),
        a_calendar(a_session("2024-01-02"), a_session("2024-01-03")),
        a_deposit(),
        *an_order(quantity=quantity),
        a_fill(quantity, "100", executed_at="2024-01-02T15:00"),
        a_commission("1"),
        a_bar(price, end="2024-01-02T21:00"),
    )


def announced(action_id: str, kind: CorporateActionKind) -> CorporateActionAnnounced:
    return CorporateActionAnnounced(action_id, A, date(2024, 1, 3), kind, pay_date=date(2024, 2, 1))


@pytest.mark.parametrize(
    ("held", "price", "split"),
    [
        ("100", "645.57", a_split("7:1", "100", "700")),
        ("-100", "645.57", a_split("7:1", "-100", "-700")),
        ("100", "4", a_split("1:20", "100", "5")),
        # 110 / 20 = 5.5: the half is paid at 4 x 20, as much as it was worth.
        ("110", "4", a_split("1:20", "110", "5", in_lieu="40", price="4")),
        ("-110", "4", a_split("1:20", "-110", "-5", in_lieu="-40", price="4")),
        # 15 / 20 = 0.75 x 80 = 60: nothing is left but the cash.
        ("15", "4", a_split("1:20", "15", "0", in_lieu="60", price="4")),
        ("5", "30", a_split("3:2", "5", "7", in_lieu="10", price="30")),
    ],
)
def test_equity_is_the_same_before_and_after_a_split(
    held: str, price: str, split: JournalEvent
) -> None:
    state = holding(held, price)
    before = state.pnl.equity
    fold(state, split)
    assert state.pnl.equity == before
    assert state.pnl.drawdown_max == holding(held, price).pnl.drawdown_max


def test_a_fraction_is_paid_to_the_cent_so_equity_may_move_by_less_than_one() -> None:
    # 10 / 3 = 3.33..: a third of a share at 4.01 x 3 = 12.03 is 4.01 exactly; at 4.0001 it is not.
    state = holding("10", "4.0001")
    before = state.pnl.equity
    fold(state, a_split("1:3", "10", "3", in_lieu="4.00", price="4.0001"))
    assert abs(state.pnl.equity - before) < CENT


@pytest.mark.parametrize(("held", "receivable"), [("100", "265"), ("-100", "-265")])
def test_equity_is_the_same_before_and_after_going_ex(held: str, receivable: str) -> None:
    # What the price loses, 2.65 a share, is to come in cash (or owed, when short).
    state = holding(held, "97.50")
    before = state.pnl.equity
    fold(state, a_dividend("2.65", held, receivable))
    assert state.pnl.equity == before
    assert state.pnl.marks[A] == Decimal("94.85")
    fold(state, a_payment("2.65", receivable))
    assert state.pnl.equity == before


def test_an_ex_bar_that_opens_lower_by_the_dividend_moves_no_equity() -> None:
    state = holding("100", "97.50")
    before = state.pnl.equity
    fold(state, a_dividend("2.65", "100", "265"), a_bar("94.85", end="2024-01-03T15:00"))
    assert state.pnl.equity == before


def test_a_receivable_is_paid_to_the_cent() -> None:
    # 33 x 0.4701 = 15.5133, of which 15.51 are paid.
    state = holding("33", "100")
    before = state.pnl.equity
    fold(state, a_dividend("0.4701", "33", "15.51"))
    assert abs(state.pnl.equity - before) < CENT


def test_a_dividend_as_large_as_the_price_leaves_a_price() -> None:
    state = holding("100", "2")
    fold(state, a_dividend("3", "100", "300"))
    assert state.market.price(A) == state.pnl.marks[A] == Decimal("0.0001")


def test_an_action_on_what_is_not_held_moves_no_money() -> None:
    state = state_after(a_deposit("100"), a_split("7:1", "0", "0"), a_dividend("1", "0", "0"))
    assert state.pnl.equity == Decimal(100)
    assert state.cash.receivables == {}
    assert state.positions.account == {}


@pytest.mark.parametrize(
    "action",
    [
        a_split("7:1", "100", "700"),
        a_split("1:7", "100", "14", in_lieu="200", price="100"),
        a_dividend("2.65", "100", "265"),
        a_payment("2.65", "265"),
        announced("a1", CorporateActionKind.SPLIT),
    ],
)
def test_an_action_journaled_twice_moves_the_books_once(action: JournalEvent) -> None:
    once = fold(holding("100", "100"), action)
    twice = fold(holding("100", "100"), action, action)
    twice.seq = once.seq
    assert twice == once


def test_an_action_waits_for_ex_then_for_its_payment() -> None:
    state = fold(holding("100", "100"), announced("dividend 2.65", CorporateActionKind.DIVIDEND))
    actions = state.corporate_actions
    assert list(actions.pending) == ["dividend 2.65"]
    assert actions.known == {"dividend 2.65": False}
    fold(state, a_dividend("2.65", "100", "265"))
    assert (list(actions.pending), list(actions.unpaid)) == ([], ["dividend 2.65"])
    assert actions.known == {"dividend 2.65": True}
    fold(state, a_payment("2.65", "265"))
    assert actions.unpaid == {}


def test_an_action_announced_again_after_it_was_applied_does_not_come_back() -> None:
    split = announced("split 7:1", CorporateActionKind.SPLIT)
    state = fold(holding("100", "100"), split, a_split("7:1", "100", "700"), split)
    assert state.corporate_actions.pending == {}
    assert state.corporate_actions.is_repeat(split)


def test_a_dividend_nobody_was_entitled_to_is_not_waited_for() -> None:
    dividend = announced("dividend 1", CorporateActionKind.DIVIDEND)
    state = state_after(dividend, a_dividend("1", "0", "0"))
    assert state.corporate_actions.unpaid == {}


def test_share_limits_follow_the_splits_since_the_configuration_was_loaded() -> None:
    state = state_after(a_config("A"), a_split("7:1", "0", "0"), a_split("1:2", "0", "0"))
    assert state.corporate_actions.share_factors == {A: ShareFactor(7, 2)}
    # The same configuration at a restart means the shares it meant before.
    fold(state, a_config("A"))
    assert state.corporate_actions.share_factors == {A: ShareFactor(7, 2)}


def limited(**changed: str) -> ConfigLoaded:
    """Return a configuration with limits for A and B; `changed` are those that are others."""
    is_set = {"order": "100", "usd": "9", "a": "50", "b": "60", "trend": "20", "mode": "paper"}
    now = is_set | changed
    limits = {
        "account": {"max_order_shares": now["order"], "max_order_usd": now["usd"]},
        "symbols": {"A": {"max_order_shares": now["a"]}, "B": {"max_order_shares": now["b"]}},
        "strategies": {"trend": {"max_position_shares": now["trend"]}},
    }
    return ConfigLoaded({"mode": now["mode"], "limits": limits}, a_config("A", "B").symbols)


@pytest.mark.parametrize(
    ("changed", "stays"),
    [
        ("mode", True),
        ("usd", True),  # Dollars are dollars before and after.
        ("b", True),  # In shares of B, which did not split.
        ("order", False),
        ("a", False),
        ("trend", False),
    ],
)
def test_a_factor_ends_with_the_share_limits_it_restates_and_with_nothing_else(
    changed: str,
    stays: bool,  # noqa: FBT001 - a table
) -> None:
    state = state_after(limited(), a_split("7:1", "0", "0"), limited(**{changed: "700"}))
    assert state.corporate_actions.share_factors == ({A: ShareFactor(7, 1)} if stays else {})


def test_a_factor_ends_with_the_first_share_limit_there_is() -> None:
    state = state_after(a_config("A"), a_split("7:1", "0", "0"), limited())
    assert state.corporate_actions.share_factors == {}
