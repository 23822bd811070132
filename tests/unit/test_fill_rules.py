from decimal import Decimal

import pytest

from daemon.brokers.fill_rules import (
    Offer,
    fillable,
    objection,
    offer_at_rest,
    offer_on_trigger,
    takes_auction_price,
    triggers,
    worsened,
)
from events import OrderType
from tests.broker_desk import a_bar, an_intent

NONE = Decimal(0)
TEN_BPS = Decimal("0.001")

BAR = a_bar("2024-01-02T14:30", "100 102 98 101")


def offered(price: str, *, at_open: bool) -> Offer:
    return Offer(Decimal(price), at_open)


# Slippage and rounding.


@pytest.mark.parametrize(
    ("buying", "price", "expected"),
    [
        # 100 x 1.001 = 100.10 and 100 x 0.999 = 99.90: already whole cents.
        (True, "100", "100.10"),
        (False, "100", "99.90"),
        # 99.99 x 1.001 = 100.08999: up to 100.09. 99.99 x 0.999 = 99.89001: down to 99.89.
        (True, "99.99", "100.09"),
        (False, "99.99", "99.89"),
    ],
)
def test_slippage_moves_a_price_against_the_trader_to_the_next_cent(
    *, buying: bool, price: str, expected: str
) -> None:
    got = worsened(Decimal(price), BAR, buying=buying, slippage=TEN_BPS)
    assert got == Decimal(expected)


@pytest.mark.parametrize(
    ("buying", "price", "expected"),
    [
        # 0.5001 x 1.001 = 0.5006001: up to 0.5007. 0.5001 x 0.999 = 0.4995999: down to 0.4995.
        (True, "0.5001", "0.5007"),
        (False, "0.5001", "0.4995"),
        # A dollar is not below a dollar: 1 x 1.001 = 1.001, up to 1.01.
        (True, "1", "1.01"),
    ],
)
def test_below_a_dollar_prices_step_in_hundredths_of_a_cent(
    *, buying: bool, price: str, expected: str
) -> None:
    bar = a_bar("2024-01-02T14:30", "0.6 1.1 0.4 0.6")
    got = worsened(Decimal(price), bar, buying=buying, slippage=TEN_BPS)
    assert got == Decimal(expected)


@pytest.mark.parametrize(("buying", "expected"), [(True, "10.125"), (False, "10.121")])
def test_slippage_and_rounding_end_at_the_bars_extreme(*, buying: bool, expected: str) -> None:
    # To the cent against the trader, 10.123 would be 10.13 or 10.12: the bar saw neither.
    bar = a_bar("2024-01-02T14:30", "10.123 10.125 10.121 10.123")
    got = worsened(Decimal("10.123"), bar, buying=buying, slippage=NONE)
    assert got == Decimal(expected)


# Market orders.


@pytest.mark.parametrize(("quantity", "expected"), [("5", "100.10"), ("-5", "99.90")])
def test_a_market_order_takes_the_open_worsened(quantity: str, expected: str) -> None:
    assert offer_at_rest(an_intent(quantity), BAR, TEN_BPS) == offered(expected, at_open=True)


# Limit orders. The bar: open 100, high 102, low 98.


@pytest.mark.parametrize(
    ("quantity", "limit", "expected"),
    [
        # The bar came down to 99 (or up to 101) from its open.
        ("5", "99", offered("99", at_open=False)),
        ("-5", "101", offered("101", at_open=False)),
        # The very low and the very high were reached.
        ("5", "98", offered("98", at_open=False)),
        ("-5", "102", offered("102", at_open=False)),
        # It opened at the limit or better: the open it is, without slippage.
        ("5", "100", offered("100", at_open=True)),
        ("5", "101", offered("100", at_open=True)),
        ("-5", "99", offered("100", at_open=True)),
        # Not reached.
        ("5", "97.99", None),
        ("-5", "102.01", None),
    ],
)
def test_a_limit_order_takes_its_limit_or_a_better_open(
    quantity: str, limit: str, expected: Offer | None
) -> None:
    intent = an_intent(quantity, order_type=OrderType.LIMIT, limit=limit)
    assert offer_at_rest(intent, BAR, TEN_BPS) == expected


# Stop orders.


@pytest.mark.parametrize(
    ("quantity", "stop", "expected"),
    [
        ("5", "102", True),
        ("5", "102.01", False),
        ("5", "97", True),  # The market is beyond the stop already.
        ("-5", "98", True),
        ("-5", "97.99", False),
        ("-5", "103", True),
    ],
)
def test_a_stop_triggers_when_its_price_traded(*, quantity: str, stop: str, expected: bool) -> None:
    intent = an_intent(quantity, order_type=OrderType.STOP, stop=stop)
    assert triggers(intent, BAR) is expected


@pytest.mark.parametrize(
    ("quantity", "stop", "expected"),
    [
        # 101 x 1.001 = 101.101, up to 101.11. 99 x 0.999 = 98.901, down to 98.90.
        ("5", "101", offered("101.11", at_open=False)),
        ("-5", "99", offered("98.90", at_open=False)),
        # The market gapped through: the open 100, worsened, not the stop.
        ("5", "95", offered("100.10", at_open=True)),
        ("-5", "105", offered("99.90", at_open=True)),
        ("-5", "100.50", offered("99.90", at_open=True)),
        # It opened right at the stop.
        ("5", "100", offered("100.10", at_open=True)),
        ("-5", "100", offered("99.90", at_open=True)),
        # 101.95 x 1.001 = 102.05195: the bar ends at 102.
        ("5", "101.95", offered("102", at_open=False)),
        ("-5", "98.05", offered("98", at_open=False)),
    ],
)
def test_a_triggered_stop_takes_its_price_or_the_gapped_open_worsened(
    quantity: str, stop: str, expected: Offer
) -> None:
    intent = an_intent(quantity, order_type=OrderType.STOP, stop=stop)
    assert offer_on_trigger(intent, BAR, TEN_BPS) == expected


def test_what_is_left_of_a_triggered_stop_is_a_market_order() -> None:
    intent = an_intent("5", order_type=OrderType.STOP, stop="150")
    assert offer_at_rest(intent, BAR, TEN_BPS) == offered("100.10", at_open=True)


# Stop-limit orders.


@pytest.mark.parametrize(
    ("quantity", "stop", "limit", "expected"),
    [
        # 101 worsened is 101.11, within the limit.
        ("5", "101", "101.50", offered("101.11", at_open=False)),
        ("-5", "99", "98.50", offered("98.90", at_open=False)),
        # Worsened it is beyond the limit; the limit is the worst it takes.
        ("5", "101", "101.05", offered("101.05", at_open=False)),
        ("-5", "99", "98.95", offered("98.95", at_open=False)),
        # A gap through the stop, still within the limit.
        ("5", "99", "100.50", offered("100.10", at_open=True)),
        ("-5", "101", "99.50", offered("99.90", at_open=True)),
        # A gap beyond the limit: the low of 98 may have come before the trigger.
        ("5", "95", "99", None),
        ("-5", "105", "101", None),
        # A limit on the other side of the stop: not within this bar.
        ("5", "101", "100", None),
        ("-5", "99", "100", None),
    ],
)
def test_a_stop_limit_fills_in_its_trigger_bar_only_as_far_as_the_limit_allows(
    quantity: str, stop: str, limit: str, expected: Offer | None
) -> None:
    intent = an_intent(quantity, order_type=OrderType.STOP_LIMIT, stop=stop, limit=limit)
    assert offer_on_trigger(intent, BAR, TEN_BPS) == expected


def test_a_stop_limit_that_triggered_before_is_a_limit_order() -> None:
    intent = an_intent("5", order_type=OrderType.STOP_LIMIT, stop="95", limit="99")
    assert offer_at_rest(intent, BAR, TEN_BPS) == offered("99", at_open=False)


# Auctions.


@pytest.mark.parametrize(
    ("quantity", "limit", "expected"),
    [
        ("5", None, True),
        ("-5", None, True),
        ("5", "100", True),
        ("5", "99.99", False),
        ("-5", "100", True),
        ("-5", "100.01", False),
    ],
)
def test_an_auction_price_must_satisfy_a_limit(
    *, quantity: str, limit: str | None, expected: bool
) -> None:
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    intent = an_intent(quantity, order_type=kind, limit=limit)
    assert takes_auction_price(intent, Decimal(100)) is expected


# Quantities.


@pytest.mark.parametrize(
    ("remaining", "room", "is_whole", "expected"),
    [
        ("100", "250", True, "100"),
        ("100", "25.9", True, "25"),
        ("100", "0.9", True, "0"),
        ("0.5", "0.1234567899", False, "0.12345678"),
        ("0.5", "7", False, "0.5"),
    ],
)
def test_a_bar_fills_whole_shares_and_fractions_only_of_fractional_orders(
    *, remaining: str, room: str, is_whole: bool, expected: str
) -> None:
    got = fillable(Decimal(remaining), Decimal(room), is_whole=is_whole)
    assert got == Decimal(expected)


# Objections.


@pytest.mark.parametrize(
    ("quantity", "order_type", "limit", "stop", "expected"),
    [
        ("5", OrderType.MARKET, None, None, ""),
        ("-5", OrderType.STOP_LIMIT, "9", "10", ""),
        ("0", OrderType.MARKET, None, None, "the quantity is 0"),
        ("NaN", OrderType.MARKET, None, None, "the quantity is NaN"),
        ("5", OrderType.LIMIT, None, None, "a LMT order needs a limit price above 0, not None"),
        ("5", OrderType.LIMIT, "0", None, "a LMT order needs a limit price above 0, not 0"),
        ("5", OrderType.STOP_LIMIT, None, "9", "a STP LMT order needs a limit price"),
        ("5", OrderType.STOP_LIMIT, "9", None, "a STP LMT order needs a stop price"),
        ("5", OrderType.STOP, None, "-1", "a STP order needs a stop price above 0, not -1"),
        ("5", OrderType.STOP, None, "NaN", "a STP order needs a stop price above 0, not NaN"),
    ],
)
def test_an_order_without_what_its_type_needs_is_objected_to(
    quantity: str, order_type: OrderType, limit: str | None, stop: str | None, expected: str
) -> None:
    intent = an_intent(quantity, order_type=order_type, limit=limit, stop=stop)
    objected = objection(intent)
    assert objected.startswith(expected)
    assert bool(objected) == bool(expected)
