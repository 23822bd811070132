"""How much was ordered: by time, for rates, and by day, for counts. Day trades of the last days."""

from bisect import bisect_right
from decimal import Decimal
from typing import Final, assert_never

import msgspec

from events import CancelSending, IntentRefused, OrderIntended, OrderSending, Symbol

REMEMBERED: Final = 1_000
"""Times remembered at the least: no rate may be limited to more in its window."""
DAY_TRADES_KEPT: Final = 100
"""Day trades remembered; no limit may be higher."""
RATES: Final = frozenset({"order_rate", "message_rate"})
"""The checks that refuse an order for how many the whole account has sent."""
_DAY_NS: Final = 86_400 * 10**9

ActivityEvent = OrderIntended | IntentRefused | OrderSending | CancelSending


class Times(msgspec.Struct):
    """When the last of something happened, ns UTC, never going back."""

    at: list[int] = []

    def add(self, at: int) -> None:
        """Remember one more, forgetting the oldest in blocks."""
        times = self.at
        # A clock that was set back must not make room.
        times.append(max(at, times[-1]) if times else at)
        if len(times) >= 2 * REMEMBERED:
            del times[:REMEMBERED]

    def since(self, moment: int) -> int:
        """Return how many happened after `moment`."""
        times = self.at
        if not times or times[-1] <= moment:
            return 0
        return len(times) - bisect_right(times, moment)


class Activity(msgspec.Struct):
    """Orders and messages sent, intents by strategy, and what was sent and opened this day.

    `rate_refusals` are orders that were refused because the account sends too many.
    `day` is the close that ends the day, in ns UTC (without a calendar, the end of the UTC day).
    `sent` counts the day's orders by strategy and symbol, `sent_today`
    all of them. `opened` are the symbols in which a
    position was opened or grown this day: True until some of it is closed again. `day_trades` has
    an entry for each time that happened: its day.
    """

    orders: Times = msgspec.field(default_factory=Times)
    messages: Times = msgspec.field(default_factory=Times)
    intents: dict[str, Times] = {}
    rate_refusals: Times = msgspec.field(default_factory=Times)
    day: int = 0
    sent: dict[str, dict[Symbol, int]] = {}
    sent_today: int = 0
    opened: dict[Symbol, bool] = {}
    day_trades: list[int] = []

    def begin_day(self, ends_at: int, at: int) -> None:
        """Say which day it is; a new one starts from nothing."""
        day = ends_at if ends_at >= at else (at // _DAY_NS + 1) * _DAY_NS
        if day != self.day:
            self.day = day
            self.sent = {}
            self.sent_today = 0
            self.opened = {}

    def apply(self, event: ActivityEvent, at: int, of: OrderIntended | None) -> None:
        """Count one intent, order or cancel; `of` is the order's intent where that is known."""
        match event:
            case OrderIntended():
                times = self.intents.get(event.strategy)
                if times is None:
                    times = self.intents[event.strategy] = Times()
                times.add(at)
            case IntentRefused():
                if any(not each.passed and each.name in RATES for each in event.checks):
                    self.rate_refusals.add(at)
            case OrderSending():
                self.orders.add(at)
                self.messages.add(at)
                self.sent_today += 1
                if of is not None:
                    counts = self.sent.setdefault(of.strategy, {})
                    counts[of.symbol] = counts.get(of.symbol, 0) + 1
            case CancelSending():
                self.messages.add(at)
            case _:
                assert_never(event)

    def trade(self, symbol: Symbol, held: Decimal, quantity: Decimal) -> None:
        """Take a fill of `quantity` on a position of `held`."""
        opens = not held or (held > 0) == (quantity > 0)
        if not opens and self.opened.get(symbol):
            self.opened[symbol] = False
            self.day_trades = [*self.day_trades, self.day][-DAY_TRADES_KEPT:]
        if opens or abs(quantity) > abs(held):
            self.opened[symbol] = True
