"""The broker's books against ours: a pure comparison over the union of what either side has.

Nothing is decided here. A list the look does not have is not compared, never taken for empty.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from events import (
    BooksReported,
    BreakKind,
    BrokerList,
    BrokerOrder,
    ClientOrderId,
    Difference,
    ExecutionSeen,
    LikelyCause,
    Symbol,
    nanoseconds,
)
from projections.amendments import changes
from projections.likely_causes import with_causes
from projections.order_states import OrderState
from projections.orders import Order
from projections.positions import Position
from projections.settled_cash import settled_cash
from projections.state import State

AT_BROKER: Final = frozenset(
    {
        OrderState.SENDING,
        OrderState.ACKNOWLEDGED,
        OrderState.WORKING,
        OrderState.PARTIALLY_FILLED,
        OrderState.UNKNOWN,
    }
)
"""Orders in these states may be at the broker."""
COST_SHARE_MAX: Final = Decimal("0.01")
"""Average costs differ by less for reasons nobody minds: brokers count commissions in."""

_ZERO: Final = Decimal(0)
_NOTHING: Final = Symbol("")


class Comparison(msgspec.Struct, frozen=True):
    """How many things were compared and which differ; what was not, and whose cost differs."""

    checked: int
    differences: tuple[Difference, ...]
    not_compared: tuple[BrokerList, ...]
    costs_differing: tuple[Symbol, ...]


def compare(
    state: State,
    look: BooksReported,
    cash_tolerance_usd: Decimal,
    *,
    is_cash_account: bool = False,
) -> Comparison:
    """Compare the books with `look`; cash within `cash_tolerance_usd` agrees.

    In a cash account what has settled is compared too: only that may be spent.
    """
    checked = 0
    found: list[Difference] = []
    missing: list[BrokerList] = []
    costs: list[Symbol] = []
    if look.positions is None:
        missing.append(BrokerList.POSITIONS)
    else:
        ours = {symbol: each for symbol, each in state.positions.account.items() if each.quantity}
        theirs = {each.symbol: each for each in look.positions}
        checked += len(ours.keys() | theirs.keys())
        found += _positions(ours, {name: each.quantity for name, each in theirs.items()})
        costs += [
            symbol
            for symbol in sorted(ours.keys() & theirs.keys())
            if _costs_differ(ours[symbol], theirs[symbol].average_cost)
        ]
    if look.cash is None or look.cash.total is None:
        missing.append(BrokerList.CASH)
    else:
        checked += 1
        found += _cash(state, look.cash.total, cash_tolerance_usd)
        if is_cash_account and look.cash.settled is not None:
            checked += 1
            found += _settled(state, look, look.cash.settled, cash_tolerance_usd)
    if look.open_orders is None:
        missing.append(BrokerList.OPEN_ORDERS)
    else:
        sent = _sent_before(state, look)
        listed = _by_name(look.open_orders)
        checked += len(sent.keys() | listed.keys())
        found += _orders(state, look, sent, listed)
    if look.completed_orders is None:
        missing.append(BrokerList.COMPLETED_ORDERS)
    if look.executions is None:
        missing.append(BrokerList.EXECUTIONS)
    else:
        checked += len(look.executions)
        found += _executions(state, look.executions)
    return Comparison(checked, tuple(with_causes(state, look, found)), tuple(missing), tuple(costs))


def is_comparable(difference: Difference, look: BooksReported, state: State) -> bool:
    """Say whether `look` can tell that `difference` is gone, by not having it."""
    match difference.kind:
        case BreakKind.POSITION:
            return look.positions is not None
        case BreakKind.CASH:
            return look.cash is not None and look.cash.total is not None
        case BreakKind.SETTLED_CASH:
            return look.cash is not None and look.cash.settled is not None
        case BreakKind.UNKNOWN_EXECUTION:
            # Lists of executions begin anew every day: that one has gone from it says nothing.
            return difference.subject in state.orders.executions.filled
        case _:
            return look.open_orders is not None


def difference_text(difference: Difference) -> str:
    """Return a difference in words: what, here, there, and the likely cause."""
    subject = f" {difference.subject}" if difference.subject else ""
    here, there = (
        _amount(difference.kind, number) for number in (difference.internal, difference.broker)
    )
    note = f"; {difference.note}" if difference.note else ""
    is_known = difference.likely_cause is not LikelyCause.UNKNOWN
    likely = f"; likely {difference.likely_cause}" if is_known else "; cause unknown"
    return f"{difference.kind}{subject}: here {here}, at the broker {there}{note}{likely}"


def _amount(kind: BreakKind, number: Decimal | None) -> str:
    """Return dollars with cents for cash, else shares."""
    if number is None:
        return "none"
    return f"{number:,.2f} USD" if kind is BreakKind.CASH else f"{number.normalize():,f}"


def _positions(ours: dict[Symbol, Position], theirs: dict[Symbol, Decimal]) -> Iterator[Difference]:
    for symbol in sorted(ours.keys() | theirs.keys()):
        held = ours[symbol].quantity if symbol in ours else _ZERO
        there = theirs.get(symbol, _ZERO)
        if held != there:
            yield Difference(BreakKind.POSITION, symbol, "", held, there)


def _costs_differ(position: Position, average_cost: Decimal | None) -> bool:
    ours = position.average_entry_price
    if ours is None or average_cost is None:
        return False
    return abs(ours - average_cost) > COST_SHARE_MAX * abs(ours)


def _cash(state: State, total: Decimal, tolerance: Decimal) -> Iterator[Difference]:
    """Compare cash; commissions that are not reported yet may have been taken off already."""
    balance = state.cash.balance
    least = balance - state.cash.uncharged_max - tolerance
    if not least <= total <= balance + tolerance:
        yield Difference(BreakKind.CASH, _NOTHING, "", balance, total)


def _settled(
    state: State, look: BooksReported, settled: Decimal, tolerance: Decimal
) -> Iterator[Difference]:
    """Compare what has settled: less than we count on is a difference, more waits for its time."""
    ours = settled_cash(state, look.began_at)
    if settled < ours - tolerance:
        yield Difference(BreakKind.SETTLED_CASH, _NOTHING, "", ours, settled)


def _sent_before(state: State, look: BooksReported) -> dict[ClientOrderId, Order]:
    """Return the orders that a look at the broker's can be expected to show."""
    began = nanoseconds(look.began_at)
    return {
        order_id: order
        for order_id, order in state.orders.open.items()
        if order.state in AT_BROKER and order.sent_at < began
    }


def _by_name(orders: Sequence[BrokerOrder]) -> dict[ClientOrderId, list[BrokerOrder]]:
    found: dict[ClientOrderId, list[BrokerOrder]] = {}
    for order in orders:
        found.setdefault(order.name, []).append(order)
    return found


def _orders(
    state: State,
    look: BooksReported,
    sent: dict[ClientOrderId, Order],
    listed: dict[ClientOrderId, list[BrokerOrder]],
) -> Iterator[Difference]:
    over = {each.order_ref: each.status for each in look.completed_orders or ()}
    for name in sorted(sent.keys() | listed.keys()):
        there = listed.get(name, [])
        if not there:
            order = sent[name]
            note = f"the broker has it as {over[name]}" if name in over else ""
            yield Difference(
                BreakKind.MISSING_ORDER, order.symbol, name, order.remaining, None, note=note
            )
            continue
        found = _listed_order(state, name, there)
        if found is not None:
            yield found


def _listed_order(state: State, name: ClientOrderId, there: list[BrokerOrder]) -> Difference | None:
    """Return what differs in an order that is open at the broker, None where nothing does."""
    first = there[0]
    remaining = sum((each.remaining for each in there), _ZERO)
    order = state.orders.find(name)
    if order is None and name not in state.orders.forgotten:
        note = f"{first.order_type} {first.status}, client {first.client_id or 'unknown'}"
        return Difference(BreakKind.FOREIGN_ORDER, first.symbol, name, None, remaining, note=note)
    if order is None or order.state not in AT_BROKER:
        note = f"here it is {order.state if order else 'over since long ago'}"
        return Difference(BreakKind.UNENDED_ORDER, first.symbol, name, _ZERO, remaining, note=note)
    if len(there) > 1:
        note = f"{len(there)} live orders bear this reference"
        return Difference(
            BreakKind.DOUBLE_ORDER, order.symbol, name, order.remaining, remaining, note=note
        )
    changed = [*_changes(order, first)]
    if remaining != order.remaining or changed:
        note = ", ".join(changed)
        return Difference(
            BreakKind.AMENDED_ORDER, order.symbol, name, order.remaining, remaining, note=note
        )
    return None


def _changes(order: Order, there: BrokerOrder) -> Iterator[str]:
    """Yield what of an order somebody else has changed, until an operator takes that over."""
    if order.amended is not None and order.amended.quantity != order.intent.quantity:
        yield f"quantity {order.amended.quantity:f} instead of {order.intent.quantity:f}"
    if there.symbol != order.symbol:
        yield f"symbol {there.symbol} instead of {order.symbol}"
    yield from changes(order.intent, there)


def _executions(state: State, seen: Sequence[ExecutionSeen]) -> Iterator[Difference]:
    counted, accepted = state.orders.executions.filled, state.reconciliation.accepted
    for each in seen:
        if each.execution_id not in counted and each.execution_id not in accepted:
            note = f"of order {each.order_ref}" if each.order_ref else "of an order without our ref"
            yield Difference(
                BreakKind.UNKNOWN_EXECUTION,
                each.symbol,
                each.execution_id,
                None,
                each.quantity,
                note=note,
            )
