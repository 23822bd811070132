"""A strategy that orders what it has no news of as well: another symbol's bar will do."""

from collections.abc import Sequence

from daemon.strategies import Intent, NoTrade, Schedule, View
from events import BarClosed, Symbol
from tests.simulation.restless import Restless

SYMBOLS = (Symbol("AAPL"), Symbol("MSFT"))


class Gambler(Restless):
    """Restless, and each second time a symbol has a bar it orders the other, too."""

    def schedules(self) -> tuple[Schedule, ...]:
        return ()

    def on_bar(self, bar: BarClosed, view: View) -> Sequence[NoTrade | Intent]:
        symbols = [bar.symbol]
        if self._draw(2):
            symbols += [symbol for symbol in SYMBOLS if symbol != bar.symbol]
        known = [(symbol, price) for symbol in symbols if (price := view.price(symbol)) is not None]
        return [self._order(symbol, price, view) for symbol, price in known]
