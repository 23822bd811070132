"""End-of-life evidence: which orders are over because no list of the broker's has them any more.

Silence never ends an order. A whole look does, where the order could live for one session only,
that session has closed, the connection spans the close, and everything else agrees.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from events import BooksReported, OrderWrittenOff, TimeInForce, utc_from_nanoseconds
from projections import State
from projections.calendar import ALWAYS_OPEN
from projections.differences import AT_BROKER
from projections.orders import Order

_ONE_SESSION: Final = frozenset({TimeInForce.DAY, TimeInForce.IOC})
_BY: Final = "core"


def written_off(state: State, look: BooksReported) -> Iterator[tuple[Order, OrderWrittenOff]]:
    """Yield each open order that `look` proves to be over, with the event that says so."""
    lists = (look.positions, look.open_orders, look.completed_orders, look.executions)
    if look.connected_since is None or any(each is None for each in lists):
        return
    named: set[str] = {order.name for order in look.open_orders or ()}
    named |= {order.order_ref for order in look.completed_orders or ()}
    named |= {
        each.order_ref
        for each in look.executions or ()
        if each.execution_id not in state.orders.executions.filled
    }
    held = {each.symbol: each.quantity for each in look.positions or ()}
    # All of them first: each is folded when it is recorded.
    for order in tuple(state.orders.open.values()):
        closed = _session_close(state, order)
        if (
            closed is not None
            and look.connected_since <= closed < look.began_at
            and order.client_order_id not in named
            and held.get(order.symbol, 0) == state.positions.held(order.symbol).quantity
        ):
            why = (
                f"{order.intent.time_in_force}, its session closed {closed:%Y-%m-%d %H:%M} UTC; it "
                "is in none of the broker's open orders, completed orders and executions, each "
                f"whole, on a connection since {look.connected_since:%Y-%m-%d %H:%M} UTC, and the "
                f"positions agree (look {look.look_id})"
            )
            yield order, OrderWrittenOff(order.client_order_id, _BY, why)


def _session_close(state: State, order: Order) -> datetime | None:
    """Return the close of the one session that `order` could live in, None where nobody knows."""
    terms = state.symbols.get(order.symbol)
    if order.state not in AT_BROKER or order.terms.time_in_force not in _ONE_SESSION:
        return None
    if terms is None or terms.exchange == ALWAYS_OPEN:
        return None
    sessions = state.calendar.exchanges.get(terms.exchange)
    sent = utc_from_nanoseconds(order.sent_at)
    if sessions is None:
        return None
    if order.intent.outside_rth or terms.extended_hours:
        hours = sessions.at_hand(sent)
        return hours.extended_close if hours else None
    hours = sessions.first_ending_after(sent)
    return hours.close if hours else None
