"""A line of numbers as a small picture made of characters."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple


class Ink(NamedTuple):
    """What a chart is drawn with: a cell's fillings in eighths, nothing to full, and its axes."""

    eighths: str
    side: str
    corner: str
    foot: str

    @property
    def characters(self) -> str:
        """All of them, for asking whether an output has them."""
        return "".join(self)


BLOCKS: Final = Ink(" ▁▂▃▄▅▆▇█", "│", "└", "─")
ASCII: Final = Ink("    #####", "|", "+", "-")
MARKS: Final = "·▁▂▃▄▅▆▇█"
ASCII_MARKS: Final = ".12345678"
"""What a strip is drawn with: nothing, then eighths of what could be, up to all of it."""


def area_chart(
    values: Sequence[float],
    labels: tuple[str, str],
    ink: Ink = BLOCKS,
    *,
    width: int = 68,
    height: int = 9,
) -> Iterator[str]:
    """Yield `values` as a filled curve with a dollar axis; `labels` stand under both ends."""
    columns = _resampled(values, width)
    low, high = min(columns), max(columns)
    # A little room below keeps the lowest point visible.
    floor = low - (high - low) * 0.05
    span = (high - floor) or 1.0
    eighths = [round((value - floor) / span * height * 8) for value in columns]
    for row in range(height - 1, -1, -1):
        cells = "".join(ink.eighths[min(max(count - row * 8, 0), 8)] for count in eighths)
        axis = f"{floor + span * (row + 1) / height:>10,.0f}" if row % 2 == 0 else " " * 10
        yield f"{axis} {ink.side}{cells.rstrip()}"
    yield " " * 11 + ink.corner + ink.foot * width
    left, right = labels
    yield " " * 12 + left + right.rjust(width - len(left))


def strip(shares: Sequence[float | None], marks: str = MARKS) -> str:
    """Return shares of one as a line of marks: a dot for none, a blank where nobody knows."""
    return "".join(
        " " if share is None else marks[max(round(share * 8), 1) if share else 0]
        for share in shares
    )


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
