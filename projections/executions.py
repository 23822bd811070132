"""Which executions are counted: a broker may report one again, also long after its order."""

from typing import assert_never

import msgspec

from events import CommissionCharged, ExecutionId, OrderFilled

REMEMBERED = 20_000
"""Executions remembered at the least. Brokers report again what happened within a week or so."""


class RecentIds(msgspec.Struct):
    """Remembers at least the last `REMEMBERED` ids, at most twice as many, at a constant cost.

    They are dicts because a dict, unlike a set, is written in the same order in every process.
    """

    recent: dict[ExecutionId, None] = {}
    older: dict[ExecutionId, None] = {}

    def __contains__(self, execution_id: ExecutionId) -> bool:
        """Say whether `execution_id` is remembered."""
        return execution_id in self.recent or execution_id in self.older

    def add(self, execution_id: ExecutionId) -> None:
        """Remember `execution_id`, forgetting the oldest when there are too many."""
        if len(self.recent) >= REMEMBERED:
            self.older = self.recent
            self.recent = {}
        self.recent[execution_id] = None


class Executions(msgspec.Struct):
    """`filled` are executions whose fill is counted, `charged` those whose commission is.

    The memory is apart from the orders, so that it outlives them, and one of the two reports may
    come before the other.
    """

    filled: RecentIds = msgspec.field(default_factory=RecentIds)
    charged: RecentIds = msgspec.field(default_factory=RecentIds)

    def is_repeat(self, event: OrderFilled | CommissionCharged) -> bool:
        """Say whether this execution, or its commission, is already counted."""
        return event.execution_id in self._of(event)

    def remember(self, event: OrderFilled | CommissionCharged) -> None:
        """Take note that `event` is counted now."""
        self._of(event).add(event.execution_id)

    def _of(self, event: OrderFilled | CommissionCharged) -> RecentIds:
        match event:
            case OrderFilled():
                return self.filled
            case CommissionCharged():
                return self.charged
            case _:
                assert_never(event)
