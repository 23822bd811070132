"""The hold desk: places and lifts holds, and does to working orders what a hold says."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, assert_never

from daemon.core.order_desk import OrderDesk
from daemon.core.recorder import Recorder
from events import (
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    OrderIntended,
    OrderType,
    Symbol,
    WorkingOrders,
)
from projections import State
from projections.holds import covers, strictest
from projections.orders import Order
from projections.positions import Positions

_ZERO: Final = Decimal(0)
_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


class HoldDesk:
    """The one way a hold comes and goes."""

    def __init__(self, recorder: Recorder, orders: OrderDesk) -> None:
        """Record with `recorder`; cancels go through `orders`."""
        self._recorder = recorder
        self._state = recorder.state
        self._orders = orders

    def doubt_books(self, cause: str, why: str, subject: str) -> None:
        """Let nothing pass on books that may have been wrong before this start.

        Nothing is cancelled: by such books the stop that protects a position may look like a short.
        """
        self._halt(HoldScope.ALL, "", cause, why, subject, WorkingOrders.KEEP)

    def doubt_broker(self, cause: str, why: str, subject: str) -> None:
        """Let nothing pass until an operator has looked at what the broker did or said.

        The books were right up to here, and have what it did by now. So what is working and would
        do more than reduce is cancelled: such as the stop of a position that is not there any more.
        """
        self._halt(HoldScope.ALL, "", cause, why, subject, WorkingOrders.CANCEL_INCREASING)

    def halt_all(self, cause: str, why: str) -> None:
        """Let nothing pass until an operator has looked; what works stays as it is."""
        self._halt(HoldScope.ALL, "", cause, why, cause, WorkingOrders.KEEP)

    def halt_symbol(self, symbol: Symbol, cause: str, why: str, subject: str) -> None:
        """Let nothing pass in `symbol` until an operator has looked how much of it is held."""
        self._halt(HoldScope.SYMBOL, symbol, cause, why, subject, WorkingOrders.KEEP)

    def _halt(  # noqa: PLR0913, PLR0917 - what differs from one halt to the next
        self,
        scope: HoldScope,
        target: str,
        cause: str,
        why: str,
        subject: str,
        working: WorkingOrders,
    ) -> None:
        """Place a HALT; what is seen again on the same subject adds none, and cancels once more."""
        hold = HoldPlaced(
            hold_id=f"{cause}-{self._recorder.root}",
            scope=scope,
            level=HoldLevel.HALT,
            cause=cause,
            by="core",
            why=why,
            lifts=HoldLifts.OPERATOR,
            target=target,
            working=working,
            subject=subject,
        )
        if self._state.holds.stands(cause, subject):
            self.cancel_for(hold)
        else:
            self.place(hold)

    def place(self, hold: HoldPlaced) -> None:
        """Place `hold`, then ask for the cancels it wants."""
        self._recorder.emit(hold)
        self.cancel_for(hold)

    def cancel_for(self, hold: HoldPlaced) -> None:
        """Ask for the cancels that `hold` wants."""
        for order in self._to_cancel(hold):
            self._orders.cancel(order.client_order_id, hold.cause)

    def lift(self, hold_id: str, by: str, why: str, new_peak: Decimal | None = None) -> None:
        """Lift one hold, if it is there; with a `new_peak` the drawdown counts from that on."""
        if hold_id in self._state.holds.active:
            self._recorder.emit(HoldLifted(hold_id, by, why, new_peak))

    def lift_on(self, cause: str, subject: str, by: str, why: str) -> None:
        """Lift what stands for `cause` on `subject`."""
        for hold in list(self._state.holds.active.values()):
            if (hold.cause, hold.subject) == (cause, subject):
                self.lift(hold.hold_id, by, why)

    def lift_of_the_day(self) -> None:
        """Lift what ends with the next session: a day has just been closed."""
        for hold in list(self._state.holds.active.values()):
            if hold.lifts is HoldLifts.NEXT_SESSION:
                self.lift(hold.hold_id, "core", "the next session")

    def _to_cancel(self, hold: HoldPlaced) -> list[Order]:
        """Return the open orders that `hold` wants gone."""
        everything = self._state.orders.open.values()
        match hold.working:
            case WorkingOrders.KEEP:
                return []
            case WorkingOrders.CANCEL_ALL:
                wanted = list(everything)
            case WorkingOrders.CANCEL_INCREASING:
                wanted = increasing(everything, self._state.positions, protect=True)
            case _:
                assert_never(hold.working)
        return [order for order in wanted if covers(hold, order.intent.strategy, order.symbol)]


def increasing(
    orders: Iterable[Order], positions: Positions, *, protect: bool = False
) -> list[Order]:
    """Return the open orders that could do more than reduce a position.

    Stops keep their place first: they are what protects the position while nobody trades. To
    `protect` it, a stop that is too large stays as well, as long as it protects more than it could
    open the other way: without it all of the position is at risk, with it only the excess.
    """
    room = {symbol: position.quantity for symbol, position in positions.account.items()}
    found = []
    for order in sorted(orders, key=lambda order: order.terms.order_type not in _STOPS):
        left = room.get(order.symbol, _ZERO)
        after = left + order.reserved
        is_opposite = left * order.intent.quantity < 0
        # Within the position it comes nearer to zero, and does not pass it.
        if is_opposite and left * after >= 0:
            room[order.symbol] = after
        elif is_opposite and protect and order.terms.order_type in _STOPS and _mostly(left, after):
            room[order.symbol] = _ZERO
        else:
            found.append(order)
    return found


def _mostly(left: Decimal, after: Decimal) -> bool:
    """Say whether a stop protects more, `left`, than it could open the other way, `after`."""
    return abs(after) < abs(left)


def stopped_since(intent: OrderIntended, state: State) -> str:
    """Say which hold, or cancel, has come between the approval of `intent` and now; "" for none."""
    order = state.orders.open.get(intent.client_order_id)
    holds = state.holds.in_scope(intent.strategy, intent.symbol)
    level = strictest(holds)
    if level is HoldLevel.HALT or (
        level is HoldLevel.REDUCE
        and order in increasing(state.orders.open.values(), state.positions)
    ):
        return f"{level}: {', '.join(hold.cause for hold in holds if hold.level is level)}"
    if order is not None and order.cancel_requested:
        return "its cancel was asked for before it left"
    return ""
