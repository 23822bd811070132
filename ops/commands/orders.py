"""`traded orders`: the open ones, and how the last ones ended."""

from pathlib import Path

import click

from events import utc_from_nanoseconds
from ops.books import read_books
from ops.moments import now_of
from ops.opened import opened
from ops.options import count_option, journal_option, json_option
from ops.order_lines import OrderLine, order_lines
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
