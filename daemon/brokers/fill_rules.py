"""What a bar offers an order: pure rules, said in words in ops/paper-broker.md.

A bar does not tell in which order its prices came. Where that leaves a choice, these rules take
what is worse for the order. Nothing is ever offered below the bar's low or above its high.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Final, NamedTuple

from events import BarClosed, OrderIntended, OrderType

_CENT: Final = Decimal("0.01")
_SUB_DOLLAR_STEP: Final = Decimal("0.0001")
_SMALLEST_FRACTION: Final = Decimal("1e-8")

STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
LIMITS: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})


class Offer(NamedTuple):
    """A price the order can have, and whether it was there at the open or some time later."""

    price: Decimal
    at_open: bool


def worsened(price: Decimal, bar: BarClosed, *, buying: bool, slippage: Decimal) -> Decimal:
    """Return `price` moved against the order by `slippage` (a share of the price, 0.0001 = 1 bp).

    It ends on a step a US stock trades in, rounded against the order: a cent, or $0.0001 for
    prices below a dollar. The bar's own extreme is the limit, off the step or not.
    """
    step = _CENT if price >= 1 else _SUB_DOLLAR_STEP
    if buying:
        return min((price * (1 + slippage)).quantize(step, ROUND_CEILING), bar.high)
    return max((price * (1 - slippage)).quantize(step, ROUND_FLOOR), bar.low)


def triggers(intent: OrderIntended, bar: BarClosed) -> bool:
    """Say whether the stop price of a stop order traded in `bar`."""
    stop = _needed(intent.stop_price)
    return bar.high >= stop if intent.quantity > 0 else bar.low <= stop


def offer_at_rest(intent: OrderIntended, bar: BarClosed, slippage: Decimal) -> Offer | None:
    """Return what `bar` offers an order that was live before it; a stop has triggered earlier.

    A market order takes the open, worsened. A limit order takes its limit, or the open where that
    is better; None when the bar did not reach the limit.
    """
    buying = intent.quantity > 0
    if intent.order_type not in LIMITS:
        return Offer(worsened(bar.open, bar, buying=buying, slippage=slippage), at_open=True)
    limit = _needed(intent.limit_price)
    if not _within(limit, bar.low if buying else bar.high, buying=buying):
        return None
    if _within(limit, bar.open, buying=buying):
        return Offer(bar.open, at_open=True)
    return Offer(limit, at_open=False)


def offer_on_trigger(intent: OrderIntended, bar: BarClosed, slippage: Decimal) -> Offer | None:
    """Return what the very bar that triggered a stop offers it.

    The price is the stop's, or the open's where the market gapped through the stop, worsened. A
    stop-limit takes it only as far as the limit allows: None means it rests from the next bar on,
    for nothing says that the bar came back to the limit after the trigger.
    """
    buying = intent.quantity > 0
    stop = _needed(intent.stop_price)
    gapped = bar.open >= stop if buying else bar.open <= stop
    trigger = bar.open if gapped else stop
    price = worsened(trigger, bar, buying=buying, slippage=slippage)
    if intent.order_type is OrderType.STOP_LIMIT:
        limit = _needed(intent.limit_price)
        if not _within(limit, trigger, buying=buying):
            return None
        price = min(price, limit) if buying else max(price, limit)
    return Offer(price, at_open=gapped)


def takes_auction_price(intent: OrderIntended, price: Decimal) -> bool:
    """Say whether the order takes part at the auction's `price`: a limit must allow it."""
    if intent.order_type not in LIMITS:
        return True
    return _within(_needed(intent.limit_price), price, buying=intent.quantity > 0)


def fillable(remaining: Decimal, room: Decimal, *, is_whole: bool) -> Decimal:
    """Return how much of `remaining` a bar can fill that has `room` left; both unsigned.

    A whole order fills in whole shares, a fractional one down to 1e-8.
    """
    if is_whole:
        room = room.to_integral_value(ROUND_FLOOR)
    else:
        room = room.quantize(_SMALLEST_FRACTION, ROUND_DOWN)
    return min(remaining, room)


def objection(intent: OrderIntended) -> str:
    """Say what is wrong with the order's own fields, nothing when it is well formed."""
    kind = intent.order_type
    if not intent.quantity.is_finite() or not intent.quantity:
        return f"the quantity is {intent.quantity}: it must be a number other than 0"
    if kind in LIMITS and not _is_price(intent.limit_price):
        return f"a {kind} order needs a limit price above 0, not {intent.limit_price}"
    if kind in STOPS and not _is_price(intent.stop_price):
        return f"a {kind} order needs a stop price above 0, not {intent.stop_price}"
    return ""


def _within(limit: Decimal, price: Decimal, *, buying: bool) -> bool:
    return price <= limit if buying else price >= limit


def _is_price(price: Decimal | None) -> bool:
    return price is not None and price.is_finite() and price > 0


def _needed(price: Decimal | None) -> Decimal:
    assert price is not None, "objection() lets no order pass without the price its type needs"
    return price
