"""What the broker's books said, what differed, and what came of it, in words."""

from typing import assert_never

from events import (
    BooksReported,
    BreakOpened,
    BreakResolved,
    CashAdjusted,
    OrderAdopted,
    OrderWrittenOff,
    PositionAdjusted,
    ReconcileCompleted,
)
from ops.render import money, one_line, price, quantity
from projections.differences import difference_text

ReconciliationEvent = (
    BooksReported
    | BreakOpened
    | BreakResolved
    | ReconcileCompleted
    | PositionAdjusted
    | CashAdjusted
    | OrderAdopted
    | OrderWrittenOff
)


def reconciliation_sentence(event: ReconciliationEvent) -> str:  # noqa: PLR0911 - one branch a type
    """Return what happened between the broker's books and ours."""
    match event:
        case BooksReported():
            return _look_text(event)
        case BreakOpened():
            return one_line(f"break {event.break_id}: {difference_text(event.difference)}")
        case BreakResolved():
            by = f"by {event.by}: {event.why}"
            return one_line(f"break {event.break_id} is over ({event.how}), {by}")
        case ReconcileCompleted():
            return _completed_text(event)
        case PositionAdjusted():
            what = f"{quantity(abs(event.quantity))} shares {_in_or_out(event.quantity > 0)}"
            at = f"cost {money(event.cost)}, valued at {price(event.price)}"
            return f"{what}, {at}, by {one_line(event.by)}: {one_line(event.why)}"
        case CashAdjusted():
            what = f"cash adjusted by {money(event.amount)}"
            return f"{what}, by {one_line(event.by)}: {one_line(event.why)}"
        case OrderAdopted():
            by = f"by {event.by}: {event.why}"
            return f"the order is taken into the books, {one_line(by)}"
        case OrderWrittenOff():
            return f"the order is over, by {one_line(event.by)}: {one_line(event.why)}"
        case _:
            assert_never(event)


def _in_or_out(is_in: bool) -> str:  # noqa: FBT001 - which of two words
    return "brought in" if is_in else "taken out"


def _look_text(look: BooksReported) -> str:
    lists = (
        ("positions", look.positions),
        ("open orders", look.open_orders),
        ("completed orders", look.completed_orders),
        ("executions", look.executions),
    )
    said = [
        f"no {name}" if each is None else f"{len(each)} {name[:-1] if len(each) == 1 else name}"
        for name, each in lists
    ]
    total = look.cash.total if look.cash is not None else None
    cash = "no cash" if total is None else f"{money(total)} cash"
    missing = [f"{name}: {why}" for name, why in look.missing.items()]
    told = ", ".join([*said, cash])
    return one_line("; ".join([f"the broker's books ({look.why}): {told}", *missing]))


def _completed_text(event: ReconcileCompleted) -> str:
    text = (
        f"books compared ({event.why}) in {event.duration_ms} ms: {event.checked} checked, "
        f"{event.matched} agree, {event.differing} differ"
    )
    if event.waiting:
        text += f", {len(event.waiting)} of them looked at again"
    if event.not_compared:
        text += f"; not compared: {', '.join(event.not_compared)}"
    return text
