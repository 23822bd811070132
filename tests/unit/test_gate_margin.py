"""The gate's margin: our own estimate, the broker's figures, and its answer where it is asked."""

from decimal import Decimal

import msgspec
import pytest

from daemon import gate
from daemon.gate import Limits, RiskApproved, RiskAsks, RiskRefused
from daemon.gate.checks.account import LEFT_UNSET, NOT_ASKED
from events import (
    AccountReported,
    ClientOrderId,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    SessionStarted,
)
from events.codec import JournalEvent
from projections import State
from tests.builders import TUESDAY, a_withdrawal, an_order, fold, utc
from tests.gate_desk import an, asked, books, failed, figures, holding, limits, rules

NEW = ClientOrderId("new")


# Margin: half of gross exposure, unless the broker says more.


def margin(**options: object) -> Limits:
    return rules(margin={"cushion": "0.20", "max_batch_share": "0.80"} | options)


@pytest.mark.parametrize(
    ("quantity", "found"), [("160", []), ("161", ["margin_usd", "batch_margin_usd"])]
)
def test_margin_leaves_the_cushion_free(quantity: str, found: list[str]) -> None:
    # 160 shares cost 16,000 and need 8,000 of 10,000.
    needed = Decimal(quantity) * 50
    checks = asked(books(), an(quantity), under=margin())
    assert figures(checks["margin_usd"]) == (not found, needed, 8000, 8000 - needed)
    assert failed(checks) == found


def test_each_of_both_limits_counts_by_itself() -> None:
    assert failed(asked(books(), an("101"), under=margin(max_batch_share="0.505"))) == []
    assert failed(asked(books(), an("102"), under=margin(max_batch_share="0.505"))) == [
        "batch_margin_usd"
    ]
    assert failed(asked(books(), an("102"), under=margin(cushion="0.495"))) == ["margin_usd"]
    assert failed(asked(books(), an("100"), under=margin(initial_share="0.9"))) == [
        "margin_usd",
        "batch_margin_usd",
    ]


def test_a_batch_is_held_against_its_limit_as_a_whole_from_its_first_order_on() -> None:
    first, second = an("100"), an("100")
    state = books()
    answers = gate.check((first, second), state, margin(), utc("2024-01-02T15:00"))
    values = [
        {check.name: check.value for check in answer.checks}["batch_margin_usd"]
        for answer in answers
    ]
    assert values == [10_000, 10_000]
    assert [answer.checks[-1].name for answer in answers] == ["drawdown", "drawdown"]


def test_what_reduces_needs_no_margin() -> None:
    state = fold(holding("100"), a_withdrawal("9000"))
    checks = asked(state, an("-100"), under=margin())
    assert checks["margin_usd"].note == "reduces the position"
    assert checks["batch_margin_usd"].note == "reduces the position"


@pytest.mark.parametrize(
    ("liquidation", "initial", "available", "needed"),
    [
        # Held 40, on order 10: 5,000 gross; the order 1 more. The estimate is 2,550.
        ("10000", "2000", 10_000, 2550),
        # The broker wants 3,000 for what is held; 11 on order need 550 more.
        ("10000", "3000", 10_000, 3550),
        ("9000", "2000", 9000, 2550),
        ("11000", "2000", 10_000, 2550),
    ],
)
def test_the_brokers_figures_count_where_they_are_worse(
    liquidation: str, initial: str, available: int, needed: int
) -> None:
    state = fold(
        holding("40"),
        *an_order("o", "10"),
        AccountReported(Decimal(liquidation), Decimal(initial), Decimal(0)),
    )
    checks = asked(state, an("1"), under=margin())
    assert (checks["margin_usd"].value, checks["margin_usd"].limit) == (
        needed,
        available * Decimal("0.8"),
    )
    assert checks["batch_margin_usd"].limit == available * Decimal("0.8")


ASKING = margin(ask=True)
REQUESTED = MarginRequested("m1", (NEW,), utc("2024-01-02T15:01"))


def answered(*events: JournalEvent, size: str = "10") -> State:
    return books(an(size), REQUESTED, *events)


def kinds(state: State, *sizes: str, under: Limits = ASKING) -> set[type]:
    """Return what the gate answers a batch of orders of these sizes, `new` the first of them."""
    ids = [ClientOrderId(name) for name in ("new", "second", "third")]
    batch = [an(size, client_order_id=name) for name, size in zip(ids, sizes, strict=False)]
    return {type(answer) for answer in gate.check(batch, state, under, utc(TUESDAY))}


def test_what_lacks_only_the_brokers_word_is_to_be_asked_about() -> None:
    for state in (books(), answered()):
        checks = asked(state, an("10"), under=ASKING)
        assert failed(checks) == ["margin_usd"]
        assert checks["margin_usd"].note == NOT_ASKED
        assert figures(checks["margin_usd"]) == (False, 500, 8000, 7500)
        assert kinds(state, "10") == {RiskAsks}
        assert kinds(state, "10", under=margin()) == {RiskApproved}


def test_a_batch_is_asked_about_as_a_whole_or_refused_as_a_whole() -> None:
    assert kinds(books(), "10", "20") == {RiskAsks}
    # 161 at 100 need more than 80 % of 10,000: nobody has to be asked.
    assert kinds(books(), "10", "151") == {RiskRefused}
    closed = msgspec.structs.replace(
        ASKING, account=msgspec.structs.replace(ASKING.account, max_order_shares=Decimal(15))
    )
    assert kinds(books(), "10", "20", under=closed) == {RiskRefused}
    answers = gate.check(
        (an("10"), an("20", client_order_id=ClientOrderId("second"))),
        books(),
        closed,
        utc(TUESDAY),
    )
    failing = [[check.name for check in each.checks if not check.passed] for each in answers]
    assert failing == [["batch"], ["order_shares"]]
    # What reduces goes with what does not.
    assert kinds(holding("40"), "-40", "10") == {RiskAsks}


def test_a_broker_outside_that_can_answer_is_asked_unless_the_limits_say_otherwise() -> None:
    for asks, ask, answer in (
        (True, None, RiskAsks),
        (True, False, RiskApproved),
        (True, True, RiskAsks),
        (False, None, RiskApproved),
        (False, False, RiskApproved),
        (False, True, RiskAsks),
    ):
        state = books(SessionStarted("1", {}, {}, asks_margin=asks))
        assert kinds(state, "10", under=margin(ask=ask)) == {answer}


def test_nobody_is_asked_about_what_only_reduces() -> None:
    assert kinds(holding("40"), "-40") == {RiskApproved}
    assert kinds(holding("40"), "-41") == {RiskAsks}
    # Not even what is above its limit, and not without a price of something else.
    poor = fold(holding("100"), a_withdrawal("9000"))
    assert kinds(poor, "-100") == {RiskApproved}


@pytest.mark.parametrize("option", ["cushion", "initial_share"])
def test_margin_needs_each_of_its_limits(option: str) -> None:
    checks = asked(books(), an("1"), under=margin(**{option: None}))
    assert checks["margin_usd"].note == f"no limit is set: margin.{option}"
    assert not checks["margin_usd"].passed


@pytest.mark.parametrize(
    ("initial", "equity", "passes"),
    [
        ("8000", "10000", True),
        ("8000.01", "10000", False),
        ("7200", "9000", True),
        ("7200.01", "9000", False),
        # Less than our own estimate of 500 is not believed, nor more equity than we know of.
        ("1", "20000", True),
        ("8000.01", "20000", False),
        ("NaN", "10000", False),
        ("Infinity", "10000", False),
        ("500", "NaN", False),
    ],
)
def test_the_answer_counts_where_it_is_worse_than_our_estimate(
    initial: str,
    equity: str,
    passes: bool,  # noqa: FBT001 - a table
) -> None:
    answer = MarginReported("m1", Decimal(initial), Decimal(0), Decimal(equity))
    state = answered(answer)
    for under in (ASKING, margin()):
        assert failed(asked(state, an("10"), under=under)) == ([] if passes else ["margin_usd"])
    # It is an answer about that order alone.
    other = an("10", client_order_id=ClientOrderId("other"))
    assert failed(asked(state, other, under=ASKING)) == ["margin_usd"]


@pytest.mark.parametrize("unset", ["initial_after", "maintenance_after", "equity_after"])
def test_a_margin_that_the_broker_left_unset_is_a_no(unset: str) -> None:
    whole = MarginReported("m1", Decimal(500), Decimal(250), Decimal(10_000))
    assert kinds(answered(whole), "10") == {RiskApproved}
    state = answered(msgspec.structs.replace(whole, **{unset: None}))
    checks = asked(state, an("10"), under=ASKING)
    assert failed(checks) == ["margin_usd"]
    assert checks["margin_usd"].note == LEFT_UNSET
    assert kinds(state, "10") == {RiskRefused}


def test_an_answer_does_not_help_where_a_price_is_missing() -> None:
    answer = MarginReported("m1", Decimal(500), Decimal(250), Decimal(10_000))
    state = fold(answered(answer), *an_order("b", "1", symbol="B"))
    assert "margin_usd" in failed(asked(state, an("10"), under=ASKING))


def test_no_answer_is_a_no() -> None:
    state = answered(MarginUnavailable("m1", "timed out"))
    for under in (ASKING, margin()):
        checks = asked(state, an("10"), under=under)
        assert failed(checks) == ["margin_usd"]
        assert checks["margin_usd"].note == "the broker said no margin: timed out"


def test_from_the_question_on_an_order_is_reserved_and_counts_once() -> None:
    state = answered(size="60")
    under = limits(max_position_shares="100")
    other = an("41", client_order_id=ClientOrderId("other"))
    assert failed(asked(state, other, under=under)) == ["position_shares"]
    # The order itself, asked about again, is not there twice; nor is one that was not asked about.
    assert asked(state, an("60"), under=under)["position_shares"].value == 60
    assert asked(books(an("60")), other, under=under)["position_shares"].value == 41


def test_one_order_of_a_batch_is_not_there_twice_in_the_other_ones_question() -> None:
    first, second = an("60"), an("30", client_order_id=ClientOrderId("second"))
    both = (NEW, second.client_order_id)
    state = books(first, second, MarginRequested("m1", both, utc("2024-01-02T15:01")))
    answers = gate.check((first, second), state, limits(), utc(TUESDAY))
    values = [
        {check.name: check.value for check in answer.checks}["position_shares"]
        for answer in answers
    ]
    assert values == [60, 90]
