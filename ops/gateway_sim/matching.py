"""At which price an order trades in five seconds of market, if it does. Pure.

An order that meets the market pays one tick for the spread; one that rests trades at its limit as
soon as the price touches it, or at a better opening price. Queues are not simulated.
"""

from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from ops.gateway_sim.ledger import Working
from ops.gateway_sim.prices import TICK
from ops.gateway_sim.terms import Bar, OrderLine, OrderType, Side

STOPS: Final = frozenset(
    {OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAIL, OrderType.TRAIL_LIMIT}
)
TRAILS: Final = frozenset({OrderType.TRAIL, OrderType.TRAIL_LIMIT})
AT_CLOSE: Final = frozenset({OrderType.MARKET_ON_CLOSE, OrderType.LIMIT_ON_CLOSE})

_PERCENT: Final = Decimal(100)


class Touch(msgspec.Struct):
    """The prices an order meets, and how many shares may still trade at them.

    `bid` and `ask` are those at the beginning: an order that need not wait trades there.
    """

    at: datetime
    bid: Decimal
    ask: Decimal
    high: Decimal
    low: Decimal
    room: Decimal
    is_quote: bool = False
    """Whether these are the prices of one moment: who trades with them takes liquidity."""


def touch(bar: Bar, end: datetime, room: Decimal) -> Touch:
    """Return what orders meet in five seconds of market."""
    return Touch(end, max(bar.open - TICK, TICK), bar.open + TICK, bar.high, bar.low, room)


def fill_price(order: Working, met: Touch) -> Decimal | None:
    """Return the price at which `order` trades now; a stop that is reached becomes triggered."""
    line, was_triggered = order.line, order.is_triggered
    limit = limit_of(line)
    is_buy = line.terms.action == Side.BUY
    beginning = met.ask if is_buy else met.bid
    if line.terms.type in STOPS and not was_triggered:
        stop = stop_of(line)
        if stop is None or not (met.high >= stop if is_buy else met.low <= stop):
            return None
        order.is_triggered = True
        beginning = max(beginning, stop + TICK) if is_buy else min(beginning, stop - TICK)
    if limit is None or (beginning <= limit if is_buy else beginning >= limit):
        return beginning
    is_reached = met.low <= limit if is_buy else met.high >= limit
    # The price may have been at the limit only before it was at the stop.
    is_resting = line.terms.type not in STOPS or was_triggered
    return limit if is_reached and is_resting else None


def is_marketable_at(line: OrderLine, price: Decimal) -> bool:
    """Tell whether an auction at `price` fills `line`."""
    limit = line.terms.limit_price if line.terms.type != OrderType.MARKET_ON_CLOSE else None
    if limit is None or line.terms.type == OrderType.MARKET:
        return True
    return price <= limit if line.terms.action == Side.BUY else price >= limit


def limit_of(line: OrderLine) -> Decimal | None:
    """Return the limit of an order, which of a trailing one moves with its stop."""
    terms = line.terms
    if terms.type in {OrderType.LIMIT, OrderType.STOP_LIMIT}:
        return terms.limit_price
    if terms.type == OrderType.TRAIL_LIMIT and line.trail_stop is not None:
        offset = terms.limit_price_offset or Decimal(0)
        return line.trail_stop + (offset if terms.action == Side.BUY else -offset)
    return None


def stop_of(line: OrderLine) -> Decimal | None:
    """Return where an order triggers."""
    return line.trail_stop if line.terms.type in TRAILS else line.terms.aux_price


def trailed(line: OrderLine, high: Decimal, low: Decimal) -> Decimal | None:
    """Return where a trailing stop stands after prices between `low` and `high`."""
    terms = line.terms
    is_buy = terms.action == Side.BUY
    best = low if is_buy else high
    if terms.trailing_percent is not None:
        distance = best * terms.trailing_percent / _PERCENT
    elif terms.aux_price is not None:
        distance = terms.aux_price
    else:
        return line.trail_stop
    rounding = ROUND_CEILING if is_buy else ROUND_FLOOR
    ticks = ((best + distance if is_buy else best - distance) / TICK).to_integral_value(rounding)
    if line.trail_stop is None:
        return ticks * TICK
    return min(line.trail_stop, ticks * TICK) if is_buy else max(line.trail_stop, ticks * TICK)
