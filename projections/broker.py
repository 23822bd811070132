"""The way to a broker outside: whether there is one, since when, and which numbers are used."""

from typing import assert_never

import msgspec

from events import (
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerHeard,
    BrokerUnreachable,
    OrderNumbered,
)

DISCONNECTED = "BROKER_DISCONNECTED"
"""The cause of the hold that stands while nothing can be sent."""


LinkNews = (
    BrokerHeard
    | OrderNumbered
    | BrokerConnected
    | BrokerDisconnected
    | BrokerDegraded
    | BrokerDataLost
    | BrokerUnreachable
)


class BrokerLink(msgspec.Struct):
    """`connected` says whether orders can be sent, `since` (ns UTC) from when that is so.

    `reason` is why they cannot, or what else is missing. `unreachable` is the last word on attempts
    in vain, None once there is a connection. `order_id_max` is the highest number that an order of
    anybody had, `order_id_sent` the highest that one of ours has left under.
    """

    connected: bool = False
    since: int = 0
    reason: str = ""
    unreachable: BrokerUnreachable | None = None
    order_id_max: int = 0
    order_id_sent: int = 0
    heard: int = 0

    def apply(self, event: LinkNews, at: int) -> None:
        """Take one event about the connection, or one message that came over it."""
        match event:
            case BrokerHeard():
                self.heard += 1
                self.order_id_max = max(self.order_id_max, event.order_id)
            case OrderNumbered():
                self.order_id_sent = max(self.order_id_sent, event.order_id)
                self.order_id_max = max(self.order_id_max, event.order_id)
            case BrokerConnected():
                self.connected, self.since, self.reason = True, at, ""
                self.unreachable = None
                self.order_id_max = max(self.order_id_max, event.order_id_next - 1)
            case BrokerDisconnected():
                self.connected, self.since, self.reason = False, at, event.reason
            case BrokerDegraded() | BrokerDataLost():
                self.reason = event.reason
            case BrokerUnreachable():
                self.unreachable = event
            case _:
                assert_never(event)

    def start(self) -> None:
        """Take note of a daemon that starts: it has no connection yet."""
        self.connected = False
