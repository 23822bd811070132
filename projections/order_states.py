"""The life of an order, in one table. Everything that affects an order's state lives in this file.

Rows that look odd are real: brokers report a fill before the acknowledgement, a fill after the
cancel, and an acknowledgement after the fill.
"""

from enum import StrEnum
from typing import Final

from events import (
    IntentApproved,
    IntentRefused,
    MarginRequested,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSending,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    OrderWrittenOff,
)


class OrderState(StrEnum):
    """Where an order is in its life. UNKNOWN: it may have left, nobody has answered.

    MARGIN_ASKED: it has passed the gate but for the margin that the broker is asked for.
    """

    INTENDED = "INTENDED"
    MARGIN_ASKED = "MARGIN_ASKED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    SENDING = "SENDING"
    WITHHELD = "WITHHELD"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    WORKING = "WORKING"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"


S = OrderState

TERMINAL: Final = frozenset(
    {S.REFUSED, S.WITHHELD, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED},
)
"""No exposure is reserved for these. A late fill may still arrive for those that were sent."""

RESERVED: Final = frozenset(
    {
        S.MARGIN_ASKED,
        S.APPROVED,
        S.SENDING,
        S.ACKNOWLEDGED,
        S.WORKING,
        S.PARTIALLY_FILLED,
        S.UNKNOWN,
    },
)
"""What is left of an order in these states counts as exposure."""

_ENDS: Final[dict[type, OrderState]] = {
    OrderCancelled: S.CANCELLED,
    OrderRejected: S.REJECTED,
    OrderExpired: S.EXPIRED,
    # By evidence of absence, or an operator's word.
    OrderWrittenOff: S.EXPIRED,
}

NEXT: Final[dict[OrderState, dict[type, OrderState]]] = {
    S.INTENDED: {
        MarginRequested: S.MARGIN_ASKED,
        IntentApproved: S.APPROVED,
        IntentRefused: S.REFUSED,
    },
    S.MARGIN_ASKED: {IntentApproved: S.APPROVED, IntentRefused: S.REFUSED},
    S.APPROVED: {OrderSending: S.SENDING},
    S.SENDING: {
        OrderWithheld: S.WITHHELD,
        OrderAcknowledged: S.ACKNOWLEDGED,
        OrderWorking: S.WORKING,
        OrderUnknown: S.UNKNOWN,
        # A fill or an end may be the first thing the broker says.
        OrderFilled: S.PARTIALLY_FILLED,
        **_ENDS,
    },
    S.ACKNOWLEDGED: {
        OrderAcknowledged: S.ACKNOWLEDGED,
        OrderWorking: S.WORKING,
        OrderFilled: S.PARTIALLY_FILLED,
        OrderUnknown: S.UNKNOWN,
        **_ENDS,
    },
    S.WORKING: {
        # Status reports come late and out of order; an older word changes nothing.
        OrderAcknowledged: S.WORKING,
        OrderWorking: S.WORKING,
        OrderFilled: S.PARTIALLY_FILLED,
        OrderUnknown: S.UNKNOWN,
        **_ENDS,
    },
    S.PARTIALLY_FILLED: {
        OrderAcknowledged: S.PARTIALLY_FILLED,
        OrderWorking: S.PARTIALLY_FILLED,
        OrderFilled: S.PARTIALLY_FILLED,
        OrderUnknown: S.UNKNOWN,
        **_ENDS,
    },
    S.UNKNOWN: {
        # Only evidence leads out: the broker's word, or an operator's own event.
        OrderAcknowledged: S.ACKNOWLEDGED,
        OrderWorking: S.WORKING,
        OrderFilled: S.PARTIALLY_FILLED,
        OrderUnknown: S.UNKNOWN,
        **_ENDS,
    },
    S.FILLED: {
        # The acknowledgement or an end may trail the fill; the fill stands.
        OrderAcknowledged: S.FILLED,
        OrderWorking: S.FILLED,
        OrderCancelled: S.FILLED,
        OrderExpired: S.FILLED,
    },
    S.CANCELLED: {
        # The fill and the cancel crossed on the wire: the fill counts, the rest stays cancelled.
        OrderFilled: S.CANCELLED,
        OrderAcknowledged: S.CANCELLED,
        OrderWorking: S.CANCELLED,
        OrderCancelled: S.CANCELLED,
        OrderRejected: S.CANCELLED,
        OrderExpired: S.CANCELLED,
    },
    S.REJECTED: {
        # Some broker codes look like a rejection of an order that then fills: believe the fill.
        OrderFilled: S.PARTIALLY_FILLED,
        OrderRejected: S.REJECTED,
        # A rejection often comes as an error first, and as the status "cancelled" after it.
        OrderCancelled: S.REJECTED,
        OrderAcknowledged: S.REJECTED,
        OrderWorking: S.REJECTED,
    },
    S.EXPIRED: {
        OrderFilled: S.EXPIRED,
        OrderAcknowledged: S.EXPIRED,
        OrderWorking: S.EXPIRED,
        OrderCancelled: S.EXPIRED,
        OrderExpired: S.EXPIRED,
    },
    # These never left, so nothing the broker says can be about them.
    S.REFUSED: {},
    S.WITHHELD: {},
}


def next_state(state: OrderState, event: type, *, wholly_filled: bool) -> OrderState | None:
    """Return the state after an event of that type, None where the table has no such row.

    `wholly_filled` says that nothing of the order is left once the event is counted.
    """
    after = NEXT[state].get(event)
    if after is not None and wholly_filled and event is OrderFilled:
        return S.FILLED
    return after
