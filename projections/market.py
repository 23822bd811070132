"""The last price of every symbol and how old it is."""

from datetime import datetime
from decimal import Decimal

import msgspec

from events import BarClosed, CorporateActionApplied, CorporateActionKind, Symbol

PRICE_FLOOR = Decimal("0.0001")
"""The smallest price US stocks trade in: what a dividend as large as the price leaves of it."""
_STEP = Decimal("1e-8")


class Market(msgspec.Struct):
    """`last` is the newest bar to decide on; `newest_end` also counts bars off session.

    `fresh_splits` are the splits that no bar to decide on has followed yet.
    """

    last: dict[Symbol, BarClosed] = {}
    newest_end: dict[Symbol, datetime] = {}
    fresh_splits: dict[Symbol, CorporateActionApplied] = {}
    bars: int = 0
    off_session: int = 0

    def is_news(self, bar: BarClosed) -> bool:
        """Say whether `bar` ends after every bar of its symbol so far."""
        newest = self.newest_end.get(bar.symbol)
        return newest is None or bar.end > newest

    def price(self, symbol: Symbol) -> Decimal | None:
        """Return the last close, in today's shares; None when there is none: never a default."""
        bar = self.last.get(symbol)
        return None if bar is None else bar.close

    def opens_stale(self, bar: BarClosed) -> bool:
        """Say whether `bar` opens at a price from before a split and closes at one from after it.

        The first bar after a split may open with the last price there was, in old shares. Which of
        the two scales a price is of, the one it is nearer to tells: by the square root of the
        ratio.
        """
        split, last = self.fresh_splits.get(bar.symbol), self.last.get(bar.symbol)
        if split is None or last is None:
            return False
        middle = last.close * last.close * split.new_shares / split.old_shares
        if split.new_shares > split.old_shares:
            return bar.close * bar.close < middle < bar.open * bar.open
        return bar.open * bar.open < middle < bar.close * bar.close

    def age_s(self, symbol: Symbol, now: datetime) -> float | None:
        """Return the seconds since the last bar closed, None when there was none."""
        bar = self.last.get(symbol)
        return None if bar is None else (now - bar.end).total_seconds()

    def close_bar(self, bar: BarClosed, *, in_session: bool) -> None:
        """Take a finished bar into the book. Bars off session move no price."""
        self.bars += 1
        self.newest_end[bar.symbol] = bar.end
        if in_session:
            self.last[bar.symbol] = bar
            if self.fresh_splits:
                self.fresh_splits.pop(bar.symbol, None)
        else:
            self.off_session += 1

    def restate(self, event: CorporateActionApplied) -> None:
        """Restate the last bar as of after the action: prices stay continuous through it."""
        bar = self.last.get(event.symbol)
        if bar is None:
            return
        if event.kind is CorporateActionKind.SPLIT:
            self.fresh_splits[event.symbol] = event
        self.last[event.symbol] = msgspec.structs.replace(
            bar,
            open=restated(bar.open, event),
            high=restated(bar.high, event),
            low=restated(bar.low, event),
            close=restated(bar.close, event),
            volume=bar.volume * event.new_shares / event.old_shares,
        )


def restated(price: Decimal, event: CorporateActionApplied) -> Decimal:
    """Return what `price`, from before the action, is as of after it.

    A split shares the price out among the new shares. A dividend leaves it, for who buys from here
    on does not get it: what the price loses, the receivable makes up for. No price becomes 0.
    """
    if event.kind is CorporateActionKind.SPLIT:
        return max((price * event.old_shares / event.new_shares).quantize(_STEP), _STEP)
    return max(price - event.cash_per_share, min(price, PRICE_FLOOR))
