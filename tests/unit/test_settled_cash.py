"""Settled cash against the broker's, and what moves cash at the broker without a fill.

The books have 100 of A, bought at 100: 990,000 dollars are left. 50 are sold at 100 on 2 January:
5,000 dollars of 995,000 settle two sessions later.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.gate.limits import AccountType
from events import (
    BreakKind,
    BreakOpened,
    BrokerCash,
    HoldScope,
    LikelyCause,
    OperatorResolveAsked,
)
from projections.differences import compare
from projections.settled_cash import settled_cash
from tests.builders import a_dividend, fold, utc
from tests.core_desk import kinds, of
from tests.gate_desk import WIDE
from tests.looks import a_look
from tests.operators import Told, said
from tests.unit.test_reconciliation import Looking

DOLLAR = Decimal(1)
CASH_ACCOUNT = msgspec.structs.replace(
    WIDE, margin=msgspec.structs.replace(WIDE.margin, account_type=AccountType.CASH)
)
LATE = "2024-01-12"
"""Interest is booked by then."""
BEFORE, SETTLED = "2024-01-03T16:00:00", "2024-01-04T16:00:00"


def sold(kind: type[Told] = Told, **parts: Any) -> Any:  # noqa: ANN401 - of that kind
    """Return books after the sale."""
    told = kind(**parts)
    told.fill(told.sends("-50"), "-50")
    return told


def differing(told: Told, settled: str, at: str, *, cash_account: bool = True) -> list[BreakKind]:
    look = a_look({"A": "50"}, "995000", at=at)
    cash = BrokerCash(Decimal(995_000), Decimal(settled))
    with_both = msgspec.structs.replace(look, cash=cash)
    found = compare(told.state, with_both, DOLLAR, is_cash_account=cash_account)
    return [each.kind for each in found.differences]


def test_what_was_sold_settles_two_sessions_later() -> None:
    state = sold().state
    assert settled_cash(state, utc(BEFORE)) == 990_000
    assert settled_cash(state, utc(SETTLED)) == 995_000


@pytest.mark.parametrize(
    ("settled", "at", "agrees"),
    [
        ("990000", BEFORE, True),
        ("989999", BEFORE, True),  # Within the tolerance.
        ("989998", BEFORE, False),
        ("995000", BEFORE, True),  # More than we count on is for its time.
        ("990000", SETTLED, False),
        ("995000", SETTLED, True),
    ],
)
def test_less_than_we_would_spend_is_a_difference(settled: str, at: str, *, agrees: bool) -> None:
    found = differing(sold(), settled, at)
    assert found == ([] if agrees else [BreakKind.SETTLED_CASH])


def test_a_margin_account_need_not_wait_and_is_not_compared() -> None:
    assert differing(sold(), "1", BEFORE, cash_account=False) == []


def test_in_a_cash_account_it_is_a_break_that_holds_and_ends_when_the_broker_has_settled() -> None:
    at = sold(Looking, under=CASH_ACCOUNT)
    short = BrokerCash(Decimal(995_000), Decimal(980_000))
    for moment in ("16:00:00", "16:00:10"):
        whole = a_look({"A": "50"}, "995000", at=f"2024-01-02T{moment}")
        taken = at.step(msgspec.structs.replace(whole, cash=short), f"2024-01-02T{moment}")
    (opened,) = of(taken, BreakOpened)
    assert (opened.difference.internal, opened.difference.broker) == (990_000, 980_000)
    assert opened.difference.likely_cause is LikelyCause.LAG
    assert [hold.scope for hold in at.state.holds.active.values()] == [HoldScope.ALL]
    # There is nothing to book: adopting leaves it open.
    assert kinds(at.step(said(OperatorResolveAsked, opened.break_id))) == ["operator.resolve-asked"]
    settled = a_look({"A": "50"}, "995000", at="2024-01-02T16:00:20")
    now = BrokerCash(Decimal(995_000), Decimal(990_000))
    at.step(msgspec.structs.replace(settled, cash=now), "2024-01-02T16:00:20")
    assert at.breaks == []


def test_in_a_margin_account_the_core_does_not_compare_it() -> None:
    at = sold(Looking)
    short = BrokerCash(Decimal(995_000), Decimal(980_000))
    for moment in ("16:00:00", "16:00:10"):
        whole = a_look({"A": "50"}, "995000", at=f"2024-01-02T{moment}")
        at.step(msgspec.structs.replace(whole, cash=short), f"2024-01-02T{moment}")
    assert at.breaks == []


# What the broker books by itself.


def cause(told: Told, cash: str, day: str = "2024-01-03") -> LikelyCause:
    look = a_look({"A": "100"}, cash, at=f"{day}T16:00:00")
    (found,) = compare(told.state, look, DOLLAR).differences
    assert found.kind is BreakKind.CASH
    return found.likely_cause


@pytest.mark.parametrize("paid", ["100", "85", "70"])
def test_a_dividend_that_is_owed_explains_cash_tax_taken_off_or_not(paid: str) -> None:
    told = Told()
    fold(told.state, a_dividend("1", "100", "100"), at="2024-01-03T12:00")
    assert cause(told, str(990_000 + int(paid)), LATE) is LikelyCause.DIVIDEND


def test_half_of_a_dividend_or_more_than_all_of_it_is_something_else() -> None:
    told = Told()
    fold(told.state, a_dividend("1", "100", "100"), at="2024-01-03T12:00")
    for paid in ("69", "101"):
        assert cause(told, str(990_000 + int(paid)), LATE) is LikelyCause.UNKNOWN


@pytest.mark.parametrize(
    ("cash", "day", "likely"),
    [
        ("993000", "2024-01-03", LikelyCause.INTEREST),
        ("987000", "2024-01-03", LikelyCause.INTEREST),  # It may be paid, too.
        ("993000", LATE, LikelyCause.UNKNOWN),
        ("1010000", "2024-01-03", LikelyCause.UNKNOWN),
        ("989992", "2024-01-03", LikelyCause.FEE),
    ],
)
def test_interest_has_its_size_and_its_days(cash: str, day: str, likely: LikelyCause) -> None:
    assert cause(Told(), cash, day) is likely
