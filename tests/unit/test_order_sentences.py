"""Checks in words, each in its own unit."""

from decimal import Decimal

import pytest

from events import Check
from ops.order_sentences import check_text


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (
            Check("leverage", False, Decimal(1) / Decimal(7), Decimal("0.14"), Decimal("-0.00286")),  # noqa: FBT003 - a Check starts so
            "leverage 0.143x of at most 0.140x, 0.003x too much",
        ),
        (
            Check("gross_usd", True, Decimal("1234.5"), Decimal(2000), Decimal("765.5")),  # noqa: FBT003 - as above
            "gross_usd 1,234.50 of at most 2,000.00, 765.50 left",
        ),
        (
            Check("drawdown", True, Decimal("0.05"), Decimal("0.2"), Decimal("0.15")),  # noqa: FBT003 - as above
            "drawdown 5.00 % of at most 20.00 %, 15.00 % left",
        ),
        (
            Check("order_rate", True, Decimal(3), Decimal(60), Decimal(57)),  # noqa: FBT003 - as above
            "order_rate 3 of at most 60, 57 left",
        ),
        (Check("holds", passed=False, note="HALT: kill switch"), "holds: HALT: kill switch"),
    ],
)
def test_a_check_is_told_in_its_own_unit(check: Check, text: str) -> None:
    assert check_text(check) == text
