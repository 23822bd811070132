from decimal import Decimal

import pytest

from daemon.brokers.commissions import order_cost
from daemon.config.options import Commission

FIXED, TIERED, NONE = Commission.FIXED, Commission.TIERED, Commission.NONE


def cost(plan: Commission, shares: str, price: str, before: str = "0") -> Decimal:
    value = Decimal(shares) * Decimal(price)
    return order_cost(plan, Decimal(shares), value, Decimal(before))


@pytest.mark.parametrize(
    ("shares", "price", "expected"),
    [
        # The three examples of IBKR's price list.
        ("100", "25", "1.00"),  # 100 x 0.005 = 0.50, below the minimum of 1.
        ("1000", "25", "5.00"),  # 1000 x 0.005
        ("1000", "0.25", "2.50"),  # 1000 x 0.005 = 5, above 1 % of 250.
        # The ceiling holds for the minimum too: 1 % of 2 x 10 = 0.20.
        ("2", "10", "0.20"),
        # 301 x 0.005 = 1.505: half a cent rounds up.
        ("301", "25", "1.51"),
    ],
)
def test_the_fixed_plan_is_half_a_cent_a_share(shares: str, price: str, expected: str) -> None:
    assert cost(FIXED, shares, price) == Decimal(expected)


# The tiered plan passes on 0.0032 a share for exchange and clearing.
@pytest.mark.parametrize(
    ("shares", "price", "before", "expected"),
    [
        # IBKR's own comparison: 700 commission + 600 exchange + 40 clearing.
        ("200000", "5", "0", "1340.00"),
        # 0.35 minimum + 50 x 0.0032 = 0.16
        ("50", "25", "0", "0.51"),
        # 1000 x 0.0035 = 3.50, + 3.20
        ("1000", "25", "0", "6.70"),
        # 1000 x 0.0035 + 3.20 = 6.70, above 1 % of 400.
        ("1000", "0.40", "0", "4.00"),
        # The next tiers: 1000 x 0.0020, 0.0015, 0.0010, 0.0005, each + 3.20.
        ("1000", "25", "300000", "5.20"),
        ("1000", "25", "3000000", "4.70"),
        ("1000", "25", "20000000", "4.20"),
        ("1000", "25", "100000000", "3.70"),
        # Across a border: 400 x 0.0035 + 600 x 0.0020 = 2.60, + 3.20.
        ("1000", "25", "299600", "5.80"),
    ],
)
def test_the_tiered_plan_prices_each_share_by_its_place_in_the_month(
    shares: str, price: str, before: str, expected: str
) -> None:
    assert cost(TIERED, shares, price, before) == Decimal(expected)


def test_an_order_can_cross_several_tiers() -> None:
    # IBKR's own comparison: 1,050 + 5,400 + 25,500 + 10,000 = 41,950 for 30 million shares,
    # + 90,000 exchange + 6,000 clearing.
    assert cost(TIERED, "30000000", "5") == Decimal("137950.00")


def test_no_plan_costs_nothing() -> None:
    assert cost(NONE, "1000", "25") == 0


def test_no_order_costs_more_than_the_books_reserve_for_an_unknown_fee() -> None:
    # The books count a fee that is not known yet as the larger of 1 USD and 1 % of the value.
    for plan in Commission:
        for shares in ("0.001", "1", "7", "99", "1000", "1000000"):
            for price in ("0.0001", "0.5", "1", "20", "600000"):
                value = Decimal(shares) * Decimal(price)
                assert cost(plan, shares, price) <= max(Decimal(1), value / 100)
