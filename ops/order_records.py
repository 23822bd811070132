"""Orders as the journal has them, open or long over: each folded from its own events alone."""

from collections.abc import Iterator
from typing import cast

import msgspec

from events import ClientOrderId, LinkEvent, MarginRequested, OrderIntended, Record
from events.journal import JournalReader
from ops.sentences import order_id_of
from projections.orders import Order, OrderPathEvent, Orders


class OrderRecords(msgspec.Struct, frozen=True):
    """One order: how it stands, and the records that are about it, oldest first.

    The question what margin its batch needs, and what came of it, are among them.
    """

    order: Order
    records: list[Record]

    @property
    def intended(self) -> Record:
        """The record of the strategy's wish."""
        return self.records[0]


def order_records(reader: JournalReader, client_order_id: str) -> OrderRecords | None:
    """Return the order of that id, None where the journal has none.

    A report that came after the daemon had forgotten the order is not among its records.
    """
    intended = reader.find(OrderIntended, client_order_id)
    if intended is None:
        return None
    walk = reader.traced(intended.trace or intended.seq)
    records = []
    book, request = Orders(), ""
    for record in walk:
        event = record.event
        if order_id_of(event) == client_order_id:
            if not isinstance(event, LinkEvent):  # What it means stands behind it.
                # Every other event with a client order id belongs to the order path.
                book.apply(cast("OrderPathEvent", event), record.seq, record.at, record.trace)
        elif isinstance(event, MarginRequested) and client_order_id in event.orders:
            request = event.request_id
            alone = msgspec.structs.replace(event, orders=(ClientOrderId(client_order_id),))
            book.ask_margin(alone, record.seq)
        elif not (request and getattr(event, "request_id", "") == request):
            continue
        records.append(record)
    order = book.find(ClientOrderId(client_order_id))
    assert order is not None, "the first of its records is the intent"
    return OrderRecords(order, records)


def newest_orders(reader: JournalReader) -> Iterator[OrderRecords]:
    """Yield all orders of the journal, the newest first."""
    for record in reader.records_back(kinds=[OrderIntended]):
        order_id = order_id_of(record.event)
        found = None if order_id is None else order_records(reader, order_id)
        if found is not None:
            yield found
