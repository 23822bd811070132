"""Whether the order would trade with one of our own, which exchanges forbid."""

from decimal import Decimal

from daemon.gate.checks.measures import allowed
from daemon.gate.checks.question import Question
from events import Check, OrderIntended

_ZERO = Decimal(0)
_NONE = allowed("own_opposite")


def own_opposite(question: Question) -> Check:
    """Refuse an order that could meet one of ours on the other side, working or unknown."""
    if question.limits.orders.allow_opposite:
        return _NONE
    intent = question.intent
    for other, reserved in question.standing.here:
        buys = reserved > _ZERO
        if buys is not question.standing.is_sale or not other.client_order_id:
            continue  # What has no id is held elsewhere, and no order.
        buy, sell = (other, intent) if buys else (intent, other)
        if _can_meet(buy, sell, question.last):
            return allowed("own_opposite", f"it could trade with {other.client_order_id}")
    return _NONE


def _can_meet(buy: OrderIntended, sell: OrderIntended, last: Decimal | None) -> bool:
    """Say whether two orders could trade with each other.

    A stop whose price the market has not reached is not in the market yet.
    """
    if last is not None and buy.stop_price is not None and last < buy.stop_price:
        return False
    if last is not None and sell.stop_price is not None and last > sell.stop_price:
        return False
    if buy.limit_price is None or sell.limit_price is None:
        return True
    return buy.limit_price >= sell.limit_price
