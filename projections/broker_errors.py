"""How often in a row the broker has failed us: orders rejected or lost, reports nobody can read.

An order that was withheld is not among them: it never reached the broker.
"""

from typing import Final, assert_never

import msgspec

from events import (
    BrokerUnparsed,
    CancelWithheld,
    HoldPlaced,
    OrderAcknowledged,
    OrderAdopted,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    OrderWrittenOff,
    Trip,
)
from projections.orders import OrderWord

BrokerWord = BrokerUnparsed | OrderFilled | OrderWord

BROKER_ERROR: Final = Trip.BROKER_ERROR.value


class BrokerErrors(msgspec.Struct):
    """`in_a_row` errors since the last good word, the last of them `last`, at `last_at` (ns UTC).

    A hold that was lifted starts the count anew: whoever or whatever lifted it has looked.
    """

    in_a_row: int = 0
    last_at: int = 0
    last: str = ""

    def apply(self, event: BrokerWord, at: int) -> None:
        """Take one word of the broker, or its silence."""
        match event:
            case OrderAcknowledged() | OrderWorking() | OrderFilled():
                self.in_a_row = 0
            case OrderCancelled() | OrderExpired():
                self.in_a_row = 0
            case OrderWithheld() | CancelWithheld():
                pass  # It never came to the broker.
            case OrderAmended() | OrderAdopted() | OrderWrittenOff():
                pass  # An operator's, or somebody else's.
            case OrderRejected():
                self._count(f"an order was rejected: {event.reason}", at)
            case OrderUnknown():
                self._count(f"an order is unknown: {event.reason}", at)
            case BrokerUnparsed():
                self._count(f"a report cannot be so: {event.why}", at)
            case _:
                assert_never(event)

    def forgive(self, lifted: HoldPlaced | None) -> None:
        """Take note that a hold is lifted."""
        if lifted is not None and lifted.cause == BROKER_ERROR:
            self.in_a_row = 0

    def _count(self, what: str, at: int) -> None:
        self.in_a_row += 1
        self.last_at = at
        self.last = what
