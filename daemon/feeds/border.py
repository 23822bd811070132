"""The border to a feed of the user's own: every bar is looked at before it is believed."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from daemon.clock import Clock
from daemon.config.bounds import is_symbol
from daemon.feeds import Feed
from daemon.feeds.bar_file import BadBars
from events import BarClosed, Symbol, utc_from_nanoseconds

NUMBER_MAX: Final = Decimal("1e12")
_ZERO: Final = Decimal(0)
AHEAD_MAX: Final = timedelta(minutes=1)
"""How far ahead of our clock a feed's may be."""


class CheckedFeed:
    """`inner`, each of its bars checked; one that cannot be so ends the run.

    Raises:
        BadBars: from `blocks`, which bar it is and what is wrong with it.
    """

    def __init__(self, inner: Feed, clock: Clock) -> None:
        """Tell by `clock` what lies in the future."""
        self._inner = inner
        self._clock = clock
        self.live = inner.live
        self.bars_total = inner.bars_total
        self.starts_at = inner.starts_at
        self.ends_at = inner.ends_at

    async def blocks(self, newest: Mapping[Symbol, datetime]) -> AsyncIterator[Sequence[BarClosed]]:
        """Yield the inner feed's blocks."""
        last: datetime | None = None
        async for block in self._inner.blocks(newest):
            latest = utc_from_nanoseconds(self._clock.now()) + AHEAD_MAX
            for bar in block:
                wrong = objection(bar, latest)
                if not wrong and not self.live and last is not None and bar.end < last:
                    wrong = f"it comes after a bar that ends at {last}"
                if wrong:
                    raise BadBars([f"the feed delivered {_named(bar)}: {wrong}"])
                last = bar.end
            yield block


def objection(bar: BarClosed, latest: datetime) -> str:
    """Say what is wrong with `bar`, which ends by `latest`; nothing when it is sound.

    The usual case is the fast one.
    """
    try:
        opened, high, low, close, volume = bar.open, bar.high, bar.low, bar.close, bar.volume
        if (
            _ZERO < low <= opened <= high <= NUMBER_MAX
            and low <= close <= high
            and _ZERO <= volume <= NUMBER_MAX
            and bar.end.tzinfo is UTC
            and bar.end <= latest
            and type(bar) is BarClosed
            and type(opened) is type(high) is type(low) is type(close) is type(volume) is Decimal
            and bar.span_s > 0
            and is_symbol(bar.symbol)
        ):
            return ""
        if bar.end.tzinfo is not UTC:
            return "its end is not in UTC"
        if bar.end > latest:
            return f"it ends at {bar.end}, in the future"
    except Exception as error:  # noqa: BLE001 - a bar from outside may hold anything
        return f"it is no bar ({type(error).__name__})"
    return "its symbol, size or numbers cannot be so: 0 < low <= open, close <= high, volume >= 0"


def _named(bar: object) -> str:
    try:
        return repr(bar)[:500]
    except Exception:  # noqa: BLE001 - as above
        return f"a {type(bar).__name__}"
