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
    HoldPlaced,
)
from projections.freshness import Trips

DISCONNECTED = "BROKER_DISCONNECTED"
"""The cause of the hold that stands while nothing can be sent."""

LinkEvent = (
    BrokerHeard
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
    anybody had. `trips` counts the holds of the session.
    """

    connected: bool = False
    since: int = 0
    reason: str = ""
    unreachable: BrokerUnreachable | None = None
    order_id_max: int = 0
    heard: int = 0
    trips: Trips = msgspec.field(default_factory=lambda: Trips(0, 0))

    def apply(self, event: LinkEvent, at: int) -> None:
        """Take one event about the connection, or one message that came over it."""
        match event:
            case BrokerHeard():
                self.heard += 1
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

    def count_trip(self, hold: HoldPlaced, day_ends_at: int) -> None:
        """Count a hold that the loss of the connection has placed, in the session it falls in."""
        if hold.cause == DISCONNECTED:
            self.trips = Trips(day_ends_at, self.trips_in(day_ends_at) + 1)

    def trips_in(self, day_ends_at: int) -> int:
        """Return how many such holds that session has seen."""
        return self.trips.count if self.trips.day_ends_at == day_ends_at else 0
