"""What the gate holds against limits. A share costs 100 dollars, the account has 10,000."""

from decimal import Decimal

import msgspec
import pytest

from daemon.gate import Limits
from daemon.gate.limits import AccountLimits, OrderLimits
from events import (
    CancelSending,
    ClientOrderId,
    OrderUnknown,
    OrderWorking,
    Symbol,
)
from events.codec import JournalEvent
from tests.builders import (
    a_bar,
    a_fill,
    a_split,
    an_order,
    fold,
)
from tests.gate_desk import (
    WIDE,
    A,
    a_free_fill,
    an,
    asked,
    books,
    failed,
    figures,
    holding,
    limits,
)

# Order and position: at the limit passes, beyond does not.


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("name", "limit", "last", "beyond"),
    [
        ("order_shares", "50", (50, 0), (51, -1)),
        ("order_usd", "5000", (5000, 0), (5100, -100)),
        ("position_shares", "50", (50, 0), (51, -1)),
        ("position_usd", "5000", (5000, 0), (5100, -100)),
    ],
)
def test_a_size_may_reach_its_limit_and_not_pass_it(
    name: str, limit: str, last: tuple[int, int], beyond: tuple[int, int], side: int
) -> None:
    under = limits(**{f"max_{name}": limit})
    within = asked(books(), an(str(50 * side)), under=under)
    assert failed(within) == []
    assert figures(within[name]) == (True, last[0], Decimal(limit), last[1])
    too_much = asked(books(), an(str(51 * side)), under=under)
    assert failed(too_much) == [name]
    assert figures(too_much[name]) == (False, beyond[0], Decimal(limit), beyond[1])


O2 = ClientOrderId("o2")
INTENDED, APPROVED, _ = an_order("o2", "30")


@pytest.mark.parametrize(
    "open_order",
    [
        (INTENDED, APPROVED),
        an_order("o2", "30"),
        (*an_order("o2", "30"), OrderWorking(O2)),
        (*an_order("o2", "30"), OrderUnknown(O2, "no answer")),
        (*an_order("o2", "30"), CancelSending(O2, "too slow")),
        (*an_order("o2", "30"), *a_free_fill("20", "o2")),
    ],
)
def test_a_position_counts_what_is_held_pending_working_and_unknown(
    open_order: tuple[JournalEvent, ...],
) -> None:
    # 60 held and 30 that may come: 10 more make 100. What may be sold makes no room.
    state = fold(holding("60"), *open_order, *an_order("o3", "-40"))
    under = limits(max_position_shares="100")
    assert failed(asked(state, an("10"), under=under)) == []
    assert failed(asked(state, an("11"), under=under)) == ["position_shares"]


def test_above_a_position_limit_only_what_reduces_passes() -> None:
    # 100 shares worth 10,000 under limits of 50 and 5,000.
    under = limits(max_position_shares="50", max_position_usd="5000")
    reducing = asked(holding("100"), an("-10"), under=under)
    assert failed(reducing) == []
    assert figures(reducing["position_shares"]) == (True, 100, 50, -50)
    assert reducing["position_usd"].note == "reduces the position"
    turning = asked(holding("100"), an("-101"), under=under)
    assert failed(turning) == ["position_shares", "position_usd"]


def test_a_strategys_own_limits_hold_for_its_own_part_of_the_position() -> None:
    # 60 of the account's 100 shares are the strategy's.
    state = fold(holding("60"), *an_order("w", "40", strategy="weights"), *a_free_fill("40", "w"))
    for own in (
        OrderLimits(max_position_shares=Decimal(70)),
        OrderLimits(max_position_usd=Decimal(7000)),
    ):
        under = msgspec.structs.replace(WIDE, strategies={"trend": own})
        assert failed(asked(state, an("10"), under=under)) == []
        assert failed(asked(state, an("11"), under=under)) == ["strategy_position"]
        assert failed(asked(state, an("11", strategy="weights"), under=under)) == []


def test_a_strategy_above_its_own_limit_can_still_get_out() -> None:
    # 10 bought at 100 under a limit of 1,000 dollars; at 110 they are worth 1,100.
    state = fold(holding("10"), a_bar("110", end="2024-01-02T15:01"))
    own = OrderLimits(max_position_usd=Decimal(1000))
    under = msgspec.structs.replace(WIDE, strategies={"trend": own})
    out = asked(state, an("-10"), under=under)
    assert failed(out) == []
    assert figures(out["strategy_position"]) == (True, 1100, 1000, -100)
    assert failed(asked(state, an("-21"), under=under)) == ["strategy_position"]
    # The position is this strategy's: to another one the same order opens a short.
    others = msgspec.structs.replace(WIDE, strategies={"weights": own})
    assert failed(asked(state, an("-10", strategy="weights"), under=others)) == [
        "strategy_position"
    ]


def test_limits_in_shares_follow_a_split() -> None:
    # 50 old shares are 100 new ones at 50 dollars.
    state = books(a_split("2:1", "0", "0"))
    for name in ("order_shares", "position_shares"):
        under = limits(**{f"max_{name}": "50"})
        assert failed(asked(state, an("100"), under=under)) == []
        assert failed(asked(state, an("101"), under=under)) == [name]


# Losses: at the limit it is reached.


@pytest.mark.parametrize(("price", "passes"), [("90.01", True), ("90", False), ("80", False)])
def test_at_the_days_largest_loss_only_what_reduces_passes(price: str, passes: bool) -> None:  # noqa: FBT001 - a table
    # 100 at 100: at 90.01 the day has lost 999, at 90 it has lost 1,000.
    state = fold(holding("100"), a_bar(price, end="2024-01-02T15:01"))
    under = limits(max_daily_loss_usd="1000")
    lost = 10000 - 100 * Decimal(price)
    found = asked(state, an("1"), under=under)
    assert figures(found["daily_loss"]) == (passes, lost, 1000, 1000 - lost)
    assert failed(found) == ([] if passes else ["daily_loss"])
    assert failed(asked(state, an("-100"), under=under)) == []


def test_a_fee_that_is_not_reported_yet_counts_as_lost_at_its_most() -> None:
    # 100 at 100: the fee may be 1 % of 10,000.
    state = books(*an_order("held", "100"), a_fill("100", order_id="held"))
    assert failed(asked(state, an("1"), under=limits(max_daily_loss_usd="100"))) == ["daily_loss"]
    assert failed(asked(state, an("1"), under=limits(max_daily_loss_usd="100.01"))) == []
    assert failed(asked(state, an("1"), under=limits(max_drawdown="0.01"))) == ["drawdown"]
    assert failed(asked(state, an("1"), under=limits(max_drawdown="0.0101"))) == []


@pytest.mark.parametrize(("price", "passes"), [("80.01", True), ("80", False), ("70", False)])
def test_at_the_largest_drawdown_only_what_reduces_passes(price: str, passes: bool) -> None:  # noqa: FBT001 - a table
    # All of 10,000 in 100 shares: at 80 a fifth is gone.
    state = fold(holding("100"), a_bar(price, end="2024-01-02T15:01"))
    under = limits(max_drawdown="0.2")
    found = asked(state, an("1"), under=under)
    lost = 1 - Decimal(price) / 100
    assert figures(found["drawdown"]) == (passes, lost, Decimal("0.2"), Decimal("0.2") - lost)
    assert failed(found) == ([] if passes else ["drawdown"])
    assert failed(asked(state, an("-100"), under=under)) == []


def test_a_gain_is_no_loss() -> None:
    state = fold(holding("100"), a_bar("150", end="2024-01-02T15:01"))
    checks = asked(state, an("1"), under=limits(max_daily_loss_usd="1", max_drawdown="0.1"))
    assert (checks["daily_loss"].value, checks["drawdown"].value) == (0, 0)


# Whose limits.

SIX = [name for name in AccountLimits.__struct_fields__ if name.startswith("max_")]


@pytest.mark.parametrize("name", SIX)
def test_a_limit_that_is_not_set_refuses_and_says_which_one(name: str) -> None:
    checks = asked(books(), an(), under=limits(**{name: None}))
    assert [checks[each].note for each in failed(checks)] == [f"no limit is set: {name}"]
    assert len(SIX) == 6


@pytest.mark.parametrize("strictest", ["account", "symbol", "strategy"])
@pytest.mark.parametrize("name", ["order_shares", "position_shares"])
def test_of_account_symbol_and_strategy_the_smallest_limit_counts(
    name: str, strictest: str
) -> None:
    sizes = {"account": 200, "symbol": 300, "strategy": 400} | {strictest: 100}
    account, symbol, strategy = ({f"max_{name}": Decimal(size)} for size in sizes.values())
    under = Limits(
        msgspec.structs.replace(WIDE.account, **account),
        {A: OrderLimits(**symbol)},
        {"trend": OrderLimits(**strategy)},
    )
    assert failed(asked(books(), an("100"), under=under)) == []
    refusing = "strategy_position" if (name, strictest) == ("position_shares", "strategy") else name
    assert failed(asked(books(), an("101"), under=under)) == [refusing]
    # To another symbol, or strategy, those limits are nothing.
    other = an("101", symbol=Symbol("B"), strategy="weights")
    others = failed(asked(books(a_bar("100", symbol="B")), other, under=under))
    assert others == ([name] if strictest == "account" else [])
