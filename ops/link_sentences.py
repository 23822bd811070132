"""The way to the broker in words: connected or not, why, and what came over it."""

from typing import assert_never

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
from ops.render import because, moment, one_line
from projections.broker import LinkNews


def link_sentence(event: LinkNews) -> str:  # noqa: PLR0911 - one branch a type
    """Return what became of the connection, or was heard over it."""
    match event:
        case BrokerHeard():
            said = " ".join(field for field in event.fields if field)
            return because(f"the broker says {one_line(event.kind)}", said)
        case OrderNumbered():
            return f"the order leaves under number {event.order_id}"
        case OrderNumbersWentBack():
            back = f"the gateway's order numbers went back to {event.order_id_next}"
            return f"{back}: {event.order_id_used} is used, so it may have lost orders"
        case BrokerConnected():
            who = f"client {event.client_id}, version {event.server_version}"
            only = "" if event.sends else ", for data only"
            return f"connected to {one_line(event.endpoint)} as {who}{only}"
        case BrokerDisconnected():
            lost = "not connected to the broker" if event.sends else "live data does not come"
            return because(lost, event.reason)
        case BrokerDegraded():
            return because("connected, but", event.reason)
        case BrokerRestored():
            return because(f"{one_line(event.part)}: no longer missing", event.reason)
        case BrokerDataLost():
            return because("every subscription is gone", event.reason)
        case BrokerUnreachable():
            login = "; somebody probably has to log in" if event.login_needed else ""
            since = f"{event.attempts} attempts since {moment(event.since)}"
            return because(f"the broker is not reached, {since}{login}", event.reason)
        case _:
            assert_never(event)
