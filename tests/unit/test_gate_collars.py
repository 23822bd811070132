"""How far an order's own prices may go beyond the last price, and the close before: where it costs.

Held against 100, and 10 % of it.
"""

from decimal import Decimal

import pytest

from events import OrderIntended, OrderType
from projections import State
from tests.builders import a_bar, fold, utc
from tests.gate_desk import an, asked, books, figures, rules
from tests.unit.test_gate_prices import minutes

LIMIT, STOP, STOP_LIMIT = OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT
NEAR = rules(prices={"max_distance_last": "0.10", "max_distance_close": "0.30"})


def at(quantity: str, stop: str = "", limit: str = "") -> OrderIntended:
    """Return an order for so many shares with those prices; its type is the one that has them."""
    kind = STOP_LIMIT if stop and limit else STOP if stop else LIMIT
    return an(
        quantity,
        order_type=kind,
        stop_price=Decimal(stop) if stop else None,
        limit_price=Decimal(limit) if limit else None,
    )


@pytest.mark.parametrize(
    ("order", "beyond"),
    [
        # A limit: a buyer pays no more, a seller takes no less.
        (at("1", limit="110"), "0.10"),
        (at("1", limit="110.01"), "0.1001"),
        (at("-1", limit="90"), "0.10"),
        (at("-1", limit="89.99"), "0.1001"),
        # A stop that the market has passed already is a market order at once.
        (at("1", stop="90"), "0.10"),
        (at("1", stop="89.99"), "0.1001"),
        (at("-1", stop="110"), "0.10"),
        (at("-1", stop="110.01"), "0.1001"),
        # Behind a stop the limit counts from there, behind one that is passed from the market.
        (at("1", stop="125", limit="137.50"), "0.10"),
        (at("1", stop="125", limit="138.75"), "0.11"),
        (at("-1", stop="80", limit="72"), "0.10"),
        (at("-1", stop="80", limit="71.20"), "0.11"),
        (at("1", stop="95", limit="111"), "0.11"),
        (at("-1", stop="105", limit="89"), "0.11"),
        # The farther one of both counts.
        (at("1", stop="85", limit="112"), "0.15"),
        (at("-1", stop="112", limit="85"), "0.15"),
    ],
)
def test_what_costs_too_much_is_refused(order: OrderIntended, beyond: str) -> None:
    limit, value = Decimal("0.10"), Decimal(beyond)
    found = asked(books(), order, under=NEAR)["collar_last"]
    assert figures(found) == (value <= limit, value, limit, limit - value)


@pytest.mark.parametrize(
    "order",
    [
        at("-1", stop="85"),  # Protects what is held, 15 % below.
        at("1", stop="115"),  # The same of a short.
        at("-1", stop="85", limit="85"),
        at("-1", limit="112"),  # Takes the profit, 12 % above.
        at("-1", limit="1000"),
        at("1", limit="50"),
    ],
)
def test_what_waits_for_a_better_price_or_protects_may_wait_far_away(order: OrderIntended) -> None:
    found = asked(two_sessions(), order, under=NEAR)
    for name in ("collar_last", "collar_close"):
        assert figures(found[name])[:2] == (True, 0)


@pytest.mark.parametrize(
    ("order", "beyond"),
    [
        (at("1", limit="131"), "0.31"),
        (at("-1", limit="69"), "0.31"),
        (at("1", stop="69"), "0.31"),
        (at("-1", stop="131"), "0.31"),
        (at("-1", stop="90", limit="62.10"), "0.31"),
    ],
)
def test_the_close_before_is_asked_about_in_the_same_way(order: OrderIntended, beyond: str) -> None:
    check = asked(two_sessions(), order, under=NEAR)["collar_close"]
    assert (check.passed, check.value) == (False, Decimal(beyond))


def two_sessions() -> State:
    """Return books of 3 January: A closed the day before at 100 and stands there now."""
    return fold(minutes(["90", "100"]), a_bar("100", end="2024-01-03T14:31"))


def test_a_market_order_has_no_price_of_its_own() -> None:
    market = asked(books(), an("1"), under=NEAR)
    assert (market["collar_last"].value, market["collar_close"].value) == (None, None)


@pytest.mark.parametrize(
    ("today", "passes"),
    [
        # The session before closed at 100; the limit is at 131.
        (["125"], False),
        (["125", "125"], True),
        (["125", "126", "127"], True),
        (["90", "125"], False),
        # The bar before agrees by the last hundredth: 125 is 30 % above it; one more does not.
        (["96.1539", "125"], True),
        (["96.15", "125"], False),
    ],
)
def test_far_from_the_last_close_it_takes_two_bars_that_agree(
    today: list[str],
    passes: bool,  # noqa: FBT001 - a table
) -> None:
    state = minutes(["90", "100"])
    for number, close in enumerate(today, 31):
        fold(state, a_bar(close, end=f"2024-01-03T14:{number}"))
    order = an("1", order_type=LIMIT, limit_price=Decimal(131))
    under = rules(prices={"outlier_threshold": "0.30", "max_distance_close": "0.30"})
    check = asked(state, order, now=utc("2024-01-03T14:40"), under=under)["collar_close"]
    assert (check.passed, check.value) == (passes, Decimal("0.31"))
    assert check.note == ("the move is confirmed" if passes else "")


def test_in_the_first_session_there_is_no_close_to_be_far_from() -> None:
    order = an("1", order_type=LIMIT, limit_price=Decimal(100))
    check = asked(books(), order, under=NEAR)["collar_close"]
    assert (check.passed, check.note) == (True, "no session before this one is known")
