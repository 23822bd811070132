"""Our order as somebody else has changed it: what is other than intended, and the worst of both."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from events import BrokerOrder, OrderAmended, OrderIntended, OrderType, TimeInForce

AMENDED: Final = "amended order"
"""The cause of the hold behind an order of ours that somebody else has changed."""

_TYPES: Final = {each.value: each for each in OrderType}
_TIMES: Final = {each.value: each for each in TimeInForce}


def changes(intent: OrderIntended, said: OrderAmended | BrokerOrder) -> Iterator[str]:
    """Yield which terms of an order the broker has differently; what is not said is the same."""
    terms = (
        ("type", intent.order_type.value, said.order_type),
        ("time in force", intent.time_in_force.value, said.time_in_force),
        ("limit", intent.limit_price, said.limit_price),
        ("stop", intent.stop_price, said.stop_price),
    )
    for name, here, there in terms:
        if there not in {None, ""} and here != there:
            yield f"{name} {there} instead of {'none' if here is None else here}"


def amendment_text(intent: OrderIntended, said: OrderAmended) -> str:
    """Return what somebody else has made of an order, beside what was intended."""
    found = [*changes(intent, said)]
    if said.quantity != intent.quantity:
        found.insert(0, f"quantity {said.quantity:f} instead of {intent.quantity:f}")
    if said.live_orders > 1:
        found.insert(0, f"{said.live_orders} live orders")
    return ", ".join(found) or "as it was intended"


def worst_terms(intent: OrderIntended, said: OrderAmended) -> OrderIntended:
    """Return the order to reckon with: as large and as dear as either side has it.

    Of a kind we have no word for it counts as the kind that can do most, and lasts the longest.
    """
    return msgspec.structs.replace(
        intent,
        quantity=max(intent.quantity, said.quantity, key=abs),
        order_type=_TYPES.get(said.order_type, OrderType.MARKET),
        time_in_force=_TIMES.get(said.time_in_force, TimeInForce.GTC),
        limit_price=_highest(intent.limit_price, said.limit_price),
        stop_price=_highest(intent.stop_price, said.stop_price),
    )


def _highest(*prices: Decimal | None) -> Decimal | None:
    return max((price for price in prices if price is not None), default=None)
