"""Bars of a user's own feed: each is looked at, and one that cannot be so ends the run by name."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.clock import FeedClock
from daemon.feeds.bar_file import BadBars
from daemon.feeds.border import CheckedFeed
from events import BarClosed, Symbol, nanoseconds
from tests.builders import a_bar, utc

NOW = FeedClock(nanoseconds(utc("2024-01-02T16:00")))


class Own:
    """A feed that yields what it is given."""

    bars_total = starts_at = ends_at = None

    def __init__(self, *bars: Any, live: bool = False) -> None:  # noqa: ANN401 - anything
        self.bars = bars
        self.live = live

    async def blocks(
        self,
        newest: Mapping[Symbol, datetime],  # noqa: ARG002 - as every feed's
    ) -> AsyncIterator[Sequence[BarClosed]]:
        yield self.bars


async def taken(*bars: Any, live: bool = False) -> list[BarClosed]:  # noqa: ANN401 - anything
    feed = CheckedFeed(Own(*bars, live=live), NOW)
    return [bar async for block in feed.blocks({}) for bar in block]


def but(**changes: object) -> BarClosed:
    return msgspec.structs.replace(a_bar("100"), **changes)


async def test_sound_bars_pass_as_they_are() -> None:
    bars = [a_bar(end="2024-01-02T15:00"), a_bar(symbol="B", end="2024-01-02T15:00")]
    assert await taken(*bars) == bars


@pytest.mark.parametrize(
    ("bar", "wrong"),
    [
        (but(low=Decimal(0)), "numbers cannot be so"),
        (but(low=Decimal(-1)), "numbers cannot be so"),
        (but(high=Decimal(99)), "numbers cannot be so"),
        (but(close=Decimal(101)), "numbers cannot be so"),
        (but(volume=Decimal(-1)), "numbers cannot be so"),
        (but(high=Decimal("Infinity")), "numbers cannot be so"),
        (but(high=Decimal("1e300")), "numbers cannot be so"),
        (but(close=Decimal("NaN")), "it is no bar (InvalidOperation)"),
        (but(close=100.0), "numbers cannot be so"),
        (but(close="100"), "it is no bar (TypeError)"),
        (but(symbol=Symbol("a b c$")), "its symbol"),
        (but(span_s=0), "its symbol, size"),
        (but(end=datetime(2024, 1, 2, 15)), "not in UTC"),  # noqa: DTZ001 - what is refused
        (but(end=utc("2024-01-02T15:00").astimezone(timezone(timedelta(hours=1)))), "not in UTC"),
        (but(end=utc("2024-01-02T16:02")), "in the future"),
        (None, "it is no bar (AttributeError)"),
    ],
)
async def test_a_bar_that_cannot_be_so_is_refused_by_name(bar: object, wrong: str) -> None:
    with pytest.raises(BadBars) as refused:
        await taken(bar)
    assert wrong in str(refused.value)
    assert str(refused.value).startswith(f"the feed delivered {bar!r}")


async def test_recorded_bars_come_in_the_order_of_their_ends_and_live_ones_as_they_come() -> None:
    late = [a_bar(end="2024-01-02T15:01"), a_bar(symbol="B", end="2024-01-02T15:00")]
    assert await taken(*late, live=True) == late
    with pytest.raises(BadBars, match="after a bar that ends at 2024-01-02 15:01"):
        await taken(*late)
