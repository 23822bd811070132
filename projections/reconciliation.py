"""The last look at the broker's books, the breaks it left open, and what there is elsewhere."""

from decimal import Decimal
from typing import Final, assert_never

import msgspec

from events import (
    BooksReported,
    BreakKind,
    BreakOpened,
    BreakResolved,
    BrokerList,
    BrokerOrder,
    ClientOrderId,
    Difference,
    OrderIntended,
    OrderType,
    ReconcileCompleted,
    Symbol,
    TimeInForce,
    nanoseconds,
)

HISTORY_KEPT = 100
ACCEPTED_KEPT = 10_000
"""Executions signed off that are remembered; brokers list those of a day, or a week."""
ELSEWHERE = "elsewhere"
"""Whose shares and orders those are that the broker has and the books have not."""
INCOMPLETE: Final = "books incomplete"
"""The cause of the hold that stands until a start has seen all of the broker's books."""
NEEDED = frozenset({BrokerList.POSITIONS, BrokerList.CASH, BrokerList.OPEN_ORDERS})
"""The lists without which nobody can say that the books agree."""

_ZERO = Decimal(0)

ReconciliationEvent = BooksReported | BreakOpened | BreakResolved | ReconcileCompleted


class PastBreak(msgspec.Struct, frozen=True):
    """A break that is over; both times are ns UTC."""

    opened: BreakOpened
    resolved: BreakResolved
    opened_at: int = 0
    resolved_at: int = 0


class Reconciliation(msgspec.Struct):
    """`last` is the last look, folded at `looked_at`; `completed` what came of it (all ns UTC).

    `compared_at` is when positions, cash and open orders were last all compared. `filled_at` is
    when a symbol's last fill was reported on a live feed, `unsettled_since` the first one that no
    look has been behind, 0 without any. `open` are the breaks that stand, as they stand; `accepted`
    the executions an operator has signed off. `elsewhere` is what the gate has to reckon with
    though the books do not have it: shares and orders, each as an order that may fill.
    """

    last: BooksReported | None = None
    looked_at: int = 0
    completed: ReconcileCompleted | None = None
    compared_at: int = 0
    filled_at: dict[Symbol, int] = {}
    unsettled_since: int = 0
    open: dict[str, BreakOpened] = {}
    opened_at: dict[str, int] = {}
    history: list[PastBreak] = []
    accepted: dict[str, None] = {}
    elsewhere: list[tuple[OrderIntended, Decimal]] = []

    def note_fill(self, symbol: Symbol, at: int) -> None:
        """Take note of a fill that the broker's positions may not show yet."""
        self.filled_at[symbol] = at
        self.unsettled_since = self.unsettled_since or at

    def apply(self, event: ReconciliationEvent, at: int) -> None:
        """Take one event of a comparison into the book."""
        match event:
            case BooksReported():
                self.last = event
                self.looked_at = at
                newest = max(self.filled_at.values(), default=0)
                self.unsettled_since = newest if newest >= nanoseconds(event.began_at) else 0
            case BreakOpened():
                self.open[event.break_id] = event
                self.opened_at[event.break_id] = at
            case BreakResolved():
                self._resolve(event, at)
            case ReconcileCompleted():
                self._complete(event, at)
            case _:
                assert_never(event)
        self.elsewhere = [
            found
            for opened in self.open.values()
            if (found := _elsewhere(opened.difference, self.listed_as(opened.difference.subject)))
        ]

    def _resolve(self, event: BreakResolved, at: int) -> None:
        opened = self.open.pop(event.break_id, None)
        if opened is None:
            return
        opened_at = self.opened_at.pop(event.break_id, 0)
        past = PastBreak(opened, event, opened_at, at)
        self.history = [*self.history, past][-HISTORY_KEPT:]
        if opened.difference.kind is BreakKind.UNKNOWN_EXECUTION:
            self.accepted[opened.difference.subject] = None
            if len(self.accepted) > ACCEPTED_KEPT:
                del self.accepted[next(iter(self.accepted))]

    def _complete(self, event: ReconcileCompleted, at: int) -> None:
        self.completed = event
        if not NEEDED & set(event.not_compared):
            self.compared_at = at
        for break_id, difference in event.moved.items():
            if break_id in self.open:
                self.open[break_id] = BreakOpened(break_id, difference)

    def listed_as(self, name: str) -> list[BrokerOrder]:
        """Return the open orders of the last look that are called so."""
        orders = self.last.open_orders if self.last is not None else None
        return [order for order in orders or () if order.name == name]


def _elsewhere(
    difference: Difference, listed: list[BrokerOrder]
) -> tuple[OrderIntended, Decimal] | None:
    """Return what of a difference the books do not reserve, None where that is nothing."""
    match difference.kind:
        case BreakKind.POSITION:
            surplus = difference.delta
        case (
            BreakKind.FOREIGN_ORDER
            | BreakKind.UNENDED_ORDER
            | BreakKind.AMENDED_ORDER
            | BreakKind.DOUBLE_ORDER
        ):
            surplus = _unreserved(difference.internal or _ZERO, difference.broker or _ZERO)
        case BreakKind.CASH | BreakKind.SETTLED_CASH:
            return None
        case BreakKind.MISSING_ORDER | BreakKind.UNKNOWN_EXECUTION:
            return None
        case _:
            assert_never(difference.kind)
    if not surplus:
        return None
    return (
        OrderIntended(
            ClientOrderId(difference.subject),
            ELSEWHERE,
            difference.symbol,
            surplus,
            OrderType.MARKET,
            TimeInForce.GTC,
            cause_key="",
            leg=0,
            limit_price=max((o.limit_price for o in listed if o.limit_price), default=None),
            stop_price=max((o.stop_price for o in listed if o.stop_price), default=None),
        ),
        surplus,
    )


def _unreserved(reserved: Decimal, remaining: Decimal) -> Decimal:
    """Return what of an order's `remaining` at the broker the books have not reserved."""
    if reserved * remaining <= 0:
        return remaining  # Nothing is reserved, or on the other side.
    return remaining - reserved if abs(remaining) > abs(reserved) else _ZERO
