"""A strategy that never rests: what it does next follows from its own last draw alone."""

from decimal import Decimal
from typing import ClassVar

from daemon.strategies import Answer, Every, Intent, NoTrade, Schedule, Strategy, View
from events import BarClosed, OrderFilled, OrderType, Symbol, TimeInForce, TimerFired

_CENT = Decimal("0.01")


class Restless(Strategy):
    """Buys and sells on most bars, in every kind of order; answers some fills at once."""

    state_fields: ClassVar[tuple[str, ...]] = ("drawn",)

    seed: int = 1
    patience_s: int = 1_200
    drawn: int = 0

    def schedules(self) -> tuple[Schedule, ...]:
        return (Schedule("noon", Every.SESSION, offset_s=2 * 3600),)

    def on_bar(self, bar: BarClosed, view: View) -> Answer:
        return self._order(bar.symbol, bar.close, view)

    def on_timer(self, _timer: TimerFired, view: View) -> Answer:
        price = view.price(Symbol("A"))
        return None if price is None else self._order(Symbol("A"), price, view)

    def on_fill(self, fill: OrderFilled, _view: View) -> Answer:
        if self._draw(4):
            return None
        return Intent(fill.symbol, -fill.quantity)

    def _order(self, symbol: Symbol, price: Decimal, view: View) -> NoTrade | Intent:
        size = Decimal(1 + self._draw(60))
        held = view.quantity(symbol)
        signed = -size if (held > 0) == (self._draw(4) > 0) else size
        kind = self._draw(10)
        away = price * (1 + self._draw(8)) / 1000
        limit = (price - away if signed > 0 else price + away).quantize(_CENT)
        stop = (price + away if signed > 0 else price - away).quantize(_CENT)
        match kind:
            case 0 | 1:
                return NoTrade("draw", "nothing this time", symbol)
            case 2 | 3 | 4:
                return Intent(symbol, signed)
            case 5:
                return Intent(symbol, signed, OrderType.LIMIT, TimeInForce.IOC, limit)
            case 6:
                return Intent(symbol, signed, OrderType.LIMIT, TimeInForce.GTC, limit)
            case 7:
                return Intent(symbol, signed, OrderType.STOP, TimeInForce.DAY, stop_price=stop)
            case _:
                return Intent(
                    symbol,
                    signed,
                    OrderType.LIMIT,
                    limit_price=limit,
                    cancel_after_s=self.patience_s,
                )

    def _draw(self, below: int) -> int:
        self.drawn += 1
        mixed = (self.drawn * 6364136223846793005 + self.seed * 1442695040888963407) % 2**64
        mixed ^= mixed >> 29
        return ((mixed * 0xBF58476D1CE4E5B9) % 2**64 >> 33) % below
