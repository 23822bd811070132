"""Which executions are counted: a broker may report one again, also long after its order."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Final, assert_never

import msgspec

from events import (
    ClientOrderId,
    CommissionCharged,
    CommissionCorrected,
    FillCorrected,
    OrderFilled,
)

REMEMBERED = 20_000
"""Ids remembered at the least. Brokers report again what happened within a week or so."""

Reported = OrderFilled | CommissionCharged
Counting = OrderFilled | FillCorrected | CommissionCharged | CommissionCorrected

_COUNTED: Final = re.compile(
    r"(?P<number>\S+)(?: .+ at (?P<price>\S+) on (?P<at>\S+))? for (?P<order>\S+?)"
    r"(?:, revision (?P<revision>\d+))?"
)
"""How `_text` says it."""


class Remembered(msgspec.Struct):
    """Remembers what was said of the last ids, at a constant cost.

    They are at least `REMEMBERED`, at most twice as many.
    """

    recent: dict[str, str] = {}
    older: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        """Say whether `name` is remembered."""
        return name in self.recent or name in self.older

    def get(self, name: str) -> str | None:
        """Return what was said of `name`, None where it is not remembered."""
        said = self.recent.get(name)
        return self.older.get(name) if said is None else said

    def add(self, name: str, said: str) -> None:
        """Remember what was `said` of `name`, forgetting the oldest when there are too many."""
        if len(self.recent) >= REMEMBERED:
            self.older = self.recent
            self.recent = {}
        self.recent[name] = said


class Counted(msgspec.Struct, frozen=True):
    """What is counted of an execution: shares (or dollars of commission), price, revision."""

    number: Decimal
    price: Decimal
    revision: int
    client_order_id: ClientOrderId


class Executions(msgspec.Struct):
    """`filled` are executions whose fill is counted, `charged` those whose commission is.

    Each with what was reported of it. The memory is apart from the orders, so that it outlives
    them, and one of the two reports may come before the other.
    """

    filled: Remembered = msgspec.field(default_factory=Remembered)
    charged: Remembered = msgspec.field(default_factory=Remembered)

    def is_repeat(self, event: Reported) -> bool:
        """Say whether this execution, or its commission, is already counted."""
        return event.execution_id in self._of(event)

    def contradicted_by(self, event: Reported) -> str:
        """Return what is counted under the id of `event` where that is something else, else ""."""
        counted = self._of(event).get(event.execution_id)
        return "" if counted is None or counted == _text(event) else counted

    def counted(self, event: Reported) -> Counted | None:
        """Return what is counted under the id of `event`, None where nothing is."""
        return _read(self._of(event).get(event.execution_id))

    def executed_at(self, execution_id: str) -> datetime | None:
        """Return when an execution happened as it is counted, None where it is not."""
        found = _COUNTED.fullmatch(self.filled.get(execution_id) or "")
        return datetime.fromisoformat(found["at"]) if found and found["at"] else None

    def order_of(self, execution_id: str) -> ClientOrderId | None:
        """Return whose execution it is, None where it is not counted."""
        counted = _read(self.filled.get(execution_id))
        return None if counted is None else counted.client_order_id

    def remember(self, event: Counting) -> None:
        """Take note that `event` is counted now."""
        self._of(event).add(event.execution_id, _text(event))

    def _of(self, event: Counting) -> Remembered:
        match event:
            case OrderFilled() | FillCorrected():
                return self.filled
            case CommissionCharged() | CommissionCorrected():
                return self.charged
            case _:
                assert_never(event)


def _text(event: Counting) -> str:
    """Return all that `event` says of its execution: equal reports, equal text."""
    order_id = event.client_order_id
    revision = f", revision {event.revision}" if event.revision > 1 else ""
    match event:
        case OrderFilled() | FillCorrected():
            traded = f"{_plain(event.quantity)} {event.symbol} at {_plain(event.price)}"
            return f"{traded} on {event.executed_at.isoformat()} for {order_id}{revision}"
        case CommissionCharged() | CommissionCorrected():
            return f"{_plain(event.amount)} for {order_id}{revision}"
        case _:
            assert_never(event)


def _read(text: str | None) -> Counted | None:
    found = text and _COUNTED.fullmatch(text)
    if not found:
        return None
    return Counted(
        Decimal(found["number"]),
        Decimal(found["price"] or 0),
        int(found["revision"] or 1),
        ClientOrderId(found["order"]),
    )


def _plain(number: Decimal) -> str:
    """Return `number` without trailing zeros: 100 and 100.0 are the same report."""
    return f"{number.normalize():f}"
