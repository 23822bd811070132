"""What the paper broker itself holds: begun from the journal, moved by what it does from there.

It is kept beside the daemon's books, so that a report which was lost between the two shows.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from daemon.brokers.resting_orders import RestingOrder
from events import (
    BooksReported,
    BrokerCash,
    BrokerOrder,
    BrokerPosition,
    CashMoved,
    CommissionCharged,
    CompletedOrder,
    CorporateActionApplied,
    ExecutionSeen,
    LookWhy,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    utc_from_nanoseconds,
)
from events.codec import Input
from projections import State
from projections.positions import Positions

LISTED_MAX: Final = 1_000
"""Executions and ended orders that a look lists, the newest."""


class PaperBook:
    """Positions, cash, and the last executions and ended orders of one connection."""

    def __init__(self, state: State) -> None:
        """Begin with what `state` has."""
        self._positions = Positions(account=dict(state.positions.account))
        self._cash = state.cash.balance
        self._executions: deque[ExecutionSeen] = deque(maxlen=LISTED_MAX)
        self._ended: deque[CompletedOrder] = deque(maxlen=LISTED_MAX)
        self._since = utc_from_nanoseconds(state.at)

    def note(self, report: Input) -> None:
        """Take what the broker is about to report."""
        match report:
            case OrderFilled():
                self._positions.apply(report, None)
                self._cash -= report.quantity * report.price
                self._executions.append(
                    ExecutionSeen(
                        report.execution_id, report.client_order_id, report.symbol, report.quantity
                    )
                )
            case CommissionCharged():
                self._cash -= report.amount
            case CashMoved():
                self._cash += report.amount
            case OrderCancelled() | OrderExpired() | OrderRejected():
                status = str(report.__struct_config__.tag).partition(".")[2]
                self._ended.append(CompletedOrder(report.client_order_id, status=status))
            case _:
                pass

    def apply(self, action: CorporateActionApplied) -> None:
        """Take a corporate action that has just been booked."""
        self._positions.apply(action, None)
        self._cash += action.cash_in_lieu

    def reported(
        self, look_id: str, why: LookWhy, now: datetime, resting: Iterable[RestingOrder]
    ) -> BooksReported:
        """Return the whole of it, with the orders that rest."""
        positions = tuple(
            BrokerPosition(symbol, each.quantity, each.average_entry_price)
            for symbol, each in sorted(self._positions.account.items())
            if each.quantity
        )
        return BooksReported(
            look_id,
            why,
            now,
            positions,
            BrokerCash(total=self._cash),
            tuple(_open_order(order) for order in resting),
            tuple(self._ended),
            tuple(self._executions),
            self._since,
        )


def _open_order(order: RestingOrder) -> BrokerOrder:
    intent = order.intent
    return BrokerOrder(
        intent.client_order_id,
        intent.symbol,
        intent.quantity,
        order.remaining if intent.quantity > Decimal(0) else -order.remaining,
        intent.order_type.value,
        intent.time_in_force.value,
        intent.limit_price,
        intent.stop_price,
        status="resting",
        is_ours=True,
    )
