"""`traded positions`: what is held, what it cost and what it is worth."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import click

from events import utc_from_nanoseconds
from ops.account import Account, account_of
from ops.books import read_books
from ops.moments import now_of
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.render import as_of, money, price, print_fields, print_json, print_table, quantity, say


@click.command()
@journal_option
@json_option
def command(*, journal: Path, as_json: bool) -> None:
    """Show every position with its P&L, then cash, fees and equity.

    Example: traded positions --json
    """
    with opened(journal) as reader:
        state, now = read_books(reader).state, now_of(reader)
    account = account_of(state)
    if as_json:
        print_json(account)
        return
    if account.data_mode is not None:
        say(f"data mode {account.data_mode}", "")
    say(as_of(state.seq, utc_from_nanoseconds(state.at), now), "")
    if account.positions:
        _print_positions(account)
    else:
        say("nothing is held, and nothing was ever traded")
    say("")
    print_fields([(name, money(amount).rjust(16)) for name, amount in _money(account)])


def _print_positions(account: Account) -> None:
    numbers = ("quantity", "average entry", "mark", "value", "unrealised", "realised")
    rows: list[tuple[str, ...]] = [
        (
            line.symbol,
            quantity(line.quantity),
            price(line.average_entry_price),
            price(line.mark),
            money(line.value_usd),
            money(line.unrealised_usd),
            money(line.realised_usd),
        )
        for line in account.positions
    ]
    totals = (account.value_usd, account.unrealised_usd, account.realised_usd)
    rows.append(("total", "", "", "", *map(money, totals)))
    print_table(("symbol", *numbers), rows, numbers)


def _money(account: Account) -> Iterator[tuple[str, Decimal]]:
    """Yield the account's amounts; the first three sum to equity."""
    yield "cash", account.cash_usd
    yield "receivables", account.receivables_usd
    yield "positions", account.value_usd
    yield "equity", account.equity_usd
    yield "paid in", account.deposits_less_withdrawals_usd
    yield "result", account.result_usd
    yield "fees paid", account.fees_usd
    yield "dividends", account.dividends_usd
