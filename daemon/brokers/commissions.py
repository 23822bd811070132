"""What an order costs at Interactive Brokers: its two plans for US equities. US dollars, pure.

The figures are those of IBKR's published price list for US stocks. Exchange and clearing fees are
inside the fixed plan and come on top of the tiered one; the estimate for them is the one in IBKR's
own comparison of the plans for orders that take liquidity. ops/paper-broker.md says what is left
out.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple, assert_never

from daemon.config.options import Commission

_ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")

FIXED_PER_SHARE: Final = Decimal("0.005")
FIXED_MINIMUM: Final = Decimal(1)
TIERED_MINIMUM: Final = Decimal("0.35")
TRADE_VALUE_SHARE_MAX: Final = Decimal("0.01")
"""No order costs more than this share of what it traded, not even its minimum."""

EXCHANGE_AND_CLEARING_PER_SHARE: Final = Decimal("0.0032")
"""The tiered plan passes on about 0.0030 a share for taking liquidity and 0.0002 for clearing."""


class Tier(NamedTuple):
    """What the shares of a calendar month cost, each, up to the month's `shares_max`-th."""

    shares_max: Decimal
    per_share: Decimal


TIERS: Final = (
    Tier(Decimal(300_000), Decimal("0.0035")),
    Tier(Decimal(3_000_000), Decimal("0.0020")),
    Tier(Decimal(20_000_000), Decimal("0.0015")),
    Tier(Decimal(100_000_000), Decimal("0.0010")),
    Tier(Decimal("Infinity"), Decimal("0.0005")),
)


def order_cost(
    plan: Commission, shares: Decimal, value: Decimal, month_shares_before: Decimal
) -> Decimal:
    """Return what an order costs in all that has traded `shares` for `value`, both unsigned.

    `month_shares_before` are the month's shares outside this order; the tiers count from there.
    Rounded to the cent, half up.
    """
    match plan:
        case Commission.NONE:
            return _ZERO
        case Commission.FIXED:
            cost = max(shares * FIXED_PER_SHARE, FIXED_MINIMUM)
        case Commission.TIERED:
            cost = max(_tiered(month_shares_before, shares), TIERED_MINIMUM)
            cost += shares * EXCHANGE_AND_CLEARING_PER_SHARE
        case _:
            assert_never(plan)
    return min(cost, value * TRADE_VALUE_SHARE_MAX).quantize(_CENT, ROUND_HALF_UP)


def _tiered(before: Decimal, shares: Decimal) -> Decimal:
    """Return the cost of the month's next `shares` after `before`: each tier prices its own."""
    cost = _ZERO
    done, after = before, before + shares
    for tier in TIERS:
        if done < tier.shares_max:
            reached = min(after, tier.shares_max)
            cost += (reached - done) * tier.per_share
            done = reached
            if done == after:
                break
    return cost
