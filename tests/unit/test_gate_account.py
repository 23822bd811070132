"""What the whole account may be exposed to and pay for. A costs 100, B 50; equity is 10,000."""

from decimal import Decimal

import pytest

from daemon.gate.limits import AccountType
from events import (
    ClientOrderId,
    OrderCancelled,
    OrderType,
    OrderUnknown,
    Symbol,
)
from events.codec import JournalEvent
from projections import State
from tests.builders import (
    a_bar,
    a_calendar,
    a_commission,
    a_config,
    a_deposit,
    a_fill,
    a_session,
    a_withdrawal,
    an_order,
    fold,
    state_after,
    utc,
)
from tests.gate_desk import an, asked, books, failed, figures, holding, limits, rules

B = Symbol("B")
NEW = ClientOrderId("new")


def two_symbols(*events: JournalEvent) -> State:
    """Return books with 40 of A held, 20 of B short, 10 more of each on order in each direction."""
    state = fold(holding("40"), a_bar("50", symbol="B"))
    fold(state, *an_order("b", "-20", symbol="B"), *free_fill("b", "-20", "50", "B"))
    for symbol in "AB":
        fold(state, *an_order(f"{symbol}+", "10", symbol=symbol))
        fold(state, *an_order(f"{symbol}-", "-10", symbol=symbol))
    return fold(state, *events)


def free_fill(name: str, quantity: str, price: str, symbol: str) -> tuple[JournalEvent, ...]:
    return (
        a_fill(quantity, price, order_id=name, execution_id=name, symbol=symbol),
        a_commission("0", order_id=name, execution_id=name),
    )


# Exposure: gross adds the worst of each symbol, net takes one direction in all.


@pytest.mark.parametrize(
    ("order", "gross", "net"),
    [
        # A: 40 + 10 + 1 long at 100. B: 20 + 10 short at 50. Up: 5,100 - 500; down: 3,000 - 1,500.
        (an("1"), 5100 + 1500, 4600),
        # A could still be 50 long; a sale makes no room. Up: 5,000 - 500.
        (an("-1"), 5000 + 1500, 4500),
        (an("-1", symbol=B), 5000 + 1550, 4500),
        (an("300", symbol=B), 5000 + 14500, 19500),
        (an("-400", symbol=B), 5000 + 21500, 18500),
        # At its own price, where that is higher: all of A is reckoned at 120.
        (an("1", order_type=OrderType.LIMIT, limit_price=Decimal(120)), 6120 + 1500, 5620),
        (an("1", order_type=OrderType.STOP, stop_price=Decimal(120)), 6120 + 1500, 5620),
        (an("1", order_type=OrderType.LIMIT, limit_price=Decimal(80)), 5100 + 1500, 4600),
    ],
)
def test_exposure_is_the_worst_of_all_that_may_fill(order: object, gross: int, net: int) -> None:
    checks = asked(two_symbols(), order)  # type: ignore[arg-type] # an intent
    assert (checks["gross_usd"].value, checks["net_usd"].value) == (gross, net)
    assert checks["leverage"].value == Decimal(gross) / 10_000
    # What is held is 4,000 of A and 1,000 of B, whatever is on order.
    assert checks["emergency_leverage"].value == Decimal("0.5")


@pytest.mark.parametrize(
    ("name", "check", "usd"),
    [("max_gross_usd", "gross_usd", 6600), ("max_net_usd", "net_usd", 4600)],
)
def test_exposure_may_reach_its_limit_and_not_pass_it(name: str, check: str, usd: int) -> None:
    for room, found in (("0", []), ("-0.01", [check])):
        limit = usd + Decimal(room)
        checks = asked(two_symbols(), an("1"), under=limits(**{name: limit}))
        assert failed(checks) == found
        assert figures(checks[check]) == (not found, usd, limit, limit - usd)


def test_leverage_bounds_all_three_and_the_smaller_limit_counts() -> None:
    for times, found in (("0.66", []), ("0.6599", ["gross_usd", "leverage"])):
        checks = asked(two_symbols(), an("1"), under=limits(max_leverage=times))
        assert failed(checks) == found
        assert checks["gross_usd"].limit == checks["net_usd"].limit == Decimal(times) * 10_000
        assert checks["leverage"].limit == Decimal(times)
    both = limits(max_leverage="0.66", max_gross_usd="7000", max_net_usd="6000")
    checks = asked(two_symbols(), an("1"), under=both)
    assert (checks["gross_usd"].limit, checks["net_usd"].limit) == (6600, 6000)


def test_above_every_exposure_limit_what_reduces_passes() -> None:
    under = limits(max_leverage="0.1", emergency_leverage="0.1")
    assert failed(asked(holding("40"), an("-40"), under=under)) == []
    four = ["gross_usd", "net_usd", "leverage", "emergency_leverage"]
    assert failed(asked(holding("40"), an("1"), under=under)) == four
    assert failed(asked(holding("40"), an("-81"), under=under)) == four


@pytest.mark.parametrize(("times", "passes"), [("0.4", False), ("0.4001", True)])
def test_at_emergency_leverage_only_what_reduces_passes(times: str, passes: bool) -> None:  # noqa: FBT001 - a table
    checks = asked(holding("40"), an("1"), under=limits(emergency_leverage=times))
    limit = Decimal(times)
    assert figures(checks["emergency_leverage"]) == (
        passes,
        Decimal("0.4"),
        limit,
        limit - Decimal("0.4"),
    )
    reducing = asked(holding("40"), an("-1"), under=limits(emergency_leverage=times))
    assert failed(reducing) == []


def test_without_equity_only_what_reduces_passes() -> None:
    state = fold(holding("40"), a_withdrawal("10000"))
    assert state.pnl.equity == 0
    checks = asked(state, an("1"))
    assert checks["leverage"].note == checks["emergency_leverage"].note == "there is no equity"
    assert {"leverage", "emergency_leverage", "gross_usd"} <= set(failed(checks))
    out = asked(state, an("-1"))
    assert out["drawdown"].note == "there is no equity"
    assert failed(out) == []


def test_a_dollar_and_less_is_equity() -> None:
    for equity in ("1", "0.5"):
        state = fold(holding("40"), a_withdrawal(str(10_000 - Decimal(equity))))
        checks = asked(state, an("1"))
        # 41 at 100, with 1 and with 0.50 dollars of its own.
        assert checks["leverage"].value == 4100 / Decimal(equity)
        assert checks["emergency_leverage"].value == 4000 / Decimal(equity)


def test_where_there_never_was_equity_the_gate_says_so() -> None:
    state = state_after(a_config("A"), a_calendar(a_session("2024-01-02")), a_bar("100"))
    checks = asked(state, an("1"))
    assert checks["drawdown"].note == checks["leverage"].note == "there is no equity"


def test_what_has_no_price_makes_exposure_unknown() -> None:
    # B is held, or ordered, and there is no bar of it; a bar of nothing is no price either.
    names = ["gross_usd", "net_usd", "leverage", "emergency_leverage", "margin_usd"]
    names.append("batch_margin_usd")
    ordered = fold(books(), *an_order("b", "1", symbol="B"))
    held = fold(books(), *an_order("b", "1", symbol="B"), *free_fill("b", "1", "50", "B"))
    worthless = fold(books(), *an_order("b", "1", symbol="B"), *free_fill("b", "1", "50", "B"))
    fold(worthless, a_bar("0", symbol="B"))
    for state in (ordered, held, fold(ordered, a_bar("0", symbol="B")), worthless):
        checks = asked(state, an("1"))
        assert [name for name in failed(checks) if name != "equity_known"] == names
        assert checks["emergency_leverage"].note == "there is no price"
    flat = fold(held, *an_order("out", "-1", symbol="B"), *free_fill("out", "-1", "50", "B"))
    assert failed(asked(flat, an("1"))) == []


def test_what_has_no_price_keeps_nobody_in_what_has_one() -> None:
    # Bought by hand at the broker, in a symbol of which no bar comes.
    foreign = a_fill("10", "50", order_id="by hand", execution_id="x", symbol="B")
    state = fold(holding("40"), foreign)
    assert failed(asked(state, an("-40"))) == []
    assert "gross_usd" in failed(asked(state, an("1")))
    # A limit that is not set refuses all the same.
    unset = asked(state, an("-40"), under=limits(max_leverage=None, emergency_leverage=None))
    assert failed(unset) == ["gross_usd", "net_usd", "leverage", "emergency_leverage"]
    no_drawdown = asked(state, an("-40"), under=limits(max_drawdown=None))
    assert failed(no_drawdown) == ["drawdown"]


def test_a_commission_to_come_is_equity_no_more() -> None:
    # 40 at 100 without a fee yet: 1 % of 4,000 may come.
    state = books(*an_order("held", "40"), a_fill("40", order_id="held"))
    checks = asked(state, an("1"), under=limits(max_leverage="0.5"))
    assert checks["gross_usd"].limit == Decimal("0.5") * (10_000 - 40)


# A cash account.

CASH = rules(margin={"account_type": AccountType.CASH})
DAYS = [f"2024-05-{day}" for day in (22, 23, 24, 28, 29, 30, 31)]


@pytest.mark.parametrize(
    ("order", "cost"),
    [
        # 1 % may go in commission, or a dollar.
        (an("10"), 1000 + 10),
        (an("-1"), None),
        (an("10", order_type=OrderType.LIMIT, limit_price=Decimal(110)), 1100 + 11),
    ],
)
def test_purchases_are_paid_from_settled_cash(order: object, cost: int | None) -> None:
    state = holding("40")
    check = asked(state, order, under=CASH)["settled_usd"]  # type: ignore[arg-type] # an intent
    if cost is None:
        assert (check.passed, check.note) == (True, "a sale costs nothing")
    else:
        # 4,000 of 10,000 is spent.
        assert figures(check) == (True, cost, 6000, 6000 - cost)


def test_what_has_no_size_costs_no_commission() -> None:
    checks = asked(holding("40"), an("0"), under=CASH)
    assert figures(checks["settled_usd"]) == (True, 0, 6000, 6000)
    assert failed(checks) == ["valid_input"]


def test_every_purchase_on_order_counts_and_no_sale_does() -> None:
    state = fold(
        holding("40"),
        a_bar("50", symbol="B"),
        *an_order("b", "100", symbol="B"),
        OrderUnknown(ClientOrderId("b"), "no answer"),
        *an_order("s", "-40"),
    )
    # 5,000 and 50 for B, of 6,000: 940 are left, and 9 of A cost 909.
    assert asked(state, an("9"), under=CASH)["settled_usd"].value == 5050 + 909
    assert failed(asked(state, an("10"), under=CASH)) == ["settled_usd"]
    assert failed(asked(state, an("5"), an("5"), under=CASH)) == ["settled_usd"]
    fold(state, OrderCancelled(ClientOrderId("b")))
    assert failed(asked(state, an("10"), under=CASH)) == []
    unpriced = fold(books(), *an_order("b", "1", symbol="B"))
    assert "settled_usd" in failed(asked(unpriced, an("1"), under=CASH))


def test_a_commission_to_come_is_not_there_to_be_spent() -> None:
    # 40 at 100 without a fee yet: 6,000 are left, of which it may take 40.
    state = books(*an_order("held", "40"), a_fill("40", order_id="held"))
    assert asked(state, an("1"), under=CASH)["settled_usd"].limit == 6000 - 40


def test_what_is_short_and_not_on_order_counts_as_short() -> None:
    state = fold(books(), a_bar("50", symbol="B"))
    fold(state, *an_order("b", "-20", symbol="B"), *free_fill("b", "-20", "50", "B"))
    checks = asked(state, an("1"))
    # 100 of A long, 1,000 of B short: net is what is short when A's order does not fill.
    assert (checks["gross_usd"].value, checks["net_usd"].value) == (1100, 1000)
    assert asked(state, an("-1"))["net_usd"].value == 1100


def test_half_a_dollar_is_a_price_and_half_a_share_a_position() -> None:
    state = fold(books(), a_bar("0.5", symbol="B"))
    half = (*an_order("b", "0.5", symbol="B"), *free_fill("b", "0.5", "0.5", "B"))
    assert asked(state, an("1", symbol=B))["gross_usd"].value == Decimal("0.5")
    fold(state, *half, *an_order("c", "0.5", symbol="B"))
    assert asked(state, an("1"))["gross_usd"].value == Decimal("100.5")


def test_a_limit_that_is_missing_beside_a_price_that_is_missing_refuses() -> None:
    priceless = fold(books(), *an_order("b", "1", symbol="B"))
    for options in ({"initial_share": None}, {}):
        checks = asked(priceless, an("1"), under=rules(margin=options))
        assert not checks["margin_usd"].passed
        assert not checks["batch_margin_usd"].passed


def sold_on(day: str, *more: str) -> State:
    """Return books of 1,000 dollars with 10 shares bought and sold at 100 on `day`."""
    days = sorted({*DAYS, day, *more})
    state = state_after(
        a_config("A"), a_calendar(*(a_session(each, "20:00", "13:30") for each in days))
    )
    fold(state, a_deposit("1000"), at=f"{day}T12:00")
    for name, quantity in (("in", "10"), ("out", "-10")):
        at = f"{day}T15:00"
        fill = a_fill(quantity, order_id=name, execution_id=name, executed_at=at)
        fee = a_commission("0", order_id=name, execution_id=name)
        fold(state, *an_order(name, quantity), fill, fee, at=at)
    return fold(state, a_bar(end=f"{day}T15:01"), at=f"{day}T15:01")


@pytest.mark.parametrize(
    ("sold", "settled"),
    [
        # T+2 up to Friday 24 May 2024: over Memorial Day to Wednesday.
        ("2024-05-24", "2024-05-29"),
        # T+1 from Tuesday the 28th on.
        ("2024-05-28", "2024-05-29"),
        ("2024-05-30", "2024-05-31"),
    ],
)
def test_what_a_sale_brings_can_be_spent_when_it_has_settled(sold: str, settled: str) -> None:
    state = sold_on(sold)
    early = utc(f"{settled}T07:59")  # Extended hours begin at 8:00.
    for moment, cash in ((utc(f"{sold}T15:01"), 0), (early, 0), (utc(f"{settled}T08:00"), 1000)):
        check = asked(state, an("1"), now=moment, under=CASH)["settled_usd"]
        assert (check.limit, check.passed) == (cash, cash > 0)


def test_without_a_calendar_no_sale_is_known_to_have_settled() -> None:
    state = sold_on("2024-05-24")
    state.calendar.exchanges = {}
    check = asked(state, an("1"), now=utc("2024-06-24T15:00"), under=CASH)["settled_usd"]
    assert check.limit == 0


def test_a_cash_account_knows_no_margin_and_a_margin_account_no_settlement() -> None:
    cash, margin = asked(books(), an("1"), under=CASH), asked(books(), an("1"))
    assert cash["margin_usd"].note == cash["batch_margin_usd"].note == "a cash account has none"
    assert margin["settled_usd"].note == "a margin account need not wait"
