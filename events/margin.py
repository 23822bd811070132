"""Margin: what the account has and needs, and what it would need with more orders. US dollars."""

from datetime import datetime
from decimal import Decimal

from events.base import ClientOrderId, Event


class AccountReported(Event, frozen=True, tag="account.reported"):
    """The broker's own figures for the account; an observation, never a correction of the books."""

    net_liquidation: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal


class MarginRequested(Event, frozen=True, tag="margin.requested"):
    """The gate needs the broker's margin for these orders, which are reserved from here.

    They are one batch. An answer that is not there by `due` is a no.
    """

    request_id: str
    orders: tuple[ClientOrderId, ...]
    due: datetime

    def key(self) -> str | None:
        """Return the request's id: it is asked once."""
        return self.request_id


class MarginReported(Event, frozen=True, tag="margin.reported"):
    """What the account would need, and have, if the orders of the request were filled.

    None is what the broker left unset: that is a no, too.
    """

    request_id: str
    initial_after: Decimal | None
    maintenance_after: Decimal | None
    equity_after: Decimal | None


class MarginUnavailable(Event, frozen=True, tag="margin.unavailable"):
    """Nobody said what margin the orders of the request need: that is a no."""

    request_id: str
    reason: str
