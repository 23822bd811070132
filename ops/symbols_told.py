"""The symbol of every event, also of a report that names only its order."""

from functools import lru_cache

from events import ClientOrderId, OrderIntended, Symbol
from events.codec import JournalEvent
from events.journal import JournalReader
from ops.sentences import order_id_of, symbol_of


class Symbols:
    """Knows the symbol of every event, also of a report that names only its order."""

    def __init__(self, reader: JournalReader) -> None:
        """Look orders up in `reader`'s journal."""
        self._reader = reader
        self._of_order = lru_cache(maxsize=10_000)(self._look_up)

    def of(self, event: JournalEvent) -> Symbol | None:
        """Return the symbol `event` is about, None when it is about none."""
        order_id = order_id_of(event)
        return symbol_of(event) or (None if order_id is None else self._of_order(order_id))

    def _look_up(self, order_id: ClientOrderId) -> Symbol | None:
        found = self._reader.find(OrderIntended, order_id)
        return None if found is None else symbol_of(found.event)
