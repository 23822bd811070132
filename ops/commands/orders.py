"""`traded orders`: the open ones, and how the last ones ended."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path

import click
import msgspec

from events import ClientOrderId, OrderType, Symbol, TimeInForce, utc_from_nanoseconds
from events.journal import JournalReader
from ops.books import read_books
from ops.moments import now_of
from ops.opened import opened
from ops.options import count_option, journal_option, json_option
from ops.order_records import OrderRecords, newest_orders, order_records
from ops.render import (
    as_of,
    moment,
    money,
    one_line,
    price,
    print_json,
    print_table,
    quantity,
    say,
)
from projections.amendments import amendment_text
from projections.order_states import TERMINAL, OrderState


class OrderLine(msgspec.Struct, frozen=True):
    """One order. Quantities are signed, prices dollars a share; `at` is when it was intended.

    `amended` says what somebody else has made of it, empty where nobody has.
    """

    client_order_id: ClientOrderId
    at: datetime
    seq: int
    strategy: str
    symbol: Symbol
    quantity: Decimal
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None
    stop_price: Decimal | None
    state: OrderState
    is_open: bool
    filled: Decimal
    average_fill_price: Decimal | None
    commission_usd: Decimal
    reason: str
    amended: str


@click.command()
@journal_option
@click.option("--open", "only_open", is_flag=True, help="Only those that may still fill.")
@count_option("How many of those that are over.")
@json_option
def command(*, journal: Path, only_open: bool, count: int, as_json: bool) -> None:
    """Show all open orders and the last N that are over, oldest first.

    Example: traded orders --open
    """
    with opened(journal) as reader:
        state, now = read_books(reader).state, now_of(reader)
        lines = order_lines(reader, state.orders.open, 0 if only_open else count)
    if as_json:
        print_json({"seq": state.seq, "orders": lines})
        return
    say(as_of(state.seq, utc_from_nanoseconds(state.at), now), "")
    if lines:
        _print(lines)
    else:
        say("no open order" if only_open else "no order was ever intended")


def order_lines(
    reader: JournalReader, still_open: Iterable[ClientOrderId], count: int
) -> list[OrderLine]:
    """Return the orders that are `still_open`, and the last `count` that are over, oldest first."""
    found = [order_records(reader, order_id) for order_id in still_open]
    open_orders = [each for each in found if each is not None]
    past = (each for each in newest_orders(reader) if each.order.state in TERMINAL)
    over = islice(past, count)
    return sorted(map(line_of, (*open_orders, *over)), key=lambda line: line.seq)


def line_of(found: OrderRecords) -> OrderLine:
    """Return one order as it is shown."""
    order, intent = found.order, found.order.intent
    return OrderLine(
        client_order_id=order.client_order_id,
        at=utc_from_nanoseconds(found.intended.at),
        seq=found.intended.seq,
        strategy=intent.strategy,
        symbol=intent.symbol,
        quantity=intent.quantity,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        limit_price=intent.limit_price,
        stop_price=intent.stop_price,
        state=order.state,
        is_open=order.state not in TERMINAL,
        filled=order.filled,
        average_fill_price=order.average_fill_price,
        commission_usd=order.commission,
        reason=order.reason,
        amended=amendment_text(intent, order.amended) if order.amended else "",
    )


def _print(lines: list[OrderLine]) -> None:
    numbers = ("quantity", "limit", "stop", "filled", "average", "fees")
    titles = ("intended", "strategy", "symbol", "quantity", "type", "tif", "limit", "stop", "state")
    rows = [
        (
            moment(line.at),
            line.strategy,
            line.symbol,
            quantity(line.quantity),
            line.order_type,
            line.time_in_force,
            price(line.limit_price),
            price(line.stop_price),
            line.state,
            quantity(line.filled),
            price(line.average_fill_price),
            money(line.commission_usd),
            line.client_order_id,
        )
        for line in lines
    ]
    print_table((*titles, "filled", "average", "fees", "order"), rows, numbers)
    for line in lines:
        if line.amended:
            name = one_line(line.client_order_id)
            say(f"{name}: CHANGED by somebody else: {one_line(line.amended)}")
