"""Trend by two moving averages: long while the fast one is above the slow one."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from daemon.config.bounds import PositiveDecimal
from daemon.strategies import Answer, Intent, NoTrade, Strategy, View
from events import BarClosed, CorporateActionApplied, Symbol, TimeInForce

_ZERO = Decimal(0)
_IS_LONG = NoTrade("signal", "already long")
_IS_FLAT = NoTrade("signal", "already flat")
_IS_SHORT = NoTrade("signal", "already short")
_TOO_SMALL = NoTrade("size", "less than one share")
_ABOVE = 1 + 1e-11
"""Nearer than that, two means of floats are the same: in a flat market neither is above."""


class Window(msgspec.Struct):
    """The last closes of one symbol in a ring, and their sums over the fast and the slow window.

    The ring is filled from the start; `next` is where the next close goes.
    """

    closes: list[float]
    next: int = 0
    filled: int = 0
    fast_sum: float = 0.0
    slow_sum: float = 0.0


class MovingAverage(Strategy):
    """Hold `shares` (or `notional_usd` worth) while the fast mean is above the slow mean.

    Without `allow_short` it is flat otherwise. On daily bars use `time_in_force = "OPG"`: the bar
    is known after the close, so the order belongs into the next opening auction.
    """

    state_fields: ClassVar[tuple[str, ...]] = ("windows",)

    fast: Annotated[int, Meta(ge=1)] = 10
    slow: Annotated[int, Meta(ge=2)] = 30
    shares: PositiveDecimal | None = None
    notional_usd: PositiveDecimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    allow_short: bool = False
    windows: dict[Symbol, Window] = msgspec.field(default_factory=dict)

    def check(self, symbols: Sequence[Symbol]) -> None:
        """Require fast below slow, and one size."""
        if self.fast >= self.slow:
            message = f"fast ({self.fast}) must be smaller than slow ({self.slow})"
            raise ValueError(message)
        if (self.shares is None) == (self.notional_usd is None):
            message = "set either shares or notional_usd"
            raise ValueError(message)

    def warmup(self) -> int:
        """Return the length of the slow window."""
        return self.slow

    def on_bar(self, bar: BarClosed, view: View) -> Answer:
        """Compare the means, and answer with what is missing to the position they ask for."""
        symbol = bar.symbol
        window = self.windows.get(symbol)
        if window is None:
            window = self.windows[symbol] = Window([0.0] * self.slow)
        self._push(window, float(bar.close))
        if window.filled < self.slow:
            return None
        held = view.quantity(symbol) + view.pending(symbol)
        is_up = window.fast_sum * self.slow > window.slow_sum * self.fast * _ABOVE
        if is_up:
            if held > _ZERO:
                return _IS_LONG
        elif not self.allow_short:
            if not held:
                return _IS_FLAT
        elif held < _ZERO:
            return _IS_SHORT
        return self._trade(bar, window, held, is_up=is_up)

    def on_split(self, action: CorporateActionApplied) -> None:
        """Restate the window in new shares."""
        window = self.windows.get(action.symbol)
        if window is not None:
            ratio = action.old_shares / action.new_shares
            window.closes = [close * ratio for close in window.closes]
            self._sum_afresh(window)

    def _push(self, window: Window, close: float) -> None:
        closes, place, slow, fast = window.closes, window.next, self.slow, self.fast
        window.slow_sum += close - closes[place]
        window.fast_sum += close - closes[place - fast]
        closes[place] = close
        window.next = place = (place + 1) % slow
        if window.filled < slow:
            window.filled += 1
        if not place:
            # Once a round the sums are made afresh: adding and taking away floats would drift.
            self._sum_afresh(window)

    def _sum_afresh(self, window: Window) -> None:
        window.slow_sum = sum(window.closes)
        window.fast_sum = sum(window.closes[window.next - back - 1] for back in range(self.fast))

    def _trade(self, bar: BarClosed, window: Window, held: Decimal, *, is_up: bool) -> Answer:
        size = self._size(bar.close)
        if size <= 0:
            return _TOO_SMALL
        short = -size if self.allow_short else _ZERO
        return Intent(
            bar.symbol,
            (size if is_up else short) - held,
            time_in_force=self.time_in_force,
            values={
                "fast_mean": round(window.fast_sum / self.fast, 6),
                "slow_mean": round(window.slow_sum / self.slow, 6),
                "close": bar.close,
            },
        )

    def _size(self, price: Decimal) -> Decimal:
        if self.shares is not None:
            return self.shares
        assert self.notional_usd is not None, "checked at load"
        return (self.notional_usd / price).to_integral_value(ROUND_DOWN)
