"""Exposure: what is held, plus the worst that open, unknown and pending orders could add.

Pure reading of the other books. Longs and shorts are kept apart: the worst case over all subsets
of orders is every buy filling and no sell, or the reverse, never one netted against the other.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from events import Symbol
from projections.orders import Order

_ZERO = Decimal(0)


class WorstCase(msgspec.Struct, frozen=True):
    """Signed quantities: `longest` if every buy fills, `shortest` if every sell does."""

    held: Decimal
    longest: Decimal
    shortest: Decimal

    @property
    def quantity(self) -> Decimal:
        """The larger of both extremes, unsigned."""
        return max(abs(self.longest), abs(self.shortest))


def worst_case(
    held: Decimal, orders: Iterable[Order], symbol: Symbol, strategy: str | None = None
) -> WorstCase:
    """Return how far `held` could go if `orders` in `symbol` (of `strategy`, if given) fill."""
    buys = sells = _ZERO
    for order in orders:
        intent = order.intent
        if intent.symbol != symbol or (strategy is not None and intent.strategy != strategy):
            continue
        reserved = order.reserved
        if reserved > 0:
            buys += reserved
        else:
            sells += reserved
    return WorstCase(held, held + buys, held + sells)
