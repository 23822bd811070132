"""How often the gate lets orders through, and at which cost. A share costs 100 dollars."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from daemon.gate.limits import OrderLimits
from events import CancelSending, ClientOrderId, HoldLevel, Symbol, SymbolTerms
from projections import State
from tests.builders import (
    a_bar,
    a_calendar,
    a_config,
    a_deposit,
    a_fill,
    a_session,
    an_intent,
    an_order,
    fold,
    state_after,
    utc,
)
from tests.gate_desk import (
    WIDE,
    A,
    a_hold,
    an,
    asked,
    books,
    failed,
    figures,
    holding,
    limits,
    rules,
)

B = Symbol("B")


def at(second: int) -> str:
    return f"{utc('2024-01-02T15:00') + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}"


def after_orders(*seconds: int, now: int = 60) -> State:
    """Return books with an order sent so many seconds past 15:00, at `now` seconds past it."""
    state = books()
    for number, second in enumerate(seconds):
        fold(state, *an_order(f"r{number}", "1"), at=at(second))
    return fold(state, a_deposit("1", "later"), at=at(now))


@pytest.mark.parametrize(
    ("seconds", "count"), [((), 1), ((1, 30, 60), 4), ((0, 1, 30), 3), ((0, 0, 0), 1), ((60,), 2)]
)
def test_orders_in_the_window_and_this_one_are_counted(
    seconds: tuple[int, ...], count: int
) -> None:
    # At 15:01:00 the window of 60 s has what came after 15:00:00.
    state = after_orders(*seconds)
    for name in ("max_orders", "max_messages"):
        check = {"max_orders": "order_rate", "max_messages": "message_rate"}[name]
        enough = asked(state, an("1"), under=rules(rates={name: count}))
        assert failed(enough) == []
        assert figures(enough[check]) == (True, count, count, 0)
        if count > 1:
            less = asked(state, an("1"), under=rules(rates={name: count - 1}))
            assert failed(less) == [check]


def test_the_window_is_as_long_as_configured_and_a_clock_that_goes_back_makes_no_room() -> None:
    state = after_orders(0, 30, now=60)
    wider = rules(rates={"window_s": 61, "max_orders": 2})
    assert failed(asked(state, an("1"), under=wider)) == ["order_rate"]
    state = after_orders(90, 10, now=91)
    assert asked(state, an("1"))["order_rate"].value == 3


def test_cancels_are_messages_and_a_batch_counts_each_of_its_orders() -> None:
    state = after_orders(30)
    fold(state, CancelSending(ClientOrderId("r0"), "so"), at=at(60))
    checks = asked(state, an("1"), an("1"))
    assert (checks["order_rate"].value, checks["message_rate"].value) == (3, 4)


def test_a_strategy_that_never_stops_asking_is_stopped_refused_or_not() -> None:
    state = books()
    for number in range(5):
        fold(state, an_intent(f"n{number}", "1"), at=at(number))
    for most, passes in ((5, True), (4, False)):
        checks = asked(state, an("1"), under=rules(rates={"max_intents": most}))
        assert figures(checks["runaway"]) == (passes, 5, most, most - 5)
        assert failed(checks) == ([] if passes else ["runaway"])
        other = asked(state, an("1", strategy="weights"), under=rules(rates={"max_intents": most}))
        assert figures(other["runaway"]) == (True, 0, most, most)


def test_orders_of_a_day_are_counted_for_account_symbol_and_strategy() -> None:
    state = books(a_bar(symbol="B"))
    for number, (symbol, strategy) in enumerate([("A", "trend"), ("A", "weights"), ("B", "trend")]):
        fold(state, *an_order(f"d{number}", "1", symbol=symbol, strategy=strategy))
    two, three = OrderLimits(max_orders_a_day=2), OrderLimits(max_orders_a_day=3)
    assert figures(asked(state, an("1"))["orders_a_day"])[1] == 4
    for name, tables, value in (
        ("account", {"account": msgspec.structs.replace(WIDE.account, max_orders_a_day=3)}, 4),
        ("symbol", {"symbols": {A: two}}, 3),
        ("strategy", {"strategies": {"trend": two}}, 3),
    ):
        under = msgspec.structs.replace(WIDE, **tables)
        checks = asked(state, an("1"), under=under)
        assert failed(checks) == ["orders_a_day"], name
        assert checks["orders_a_day"].value == value
    for tables in (
        {"symbols": {A: three}},
        {"strategies": {"trend": three}},
        {"symbols": {B: two}},
    ):
        assert failed(asked(state, an("1"), under=msgspec.structs.replace(WIDE, **tables))) == []
    # A limit with more room than the account's own is not the one that counts.
    account = msgspec.structs.replace(WIDE.account, max_orders_a_day=4)
    nine = OrderLimits(max_orders_a_day=9)
    loose = msgspec.structs.replace(
        WIDE, account=account, symbols={A: nine}, strategies={"trend": nine}
    )
    assert figures(asked(state, an("1"), under=loose)["orders_a_day"]) == (True, 4, 4, 0)
    # One order of B today: its limit of 2 has room for one more, the account's 5 for two.
    account = msgspec.structs.replace(WIDE.account, max_orders_a_day=5)
    for tables in ({"symbols": {B: two}}, {"strategies": {"weights": two}}):
        least = msgspec.structs.replace(WIDE, account=account, **tables)
        of_b = an("1", symbol=B, strategy="weights")
        assert figures(asked(state, of_b, under=least)["orders_a_day"]) == (True, 2, 2, 0)
    # A batch's earlier orders count, too.
    both = msgspec.structs.replace(WIDE, symbols={A: three})
    assert failed(asked(state, an("1"), an("1"), under=both)) == ["orders_a_day"]
    # Of two that are set the one with less room counts.
    tight = msgspec.structs.replace(WIDE, symbols={A: three}, strategies={"trend": two})
    assert asked(state, an("1"), under=tight)["orders_a_day"].limit == 2
    tight = msgspec.structs.replace(WIDE, symbols={A: two}, strategies={"trend": three})
    assert asked(state, an("1"), under=tight)["orders_a_day"].limit == 2


def test_of_two_limits_of_a_day_with_the_same_room_the_first_is_shown() -> None:
    # Two of the day's orders are in A and one is of trend: of 4, 3 and 2 each has room for one.
    state = books(a_bar(symbol="B"))
    for number, (symbol, strategy) in enumerate([("A", "trend"), ("A", "other"), ("B", "other")]):
        fold(state, *an_order(f"d{number}", "1", symbol=symbol, strategy=strategy))
    account = msgspec.structs.replace(WIDE.account, max_orders_a_day=4)
    of_a, of_trend = OrderLimits(max_orders_a_day=3), OrderLimits(max_orders_a_day=2)
    for tables in ({"symbols": {A: of_a}}, {"strategies": {"trend": of_trend}}):
        under = msgspec.structs.replace(WIDE, account=account, **tables)
        assert figures(asked(state, an("1"), under=under)["orders_a_day"]) == (True, 4, 4, 0)


def test_a_new_day_starts_from_nothing_at_the_close() -> None:
    days = a_calendar(a_session("2024-01-02"), a_session("2024-01-03"))
    state = books(days)
    fold(state, *an_order("d", "1"), at="2024-01-02T21:00")
    assert asked(state, an("1"))["orders_a_day"].value == 2
    fold(state, a_deposit("1", "later"), at="2024-01-02T21:00:01")
    assert asked(state, an("1"))["orders_a_day"].value == 1


def test_a_strategy_turns_a_symbol_over_only_so_often_and_can_always_get_out() -> None:
    state = fold(holding("10"), *an_order("t1", "1"), a_bar(symbol="B"))
    under = rules(turnover={"max_a_day": 2})
    checks = asked(state, an("1"), under=under)
    assert figures(checks["turnover"]) == (False, 3, 2, -1)
    assert failed(checks) == ["turnover"]
    out = asked(state, an("-10"), under=under)
    assert failed(out) == []
    assert out["turnover"].note == "reduces the position"
    assert failed(asked(state, an("1", strategy="weights"), under=under)) == []
    assert failed(asked(state, an("1", symbol=B), under=under)) == []
    # Earlier in the batch counts where it is alike.
    alike, other = an("1", symbol=B), an("1", symbol=B, strategy="weights")
    assert asked(state, alike, alike, under=under)["turnover"].value == 2
    assert asked(state, other, alike, under=under)["turnover"].value == 1
    assert asked(state, an("1"), alike, under=under)["turnover"].value == 1


# What an order is expected to gain.


@pytest.mark.parametrize(
    ("quantity", "least"),
    [
        # Twice, there and back: a dollar and 5 basis points of 1,000. Twice that is the least.
        ("10", "6"),
        ("-10", "6"),
        # 1,000 shares: 5 dollars at half a cent each, and 50 of 100,000.
        ("1000", "220"),
    ],
)
def test_a_stated_edge_is_worth_twice_its_costs(quantity: str, least: str) -> None:
    needed = Decimal(least)
    for more, passes in (("0", True), ("-0.01", False)):
        edge = needed + Decimal(more)
        checks = asked(books(), an(quantity, expected_edge_usd=edge))
        assert figures(checks["edge_usd"]) == (passes, needed, edge, edge - needed)
        assert failed(checks) == ([] if passes else ["edge_usd"])


def test_an_edge_is_not_needed_to_get_out_and_one_that_is_not_stated_not_at_all() -> None:
    worthless = Decimal(0)
    assert failed(asked(holding("10"), an("-10", expected_edge_usd=worthless))) == []
    assert asked(books(), an("10"))["edge_usd"].note == "the strategy states none"
    for edge in ("NaN", "sNaN", "Infinity", "-Infinity"):
        assert "edge_usd" in failed(asked(books(), an("10", expected_edge_usd=Decimal(edge))))
    unpriced = state_after(a_config("A"), a_calendar(a_session("2024-01-02")))
    assert not asked(unpriced, an("10", expected_edge_usd=Decimal(9)))["edge_usd"].passed


# Day trades: what was opened today may have to be closed today.

DAYS = [f"2024-01-{day:02}" for day in (2, 3, 4, 5, 8, 9, 10)]


def trading(*orders: tuple[str, str, str]) -> State:
    """Return books after fills: the symbol, how many, and when."""
    state = state_after(
        a_config("A", "B", "C"),
        a_calendar(*(a_session(day) for day in DAYS)),
        a_deposit("100000"),
    )
    for symbol in "ABC":
        fold(state, a_bar(symbol=symbol, end="2024-01-02T14:31"))
    for number, (symbol, quantity, when) in enumerate(orders):
        order_id = f"x{number}"
        fold(
            state,
            *an_order(order_id, quantity, symbol=symbol),
            a_fill(
                quantity,
                order_id=order_id,
                execution_id=order_id,
                symbol=symbol,
                executed_at=f"2024-01-{when}",
            ),
            at=f"2024-01-{when}",
        )
    return state


ROUND_TRIP = [("A", "10", "02T15:00"), ("A", "-10", "02T15:10")]


@pytest.mark.parametrize(
    ("fills", "counted"),
    [
        ([], 1),
        (ROUND_TRIP, 2),
        # Twice in and out are two; out in two parts is one.
        ([*ROUND_TRIP, ("A", "5", "02T15:20"), ("A", "-5", "02T15:30")], 3),
        ([ROUND_TRIP[0], ("A", "-5", "02T15:10"), ("A", "-5", "02T15:20")], 2),
        # Open still: it may have to be closed today.
        ([("B", "10", "02T15:00")], 2),
        ([("A", "10", "02T15:00")], 1),
        # Through zero: one trade is done, and another one may come.
        ([("B", "10", "02T15:00"), ("B", "-20", "02T15:10")], 3),
        # Opened yesterday, closed today, is none.
        ([("B", "10", "02T15:00"), ("B", "-10", "03T15:00")], 1),
        # Five sessions ago it is over: 2, 3, 4, 5 and 8 January are five, 9 is the sixth.
        ([*ROUND_TRIP, ("C", "1", "08T15:00")], 3),
        ([*ROUND_TRIP, ("C", "1", "09T15:00")], 2),
    ],
)
def test_day_trades_of_five_sessions_are_counted(
    fills: list[tuple[str, str, str]], counted: int
) -> None:
    state = trading(*fills)
    for most, passes in ((counted, True), (counted - 1 or 99, counted == 1)):
        checks = asked(state, an("10"), under=limits(max_day_trades=most))
        assert checks["day_trades"].value == counted
        assert checks["day_trades"].passed is passes


def test_getting_out_never_waits_and_what_opens_elsewhere_counts() -> None:
    under = limits(max_day_trades=1)
    state = trading(("A", "10", "02T15:00"))
    assert asked(state, an("-10"), under=under)["day_trades"].passed
    assert asked(state, an("1"), under=under)["day_trades"].passed
    assert not asked(state, an("1", symbol=B), under=under)["day_trades"].passed
    # An order that is on its way to open counts as opened; one that closes does not.
    fold(state, *an_order("on its way", "1", symbol="C"), *an_order("out", "-5"))
    assert asked(state, an("1"), under=under)["day_trades"].value == 2
    fold(state, *an_order("more", "5", symbol="B"))
    assert asked(state, an("1"), under=under)["day_trades"].value == 3
    batch = (an("1", symbol=B), an("1"))
    assert asked(state, *batch, under=under)["day_trades"].value == 3


def test_an_order_that_closes_what_was_held_overnight_opens_nothing() -> None:
    state = trading(("A", "10", "02T15:00"), ("B", "1", "03T15:00"))
    under = limits(max_day_trades=9)
    # B was opened today, and C would be.
    assert asked(state, an("1", symbol=Symbol("C")), under=under)["day_trades"].value == 2
    fold(state, *an_order("out", "-5"), at="2024-01-03T15:00")
    assert asked(state, an("1", symbol=Symbol("C")), under=under)["day_trades"].value == 2
    assert asked(state, an("1"), under=under)["day_trades"].value == 2


def test_what_has_no_size_opens_nothing() -> None:
    # A was bought the day before; B, today, is the one that counts.
    state = trading(("A", "10", "02T15:00"), ("B", "1", "03T15:00"))
    for size, counted in (("0", 1), ("-1", 1), ("1", 2)):
        assert asked(state, an(size), under=limits(max_day_trades=9))["day_trades"].value == counted


def test_day_trades_are_counted_only_where_they_are_limited_and_where_they_exist() -> None:
    assert asked(books(), an("1"))["day_trades"].note == "they are not counted"
    state = state_after(a_config("A"), a_deposit("1000"))
    state.symbols = {A: SymbolTerms("24/7", True, False, True)}  # noqa: FBT003 - its hours
    fold(state, a_bar(), *an_order("x", "1"), a_fill("1", order_id="x"))
    assert state.activity.opened == {}
    assert asked(state, an("1"), under=limits(max_day_trades=1))["day_trades"].value is None


def test_without_a_calendar_all_day_trades_that_are_known_count() -> None:
    state = trading(*ROUND_TRIP)
    fold(state, a_calendar(), at="2024-01-10T15:00")
    assert asked(state, an("1"), under=limits(max_day_trades=9))["day_trades"].value == 2
    state.activity.day_trades.insert(0, 0)  # Of a day that was never named.
    assert asked(state, an("1"), under=limits(max_day_trades=9))["day_trades"].value == 3


# An operator's flatten: it is meant, and it only reduces.

TIGHT = rules(
    account={"max_order_shares": "1", "max_order_usd": "1", "max_orders_a_day": 1},
    rates={"window_s": 600, "max_orders": 1, "max_messages": 1, "max_intents": 1},
    turnover={"max_a_day": 1},
    prices={"max_data_age_s": 60, "outlier_threshold": "0.1"},
)
LIFTED = ["data_age_s", "order_rate", "message_rate", "runaway", "orders_a_day"]
LIFTED += ["order_shares", "order_usd"]


def to_flatten() -> State:
    """Return books with 10 of A held, busy, and with a price that jumped two minutes ago."""
    state = holding("10")
    for number in range(6):
        order_id, size = f"f{number}", "1" if number % 2 else "-1"
        fill = a_fill(size, order_id=order_id, execution_id=order_id)
        fold(state, *an_order(order_id, size), fill, at="2024-01-02T15:00")
    fold(state, a_bar("50", end="2024-01-02T15:01"))
    return fold(state, a_deposit("1", "later"), at="2024-01-02T15:02:01")


def test_a_flatten_is_stopped_by_no_rate_no_order_size_and_no_doubt_about_the_price() -> None:
    state = to_flatten()
    checks = asked(state, an("-10"), under=TIGHT)
    assert set(LIFTED) <= set(failed(checks))
    flatten = asked(state, an("-10", closing=True), under=TIGHT)
    assert failed(flatten) == []
    notes = {name for name, check in flatten.items() if "flatten" in check.note}
    assert set(LIFTED) <= notes


def test_what_does_not_only_reduce_is_no_flatten_whatever_it_says() -> None:
    for size in ("-11", "1"):
        checks = asked(to_flatten(), an(size, closing=True), under=TIGHT)
        assert {"outlier", "orders_a_day", "runaway"} <= set(failed(checks))
    held = fold(holding("10"), a_hold(HoldLevel.HALT))
    assert failed(asked(held, an("-11", closing=True))) == ["holds"]
    assert failed(asked(held, an("-10", closing=True))) == []
    assert asked(held, an("-10", closing=True))["holds"].note.endswith("flatten passes")


def test_a_flatten_passes_a_limit_that_is_not_set_and_what_grows_does_not() -> None:
    for table, name in (("rates", "max_orders"), ("prices", "outlier_threshold")):
        under = rules(**{table: {name: None}})
        assert failed(asked(holding("10"), an("-10", closing=True), under=under)) == []
        assert failed(asked(holding("10"), an("-10"), under=under)) != []
        assert failed(asked(holding("10"), an("10", closing=True), under=under)) != []
