"""What the floor of the simulated gateway has to say: reports, each to a client or to everyone.

One kind of report is one message of the protocol, but for what it leaves to whoever subscribed.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from ops.gateway_sim.terms import (
    Bar,
    Commission,
    Execution,
    OrderLine,
    PositionLine,
    WhatIf,
)

EVERYONE: Final = -1
"""In place of a client id: whoever has asked to be told of this kind of report."""

LIVE: Final = -1
"""The request id of an execution that was not asked for."""


class OpenOrder(msgspec.Struct, frozen=True):
    """An openOrder message; `what_if` only in the answer to a what-if order."""

    order: OrderLine
    what_if: WhatIf | None = None


class OrderStatus(msgspec.Struct, frozen=True):
    """An orderStatus message."""

    order: OrderLine


class CompletedOrder(msgspec.Struct, frozen=True):
    """A completedOrder message."""

    order: OrderLine


class ExecutionReport(msgspec.Struct, frozen=True):
    """An execDetails message."""

    execution: Execution
    request_id: int = LIVE


class CommissionReport(msgspec.Struct, frozen=True):
    """A commissionReport message."""

    commission: Commission


class OrderBound(msgspec.Struct, frozen=True):
    """An orderBound message: a manual order has got an id of this client."""

    perm_id: int
    client_id: int
    order_id: int


class Notice(msgspec.Struct, frozen=True):
    """An error message: `request_id` is a request's, an order's, or -1."""

    request_id: int
    code: int
    text: str
    advanced: str = ""


class PositionMoved(msgspec.Struct, frozen=True):
    """A position changed: for every client that asked for positions."""

    position: PositionLine


class AccountMoved(msgspec.Struct, frozen=True):
    """The account's figures or portfolio changed: subscribers are told the new ones."""


class TickPrice(msgspec.Struct, frozen=True):
    """A tickPrice message; `kind` is the protocol's tick type (1 bid, 2 ask, 4 last ...)."""

    request_id: int
    kind: int
    price: Decimal
    size: Decimal = Decimal(0)
    mask: int = 0


class TickSize(msgspec.Struct, frozen=True):
    """A tickSize message (0 bid size, 3 ask size, 5 last size, 8 volume)."""

    request_id: int
    kind: int
    size: Decimal


class TickGeneric(msgspec.Struct, frozen=True):
    """A tickGeneric message (46 is how easily shares can be borrowed, 49 is a halt)."""

    request_id: int
    kind: int
    value: Decimal


class TickString(msgspec.Struct, frozen=True):
    """A tickString message (45 is the time of the last trade)."""

    request_id: int
    kind: int
    value: str


class MarketDataKind(msgspec.Struct, frozen=True):
    """A marketDataType message: 1 live, 2 frozen, 3 delayed, 4 delayed and frozen."""

    request_id: int
    kind: int


class TickRequestParameters(msgspec.Struct, frozen=True):
    """A tickReqParams message, the first answer to reqMktData."""

    request_id: int
    min_tick: Decimal
    bbo_exchange: str
    snapshot_permissions: int


class SnapshotEnd(msgspec.Struct, frozen=True):
    """A tickSnapshotEnd message."""

    request_id: int


class RealTimeBar(msgspec.Struct, frozen=True):
    """A realtimeBars message: one 5-second bar."""

    request_id: int
    bar: Bar


class History(msgspec.Struct, frozen=True):
    """A historicalData message, which is its own end marker at our versions."""

    request_id: int
    start: datetime
    end: datetime
    bars: tuple[Bar, ...]


class HistoryUpdate(msgspec.Struct, frozen=True):
    """A historicalDataUpdate message: the newest bar of a request kept up to date, so far."""

    request_id: int
    bar: Bar


Report = (
    OpenOrder
    | OrderStatus
    | CompletedOrder
    | ExecutionReport
    | CommissionReport
    | OrderBound
    | Notice
    | PositionMoved
    | AccountMoved
    | TickPrice
    | TickSize
    | TickGeneric
    | TickString
    | MarketDataKind
    | TickRequestParameters
    | SnapshotEnd
    | RealTimeBar
    | History
    | HistoryUpdate
)


class To(msgspec.Struct, frozen=True):
    """One report and whom it is for: a client id, or EVERYONE who asked for its kind."""

    client_id: int
    report: Report
