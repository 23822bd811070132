"""The way to a broker outside: whether there is one, since when, and which numbers are used."""

from enum import StrEnum
from typing import assert_never

import msgspec

from events import (
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerHeard,
    BrokerRestored,
    BrokerUnreachable,
    OrderNumbered,
    OrderNumbersWentBack,
)

DISCONNECTED = "BROKER_DISCONNECTED"
"""The cause of the hold that stands while nothing can be sent."""


class LinkState(StrEnum):
    """How much of the way to the exchange there is: DEGRADED lacks something, and sends orders."""

    CONNECTED = "CONNECTED"
    DEGRADED = "DEGRADED"
    DISCONNECTED = "DISCONNECTED"


LinkNews = (
    BrokerHeard
    | OrderNumbered
    | OrderNumbersWentBack
    | BrokerConnected
    | BrokerDisconnected
    | BrokerDegraded
    | BrokerRestored
    | BrokerDataLost
    | BrokerUnreachable
)


class BrokerLink(msgspec.Struct):
    """`connected` says whether orders can be sent, `since` (ns UTC) from when that is so.

    `reason` is why they cannot; `missing` has what else is not there, by part, each with its
    reason. `unreachable` is the last word on attempts in vain, None once there is a connection.
    `order_id_max` is the highest number that an order of anybody had, `order_id_sent` the highest
    that one of ours has left under, `went_back` the last time that the broker's fell behind that.
    """

    connected: bool = False
    since: int = 0
    reason: str = ""
    missing: dict[str, str] = {}
    unreachable: BrokerUnreachable | None = None
    order_id_max: int = 0
    order_id_sent: int = 0
    went_back: OrderNumbersWentBack | None = None
    heard: int = 0

    @property
    def state(self) -> LinkState:
        """The one word for it."""
        if not self.connected:
            return LinkState.DISCONNECTED
        return LinkState.DEGRADED if self.missing else LinkState.CONNECTED

    @property
    def trouble(self) -> str:
        """Why it is no better than it is, empty where nothing is missing."""
        return "; ".join(self.missing.values()) if self.connected else self.reason

    def apply(self, event: LinkNews, at: int) -> None:
        """Take one event about the connection, or one message that came over it."""
        match event:
            case BrokerHeard():
                self.heard += 1
                self.order_id_max = max(self.order_id_max, event.order_id)
            case OrderNumbered():
                self.order_id_sent = max(self.order_id_sent, event.order_id)
                self.order_id_max = max(self.order_id_max, event.order_id)
            case OrderNumbersWentBack():
                self.went_back = event
            case BrokerConnected():
                self.connected, self.since, self.reason = True, at, ""
                self.unreachable = None
                self.order_id_max = max(self.order_id_max, event.order_id_next - 1)
            case BrokerDisconnected():
                self.connected, self.since, self.reason = False, at, event.reason
                self.missing = {}  # What is still missing is said anew with the next connection.
            case BrokerDegraded():
                self.missing[event.part] = event.reason
            case BrokerRestored():
                self.missing.pop(event.part, None)
            case BrokerDataLost():
                self.reason = event.reason
            case BrokerUnreachable():
                self.unreachable = event
            case _:
                assert_never(event)

    def is_known_to_go_back(self, order_id_next: int, order_id_used: int) -> bool:
        """Say whether it is on record that they went so far back, and none was used since."""
        known = self.went_back
        if known is None or known.order_id_used < order_id_used:
            return False
        return known.order_id_next <= order_id_next

    def start(self) -> None:
        """Take note of a daemon that starts: it has no connection yet."""
        self.connected = False
        self.missing = {}
