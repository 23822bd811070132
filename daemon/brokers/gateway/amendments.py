"""What somebody else makes of our orders: other terms, or two live orders under one reference.

An order is as the broker tells of it, whoever changed it: a person at the trading desk, a preset of
the account. Nothing here is remembered beyond a connection: its lists tell it again.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from daemon.brokers.gateway.messages import OrderLine
from daemon.brokers.gateway.translate import our_words
from events import ADOPTED, ClientOrderId, OrderAmended, OrderType
from projections import State
from projections.amendments import changes
from projections.differences import AT_BROKER
from projections.orders import Order

REMEMBERED: Final = 20_000
_LIMITS: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


class Amendments:
    """The live orders under each name, as they were told of last."""

    def __init__(self) -> None:
        """Know of none yet."""
        self._live: dict[ClientOrderId, dict[int, OrderLine]] = {}

    def take(self, line: OrderLine, order: Order) -> list[OrderAmended]:
        """Take an open order as it is there; return its terms where they are news."""
        if order.state not in AT_BROKER or not line.perm_id:
            return []
        live = self._live.setdefault(order.client_order_id, {})
        live[line.perm_id] = line
        said = _terms(order, live.values())
        before = order.amended
        if before is None:
            is_news = said.quantity != order.intent.quantity or any(changes(order.intent, said))
        else:
            is_news = said != before
        return [said] if is_news else []

    def ended(self, order: ClientOrderId, perm_id: int) -> bool:
        """Take it that the order with `perm_id` is over; say whether another one lives on."""
        live = self._live.get(order, {})
        live.pop(perm_id, None)
        return bool(live) if perm_id else len(live) > 1

    def has_shown(self, order: ClientOrderId) -> bool:
        """Say whether an order lives under that name, also where no fold has it as such yet."""
        return bool(self._live.get(order))

    def has_other(self, order: ClientOrderId, number: int) -> bool:
        """Say whether an order lives under that name that has another number."""
        return any(line.order_id != number for line in self._live.get(order, {}).values())

    def disconnected(self) -> None:
        """Forget all of it: the next connection begins with the lists."""
        self._live = {}

    def forget(self, state: State) -> None:
        """Drop what is over, once there is much of it."""
        if len(self._live) > REMEMBERED:
            ours = state.orders.open
            self._live = {name: live for name, live in self._live.items() if name in ours}


def _terms(order: Order, live: Iterable[OrderLine]) -> OrderAmended:
    """Return what the live orders under one name are together; what is not said is as intended."""
    lines = [*live]
    kind, time_in_force = our_words(lines[-1])
    quantity = sum((each.quantity for each in lines), Decimal(0))
    return OrderAmended(
        order.client_order_id,
        # Of an order that was taken over, the intent has what was left of it then.
        order.intent.quantity if order.intent.cause_key.startswith(ADOPTED) else quantity,
        kind,
        time_in_force,
        _highest(each.limit_price for each in lines) if kind in _LIMITS else None,
        _highest(each.stop_price for each in lines) if kind in _STOPS else None,
        len(lines),
    )


def _highest(prices: Iterable[Decimal | None]) -> Decimal | None:
    return max((price for price in prices if price is not None), default=None)
