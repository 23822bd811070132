"""What goes wrong at the gateway, as a plan: each fault strikes at the nth time of its moment.

A moment is a message of the protocol by its name: one that a client sends, before it is answered,
or one that the gateway sends, before it leaves. A plan is written down or made from a seed, and
the same messages meet the same faults again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from random import Random
from typing import Annotated, Final

import msgspec
from msgspec import Meta


class FaultKind(StrEnum):
    """What goes wrong."""

    # With a message the gateway sends.
    LATE = "late"
    """It leaves after `messages` later ones, or after `after_s`."""
    DUPLICATE = "duplicate"
    REORDERED = "reordered"
    """It changes places with the next one."""
    LOST = "lost"
    EMPTY = "empty"
    """Bars of the past come without any bar."""
    # With a request. The first two say `code`; with WARNED all goes on as if nothing were.
    REFUSED = "refused"
    WARNED = "warned"
    FILLED_FIRST = "filled-first"
    """Before a cancel is looked at, its order fills."""
    # With the connection the message belongs to.
    RESET = "reset"
    """RST; what the client sent and has not been answered is done nevertheless."""
    RESET_BEFORE = "reset-before"
    """RST before the request is looked at: it was never there, and ids may go back."""
    HALF_OPEN = "half-open"
    """For `after_s` nothing is read and nothing written; 0 is for ever."""
    BUSY_ID = "busy-id"
    """The next time this client connects, its id is still taken."""
    BYTE_BY_BYTE = "byte-by-byte"
    """From now on, what is sent goes out in segments of one byte."""
    # With all connections.
    OUTAGE = "outage"
    """1100 now; after `after_s` 1102, or `code`; then what happened meanwhile is told."""
    OUTAGE_FORGETFUL = "outage-forgetful"
    """As before, but what happened meanwhile is never told by itself."""
    RESTART = "restart"
    """The gateway restarts: every connection is reset, for `after_s` none is taken."""
    # With the account.
    CORRECTED = "corrected"
    """The newest execution is corrected: the same id, the next revision, a cent more."""
    BUSTED = "busted"
    LIQUIDATION = "liquidation"
    """IB closes the largest position."""
    MANUAL_ORDER = "manual-order"
    """A person places an order for 1 share of the newest order's contract."""
    AMENDED = "amended"
    """A person changes the newest working order: twice the quantity."""
    HALTED = "halted"
    """The exchange halts the newest order's contract, for `after_s`; 0 is for ever."""
    DOUBLED = "doubled"
    """A change of the newest working order leaves two live ones under its reference."""
    CANCELLED = "cancelled"
    """IB cancels the newest working order."""
    PARTIAL_FILL = "partial-fill"
    """One share of the newest working order fills."""
    # With data.
    NOTICE = "notice"
    """Every client is told `code`: 2103, 2105, 2157 and others of their kind."""
    DEACTIVATED = "deactivated"
    """The subscription this bar belongs to ends with 10225; 5-second bars and bars kept up."""
    DELAYED = "delayed"
    """The 5-second bars asked for come a quarter of an hour late, with 10167 and their type, 3."""
    REVISED = "revised"
    """The newest bars that are kept up to date are told again, a cent higher."""
    # With what is told of time.
    SPELLED_BARE = "spelled-bare"
    SPELLED_UTC = "spelled-utc"


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At the `nth` message called `on`, counted from 1 over all clients, that goes wrong.

    Raises:
        ValueError: it would do nothing.
    """

    kind: FaultKind
    on: str
    nth: Annotated[int, Meta(gt=0)] = 1
    code: Annotated[int, Meta(ge=0)] = 0
    messages: Annotated[int, Meta(ge=0)] = 0
    after_s: Annotated[float, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        """Refuse what could never strike, or strike and do nothing."""
        if self.on not in SAID_NAMES and self.on not in ASKED_NAMES:
            raise ValueError(f"{self.on} is no message of the protocol")
        if self.kind in OF_SAID and self.on not in SAID_NAMES:
            raise ValueError(f"{self.kind} befalls what the gateway says; {self.on} is asked")
        if self.kind in OF_ASKED and self.on not in ASKED_NAMES:
            raise ValueError(f"{self.kind} befalls what a client asks; {self.on} is said")
        if self.kind is FaultKind.LATE and not (self.messages or self.after_s):
            raise ValueError("late needs messages or after_s: later than what?")
        if self.kind is FaultKind.EMPTY and self.on != "historicalData":
            raise ValueError(f"{self.on} has no bars to leave out")
        if self.kind is FaultKind.DELAYED and self.on != "reqRealTimeBars":
            raise ValueError(f"{self.on} asks for no 5-second bars")
        if self.kind is FaultKind.DEACTIVATED and self.on not in BARS:
            raise ValueError(f"{self.on} is no bar of a subscription")
        if self.kind in {FaultKind.REFUSED, FaultKind.WARNED, FaultKind.NOTICE} and not self.code:
            raise ValueError(f"{self.kind} needs the code that is said")


SAID: Final[Mapping[str, str]] = {
    "1": "tickPrice",
    "2": "tickSize",
    "3": "orderStatus",
    "4": "error",
    "5": "openOrder",
    "6": "updateAccountValue",
    "7": "updatePortfolio",
    "8": "updateAccountTime",
    "9": "nextValidId",
    "10": "contractDetails",
    "11": "execDetails",
    "15": "managedAccounts",
    "17": "historicalData",
    "45": "tickGeneric",
    "46": "tickString",
    "49": "currentTime",
    "50": "realtimeBar",
    "52": "contractDetailsEnd",
    "53": "openOrderEnd",
    "54": "accountDownloadEnd",
    "55": "execDetailsEnd",
    "57": "tickSnapshotEnd",
    "58": "marketDataType",
    "59": "commissionReport",
    "61": "position",
    "62": "positionEnd",
    "63": "accountSummary",
    "64": "accountSummaryEnd",
    "71": "positionMulti",
    "72": "positionMultiEnd",
    "73": "accountUpdateMulti",
    "74": "accountUpdateMultiEnd",
    "81": "tickReqParams",
    "90": "historicalDataUpdate",
    "100": "orderBound",
    "101": "completedOrder",
    "102": "completedOrdersEnd",
}
"""What the gateway says, by message id, in the names the clients' libraries give it."""
ASKED: Final[Mapping[str, str]] = {
    "1": "reqMktData",
    "3": "placeOrder",
    "4": "cancelOrder",
    "5": "reqOpenOrders",
    "6": "reqAccountUpdates",
    "7": "reqExecutions",
    "9": "reqContractDetails",
    "16": "reqAllOpenOrders",
    "20": "reqHistoricalData",
    "49": "reqCurrentTime",
    "50": "reqRealTimeBars",
    "58": "reqGlobalCancel",
    "61": "reqPositions",
    "71": "startApi",
    "99": "reqCompletedOrders",
}
"""What a client asks, by message id."""
SAID_NAMES: Final = frozenset(SAID.values())
ASKED_NAMES: Final = frozenset(ASKED.values())
OF_SAID: Final = frozenset(
    {
        FaultKind.LATE,
        FaultKind.DUPLICATE,
        FaultKind.REORDERED,
        FaultKind.LOST,
        FaultKind.EMPTY,
    }
)
BARS: Final[Mapping[str, int]] = {"realtimeBar": 2, "historicalDataUpdate": 1}
"""Messages with one bar of a subscription, and where its request id stands."""
OF_ASKED: Final = frozenset(
    {FaultKind.REFUSED, FaultKind.WARNED, FaultKind.FILLED_FIRST, FaultKind.RESET_BEFORE}
)

READ_ONLY: Final = (
    "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode."
)
ORDER_REFUSALS: Final[Mapping[int, str]] = {
    103: "Duplicate order id",
    110: "The price does not conform to the minimum price variation for this contract.",
    135: "Can't find order with ID = {id}",
    201: "Order rejected - reason:Your order exceeds the margin available.",
    202: "Order Canceled - reason:",
    203: "The security {symbol} is not available or allowed for this account",
    321: READ_ONLY,
}
ORDER_WARNINGS: Final[Mapping[int, str]] = {
    399: "Order Message:\nWarning: your order will not be placed at the exchange until 09:30:00.",
    404: "Order held while securities are located.",
    2109: "Order Event Warning: Attribute 'Outside Regular Trading Hours' is ignored.",
    2161: "Your order was repriced so as not to cross a related resting order.",
    10349: "Order TIF was set to DAY based on order preset.",
}
CANCEL_REFUSALS: Final[Mapping[int, str]] = {
    135: "Can't find order with ID = {id}",
    161: "Cancel attempted when order is not in a cancellable state.  Order permId ={perm_id}",
    10147: "OrderId {id} that needs to be cancelled is not found.",
    10148: "OrderId {id} that needs to be cancelled cannot be cancelled, state: Cancelled.",
}
OTHER_REFUSALS: Final[Mapping[int, str]] = {
    101: "Max number of tickers has been reached",
    162: "Historical Market Data Service error message:HMDS query returned no data",
    200: "No security definition has been found for the request",
    354: "Requested market data is not subscribed.",
    420: "Invalid Real-time Query:No market data permissions",
    2103: "Market data farm connection is broken:usfarm",
    2105: "HMDS data farm connection is broken:ushmds",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored.",
    2157: "Sec-def data farm connection is broken:secdefnj",
    10089: "Requested market data requires additional subscription for API.",
    10090: "Part of requested market data is not subscribed.",
    10167: "Requested market data is not subscribed. Displaying delayed market data.",
    10168: "Requested market data is not subscribed. Delayed market data is not enabled.",
    10186: "Requested market data is not subscribed. Delayed market data is not enabled.",
    10197: "No market data during competing live session",
    10225: "Bust event occurred, current subscription is deactivated. Please resubscribe.",
}


def text_of(code: int, *, order_id: int = -1, symbol: str = "", perm_id: int = 0) -> str:
    """Return what is said with `code`."""
    for texts in (ORDER_REFUSALS, ORDER_WARNINGS, CANCEL_REFUSALS, OTHER_REFUSALS):
        if code in texts:
            return texts[code].format(id=order_id, symbol=symbol, perm_id=perm_id)
    return f"Error {code}"


class FaultPlan:
    """Which faults are still to come, and how often each moment has been."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        """Strike with `faults`, in their order where several share a moment."""
        self._waiting = list(faults)
        self._seen: Counter[str] = Counter()
        self.struck: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let `fault` strike too; its `nth` counts from now."""
        again = msgspec.structs.replace(fault, nth=self._seen[fault.on] + fault.nth)
        self._waiting.append(again)

    def strikes(self, moment: str) -> Sequence[Fault]:
        """Count one more `moment` and return what strikes at it."""
        if not self._waiting:
            self._seen[moment] += 1
            return ()
        self._seen[moment] += 1
        nth = self._seen[moment]
        due = [each for each in self._waiting if each.on == moment and each.nth == nth]
        for each in due:
            self._waiting.remove(each)
        self.struck += due
        return due


_SEEDED_MOMENTS: Final[Mapping[FaultKind, Sequence[str]]] = {
    FaultKind.LATE: ("openOrder", "orderStatus", "execDetails", "commissionReport", "position"),
    FaultKind.DUPLICATE: ("openOrder", "orderStatus", "execDetails", "commissionReport"),
    FaultKind.REORDERED: ("openOrder", "orderStatus", "execDetails", "commissionReport"),
    FaultKind.LOST: (
        "openOrder",
        "orderStatus",
        "commissionReport",
        "openOrderEnd",
        "execDetailsEnd",
        "completedOrdersEnd",
        "positionEnd",
        "historicalDataUpdate",
        "realtimeBar",
    ),
    FaultKind.REFUSED: ("placeOrder", "cancelOrder"),
    FaultKind.WARNED: ("placeOrder",),
    FaultKind.FILLED_FIRST: ("cancelOrder",),
    FaultKind.RESET: ("placeOrder", "cancelOrder", "orderStatus", "execDetails"),
    FaultKind.RESET_BEFORE: ("placeOrder", "cancelOrder"),
    FaultKind.HALF_OPEN: ("placeOrder", "orderStatus", "execDetails"),
    FaultKind.BUSY_ID: ("orderStatus",),
    FaultKind.OUTAGE: ("placeOrder", "orderStatus", "execDetails"),
    FaultKind.OUTAGE_FORGETFUL: ("orderStatus", "execDetails"),
    FaultKind.RESTART: ("orderStatus", "execDetails"),
    FaultKind.CORRECTED: ("commissionReport",),
    FaultKind.BUSTED: ("commissionReport",),
    FaultKind.LIQUIDATION: ("commissionReport",),
    FaultKind.MANUAL_ORDER: ("placeOrder",),
    FaultKind.AMENDED: ("orderStatus",),
    FaultKind.CANCELLED: ("orderStatus",),
    FaultKind.PARTIAL_FILL: ("orderStatus",),
    FaultKind.EMPTY: ("historicalData",),
    FaultKind.NOTICE: ("orderStatus",),
    FaultKind.DEACTIVATED: ("realtimeBar", "historicalDataUpdate"),
    FaultKind.REVISED: ("historicalDataUpdate",),
    FaultKind.SPELLED_BARE: ("execDetails",),
    FaultKind.SPELLED_UTC: ("execDetails",),
}
"""Where faults of a seeded plan strike; what is not here befalls no order, or looks like ours."""
_NTH_MAX: Final = 12
_LATE_MESSAGES_MAX: Final = 6
_AFTER_S: Final = (0.2, 1.0, 5.0)


def plan_from_seed(seed: int, count: int = 6) -> list[Fault]:
    """Return `count` faults: the same ones for the same seed."""
    chance = Random(seed)  # noqa: S311 - a plan to be had again, no secret
    return [_fault_by(chance) for _ in range(count)]


def _fault_by(chance: Random) -> Fault:
    kind = chance.choice(list(_SEEDED_MOMENTS))
    on = chance.choice(_SEEDED_MOMENTS[kind])
    code = 0
    if kind is FaultKind.REFUSED:
        code = chance.choice(list(ORDER_REFUSALS if on == "placeOrder" else CANCEL_REFUSALS))
    elif kind is FaultKind.WARNED:
        code = chance.choice(list(ORDER_WARNINGS))
    elif kind is FaultKind.NOTICE:
        code = chance.choice((2103, 2105, 2110, 2157))
    elif kind in {FaultKind.OUTAGE, FaultKind.OUTAGE_FORGETFUL}:
        code = chance.choice((1101, 1102))
    return Fault(
        kind,
        on,
        nth=chance.randint(1, _NTH_MAX),
        code=code,
        messages=chance.randint(1, _LATE_MESSAGES_MAX),
        after_s=chance.choice(_AFTER_S),
    )
