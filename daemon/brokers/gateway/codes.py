"""What each error code of the gateway means: for an order, for the connection, for data.

One table. What it does not know is looked up when it is about an order: no code we have not met may
make an order gone, or let it be sent again.
"""

from enum import StrEnum
from typing import Final

import msgspec


class ForOrder(StrEnum):
    """What a code says of the order it names.

    REFUSED counts only before the broker has shown the order alive; after that, and for LOOK_UP,
    the lists are asked. LIVE is a remark: the order stands. CANCELLED confirms a cancel.
    """

    REFUSED = "refused"
    LIVE = "live"
    CANCELLED = "cancelled"
    LOOK_UP = "look up"


class ForLink(StrEnum):
    """What a code says of the way to the exchange."""

    SERVERS_LOST = "servers lost"
    SERVERS_AWAY = "servers away"
    SERVERS_BACK_DATA_LOST = "servers back, data lost"
    SERVERS_BACK = "servers back"
    CLIENT_ID_TAKEN = "client id taken"
    SOCKET_MOVED = "socket moved"
    TOO_FAST = "too fast"
    MARKET_DATA_LOST = "market data lost"
    MARKET_DATA_BACK = "market data back"
    MARKET_DATA_IDLE = "market data idle"
    HISTORY_LOST = "history lost"
    HISTORY_BACK = "history back"
    HISTORY_IDLE = "history idle"
    DEFINITIONS_LOST = "definitions lost"
    DEFINITIONS_BACK = "definitions back"


class ForData(StrEnum):
    """What a code says of a request for data or contracts."""

    NO_CONTRACT = "no contract"
    NO_PERMISSION = "no permission"
    DELAYED = "delayed"
    COMPETING_LOGIN = "competing login"
    PACING_OR_NONE = "pacing or no data"
    RESUBSCRIBE = "subscribe again"
    LINES_USED_UP = "lines used up"


class Meaning(msgspec.Struct, frozen=True):
    """What one code means; None where it says nothing of that."""

    text: str
    order: ForOrder | None = None
    link: ForLink | None = None
    data: ForData | None = None


_REFUSED: Final = ForOrder.REFUSED
_LIVE: Final = ForOrder.LIVE
_LOOK_UP: Final = ForOrder.LOOK_UP

CODES: Final[dict[int, Meaning]] = {
    100: Meaning("more messages a second than allowed", link=ForLink.TOO_FAST),
    101: Meaning("market-data lines are used up", data=ForData.LINES_USED_UP),
    # Nothing was placed, or the number is another order's: only the lists tell.
    103: Meaning("order id used before", _LOOK_UP),
    104: Meaning("a filled order cannot be changed", _LOOK_UP),
    105: Meaning("the change does not match the order", _LIVE),
    106: Meaning("cannot be transmitted", _REFUSED),
    107: Meaning("incomplete, cannot be transmitted", _REFUSED),
    109: Meaning("price outside the precautionary limit", _REFUSED),
    110: Meaning("price off the tick", _REFUSED),
    111: Meaning("time in force and order type do not go together", _REFUSED),
    133: Meaning("submitting failed", _LOOK_UP),
    134: Meaning("changing failed", _LOOK_UP),
    135: Meaning("order id not found", _LOOK_UP),
    136: Meaning("cannot be cancelled", _LOOK_UP),
    161: Meaning("not in a state to be cancelled", _LOOK_UP),
    162: Meaning("history request failed", data=ForData.PACING_OR_NONE),
    163: Meaning("price outside the percentage limit", _REFUSED),
    165: Meaning("history query message"),
    # Also said while the definitions are away, of contracts that exist.
    200: Meaning("no such contract, or several", _REFUSED, data=ForData.NO_CONTRACT),
    201: Meaning("rejected", _REFUSED),
    202: Meaning("cancelled", ForOrder.CANCELLED),
    203: Meaning("not available for this account", _REFUSED),
    320: Meaning("the gateway could not read the request", _REFUSED),
    321: Meaning("the gateway did not accept the request", _REFUSED),
    322: Meaning("the gateway could not process the request", _LOOK_UP),
    323: Meaning("the gateway failed on the request", _LOOK_UP),
    326: Meaning("client id in use", link=ForLink.CLIENT_ID_TAKEN),
    327: Meaning("only client 0 may bind orders"),
    329: Meaning("the order type cannot be changed", _LIVE),
    354: Meaning("no market-data permission", data=ForData.NO_PERMISSION),
    366: Meaning("no such history query"),
    382: Meaning("size above the precautionary limit", _REFUSED),
    383: Meaning("size above the limit", _REFUSED),
    399: Meaning("remark on the order", _LIVE),
    404: Meaning("held until shares are located", _LIVE),
    413: Meaning("a what-if order must be transmitted", _REFUSED),
    420: Meaning("real-time query refused", data=ForData.PACING_OR_NONE),
    434: Meaning("size is zero", _REFUSED),
    435: Meaning("account missing", _REFUSED),
    436: Meaning("allocation missing", _REFUSED),
    492: Meaning("remark on the order", _LIVE),
    502: Meaning("cannot connect"),
    504: Meaning("not connected"),
    1100: Meaning("the gateway lost Interactive Brokers", link=ForLink.SERVERS_LOST),
    1101: Meaning("connected again, data lost", link=ForLink.SERVERS_BACK_DATA_LOST),
    1102: Meaning("connected again, data kept", link=ForLink.SERVERS_BACK),
    1300: Meaning("the gateway listens elsewhere now", link=ForLink.SOCKET_MOVED),
    2100: Meaning("account updates were taken over"),
    2101: Meaning("account updates are refused"),
    2102: Meaning("still being processed, not changed", _LIVE),
    2103: Meaning("market data farm lost", link=ForLink.MARKET_DATA_LOST),
    2104: Meaning("market data farm back", link=ForLink.MARKET_DATA_BACK),
    2105: Meaning("history farm lost", link=ForLink.HISTORY_LOST),
    2106: Meaning("history farm back", link=ForLink.HISTORY_BACK),
    2107: Meaning("history farm idle, comes on demand", link=ForLink.HISTORY_IDLE),
    2108: Meaning("market data farm idle, comes on demand", link=ForLink.MARKET_DATA_IDLE),
    2109: Meaning("outside-hours flag ignored", _LIVE),
    2110: Meaning("gateway and servers are apart", link=ForLink.SERVERS_AWAY),
    2119: Meaning("market data farm connecting"),
    2137: Meaning("would cross from long to short", _LIVE),
    2157: Meaning("definitions farm lost", link=ForLink.DEFINITIONS_LOST),
    2158: Meaning("definitions farm back", link=ForLink.DEFINITIONS_BACK),
    2161: Meaning("price capped by the venue's band", _LIVE),
    10006: Meaning("parent order missing", _REFUSED),
    10089: Meaning("no market-data permission", data=ForData.NO_PERMISSION),
    10090: Meaning("part of the market data is not subscribed", data=ForData.NO_PERMISSION),
    10147: Meaning("cancel: order not found", _LOOK_UP),
    10148: Meaning("cancel: not in a state for it", _LOOK_UP),
    10167: Meaning("delayed market data instead", data=ForData.DELAYED),
    10168: Meaning("no market-data permission", data=ForData.NO_PERMISSION),
    10186: Meaning("no market-data permission", data=ForData.NO_PERMISSION),
    10189: Meaning("tick-by-tick refused", data=ForData.NO_PERMISSION),
    10197: Meaning("another login has the market data", _LIVE, data=ForData.COMPETING_LOGIN),
    10225: Meaning("a bust ended this subscription", data=ForData.RESUBSCRIBE),
    10242: Meaning("no fractions through the interface", _REFUSED),
    10243: Meaning("no fractions of this through the interface", _REFUSED),
    10328: Meaning("connection lost, order not resolved", _LOOK_UP),
    # The order lives and fills; only its time in force was set by a preset.
    10349: Meaning("time in force set by a preset", _LIVE),
}

_WARNINGS: Final = range(2_100, 2_200)


def meaning(code: int) -> Meaning:
    """Return what `code` means; one that is not in the table is looked up where it names an order.

    The gateway's own warnings (2100 to 2199) leave an order as it is.
    """
    known = CODES.get(code)
    if known is not None:
        return known
    return Meaning("a code not known here", _LIVE if code in _WARNINGS else _LOOK_UP)
