"""What a price is held against: the closes before it, and the close of the session before.

A price that jumped is believed once a second bar agrees with it. For the books it waits for one bar
at the most: what goes on jumping is no slip of the feed.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from events import BarClosed, CorporateActionApplied, Symbol
from projections.calendar import ALWAYS_OPEN, Calendar
from projections.market import restated

_DAY = timedelta(days=1)


class Reference(msgspec.Struct):
    """One symbol's closes: `last`, the two before it, and the last one of the session before.

    `bars` counts the bars of the session in hand, which ends at `ends_at`. `doubted` says that
    `last` is not booked yet.
    """

    last: Decimal
    ends_at: datetime
    before: Decimal | None = None
    long_before: Decimal | None = None
    session_close: Decimal | None = None
    bars: int = 1
    doubted: bool = False


class References(msgspec.Struct):
    """References by symbol. Bars off session are not shown to it, as they move no price.

    A move of more than `threshold`, a share of the price, is doubted at first; None doubts none.
    """

    symbols: dict[Symbol, Reference] = {}
    threshold: Decimal | None = None

    def of(self, symbol: Symbol) -> Reference | None:
        """Return a symbol's reference, None before its first bar."""
        return self.symbols.get(symbol)

    def is_doubted(self, symbol: Symbol) -> bool:
        """Say whether the last close of `symbol` jumped, and no second bar has come yet."""
        found = self.symbols.get(symbol)
        return found is not None and found.doubted

    def close_bar(self, bar: BarClosed, exchange: str, calendar: Calendar) -> Reference:
        """Take the next bar in session of a symbol that trades at `exchange`."""
        found = self.symbols.get(bar.symbol)
        if found is None:
            ends_at = _session_end(bar.end, exchange, calendar)
            found = self.symbols[bar.symbol] = Reference(bar.close, ends_at)
            return found
        before, last, share = found.last, bar.close, self.threshold
        if bar.end > found.ends_at:
            found.session_close = before
            found.ends_at = _session_end(bar.end, exchange, calendar)
            found.bars = 0
        found.bars += 1
        found.long_before, found.before, found.last = found.before, before, last
        if share is None or found.doubted or not _is_far(last, before, share):
            found.doubted = False
        else:
            long_before = found.long_before
            found.doubted = long_before is None or _is_far(last, long_before, share)
        return found

    def restate(self, event: CorporateActionApplied) -> None:
        """Restate the closes as of after a corporate action."""
        found = self.symbols.get(event.symbol)
        if found is None:
            return
        found.last = restated(found.last, event)
        for name in ("before", "long_before", "session_close"):
            close = getattr(found, name)
            if close is not None:
                setattr(found, name, restated(close, event))


def _is_far(price: Decimal, reference: Decimal, share: Decimal) -> bool:
    """Say whether `price` is farther than `share` of `reference` from it; no price divides here."""
    return abs(price - reference) > share * reference


def _session_end(moment: datetime, exchange: str, calendar: Calendar) -> datetime:
    """Return the end, extended hours included, of the session that a bar ending then is of.

    What trades in the night is of the next session. Where no calendar tells, a session is a UTC
    day.
    """
    sessions = None if exchange == ALWAYS_OPEN else calendar.exchanges.get(exchange)
    hours = sessions.at_hand(moment) if sessions else None
    if hours is not None:
        return hours.extended_close
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == moment else midnight + _DAY
