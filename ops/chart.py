"""A line of numbers as a small picture made of characters."""

from collections.abc import Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def area_chart(
    values: Sequence[float], labels: tuple[str, str], *, width: int = 68, height: int = 9
) -> str:
    """Return `values` as a filled curve with a dollar axis; `labels` stand under both ends."""
    columns = _resampled(values, width)
    low, high = min(columns), max(columns)
    # A little room below keeps the lowest point visible.
    floor = low - (high - low) * 0.05
    span = (high - floor) or 1.0
    eighths = [round((value - floor) / span * height * 8) for value in columns]
    lines = []
    for row in range(height - 1, -1, -1):
        cells = "".join(_EIGHTHS[min(max(count - row * 8, 0), 8)] for count in eighths)
        axis = f"{floor + span * (row + 1) / height:>10,.0f}" if row % 2 == 0 else " " * 10
        lines.append(f"{axis} │{cells.rstrip()}")
    lines.append(" " * 11 + "└" + "─" * width)
    left, right = labels
    lines.append(" " * 12 + left + right.rjust(width - len(left)))
    return "\n".join(lines)


def _resampled(values: Sequence[float], width: int) -> list[float]:
    """Return `width` values: the mean of each stretch, or values repeated where there are few."""
    count = len(values)
    columns = []
    for column in range(width):
        start = column * count // width
        end = max((column + 1) * count // width, start + 1)
        stretch = values[start:end]
        columns.append(sum(stretch) / len(stretch))
    return columns
