"""Holds: the one mechanism that stops orders, and how each hold ends."""

from decimal import Decimal
from enum import StrEnum

from events.base import Event


class HoldScope(StrEnum):
    """What a hold covers."""

    ALL = "all"
    STRATEGY = "strategy"
    SYMBOL = "symbol"


class HoldLevel(StrEnum):
    """REDUCE lets only risk-reducing orders pass, HALT none. Cancels always pass."""

    REDUCE = "REDUCE"
    HALT = "HALT"


class HoldLifts(StrEnum):
    """Who or what may end a hold."""

    OPERATOR = "operator"
    CONDITION = "condition"
    NEXT_SESSION = "next session"


class WorkingOrders(StrEnum):
    """What a hold does to orders that are already working."""

    KEEP = "KEEP"
    CANCEL_INCREASING = "CANCEL_INCREASING"
    CANCEL_ALL = "CANCEL_ALL"


class Trip(StrEnum):
    """What may trip the circuit breaker: the cause of the hold each of them places."""

    DAILY_LOSS = "DAILY_LOSS_EXCEEDED"
    DRAWDOWN = "DRAWDOWN_EXCEEDED"
    LEVERAGE = "EMERGENCY_LEVERAGE"
    DATA_STALE = "DATA_STALE"
    BROKER_ERROR = "BROKER_ERROR"
    ORDER_RATE = "ORDER_RATE"
    RUNAWAY = "RUNAWAY"
    CLOCK_JUMP = "CLOCK_JUMP"
    DISK_LOW = "DISK_LOW"
    JOURNAL_DOUBT = "JOURNAL_DOUBT"
    LIQUIDATION = "LIQUIDATION"
    RECONCILIATION_BREAK = "RECONCILIATION_BREAK"


KILL_SWITCH = "kill switch"
"""The cause of the hold that the kill switch places."""
FLATTEN_FAILED = "flatten failed"
"""The cause of the hold on a symbol whose flatten has ended with something left, long after it."""
AT_START = "start"
"""The cause of a hold that a start has placed, for an operator to look first."""


class HoldPlaced(Event, frozen=True, tag="hold.placed"):
    """Orders in scope are stopped until this hold is lifted. `target` names strategy or symbol.

    `subject` names what the cause was seen on, such as an order; one hold of it stands at a time.
    """

    hold_id: str
    scope: HoldScope
    level: HoldLevel
    cause: str
    by: str
    why: str
    lifts: HoldLifts
    target: str = ""
    working: WorkingOrders = WorkingOrders.KEEP
    subject: str = ""

    def key(self) -> str | None:
        """Return the hold's id."""
        return self.hold_id


class HoldLifted(Event, frozen=True, tag="hold.lifted"):
    """The hold of that id is over; no other hold is touched.

    `new_peak` is the equity from which the drawdown counts from here on, where an operator has
    lifted a drawdown that still stood.
    """

    hold_id: str
    by: str
    why: str
    new_peak: Decimal | None = None

    def key(self) -> str | None:
        """Return the hold's id: a hold is lifted once."""
        return self.hold_id
