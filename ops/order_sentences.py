"""The life of an order in words: what was wanted, what the gate measured, what the broker said."""

from decimal import Decimal
from typing import assert_never

from events import (
    CancelSending,
    CancelWithheld,
    Check,
    CommissionCharged,
    CommissionCorrected,
    FillCorrected,
    IntentApproved,
    IntentRefused,
    OrderAcknowledged,
    OrderAdopted,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderSending,
    OrderType,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    OrderWrittenOff,
)
from ops.reconciliation_sentences import reconciliation_sentence
from ops.render import because, money, multiple, one_line, percent, price, quantity
from projections.orders import OrderPathEvent

_SHARES = frozenset({"drawdown", "outlier", "collar_last", "collar_close"})
"""The checks that measure a share of something."""


def order_sentence(event: OrderPathEvent | FillCorrected | CommissionCorrected) -> str:  # noqa: C901, PLR0911, PLR0912 - one branch a type
    """Return what happened to an order, in words."""
    match event:
        case OrderIntended():
            return f"{one_line(event.strategy)} wants to {order_text(event)}"
        case IntentApproved():
            return f"passed all {len(event.checks)} checks"
        case IntentRefused():
            return f"refused: {'; '.join(check_text(each) for each in event.failed)}"
        case OrderSending():
            return "the order is leaving"
        case OrderWithheld():
            return because("the order did not leave", event.reason)
        case OrderAcknowledged():
            return because("the broker has the order", event.broker_order_id)
        case OrderWorking():
            return "the order rests at the exchange"
        case OrderRejected():
            return because("the broker refused the order", event.reason)
        case OrderCancelled():
            return because("the rest of the order is cancelled", event.reason)
        case OrderExpired():
            return because("the order has expired", event.reason)
        case OrderUnknown():
            return because("nobody knows where the order is", event.reason)
        case CancelSending():
            return because("a cancel is leaving", event.reason)
        case CancelWithheld():
            return because("the cancel did not leave, the order stands", event.reason)
        case OrderFilled():
            by = ", A LIQUIDATION BY THE BROKER" if event.is_liquidation else ""
            return f"{_traded(event.quantity)} at {price(event.price)}{by}"
        case CommissionCharged():
            return f"{money(event.amount)} commission"
        case CommissionCorrected():
            return f"{money(event.amount)} commission, corrected from {money(event.was)}"
        case FillCorrected():
            return _correction_text(event)
        case OrderAmended():
            return _amended_text(event)
        case OrderAdopted() | OrderWrittenOff():
            return reconciliation_sentence(event)
        case _:
            assert_never(event)


def order_text(intent: OrderIntended) -> str:
    """Return what an order asks for: `buy 40 at market, DAY`."""
    match intent.order_type:
        case OrderType.MARKET:
            terms = "at market"
        case OrderType.LIMIT:
            terms = f"at {price(intent.limit_price)} or better"
        case OrderType.STOP:
            terms = f"at market once {price(intent.stop_price)} trades"
        case OrderType.STOP_LIMIT:
            stop = price(intent.stop_price)
            terms = f"at {price(intent.limit_price)} or better once {stop} trades"
        case _:
            assert_never(intent.order_type)
    side = "sell" if intent.quantity.is_signed() else "buy"
    over = "" if intent.cancel_after_s is None else f", cancelled after {intent.cancel_after_s} s"
    hours = ", also outside regular hours" if intent.outside_rth else ""
    size = quantity(abs(intent.quantity))
    return f"{side} {size} {terms}, {intent.time_in_force}{hours}{over}"


def check_text(check: Check) -> str:
    """Return what a check measured, against which limit, and the room left or missing."""
    text = one_line(check.name)
    if check.value is not None:
        text += f" {measure(check.name, check.value)}"
    if check.limit is not None:
        text += f" of at most {measure(check.name, check.limit)}"
    if check.headroom is not None:
        room = measure(check.name, abs(check.headroom))
        text += f", {room} too much" if check.headroom < 0 else f", {room} left"
    return because(text, check.note)


def measure(name: str, value: Decimal) -> str:
    """Return a check's value in the check's own unit, which its name says."""
    if name.endswith(("_usd", "_loss")):
        return money(value)
    if name in _SHARES:
        return percent(value)
    if name.endswith("leverage"):
        return multiple(value)
    return price(value) if name.startswith("price") else quantity(value)


def _traded(shares: Decimal) -> str:
    return f"{'bought' if shares > 0 else 'sold'} {quantity(abs(shares))}"


def _amended_text(event: OrderAmended) -> str:
    side = "sell" if event.quantity.is_signed() else "buy"
    of = f"{event.live_orders} live orders, together " if event.live_orders > 1 else ""
    prices = (("limit", event.limit_price), ("stop", event.stop_price))
    told = "".join(f", {name} {price(each)}" for name, each in prices if each is not None)
    kind = one_line(f"{event.order_type} {event.time_in_force}")
    return (
        f"SOMEBODY ELSE HAS CHANGED IT: now {of}{side} {quantity(abs(event.quantity))} {kind}{told}"
    )


def _correction_text(event: FillCorrected) -> str:
    if not event.quantity:
        was = f"{_traded(event.was_quantity)} at {price(event.was_price)}"
        return f"taken back by the broker: {was}"
    now = f"{_traded(event.quantity)} at {price(event.price)}"
    return f"{now}, corrected from {quantity(abs(event.was_quantity))} at {price(event.was_price)}"
