"""Buy once, hold for ever: the plainest strategy, and the yardstick for the others."""

from collections.abc import Sequence
from decimal import ROUND_DOWN

from daemon.config.bounds import PositiveDecimal
from daemon.strategies import Answer, Intent, NoTrade, Strategy, View
from events import BarClosed, Symbol, TimeInForce

_HOLDING = NoTrade("signal", "holding")
_TOO_SMALL = NoTrade("size", "less than one share")


class BuyAndHold(Strategy):
    """Buy `shares` (or `notional_usd` worth) of each symbol at its first bar, then hold.

    Whether it holds is read off the books, so it buys again should an order not have been filled.
    """

    shares: PositiveDecimal | None = None
    notional_usd: PositiveDecimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY

    def check(self, symbols: Sequence[Symbol]) -> None:
        """Require one size."""
        if (self.shares is None) == (self.notional_usd is None):
            message = "set either shares or notional_usd"
            raise ValueError(message)

    def on_bar(self, bar: BarClosed, view: View) -> Answer:
        """Buy where nothing is held or on its way."""
        if view.quantity(bar.symbol) or view.pending(bar.symbol):
            return _HOLDING
        size = self.shares
        if size is None:
            assert self.notional_usd is not None, "checked at load"
            size = (self.notional_usd / bar.close).to_integral_value(ROUND_DOWN)
        if size <= 0:
            return _TOO_SMALL
        return Intent(
            bar.symbol, size, time_in_force=self.time_in_force, values={"close": bar.close}
        )
