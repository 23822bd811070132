"""From what the gateway says to what we record of it. Pure; an order's state is our fold's alone.

A message never ends an order that it does not surely end. What may be so is looked up in the lists.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from daemon.brokers.gateway.codes import ForOrder, Meaning
from daemon.brokers.gateway.messages import (
    Commission,
    Execution,
    Notice,
    OrderLine,
    Status,
    read_time,
    split_execution_id,
)
from events import (
    ClientOrderId,
    CommissionCharged,
    ExecutionId,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderType,
    OrderWorking,
    Symbol,
    TimeInForce,
)
from events.codec import Input
from events.orders import OrderIntended
from projections.order_states import OrderState
from projections.orders import Order

CANCELLED: Final = frozenset({"Cancelled", "ApiCancelled"})
_AT_CLOSE: Final = {"MOC": OrderType.MARKET, "LOC": OrderType.LIMIT}
"""Taking part in the close is a type of order there, not a time in force."""
_TIME_MAY_BE_OFF: Final = timedelta(days=1)
"""An execution that was told of live happened within that of now, whatever its time says."""


def of_status(status: Status, order: ClientOrderId) -> list[Input]:
    """Return what an orderStatus says; a filled order's fills come as executions."""
    match status.status:
        case "PreSubmitted":
            return [OrderAcknowledged(order, _perm(status.perm_id))]
        case "Submitted":
            return [OrderAcknowledged(order, _perm(status.perm_id)), OrderWorking(order)]
        case "Cancelled" | "ApiCancelled":
            return [OrderCancelled(order, status.why_held)]
        case _:
            return []


def wants_look(status: Status, filled: Decimal) -> bool:
    """Say whether the lists have to tell more than `status` does, with `filled` (unsigned) known.

    Inactive is refused, or held back, or over: documents disagree. A status that counts more shares
    than there are executions has lost some.
    """
    return status.status == "Inactive" or status.filled > filled


def of_line(line: OrderLine, order: ClientOrderId) -> list[Input]:
    """Return what an open order in a list, or told of live, says of itself."""
    if line.completed_status:
        return of_completed(line, order)
    match line.status:
        case "PreSubmitted":
            return [OrderAcknowledged(order, _perm(line.perm_id))]
        case "Submitted":
            return [OrderAcknowledged(order, _perm(line.perm_id)), OrderWorking(order)]
        case _:
            return []  # Its end has a status of its own, which says more.


def of_completed(line: OrderLine, order: ClientOrderId) -> list[Input]:
    """Return how an order ended that the broker's list has as completed."""
    said = line.completed_status or line.status
    if line.status == "Filled":
        return []
    if "expire" in said.lower():
        return [OrderExpired(order, said)]
    if line.status in CANCELLED:
        return [OrderCancelled(order, said)]
    return [OrderRejected(order, said)] if line.status == "Inactive" else []


def of_notice(
    notice: Notice, means: Meaning, order: Order, *, has_shown: bool
) -> list[Input] | None:
    """Return what an error says of `order`; None: look it up.

    A refusal counts while the broker has shown no sign of the order (`has_shown`: perhaps in this
    very turn): of one that lives, the same code may be about a change or a cancel.
    """
    text = f"{notice.code}: {notice.text}"
    match means.order:
        case ForOrder.LIVE | None:
            return []
        case ForOrder.CANCELLED:
            return [OrderCancelled(order.client_order_id, text)]
        case ForOrder.REFUSED if order.state is OrderState.SENDING and not has_shown:
            return [OrderRejected(order.client_order_id, text)]
        case _:
            return None


def of_execution(
    execution: Execution, order: ClientOrderId, symbol: Symbol, executed_at: datetime
) -> OrderFilled:
    """Return one execution; a correction has the same id and a higher revision."""
    return OrderFilled(
        order,
        ExecutionId(execution.root),
        symbol,
        execution.quantity,
        execution.price,
        executed_at,
        revision=execution.revision,
        is_liquidation=bool(execution.liquidation),
    )


def executed_at(
    execution: Execution, zone: str, now: datetime, counted_at: datetime | None
) -> datetime:
    """Return when an execution happened: what it says, else `now`; no oddity loses a fill.

    One whose time says nothing is told of again in every list: it stays as it is `counted_at`.
    """
    said = read_time(execution.time, zone)
    if said is None or said > now + _TIME_MAY_BE_OFF:
        return counted_at or now
    is_live = execution.request < 0
    return now if is_live and said < now - _TIME_MAY_BE_OFF else said


def of_commission(commission: Commission, order: ClientOrderId) -> CommissionCharged | None:
    """Return what an execution cost, None where the report leaves it open."""
    if commission.amount is None:
        return None
    root, revision = split_execution_id(commission.execution_id)
    return CommissionCharged(order, ExecutionId(root), commission.amount, revision=revision)


def symbol_of(
    contract_id: int, symbol: str, security_type: str, local: str, known: Mapping[int, Symbol]
) -> Symbol:
    """Return our name of a contract. What is not the stock we trade never gets its name.

    A stock of the same ticker in another country is another contract, with another number.
    """
    if contract_id in known:
        return known[contract_id]
    if security_type != "STK":
        return Symbol(f"{local} {security_type}")
    name = Symbol(symbol.replace(" ", "."))
    return Symbol(f"{name} {contract_id}") if name in known.values() else name


def order_words(intent: OrderIntended) -> tuple[str, str]:
    """Return order type and time in force in the protocol's words."""
    if intent.time_in_force is TimeInForce.CLS:
        kind = next(name for name, kind in _AT_CLOSE.items() if kind is intent.order_type)
        return kind, "DAY"
    return intent.order_type.value, intent.time_in_force.value


def our_words(line: OrderLine) -> tuple[str, str]:
    """Return order type and time in force in our words, where we have one for it."""
    if line.order_type in _AT_CLOSE:
        return _AT_CLOSE[line.order_type].value, TimeInForce.CLS.value
    return line.order_type, line.time_in_force


def _perm(perm_id: int) -> str:
    return str(perm_id) if perm_id else ""
