"""The life of an order, from the strategy's intent to the broker's last word on it.

Quantities are signed: positive buys, negative sells. Prices are US dollars a share.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from events.base import ClientOrderId, Event, ExecutionId, Symbol


class OrderType(StrEnum):
    """How an order's price is found. A stop rests until its stop price trades."""

    MARKET = "MKT"
    LIMIT = "LMT"
    STOP = "STP"
    STOP_LIMIT = "STP LMT"


class TimeInForce(StrEnum):
    """How long an order may live. OPG and CLS take part in one auction only."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    OPG = "OPG"
    CLS = "CLS"


class Check(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One check of the gate: what it measured, against which limit, and the room that was left.

    `value`, `limit` and `headroom` are in the check's own unit (the name says which) and None
    where the check is a plain yes or no. `note` says in words what a number cannot.
    """

    name: str
    passed: bool
    value: Decimal | None = None
    limit: Decimal | None = None
    headroom: Decimal | None = None
    note: str = ""


class OrderEvent(Event, frozen=True):
    """Anything about one order. There is at most one of each kind an order, unless keyed wider."""

    client_order_id: ClientOrderId

    def key(self) -> str | None:
        """Return the order's id: one event of this kind an order."""
        return self.client_order_id


class OrderReport(OrderEvent, frozen=True):
    """A broker's word on an order. The same word may come again, so it carries no unique key."""

    def key(self) -> str | None:
        """Return None: the fold drops repeats, the journal keeps what was said."""
        return None


class OrderIntended(OrderEvent, frozen=True, tag="order.intended"):
    """A strategy wants this order. `cause_key` and `leg` are what its id was derived from.

    `values` are the strategy's own numbers at the moment of the decision, as text, for `explain`.
    `cancel_after_s` asks for a cancel that many seconds after sending. `closing` is an operator's
    flatten: it passes holds, as long as it only reduces the position. `outside_rth` lets a limit
    order trade outside regular hours too. `expected_edge_usd` is what the strategy expects the
    trade to earn before costs, where it says so.
    """

    strategy: str
    symbol: Symbol
    quantity: Decimal
    order_type: OrderType
    time_in_force: TimeInForce
    cause_key: str
    leg: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    cancel_after_s: int | None = None
    values: dict[str, str] = msgspec.field(default_factory=dict)
    closing: bool = False
    outside_rth: bool = False
    expected_edge_usd: Decimal | None = None


class IntentApproved(OrderEvent, frozen=True, tag="intent.approved"):
    """The gate let the intent pass; every check is listed in the gate's fixed order."""

    checks: tuple[Check, ...]


class IntentRefused(OrderEvent, frozen=True, tag="intent.refused"):
    """The gate did not let the intent pass; the checks that failed are those not `passed`."""

    checks: tuple[Check, ...]

    @property
    def failed(self) -> list[Check]:
        """The checks that did not pass, in the gate's order."""
        return [each for each in self.checks if not each.passed]


class OrderSending(OrderEvent, frozen=True, tag="order.sending"):
    """The order is about to leave: recorded before a byte is written, so it may have left."""


class OrderWithheld(OrderEvent, frozen=True, tag="order.withheld"):
    """The order certainly did not leave: something at the send point stood in its way."""

    reason: str


class OrderAcknowledged(OrderReport, frozen=True, tag="order.acknowledged"):
    """The broker has the order. `broker_order_id` is the broker's name for it, never identity."""

    broker_order_id: str = ""


class OrderWorking(OrderReport, frozen=True, tag="order.working"):
    """The order rests at the exchange."""


class OrderRejected(OrderReport, frozen=True, tag="order.rejected"):
    """The broker refused the order."""

    reason: str


class OrderCancelled(OrderReport, frozen=True, tag="order.cancelled"):
    """The broker says the rest of the order is cancelled."""

    reason: str = ""


class OrderAmended(OrderReport, frozen=True, tag="order.amended"):
    """Somebody else has changed our order: at the broker it has these terms now.

    Type and time in force are in our words where we have one for it, else in the broker's.
    `quantity` is all of the order, signed, with what is filled of it; where `live_orders` are more
    than one, it is that of all of them together, and the prices are the highest.
    """

    quantity: Decimal
    order_type: str
    time_in_force: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    live_orders: int = 1


class OrderExpired(OrderReport, frozen=True, tag="order.expired"):
    """The order's time in force ran out."""

    reason: str = ""


class BrokerUnparsed(Event, frozen=True, tag="broker.unparsed"):
    """The broker reported what cannot be so; `raw` is all of it as text, `why` what is wrong.

    `contradicts` is what the journal has under the same id, empty where that is not the matter.
    """

    raw: str
    why: str
    contradicts: str = ""


class OrderUnknown(OrderReport, frozen=True, tag="order.unknown"):
    """No answer by the deadline. The order keeps its exposure until evidence says otherwise."""

    reason: str


class CancelSending(OrderReport, frozen=True, tag="cancel.sending"):
    """A cancel is about to leave. Cancels may be sent again, so this is not keyed."""

    reason: str


class CancelWithheld(OrderReport, frozen=True, tag="cancel.withheld"):
    """The cancel certainly did not leave, and will not: `reason` says why, and what to do."""

    reason: str


class OrderFilled(OrderReport, frozen=True, tag="order.filled"):
    """One execution. `execution_id` is the broker's; seeing it again is a repeat, not a fill.

    The id is without what a correction changes in it; `revision` is 1 unless what was seen first
    was a correction already. `is_liquidation`: the broker itself has closed something.
    """

    execution_id: ExecutionId
    symbol: Symbol
    quantity: Decimal
    price: Decimal
    executed_at: datetime
    revision: int = 1
    is_liquidation: bool = False

    def key(self) -> str | None:
        """Return the execution id: one execution is one event for ever."""
        return self.execution_id


class FillCorrected(OrderReport, frozen=True, tag="fill.corrected"):
    """The broker corrected an execution that is counted already: it replaces what was reported.

    `was_quantity` and `was_price` are what is counted so far; a quantity of 0 takes it back wholly.
    """

    execution_id: ExecutionId
    symbol: Symbol
    quantity: Decimal
    price: Decimal
    executed_at: datetime
    revision: int
    was_quantity: Decimal
    was_price: Decimal

    def key(self) -> str | None:
        """Return the execution id and which correction of it this is."""
        return f"{self.execution_id}|{self.revision}"
