"""Exposure: what is held, plus the worst that open, unknown and pending orders could add.

Longs and shorts are kept apart: the worst case over all subsets of orders is every buy filling and
no sell, or the reverse, never one netted against the other.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

_ZERO = Decimal(0)


class WorstCase(msgspec.Struct, frozen=True, gc=False):
    """Signed quantities: `longest` if every buy fills, `shortest` if every sell does."""

    held: Decimal
    longest: Decimal
    shortest: Decimal

    @property
    def quantity(self) -> Decimal:
        """The larger of both extremes, unsigned."""
        return larger(self.longest, self.shortest)


def larger(most: Decimal, least: Decimal) -> Decimal:
    """Return the larger of both, unsigned; `least` is not above `most`."""
    return most if most + least >= _ZERO else -least


def worst_case(held: Decimal, reserved: Iterable[Decimal]) -> WorstCase:
    """Return how far `held` could go if orders fill; `reserved` is what each may, signed."""
    longest = shortest = held
    for quantity in reserved:
        if quantity > _ZERO:
            longest += quantity
        else:
            shortest += quantity
    return WorstCase(held, longest, shortest)
