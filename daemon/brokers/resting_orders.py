"""What the paper broker holds of one order, derived from the books alone.

The same books give the same resting order when it is submitted and after a restart, so the paper
broker's own book needs no memory beside the journal.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from daemon.brokers.fill_rules import STOPS, objection
from events import (
    BarClosed,
    ClientOrderId,
    ExecutionId,
    OrderIntended,
    SessionHours,
    TimeInForce,
    utc_from_nanoseconds,
)
from projections import State
from projections.calendar import ALWAYS_OPEN, Sessions
from projections.order_states import OrderState
from projections.orders import Order

NEVER: Final = datetime.max.replace(tzinfo=UTC)
OPENING_CUT_OFF: Final = timedelta(minutes=2)
CLOSING_CUT_OFF: Final = timedelta(minutes=10)
"""How long before the open and the close the auctions stop taking orders: 09:28 and 15:50 ET."""

AUCTIONS: Final = frozenset({TimeInForce.OPG, TimeInForce.CLS})


class RestingOrder(msgspec.Struct, eq=False):
    """An order at the paper broker. `remaining`, `value` are unsigned, `charged` in US dollars.

    `decided` is when it was sent: only what trades from then on can fill it. `expires` is the close
    its time in force ends with, `auction` the one session whose auction it takes part in.
    `triggered` says that a stop order's stop price has traded, `fills` is the last fill's number.
    """

    intent: OrderIntended
    decided: datetime
    expires: datetime
    auction: SessionHours | None
    is_whole: bool
    triggered: bool
    remaining: Decimal
    value: Decimal
    charged: Decimal
    fills: int

    def is_over_after(self, bar: BarClosed) -> bool:
        """Say whether nothing after `bar`, of this order's symbol, can fill it any more."""
        if self.auction is not None and self.intent.time_in_force is TimeInForce.OPG:
            return bar.end > self.auction.open
        return bar.end >= self.expires


def rest(order: Order, state: State) -> RestingOrder | str:
    """Return `order` as it rests at the broker, or why the broker does not take it."""
    intent = order.intent
    terms = state.symbols.get(intent.symbol)
    if terms is None:
        return f"{intent.symbol} is unknown: add it to the configuration's [symbols]"
    wrong = objection(intent) or _no_auction(intent, terms.exchange)
    if wrong:
        return wrong
    decided = utc_from_nanoseconds(order.sent_at)
    life = _life(intent, decided, terms.exchange, state.calendar.exchanges.get(terms.exchange))
    if isinstance(life, str):
        return life
    expires, auction = life
    return RestingOrder(
        intent=intent,
        decided=decided,
        expires=expires,
        auction=auction,
        is_whole=terms.exchange != ALWAYS_OPEN and intent.quantity % 1 == 0,
        # `order.working` is the journal's record that a stop triggered; so is a fill.
        triggered=order.state is OrderState.WORKING or bool(order.filled),
        remaining=abs(order.remaining),
        value=abs(order.fill_value),
        charged=order.commission,
        fills=max(map(_fill_number, order.executions), default=0),
    )


def execution_id(client_order_id: ClientOrderId, fill_number: int) -> ExecutionId:
    """Return the name of an order's nth fill; not `.01`, `.02`, which would read as corrections."""
    return ExecutionId(f"paper-{client_order_id}-{fill_number}")


def _fill_number(execution: ExecutionId) -> int:
    """Return n of an order's nth fill. Counting is not enough: a report may have been lost."""
    return int(execution.rpartition("-")[2])


def _no_auction(intent: OrderIntended, exchange: str) -> str:
    """Say why an auction order has no auction to take part in, nothing when it has or is none."""
    tif = intent.time_in_force
    if tif not in AUCTIONS:
        return ""
    if exchange == ALWAYS_OPEN:
        return f"{intent.symbol} trades around the clock: there is no auction for {tif}"
    if intent.order_type in STOPS:
        return f"a {intent.order_type} order cannot take part in an auction ({tif})"
    return ""


def _life(
    intent: OrderIntended, decided: datetime, exchange: str, sessions: Sessions | None
) -> tuple[datetime, SessionHours | None] | str:
    """Return when the order expires and its auction's session, or why it cannot live at all."""
    tif = intent.time_in_force
    if exchange == ALWAYS_OPEN:
        return (NEVER if tif is TimeInForce.GTC else _next_midnight(decided)), None
    if sessions is None:
        return f"no calendar of {exchange} is loaded: nobody knows the sessions of {intent.symbol}"
    if tif is TimeInForce.GTC:
        return NEVER, None
    hours = _session(tif, decided, sessions)
    if hours is None:
        return f"the calendar of {exchange} ends before a {tif} order of {decided} could trade"
    return hours.close, hours if tif in AUCTIONS else None


def _session(tif: TimeInForce, decided: datetime, sessions: Sessions) -> SessionHours | None:
    """Return the session an order belongs to: the first whose cut-off is after the decision."""
    if tif is TimeInForce.CLS:
        return sessions.first_ending_after(decided + CLOSING_CUT_OFF)
    if tif is not TimeInForce.OPG:
        return sessions.first_ending_after(decided)
    cut_off = decided + OPENING_CUT_OFF
    hours = sessions.first_ending_after(cut_off)
    if hours is not None and hours.open <= cut_off:
        return sessions.first_ending_after(hours.close)
    return hours


def _next_midnight(moment: datetime) -> datetime:
    """Return the end of the UTC day: what trades around the clock has no other session."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
