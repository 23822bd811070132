"""What the market showed."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache

from events.base import Event, Symbol


@cache
def _span(seconds: int) -> timedelta:
    """Return the one timedelta of each bar size: making it anew costs more than the subtraction."""
    return timedelta(seconds=seconds)


class BarClosed(Event, frozen=True, tag="bar.closed"):
    """One finished bar: trades of `symbol` in [end - span, end), prices in US dollars, raw.

    `span_s` is the bar size in seconds. A daily bar spans its exchange session, so its `span_s`
    is the session's length, shorter on a half day. `volume` is in shares (or coins). One that is
    `past` did not come live but from a history: strategies see it, and nothing is decided on it.
    """

    symbol: Symbol
    span_s: int
    end: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    past: bool = False

    @property
    def start(self) -> datetime:
        """The first moment of the bar."""
        return self.end - _span(self.span_s)

    @property
    def natural_key(self) -> str:
        """Symbol, bar size and bar end: what an order decided on this bar is named after."""
        return f"{self.symbol}|{self.span_s}|{self.end.isoformat()}"


class BarMissing(Event, frozen=True, tag="bar.missing"):
    """No bar of `symbol` that ends in (start, end] was there by its deadline, and one was expected.

    What is expected is the exchange's calendar cut into stretches by the symbol's own policy.
    """

    symbol: Symbol
    start: datetime
    end: datetime

    def key(self) -> str | None:
        """Return symbol and end: a stretch is missed once."""
        return f"{self.symbol}|{self.end:%Y%m%dT%H%M%S}"


class DataTrouble(StrEnum):
    """What is wrong with the live data of a symbol."""

    DELAYED = "delayed"
    NO_PERMISSION = "no permission"
    ANOTHER_LOGIN = "another login"
    NO_LINE_LEFT = "no line left"


class MarketDataImpaired(Event, frozen=True, tag="market-data.impaired"):
    """Whoever sells the live data of `symbol` said that it does not come, or comes late.

    `said` is what it said. `accepted` says that it is traded on all the same: delayed data is,
    where no real money depends on it.
    """

    symbol: Symbol
    trouble: DataTrouble
    said: str
    accepted: bool = False
