"""What the wire and the floor of the simulated gateway say to each other. Values only, no rules.

Numbers are Decimal and None where nothing is set; moments are aware and UTC. Client and order ids
are the protocol's. What the floor has to say of them is in `reports`.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec


class Side(StrEnum):
    """What an order does, in the protocol's words."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """How an order finds its price, in the protocol's words."""

    MARKET = "MKT"
    LIMIT = "LMT"
    STOP = "STP"
    STOP_LIMIT = "STP LMT"
    TRAIL = "TRAIL"
    TRAIL_LIMIT = "TRAIL LIMIT"
    MARKET_ON_CLOSE = "MOC"
    LIMIT_ON_CLOSE = "LOC"


class Tif(StrEnum):
    """How long an order works, in the protocol's words."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTD = "GTD"
    OPG = "OPG"


class Status(StrEnum):
    """Where an order stands, in the protocol's words."""

    PENDING_SUBMIT = "PendingSubmit"
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    PENDING_CANCEL = "PendingCancel"
    CANCELLED = "Cancelled"
    API_CANCELLED = "ApiCancelled"
    FILLED = "Filled"
    INACTIVE = "Inactive"


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """A contract as a client describes it, or as the gateway knows it. Empty means not said."""

    con_id: int = 0
    symbol: str = ""
    security_type: str = ""
    last_trade_date: str = ""
    strike: Decimal | None = None
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""
    include_expired: bool = False
    security_id_type: str = ""
    security_id: str = ""


class ContractDetails(msgspec.Struct, frozen=True, kw_only=True):
    """All the gateway knows of one contract. Hours are in the gateway's own text form."""

    contract: Contract
    market_name: str
    min_tick: Decimal
    order_types: str
    valid_exchanges: str
    long_name: str
    time_zone: str
    trading_hours: str
    liquid_hours: str
    market_rule_ids: str
    stock_type: str = "COMMON"
    price_magnifier: int = 1
    industry: str = ""
    category: str = ""
    subcategory: str = ""
    security_ids: tuple[tuple[str, str], ...] = ()
    min_size: Decimal = Decimal("0.0001")
    size_increment: Decimal = Decimal("0.0001")
    suggested_size_increment: Decimal = Decimal(100)


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for in one placeOrder.

    `type` and `tif` are what the client wrote: the book refuses what it does not know. `other`
    are the fields without any meaning here, by wire name, as written; they are only echoed.
    """

    order_id: int
    action: str
    quantity: Decimal
    type: str
    limit_price: Decimal | None = None
    aux_price: Decimal | None = None
    """The stop price of a stop, the trailing amount of a trailing stop."""
    tif: str = Tif.DAY
    account: str = ""
    order_ref: str = ""
    transmit: bool = True
    parent_id: int = 0
    oca_group: str = ""
    oca_type: int = 0
    outside_rth: bool = False
    hidden: bool = False
    all_or_none: bool = False
    min_quantity: int | None = None
    display_size: int | None = None
    good_after: str = ""
    good_till: str = ""
    trail_stop_price: Decimal | None = None
    trailing_percent: Decimal | None = None
    limit_price_offset: Decimal | None = None
    trigger_method: int = 0
    cash_quantity: Decimal | None = None
    what_if: bool = False
    other: dict[str, str] = {}


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One order as it stands at one moment. A new value for every change.

    `client_id` and `order_id` are those its owner knows; a manual order has 0 and 0, or 0 and a
    negative id once it is bound.
    """

    perm_id: int
    client_id: int
    contract: Contract
    terms: OrderTerms
    status: Status
    filled: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    last_price: Decimal = Decimal(0)
    parent_perm_id: int = 0
    why_held: str = ""
    warning: str = ""
    trail_stop: Decimal | None = None
    """Where a trailing stop stands now."""
    commission: Decimal | None = None
    placed_at: datetime | None = None
    completed_at: datetime | None = None
    completed_status: str = ""
    """`Filled Size: 10`, `Cancelled by Trader`: only in the list of completed orders."""

    @property
    def order_id(self) -> int:
        """The id its owner gave it."""
        return self.terms.order_id

    @property
    def remaining(self) -> Decimal:
        """Shares still to come; of an order that is over, those that will not."""
        return self.terms.quantity - self.filled


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, or one correction of it: then only the digits after the last dot differ."""

    execution_id: str
    at: datetime
    account: str
    contract: Contract
    side: Side
    """BUY is BOT on the wire, SELL is SLD."""
    shares: Decimal
    price: Decimal
    exchange: str
    perm_id: int
    client_id: int
    order_id: int
    cumulative: Decimal
    average_price: Decimal
    order_ref: str = ""
    liquidation: int = 0
    last_liquidity: int = 2
    """1 added, 2 removed liquidity."""


class Commission(msgspec.Struct, frozen=True, kw_only=True):
    """What one execution cost; `realized` is None (unset on the wire) for an opening trade."""

    execution_id: str
    commission: Decimal
    currency: str = "USD"
    realized: Decimal | None = None


class PositionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A position as reqPositions tells it: signed shares, cost per share with commissions."""

    account: str
    contract: Contract
    quantity: Decimal
    average_cost: Decimal


class PortfolioLine(msgspec.Struct, frozen=True, kw_only=True):
    """A position as reqAccountUpdates tells it: with its market price and profit."""

    account: str
    contract: Contract
    quantity: Decimal
    market_price: Decimal
    market_value: Decimal
    average_cost: Decimal
    unrealized: Decimal
    realized: Decimal


class AccountValue(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of the account under the tag the real gateway uses."""

    account: str
    tag: str
    value: str
    currency: str = ""


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What an order would do to the margin. None is unset."""

    initial_before: Decimal | None = None
    maintenance_before: Decimal | None = None
    equity_before: Decimal | None = None
    initial_change: Decimal | None = None
    maintenance_change: Decimal | None = None
    equity_change: Decimal | None = None
    initial_after: Decimal | None = None
    maintenance_after: Decimal | None = None
    equity_after: Decimal | None = None
    commission: Decimal | None = None
    commission_min: Decimal | None = None
    commission_max: Decimal | None = None


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar; `at` is its start. `whole_day` bars are told by date."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    wap: Decimal
    count: int
    whole_day: bool = False


# Requests that hold more than a contract.


class ExecutionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions a client wants; what is empty does not restrict."""

    client_id: int = 0
    account: str = ""
    since: datetime | None = None
    symbol: str = ""
    security_type: str = ""
    exchange: str = ""
    side: str = ""


class HistoryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which bars a client wants, in the protocol's words: `1 D`, `5 mins`, `TRADES`."""

    contract: Contract
    end: datetime | None
    """None is now; keeping up to date demands it."""
    duration: str
    bar_size: str
    what: str
    regular_hours: bool
    keep_up_to_date: bool = False
