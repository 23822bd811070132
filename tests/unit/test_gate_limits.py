"""What the gate holds against limits. A share costs 100 dollars, the account has 10,000."""

from decimal import Decimal
from types import NoneType
from typing import get_args

import msgspec
import pytest

from daemon.gate import Limits
from daemon.gate.limits import (
    MAY_BE_LEFT_OUT,
    AccountLimits,
    AccountType,
    MarginLimits,
    OrderLimits,
    OrderRules,
    PriceLimits,
    RateLimits,
    TurnoverLimits,
    not_set,
)
from events import (
    CancelSending,
    ClientOrderId,
    OrderType,
    OrderUnknown,
    OrderWorking,
    Symbol,
    TimeInForce,
)
from events.codec import JournalEvent
from tests.builders import (
    a_bar,
    a_calendar,
    a_fill,
    a_session,
    a_split,
    an_order,
    fold,
    utc,
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
    rules,
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


def test_limits_in_shares_follow_a_reverse_split() -> None:
    # 50 old shares are 5 new ones at 1,000 dollars.
    state = books(a_split("1:10", "0", "0"))
    for name in ("order_shares", "position_shares"):
        under = limits(**{f"max_{name}": "50"})
        assert failed(asked(state, an("5"), under=under)) == []
        assert failed(asked(state, an("6"), under=under)) == [name]


def test_a_limit_of_one_table_alone_counts_and_a_strategys_position_is_its_own() -> None:
    tight = OrderLimits(max_order_shares=Decimal(5), max_position_shares=Decimal(5))
    of_symbol = msgspec.structs.replace(WIDE, symbols={A: tight})
    assert failed(asked(books(), an("6"), under=of_symbol)) == ["order_shares", "position_shares"]
    of_strategy = msgspec.structs.replace(WIDE, strategies={"trend": tight})
    refused = ["order_shares", "strategy_position"]
    assert failed(asked(books(), an("6"), under=of_strategy)) == refused


def test_of_a_strategys_two_position_limits_the_one_that_fails_is_shown() -> None:
    # 60 shares of 100 dollars: within 100 shares, beyond 5,000 dollars; and the other way round.
    for shares, usd, value in (("100", "5000", 6000), ("50", "9000", 60)):
        own = OrderLimits(max_position_shares=Decimal(shares), max_position_usd=Decimal(usd))
        under = msgspec.structs.replace(WIDE, strategies={"trend": own})
        check = asked(books(), an("60"), under=under)["strategy_position"]
        assert (check.passed, check.value) == (False, value)


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

BY_TABLE = {
    "account": "max_order_shares max_order_usd max_position_shares max_position_usd "
    "max_daily_loss_usd max_drawdown max_orders_a_day emergency_leverage",
    "prices": "outlier_threshold max_distance_last max_distance_close",
    "rates": "max_orders max_messages max_intents",
    "turnover": "max_a_day min_ratio cost_bps",
    "margin": "cushion max_batch_share",
}
NEEDED = {name: table for table, names in BY_TABLE.items() for name in names.split()}
"""The limits that one check asks for, with their table."""


@pytest.mark.parametrize("name", NEEDED)
def test_a_limit_that_is_not_set_refuses_and_says_which_one(name: str) -> None:
    checks = asked(books(), an(), under=rules(**{NEEDED[name]: {name: None}}))
    (refusing,) = failed(checks)
    assert checks[refusing].note.split(": ")[0] == "no limit is set"
    assert checks[refusing].note.endswith(name)


@pytest.mark.parametrize(
    ("table", "name", "refusing"),
    [
        ("prices", "max_data_age_s", ["data_age_s", "equity_known"]),
        ("rates", "window_s", ["order_rate", "message_rate", "runaway"]),
        ("margin", "initial_share", ["margin_usd", "batch_margin_usd"]),
        ("account", "max_leverage", ["gross_usd", "net_usd", "leverage"]),
    ],
)
def test_a_limit_that_several_checks_ask_for_refuses_in_each(
    table: str, name: str, refusing: list[str]
) -> None:
    checks = asked(books(), an(), under=rules(**{table: {name: None}}))
    assert failed(checks) == refusing


@pytest.mark.parametrize(
    ("tif", "name"), [(TimeInForce.OPG, "open_cutoff_s"), (TimeInForce.CLS, "close_cutoff_s")]
)
def test_without_a_cut_off_no_auction_order_passes(tif: TimeInForce, name: str) -> None:
    checks = asked(
        books(a_calendar(a_session("2024-01-02"), a_session("2024-01-03"))),
        an(time_in_force=tif),
        under=rules(orders={name: None}),
    )
    assert failed(checks) == ["auction_cutoff"]
    assert checks["auction_cutoff"].note == f"no limit is set: orders.{name}"


def test_no_limit_that_could_be_left_out_is_missing_here() -> None:
    tables = {name: getattr(Limits(), name) for name in Limits.__struct_fields__}
    optional = {
        field.name
        for table in tables.values()
        if isinstance(table, msgspec.Struct)
        for field in msgspec.structs.fields(table)
        if NoneType in get_args(field.type) and field.name != "allow_short"
    }
    tested = {"max_data_age_s", "window_s", "initial_share", "max_leverage"}
    tested |= {"open_cutoff_s", "close_cutoff_s", "ask"}
    assert optional == set(NEEDED) | MAY_BE_LEFT_OUT | tested


SHARES_AND_DOLLARS = [
    name
    for name in NEEDED
    if name.endswith(("_usd", "_shares", "threshold", "drawdown", "leverage", "cushion", "share"))
    or name.startswith("max_distance")
]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", SHARES_AND_DOLLARS)
def test_a_limit_that_is_no_number_refuses(name: str, number: str) -> None:
    # Two sessions, so that there is a bar, and a close, to hold the last price against.
    days = [a_session("2024-01-02"), a_session("2024-01-03")]
    state = books(a_calendar(*days), a_bar("100", end="2024-01-03T15:00"))
    order = an(order_type=OrderType.LIMIT, limit_price=Decimal(100))
    now = utc("2024-01-03T15:00")
    assert failed(asked(state, order, now=now)) == []
    checks = asked(state, order, now=now, under=rules(**{NEEDED[name]: {name: number}}))
    assert failed(checks) != []


@pytest.mark.parametrize("strictest", ["account", "symbol", "strategy"])
@pytest.mark.parametrize("name", ["order_shares", "position_shares"])
def test_of_account_symbol_and_strategy_the_smallest_limit_counts(
    name: str, strictest: str
) -> None:
    sizes = {"account": 200, "symbol": 300, "strategy": 400} | {strictest: 100}
    account, symbol, strategy = (
        msgspec.structs.replace(table, **{f"max_{name}": Decimal(size)})
        for table, size in zip(
            (WIDE.account, OrderLimits(), OrderLimits()), sizes.values(), strict=True
        )
    )
    under = msgspec.structs.replace(
        WIDE, account=account, symbols={A: symbol}, strategies={"trend": strategy}
    )
    assert failed(asked(books(), an("100"), under=under)) == []
    refusing = "strategy_position" if (name, strictest) == ("position_shares", "strategy") else name
    assert failed(asked(books(), an("101"), under=under)) == [refusing]
    # To another symbol, or strategy, those limits are nothing.
    other = an("101", symbol=Symbol("B"), strategy="weights")
    others = failed(asked(books(a_bar("100", symbol="B")), other, under=under))
    assert others == ([name] if strictest == "account" else [])


def test_the_defaults_are_those_of_the_contract_and_what_may_be_lost_has_none() -> None:
    assert msgspec.to_builtins(Limits(), builtin_types=(Decimal,)) == {
        "account": {
            "max_order_shares": None,
            "max_order_usd": None,
            "max_position_shares": None,
            "max_position_usd": None,
            "max_orders_a_day": 500,
            "allow_short": False,
            "max_daily_loss_usd": None,
            "daily_loss_lifts": "next session",
            "max_drawdown": None,
            "max_gross_usd": None,
            "max_net_usd": None,
            "max_leverage": Decimal("1.4"),
            "emergency_leverage": Decimal("3.0"),
            "max_day_trades": None,
            "allow_symbols": (),
            "deny_symbols": (),
        },
        "symbols": {},
        "strategies": {},
        "prices": {
            "max_data_age_s": 30 * 60,
            "outlier_threshold": Decimal("0.30"),
            "max_distance_last": Decimal("0.10"),
            "max_distance_close": Decimal("0.30"),
        },
        "orders": {
            "open_cutoff_s": 120,
            "close_cutoff_s": 600,
            "allow_opposite": False,
            "require_shortable_data": True,
        },
        "rates": {"window_s": 60, "max_orders": 60, "max_messages": 120, "max_intents": 100},
        "trips": {
            "max_rate_refusals": 20,
            "max_broker_errors": 5,
            "broker_quiet_s": 5 * 60,
            "broker_trips_max": 3,
        },
        "turnover": {"max_a_day": 10, "min_ratio": Decimal("2.0"), "cost_bps": Decimal(5)},
        "margin": {
            "account_type": "margin",
            "initial_share": Decimal("0.50"),
            "cushion": Decimal("0.20"),
            "max_batch_share": Decimal("0.80"),
            "alert_share": Decimal("0.60"),
            "ask": None,
            "answer_deadline_s": 10,
        },
    }
    assert Limits(margin=MarginLimits(account_type=AccountType("cash"))) != Limits()


TABLES = [OrderLimits, AccountLimits, PriceLimits, OrderRules, RateLimits]


@pytest.mark.parametrize("kind", [*TABLES, TurnoverLimits, MarginLimits, Limits])
def test_limits_refuse_change_and_fields_nobody_knows(kind: type[msgspec.Struct]) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"colour": 1}, kind)
    name = kind.__struct_fields__[0]
    with pytest.raises(AttributeError):
        setattr(kind(), name, 1)


def test_what_is_not_set_and_without_which_nothing_passes_is_named() -> None:
    needed = ["max_order_shares", "max_order_usd", "max_position_shares", "max_position_usd"]
    assert not_set(Limits()) == [*needed, "max_daily_loss_usd", "max_drawdown"]
    assert not_set(WIDE) == []
