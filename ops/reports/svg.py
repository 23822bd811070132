"""Plots as SVG without any script: shapes only, stretched to their box; words stand beside them.

Letters in a stretched picture would be stretched too, and on a telephone too small to read.
"""

from collections.abc import Sequence
from typing import Final

_WIDTH: Final = 1000.0
_HEIGHT: Final = 100.0
_FEWEST: Final = 2


def curve(values: Sequence[float], name: str, *, low: float, high: float, base: float) -> str:
    """Return a line through `values`, filled down (or up) to `base`, between `low` and `high`.

    `name` is what it shows, for who does not see it; it is escaped by the caller.
    """
    points = [
        (_across(index, len(values)), _down(value, low, high)) for index, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.2f}" for x, y in points)
    foot = _down(base, low, high)
    area = f"{points[0][0]:.1f},{foot:.2f} {line} {points[-1][0]:.1f},{foot:.2f}"
    return (
        f'<svg class="curve" role="img" aria-label="{name}" preserveAspectRatio="none" '
        f'viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}">'
        f'<polygon class="area" points="{area}"/>'
        f'<polyline class="line" points="{line}"/></svg>'
    )


def bar(value: float, low: float, high: float) -> str:
    """Return one bar from 0 to `value`, on a scale from `low` to `high`."""
    zero, end = _along(0.0, low, high), _along(value, low, high)
    left, width = min(zero, end), max(abs(end - zero), 1.0)
    kind = "loss" if value < 0 else "gain"
    return (
        f'<svg class="bar" aria-hidden="true" preserveAspectRatio="none" '
        f'viewBox="0 0 {_WIDTH:.0f} 10">'
        f'<rect class="{kind}" x="{left:.1f}" y="1" width="{width:.1f}" height="8"/>'
        f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="10"/></svg>'
    )


def is_worth_it(values: Sequence[float]) -> bool:
    """Say whether there is anything to see in a line through `values`."""
    return len(set(values)) >= _FEWEST


def _across(index: int, count: int) -> float:
    return index / (count - 1) * _WIDTH if count > 1 else 0.0


def _down(value: float, low: float, high: float) -> float:
    return (high - value) / ((high - low) or 1.0) * _HEIGHT


def _along(value: float, low: float, high: float) -> float:
    return (value - low) / ((high - low) or 1.0) * _WIDTH
