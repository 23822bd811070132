"""The feed protocol: where bars come from.

A feed yields blocks of bars in time order; a file feed's blocks are large, a live feed's hold what
has just arrived. Write your own as a class taking the `[feed]` table's `params`, and name it with
`feed.kind = "module:Class"`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from events import BarClosed, Symbol


class Feed(Protocol):
    """What the engine needs of a feed."""

    live: bool
    """False for recorded bars: then the bars drive the clock."""

    @property
    def bars_total(self) -> int | None:
        """How many bars there will be, for a progress bar; None when nobody knows."""
        ...

    @property
    def starts_at(self) -> datetime | None:
        """When the first bar starts; None for a live feed."""
        ...

    @property
    def ends_at(self) -> datetime | None:
        """When the last bar ends; None for a live feed."""
        ...

    def blocks(self, newest: Mapping[Symbol, datetime]) -> AsyncIterator[Sequence[BarClosed]]:
        """Yield blocks of bars, each symbol's from after its `newest` end on."""
        ...
