"""Resolving breaks: what an operator's word changes in our books, worked out before it is done.

The broker's figure is that of the last look. Where our own has moved since, nothing is changed:
the same difference must be seen again first.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, assert_never

import msgspec

from daemon.core.hold_desk import HoldDesk
from daemon.core.looks import ReconciliationTerms, look_id_of
from daemon.core.recorder import LookAtBooks, Recorder
from events import (
    ADOPTED,
    BY_HAND,
    BreakKind,
    BreakOpened,
    BreakResolved,
    BrokerOrder,
    CashAdjusted,
    ClientOrderId,
    CommandRefused,
    Difference,
    LookWhy,
    OperatorResolveAsked,
    OrderAdopted,
    OrderIntended,
    OrderType,
    OrderWrittenOff,
    PositionAdjusted,
    Resolution,
    TimeInForce,
    Trip,
    nanoseconds,
)
from projections import State
from projections.amendments import AMENDED
from projections.orders import Order

_ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")
_MOVED: Final = "the books have moved since the last look: `traded reconcile --now`, then again"

Change = PositionAdjusted | CashAdjusted | OrderAdopted | OrderWrittenOff


class Plan(msgspec.Struct, frozen=True):
    """What becomes of one break: `change` to the books, and whether the break is over by it.

    `objection` is why it cannot be, empty where it can.
    """

    opened: BreakOpened
    change: Change | None = None
    is_over: bool = True
    objection: str = ""


def plans(
    state: State, command: OperatorResolveAsked, terms: ReconciliationTerms
) -> tuple[list[Plan], str]:
    """Return what `command` would do to each break it names, and why it names none."""
    found = state.reconciliation.open
    if command.break_id is not None and command.break_id not in found:
        return [], f"there is no open break {command.break_id}"
    if not found:
        return [], "there is no open break"
    wanted = list(found.values()) if command.break_id is None else [found[command.break_id]]
    if command.adjust is not None and command.break_id is None:
        return [], "adjust one break at a time"
    return [_plan(state, command, opened, terms) for opened in wanted], ""


def resolve(
    recorder: Recorder, holds: HoldDesk, command: OperatorResolveAsked, terms: ReconciliationTerms
) -> list[PositionAdjusted]:
    """Carry `command` out: all of it, or nothing where any part of it cannot be.

    The broker's books are looked at again behind it. Returns what was changed in positions.
    """
    planned, refusal = plans(recorder.state, command, terms)
    objections = [f"{each.opened.break_id}: {each.objection}" for each in planned if each.objection]
    if refusal or objections:
        recorder.emit(CommandRefused(command.command_id, refusal or "; ".join(objections)))
        return []
    how = Resolution.ADOPTED if command.adjust is None else Resolution.ADJUSTED
    for plan in planned:
        break_id = plan.opened.break_id
        if plan.change is not None:
            recorder.emit(plan.change)
        if isinstance(plan.change, OrderAdopted):
            # Whoever takes the order over as it is has looked at what was changed.
            holds.lift_on(AMENDED, plan.change.client_order_id, command.by, command.why)
        if plan.is_over:
            recorder.emit(BreakResolved(break_id, how, command.by, command.why))
            why = f"{break_id} is resolved: {command.why}"
            holds.lift_on(Trip.RECONCILIATION_BREAK, break_id, command.by, why)
    recorder.effects.append(LookAtBooks(look_id_of(recorder.root), LookWhy.OPERATOR))
    return [each.change for each in planned if isinstance(each.change, PositionAdjusted)]


def plan_text(state: State, plan: Plan) -> str:
    """Return what a plan does, in words, with what it means for profit and loss."""
    break_id, change = plan.opened.break_id, plan.change
    match change:
        case None:
            done = "signs it off; nothing is booked"
        case PositionAdjusted():
            held = state.positions.held(change.symbol)
            after = held.quantity + change.quantity
            done = (
                f"books {_signed(change.quantity)} {change.symbol}: "
                f"{held.quantity:f} -> {after:f}, cost {_signed(change.cost)}, "
                f"valued at {change.price:f}: equity {_signed(change.quantity * change.price)} "
                "USD, no profit or loss of the day; they are the operator's, no strategy's"
            )
        case CashAdjusted():
            done = (
                f"books {_signed(change.amount)} USD cash: {state.cash.balance:f} -> "
                f"{state.cash.balance + change.amount:f}, no profit or loss of the day"
            )
            if change.action_id:
                done += f": it pays {change.action_id}"
        case OrderAdopted(intent=intent):
            done = (
                f"takes order {intent.client_order_id} into the books: {_signed(intent.quantity)} "
                f"{intent.symbol} {intent.order_type}, {intent.time_in_force}"
            )
        case OrderWrittenOff():
            done = f"ends order {change.client_order_id}: nothing of it is reserved any more"
        case _:
            assert_never(change)
    over = "" if plan.is_over else "; the break stays open"
    return f"{break_id}: {done}{over}"


def _plan(  # noqa: PLR0911 - one branch a kind
    state: State, command: OperatorResolveAsked, opened: BreakOpened, terms: ReconciliationTerms
) -> Plan:
    difference = opened.difference
    match difference.kind:
        case BreakKind.POSITION:
            return _position(state, command, opened)
        case BreakKind.CASH:
            return _cash(state, command, opened, terms)
        case _ if command.adjust is not None:
            return Plan(opened, objection=f"a {difference.kind} is adopted, not adjusted")
        case BreakKind.SETTLED_CASH:
            # It is over when the broker has settled: there is nothing to book.
            return Plan(opened, is_over=False)
        case BreakKind.UNKNOWN_EXECUTION:
            return Plan(opened)
        case BreakKind.MISSING_ORDER:
            return _missing_order(state, command, opened)
        case _:
            return _order(state, command, opened)


def _position(state: State, command: OperatorResolveAsked, opened: BreakOpened) -> Plan:
    difference = opened.difference
    symbol, held = difference.symbol, state.positions.held(difference.symbol)
    if held.quantity != (difference.internal or _ZERO):
        return Plan(opened, objection=_MOVED)
    quantity = difference.delta if command.adjust is None else command.adjust
    after = held.quantity + quantity
    said = (command.price, _average_cost(state, difference), held.average_entry_price)
    average = next((each for each in said if each is not None), None)
    price = state.pnl.marks.get(symbol) or state.market.price(symbol) or average
    if price is None or (average is None and after):
        return Plan(opened, objection=f"nobody says what {symbol} cost: give --adjust and --price")
    cost = _new_cost(held.quantity, held.cost, quantity, average or _ZERO, command)
    change = PositionAdjusted(
        opened.break_id, symbol, quantity, cost - held.cost, price, command.by, command.why
    )
    return Plan(opened, change, is_over=after == (difference.broker or _ZERO))


def _new_cost(
    held: Decimal, cost: Decimal, quantity: Decimal, average: Decimal, command: OperatorResolveAsked
) -> Decimal:
    """Return the cost of all that is held then: at the broker's average, or as the operator says.

    At the operator's price shares come in; what goes out takes its part of the cost with it.
    """
    after = held + quantity
    if command.adjust is None or held * after <= 0:
        return after * average
    if held * quantity > 0:
        return cost + quantity * average
    return (cost * after / held).quantize(_CENT)


def _average_cost(state: State, difference: Difference) -> Decimal | None:
    """Return the broker's average cost in the last look, None where it does not say."""
    last = state.reconciliation.last
    found = (
        each.average_cost
        for each in (last.positions if last is not None else None) or ()
        if each.symbol == difference.symbol
    )
    return next(found, None)


def _cash(
    state: State, command: OperatorResolveAsked, opened: BreakOpened, terms: ReconciliationTerms
) -> Plan:
    difference = opened.difference
    if state.cash.balance != difference.internal:
        return Plan(opened, objection=_MOVED)
    amount = difference.delta if command.adjust is None else command.adjust
    # What a dividend was to bring is no new money: it stops being a receivable.
    receivables = state.cash.receivables.items()
    paid = next((action_id for action_id, owed in receivables if owed == amount), "")
    change = CashAdjusted(opened.break_id, amount, command.by, command.why, paid)
    return Plan(opened, change, is_over=abs(difference.delta - amount) <= terms.cash_tolerance_usd)


def _missing_order(state: State, command: OperatorResolveAsked, opened: BreakOpened) -> Plan:
    """Write the order off, unless the broker has shown since the last look that it has it."""
    order_id = ClientOrderId(opened.difference.subject)
    order, last = state.orders.open.get(order_id), state.reconciliation.last
    if order is None:
        return Plan(opened)
    heard_since = last is not None and order.heard_at >= nanoseconds(last.began_at)
    if heard_since or order.remaining != opened.difference.internal:
        return Plan(opened, objection=_MOVED)
    return Plan(opened, OrderWrittenOff(order_id, command.by, command.why))


def _order(state: State, command: OperatorResolveAsked, opened: BreakOpened) -> Plan:
    """Take the order as the last look lists it; two live ones under one name count as their sum."""
    name = ClientOrderId(opened.difference.subject)
    listed = state.reconciliation.listed_as(name)
    order = state.orders.find(name)
    if not listed:
        return Plan(opened, objection=_MOVED)
    if order is not None and opened.difference.internal not in {order.remaining, _ZERO}:
        return Plan(opened, objection=_MOVED)
    intent = _intent(name, listed, order, opened.break_id)
    if not intent.quantity:
        return Plan(opened)
    return Plan(opened, OrderAdopted(name, intent, command.by, command.why))


def _intent(
    name: ClientOrderId, listed: list[BrokerOrder], order: Order | None, break_id: str
) -> OrderIntended:
    first = listed[0]
    remaining = sum((each.remaining for each in listed), _ZERO)
    types = {each.value: each for each in OrderType}
    times = {each.value: each for each in TimeInForce}
    as_listed = OrderIntended(
        name,
        BY_HAND,
        first.symbol,
        remaining,
        # Of a kind we have no word for it counts as the kind that can do most.
        types.get(first.order_type, OrderType.MARKET),
        times.get(first.time_in_force, TimeInForce.GTC),
        cause_key=f"{ADOPTED}{break_id}",
        leg=0,
        limit_price=_highest(each.limit_price for each in listed),
        stop_price=_highest(each.stop_price for each in listed),
    )
    if order is None:
        return as_listed
    return msgspec.structs.replace(
        order.intent,
        quantity=order.filled + remaining,
        order_type=as_listed.order_type,
        time_in_force=as_listed.time_in_force,
        limit_price=as_listed.limit_price,
        stop_price=as_listed.stop_price,
    )


def _highest(prices: Iterable[Decimal | None]) -> Decimal | None:
    return max((each for each in prices if each is not None), default=None)


def _signed(number: Decimal) -> str:
    return f"{number.normalize():+f}"
