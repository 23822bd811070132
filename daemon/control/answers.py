"""Answers for people: what the records behind a command say came of it."""

from collections.abc import Collection, Iterator, Sequence

from daemon.control.protocol import VERSION, Answer
from daemon.exit_codes import ExitCode
from events import (
    BreakResolved,
    CancelSending,
    CashAdjusted,
    Check,
    ClientOrderId,
    CommandRefused,
    HoldLifted,
    HoldPlaced,
    IntentRefused,
    MarginRequested,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorKilled,
    OperatorShadowed,
    OrderAdopted,
    OrderIntended,
    OrderSending,
    OrderWrittenOff,
    PositionAdjusted,
    Record,
    StrategyPromoted,
)
from events.codec import JournalEvent
from projections.differences import difference_text
from projections.reconciliation import Reconciliation


def answer_from(records: Sequence[Record], *, dry_run: bool = False) -> Answer:
    """Return the answer to the command that `records` start with; they are durable by now."""
    if not records:
        return Answer(VERSION, ExitCode.OK, ("nothing to do: it was done before",))
    events = [record.event for record in records]
    own = {event.client_order_id for event in events if isinstance(event, OrderIntended)}
    refused = any(
        isinstance(event, CommandRefused)
        or (isinstance(event, IntentRefused) and event.client_order_id in own)
        for event in events
    )
    lines = tuple(line for event in events for line in _lines(event, own))
    if not refused:
        lines = (*lines, *_left_unsaid(events))
    if dry_run and any(isinstance(event, OrderSending | CancelSending) for event in events):
        lines = (*lines, "DRY RUN: nothing is sent")
    code = ExitCode.REFUSED if refused else ExitCode.OK
    return Answer(VERSION, code, lines or ("done",), seq=records[0].seq)


def _left_unsaid(events: Sequence[JournalEvent]) -> Iterator[str]:
    """Say what a command means that led to no event of its own kind."""
    kinds = {type(event) for event in events}
    match events[0]:
        case OperatorKilled() if HoldPlaced not in kinds:
            yield "the kill switch is engaged already"
        case OperatorFlattenAsked() if OrderIntended not in kinds:
            yield "what is held is closed as soon as the cancels are answered"
        case OperatorCancelAsked(order=None) if CancelSending not in kinds:
            yield "there is nothing to cancel"
        case OperatorShadowed(strategy=strategy):
            yield f"{strategy} decides from here, and sends nothing"
        case _:
            pass


def _lines(  # noqa: C901 - one flat branch a kind of event
    event: JournalEvent, own: Collection[ClientOrderId]
) -> Iterator[str]:
    """Yield what is said of one event; `own` are the orders that the command has made itself."""
    match event:
        case CommandRefused():
            yield f"refused: {event.why}"
        case HoldPlaced():
            yield f"{event.level} on {event.target or 'everything'}: hold {event.hold_id}"
        case HoldLifted():
            yield f"lifted: {event.hold_id}"
            if event.new_peak is not None:
                yield f"the drawdown counts from {event.new_peak:,.2f} USD on"
        case CancelSending():
            yield f"cancel asked: {event.client_order_id}"
        case OrderIntended():
            yield f"order {event.client_order_id}"
        case MarginRequested():
            yield "  the broker is asked for its margin; it is sent if that is there"
        case OrderSending():
            yield "  passed the gate"
        case IntentRefused() if event.client_order_id not in own:
            yield f"not sent any more: {event.client_order_id}"
        case IntentRefused():
            failed = (each for each in event.checks if not each.passed)
            yield from (f"  refused by {each.name}: {_why_failed(each)}" for each in failed)
        case StrategyPromoted():
            yield f"{event.strategy} sends its orders from here"
        case _:
            yield from _resolved_lines(event)


def _resolved_lines(event: JournalEvent) -> Iterator[str]:
    match event:
        case BreakResolved():
            yield f"resolved: {event.break_id} ({event.how})"
        case PositionAdjusted():
            yield f"booked {event.quantity:+f} {event.symbol}, cost {event.cost:+f} USD"
        case CashAdjusted():
            yield f"booked {event.amount:+f} USD"
        case OrderAdopted():
            yield f"taken into the books: order {event.client_order_id}"
        case OrderWrittenOff():
            yield f"written off: order {event.client_order_id}"
        case _:
            pass


def _why_failed(check: Check) -> str:
    """Return what a check found too much, and of how much, or its own words."""
    if check.note or check.value is None:
        return check.note
    return f"{check.value}" if check.limit is None else f"{check.value} of at most {check.limit}"


def compared_lines(book: Reconciliation) -> Iterator[str]:
    """Yield what the last comparison came to, and every break that stands."""
    done = book.completed
    assert done is not None, "asked of a comparison that is done"
    yield f"checked {done.checked}: {done.matched} agree, {done.differing} differ"
    if done.not_compared:
        why = book.last.missing if book.last is not None else {}
        missing = (f"{each} ({why[each]})" if each in why else each for each in done.not_compared)
        yield f"not compared, the broker did not list it: {', '.join(missing)}"
    if done.costs_differing:
        yield f"average cost differs, which stops nothing: {', '.join(done.costs_differing)}"
    for suspect in done.waiting:
        yield f"looked at again: {difference_text(suspect.difference)}"
    for opened in book.open.values():
        on = f"{opened.difference.symbol} " if opened.difference.symbol else ""
        yield f"{opened.break_id}: {on}{difference_text(opened.difference)}"
