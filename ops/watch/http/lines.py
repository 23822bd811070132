"""Events as lines for a page: when, what, about which symbol and order, in words."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from events import ClientOrderId, Record, Symbol, utc_from_nanoseconds
from events.codec import TAGS
from events.journal import JournalReader
from ops.sentences import order_id_of, sentence, symbol_of
from ops.symbols_told import Symbols
from projections import State


class EventLine(msgspec.Struct, frozen=True):
    """One event as a sentence; `cause` is the event that led to it, None of what came by itself."""

    seq: int
    at: datetime
    type: str
    symbol: Symbol | None
    client_order_id: ClientOrderId | None
    cause: int | None
    text: str


def lines_of(reader: JournalReader, records: Iterable[Record]) -> Iterator[EventLine]:
    """Yield the lines of `records` of that journal."""
    symbols = Symbols(reader)
    for record in records:
        yield line_of(record, symbols.of(record.event))


def line_now(state: State, record: Record) -> EventLine:
    """Return the line of a record that is just folded: the books still know its order."""
    order_id = order_id_of(record.event)
    order = None if order_id is None else state.orders.find(order_id)
    return line_of(record, symbol_of(record.event) or (order.symbol if order else None))


def line_of(record: Record, symbol: Symbol | None) -> EventLine:
    """Return the line of `record`, which is about `symbol`."""
    event = record.event
    return EventLine(
        record.seq,
        utc_from_nanoseconds(record.at),
        TAGS[type(event)],
        symbol,
        order_id_of(event),
        record.cause,
        sentence(event),
    )
