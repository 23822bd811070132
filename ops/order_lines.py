"""Orders as they are shown: a line each."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from itertools import islice

import msgspec

from events import ClientOrderId, OrderType, Symbol, TimeInForce, utc_from_nanoseconds
from events.journal import JournalReader
from ops.order_records import OrderRecords, newest_orders, order_records
from projections.amendments import amendment_text
from projections.order_states import TERMINAL, OrderState


class OrderLine(msgspec.Struct, frozen=True):
    """One order. Quantities are signed, prices dollars a share; `at` is when it was intended.

    `amended` says what somebody else has made of it, empty where nobody has.
    """

    client_order_id: ClientOrderId
    at: datetime
    seq: int
    strategy: str
    symbol: Symbol
    quantity: Decimal
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None
    stop_price: Decimal | None
    state: OrderState
    is_open: bool
    filled: Decimal
    average_fill_price: Decimal | None
    commission_usd: Decimal
    reason: str
    amended: str


def order_lines(
    reader: JournalReader, still_open: Iterable[ClientOrderId], count: int
) -> list[OrderLine]:
    """Return the orders that are `still_open`, and the last `count` that are over, oldest first."""
    found = [order_records(reader, order_id) for order_id in still_open]
    open_orders = [each for each in found if each is not None]
    past = (each for each in newest_orders(reader) if each.order.state in TERMINAL)
    over = islice(past, count)
    return sorted(map(line_of, (*open_orders, *over)), key=lambda line: line.seq)


def line_of(found: OrderRecords) -> OrderLine:
    """Return one order as it is shown."""
    order, intent = found.order, found.order.intent
    return OrderLine(
        client_order_id=order.client_order_id,
        at=utc_from_nanoseconds(found.intended.at),
        seq=found.intended.seq,
        strategy=intent.strategy,
        symbol=intent.symbol,
        quantity=intent.quantity,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        limit_price=intent.limit_price,
        stop_price=intent.stop_price,
        state=order.state,
        is_open=order.state not in TERMINAL,
        filled=order.filled,
        average_fill_price=order.average_fill_price,
        commission_usd=order.commission,
        reason=order.reason,
        amended=amendment_text(intent, order.amended) if order.amended else "",
    )
