"""What a broker outside said, word for word, and whether it can be reached at all."""

from datetime import datetime

from events.base import ClientOrderId, Event


class LinkEvent(Event, frozen=True):
    """Anything about the way to a broker outside, and what is heard over it."""


class BrokerHeard(LinkEvent, frozen=True, tag="broker.heard"):
    """One message about orders as it came: its kind, and its fields as text, accounts by alias.

    What follows from it stands behind it. `client_order_id` is the order it is about, where that
    is known, `order_id` the number it had at the broker, which is used only once. A message that
    says the same as one before is counted, not kept.
    """

    kind: str
    fields: tuple[str, ...]
    client_order_id: ClientOrderId = ClientOrderId("")
    order_id: int = 0


class OrderNumbered(LinkEvent, frozen=True, tag="order.numbered"):
    """The order leaves under this number at the broker, which is used for nothing else ever."""

    client_order_id: ClientOrderId
    order_id: int


class OrderNumbersWentBack(LinkEvent, frozen=True, tag="order-numbers.went-back"):
    """The next order number is `order_id_next`, and `order_id_used` is used: orders may be lost."""

    order_id_next: int
    order_id_used: int


class BrokerConnected(LinkEvent, frozen=True, tag="broker.connected"):
    """From here on orders can be sent: the lists of the broker are there, each to its end.

    `order_id_next` is the first number free for an order; no number is used twice. `sends` is false
    where the connection is for data only.
    """

    endpoint: str
    client_id: int
    server_version: int
    order_id_next: int
    sends: bool = True


class BrokerDisconnected(LinkEvent, frozen=True, tag="broker.disconnected"):
    """From here on nothing can be sent, and what is said may be missed."""

    reason: str
    sends: bool = True


class BrokerDegraded(LinkEvent, frozen=True, tag="broker.degraded"):
    """Orders can be sent, and something else is missing, such as market data.

    `part` is what is missing, by which `broker.restored` takes it back.
    """

    reason: str
    part: str = ""


class BrokerRestored(LinkEvent, frozen=True, tag="broker.restored"):
    """What was missing of a connection is there again: `part`, as `broker.degraded` named it."""

    part: str
    reason: str


class BrokerDataLost(LinkEvent, frozen=True, tag="broker.data-lost"):
    """The connection is back and every subscription of before is gone."""

    reason: str


class BrokerUnreachable(LinkEvent, frozen=True, tag="broker.unreachable"):
    """The broker has not been reached for so many attempts; they go on.

    `login_needed` says that a person probably has to log in at the gateway.
    """

    attempts: int
    since: datetime
    reason: str
    login_needed: bool = False
