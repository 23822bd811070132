"""`traded explain`: why an order came about and what became of it, or why there was none."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click
import msgspec

from events import OrderFilled, OrderIntended, Record, Symbol
from events.journal import JournalReader
from ops import order_story, symbol_story
from ops.books import read_books
from ops.lines import Line, causes_of, followers_of, line_of, printed
from ops.moments import SEQ_MAX, event_number, now_of
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.order_records import order_records
from ops.order_story import OrderStory
from ops.render import CELL_LONGEST, one_line, print_json, say
from ops.sentences import order_id_of
from ops.symbol_story import SymbolStory

_MATCHES_SHOWN = 10


class EventStory(msgspec.Struct, frozen=True):
    """An event that is of no order: what led to it, and what followed from it."""

    kind: Literal["event"]
    because: list[Line]
    event: Line
    followed: list[Line]


Story = OrderStory | SymbolStory | EventStory


@click.command()
@click.argument("subject", metavar="ORDER|FILL|SYMBOL|SEQ")
@journal_option
@json_option
def command(*, subject: str, journal: Path, as_json: bool) -> None:
    """Tell the story of an order, a symbol or an event.

    An order is named by its client order id or the beginning of it, by the execution id of one of
    its fills, or by the number of any event about it. A SYMBOL says what is held, and for every
    strategy why it does or does not trade it now.

    Example: traded explain AAPL
    """
    with opened(journal) as reader:
        story = _story(reader, subject)
    if as_json:
        print_json(story)
        return
    say(*_told(story))


def _story(reader: JournalReader, subject: str) -> Story:
    """Return the story of what `subject` names; ids come before symbols, symbols before numbers.

    Raises:
        click.UsageError: it names nothing, or more than one order.
    """
    intended = reader.find(OrderIntended, subject) or reader.find(OrderFilled, subject)
    if intended is not None:
        return _about_record(reader, intended)
    books = read_books(reader)
    known = {*books.state.symbols, *books.state.market.last, *books.state.positions.account}
    for name in (Symbol(subject), Symbol(subject.upper())):
        if name in known:
            return symbol_story.symbol_story(reader, books, name, now_of(reader))
    number = event_number(subject)
    if number is not None and number <= SEQ_MAX:
        record = reader.record(number)
        if record is not None:
            return _about_record(reader, record)
    return _about_record(reader, _only_order(reader, subject, known))


def _only_order(reader: JournalReader, start: str, symbols: set[Symbol]) -> Record:
    """Return the intent of the one order whose id begins with `start`."""
    matches = reader.keys_of(OrderIntended, start, _MATCHES_SHOWN + 1) if start else []
    found = reader.find(OrderIntended, matches[0]) if len(matches) == 1 else None
    if found is not None:
        return found
    if not matches:
        known = one_line(", ".join(sorted(symbols))) or "none"
        shown = one_line(repr(start), CELL_LONGEST)
        raise click.UsageError(
            f"{shown} is no order, no fill, no symbol and no event of 1 to "
            f"{reader.head().seq}; the symbols here are {known}"
        )
    more = ["..."] if len(matches) > _MATCHES_SHOWN else []
    listed = "\n  ".join([*map(one_line, matches[:_MATCHES_SHOWN]), *more])
    raise click.UsageError(f"{start!r} begins the ids of several orders:\n  {listed}")


def _about_record(reader: JournalReader, record: Record) -> OrderStory | EventStory:
    """Return the story of the order `record` is about, or led to alone, else its own."""
    walk = reader.traced(record.trace or record.seq)
    followed = followers_of(walk, record)
    own = order_id_of(record.event)
    about = (
        [own]
        if own
        else [
            each.event.client_order_id for each in followed if isinstance(each.event, OrderIntended)
        ]
    )
    found = order_records(reader, about[0]) if len(about) == 1 else None
    if found is not None:
        return order_story.order_story(reader, found)
    because = [line_of(each) for each in causes_of(reader, record)]
    return EventStory("event", because, line_of(record), followed)


def _told(story: Story) -> Iterator[str]:
    match story:
        case OrderStory():
            yield from order_story.told(story)
        case SymbolStory():
            yield from symbol_story.told(story)
        case EventStory():
            yield from _event_told(story)


def _event_told(story: EventStory) -> Iterator[str]:
    yield printed(story.event)
    yield ""
    if story.because:
        yield "because"
        for line in story.because:
            yield f"  {printed(line)}"
    if not story.followed:
        yield "nothing followed from it"
        return
    yield "what followed from it"
    for line in story.followed:
        order_id = order_id_of(line.event)
        yield f"{printed(line)}{f'  {one_line(order_id)}' if order_id else ''}"
