"""The story of one order: from the bar it was decided on to the position it left behind."""

from collections.abc import Iterator
from decimal import Decimal
from heapq import merge
from itertools import islice
from typing import Literal

import msgspec

from events import (
    BarClosed,
    Check,
    CommissionCharged,
    CorporateActionApplied,
    IntentApproved,
    IntentRefused,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    OrderFilled,
    OrderIntended,
    Record,
)
from events.journal import JournalReader
from ops.lines import Line, causes_of, line_of, printed
from ops.order_records import OrderRecords
from ops.order_sentences import check_text, order_text
from ops.render import moment, money, one_line, price, quantity
from projections.amendments import amendment_text
from projections.order_states import OrderState
from projections.positions import Position, Positions

_BAR_WITHIN = 5_000
"""Records behind a fill among which its bar is looked for."""


class CheckLine(msgspec.Struct, frozen=True):
    """One check of the gate: see `events.Check`."""

    name: str
    passed: bool
    value: Decimal | None
    limit: Decimal | None
    headroom: Decimal | None
    note: str


class FillLine(msgspec.Struct, frozen=True):
    """One fill, what it did to cash before its commission, and the bar it happened in."""

    seq: int
    execution_id: str
    quantity: Decimal
    price: Decimal
    cash_usd: Decimal
    bar: Line | None


class PositionAfter(msgspec.Struct, frozen=True):
    """The account's position in the symbol after event `seq`."""

    seq: int
    quantity: Decimal
    average_entry_price: Decimal | None
    realised_usd: Decimal


class OrderStory(msgspec.Struct, frozen=True):
    """All that is known of one order. `because` leads from the root to the direct cause."""

    kind: Literal["order"]
    client_order_id: str
    state: OrderState
    reason: str
    amended: str
    intent: OrderIntended
    because: list[Line]
    intended: Line
    margin: list[Line]
    decision: Line | None
    checks: list[CheckLine]
    reports: list[Line]
    fills: list[FillLine]
    filled: Decimal
    average_fill_price: Decimal | None
    commission_usd: Decimal
    cash_usd: Decimal
    position_after: PositionAfter | None


def order_story(reader: JournalReader, found: OrderRecords) -> OrderStory:
    """Return the story of the order in `found`."""
    order, records = found.order, found.records
    decision = next(
        (each for each in records if isinstance(each.event, IntentApproved | IntentRefused)), None
    )
    asked = (MarginRequested, MarginReported, MarginUnavailable)
    told = (OrderIntended, IntentApproved, IntentRefused, *asked)
    fills = [(each, each.event) for each in records if isinstance(each.event, OrderFilled)]
    return OrderStory(
        kind="order",
        client_order_id=order.client_order_id,
        state=order.state,
        reason=order.reason,
        amended=amendment_text(order.intent, order.amended) if order.amended else "",
        intent=order.intent,
        because=[line_of(each) for each in causes_of(reader, found.intended)],
        intended=line_of(found.intended),
        margin=[line_of(each) for each in records if isinstance(each.event, asked)],
        decision=None if decision is None else line_of(decision),
        checks=[] if decision is None else list(_check_lines(decision)),
        reports=[line_of(each) for each in records if not isinstance(each.event, told)],
        fills=[_fill_line(reader, record, fill) for record, fill in fills],
        filled=order.filled,
        average_fill_price=order.average_fill_price,
        commission_usd=order.commission,
        cash_usd=-order.fill_value - order.commission,
        position_after=_position_after(reader, *fills[-1]) if fills else None,
    )


def _check_lines(decision: Record) -> Iterator[CheckLine]:
    assert isinstance(decision.event, IntentApproved | IntentRefused)
    for each in decision.event.checks:
        yield CheckLine(each.name, each.passed, each.value, each.limit, each.headroom, each.note)


def _fill_line(reader: JournalReader, record: Record, fill: OrderFilled) -> FillLine:
    """Return one fill; the bar that contains it is recorded behind it (decision 0004)."""
    bars = (
        each
        for each in islice(reader.records(record.seq), _BAR_WITHIN)
        if isinstance(each.event, BarClosed)
        and each.event.symbol == fill.symbol
        and each.event.start <= fill.executed_at <= each.event.end
    )
    bar = next(bars, None)
    return FillLine(
        seq=record.seq,
        execution_id=fill.execution_id,
        quantity=fill.quantity,
        price=fill.price,
        cash_usd=-fill.quantity * fill.price,
        bar=None if bar is None else line_of(bar),
    )


def _position_after(reader: JournalReader, record: Record, fill: OrderFilled) -> PositionAfter:
    """Return the position a fill led to, from all fills and corporate actions up to it."""
    moves = merge(
        reader.of_kind(OrderFilled, record.seq),
        reader.of_kind(CorporateActionApplied, record.seq),
        key=lambda each: each.seq,
    )
    book = Positions()
    for each in moves:
        event = each.event
        if isinstance(event, OrderFilled | CorporateActionApplied) and event.symbol == fill.symbol:
            book.apply(event, None)
    after: Position = book.held(fill.symbol)
    return PositionAfter(record.seq, after.quantity, after.average_entry_price, after.realised_pnl)


def told(story: OrderStory) -> Iterator[str]:
    """Yield the story as a person reads it."""
    intent = story.intent
    strategy, symbol = one_line(intent.strategy), one_line(intent.symbol)
    yield one_line(story.client_order_id)
    reason = f" ({one_line(story.reason)})" if story.reason else ""
    yield f"{strategy} wanted to {order_text(intent)}, in {symbol}"
    yield f"it is {story.state}{reason}"
    if story.amended:
        yield f"somebody else has changed it: {one_line(story.amended)}"
    yield ""
    yield "because"
    for line in story.because:
        yield f"  {printed(line)}"
    if not story.because:
        yield "  nothing in the journal led to it"
    yield f"  {printed(story.intended)}"
    if intent.values:
        yield f"{strategy} decided on"
        values = {one_line(name): one_line(value) for name, value in intent.values.items()}
        width = max(map(len, values))
        for name, value in values.items():
            yield f"  {name:<{width}}  {value}"
    if story.margin:
        yield "the broker's margin"
        yield from (f"  {printed(line)}" for line in story.margin)
    yield from _gate_lines(story)
    if story.reports:
        yield "then"
        for line in story.reports:
            yield f"  {printed(line)}"
            yield from _about_report(line, story)
    yield from _outcome(story)


def _gate_lines(story: OrderStory) -> Iterator[str]:
    if story.decision is None:
        yield "the gate has not answered"
        return
    refused = isinstance(story.decision.event, IntentRefused)
    when = f"event {story.decision.seq}"
    yield f"the gate refused it ({when})" if refused else f"the gate let it pass ({when})"
    for each in sorted(story.checks, key=lambda each: each.passed):
        check = Check(each.name, each.passed, each.value, each.limit, each.headroom, each.note)
        yield f"  {'ok    ' if each.passed else 'FAILED'}  {check_text(check)}"


def _about_report(line: Line, story: OrderStory) -> Iterator[str]:
    """Say more about a fill or a commission: when, in which bar, and what it did to cash."""
    match line.event:
        case OrderFilled() as fill:
            found = next(each for each in story.fills if each.seq == line.seq)
            yield f"          at {moment(fill.executed_at)}, cash {money(found.cash_usd)}"
            if found.bar is not None:
                yield f"          in the bar of event {found.bar.seq}: {found.bar.text}"
        case CommissionCharged() as charge:
            yield f"          cash {money(-charge.amount)}"
        case _:
            pass


def _outcome(story: OrderStory) -> Iterator[str]:
    if story.position_after is None:
        return
    asked, after = story.intent.quantity, story.position_after
    yield "in all"
    yield (
        f"  filled {quantity(abs(story.filled))} of {quantity(abs(asked))} "
        f"at {price(story.average_fill_price)} on average"
    )
    yield f"  commission {money(story.commission_usd)}, cash {money(story.cash_usd)} with it"
    held = f"{quantity(after.quantity)} {one_line(story.intent.symbol)}"
    entry = f" at {price(after.average_entry_price)} on average" if after.quantity else ""
    yield f"  the position after it: {held}{entry}, realised {money(after.realised_usd)} so far"
