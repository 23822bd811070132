"""`traded positions`: what is held, what it cost and what it is worth."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import click
import msgspec

from events import DataMode, Symbol, utc_from_nanoseconds
from ops.books import read_books
from ops.moments import now_of
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.render import as_of, money, price, print_fields, print_json, print_table, quantity, say
from projections import State

_ZERO = Decimal(0)


class PositionLine(msgspec.Struct, frozen=True):
    """One symbol's position. Prices are dollars a share; a flat one keeps what it realised."""

    symbol: Symbol
    quantity: Decimal
    average_entry_price: Decimal | None
    mark: Decimal | None
    value_usd: Decimal
    unrealised_usd: Decimal
    realised_usd: Decimal


class Account(msgspec.Struct, frozen=True):
    """The account after event `seq`. Equity = cash + receivables + the positions' value."""

    seq: int
    data_mode: DataMode | None
    positions: list[PositionLine]
    value_usd: Decimal
    unrealised_usd: Decimal
    realised_usd: Decimal
    cash_usd: Decimal
    receivables_usd: Decimal
    equity_usd: Decimal
    fees_usd: Decimal
    dividends_usd: Decimal
    deposits_less_withdrawals_usd: Decimal
    result_usd: Decimal


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


def account_of(state: State) -> Account:
    """Return the account as the books have it."""
    lines = list(_lines(state))
    cash, equity = state.cash, state.pnl.equity
    return Account(
        seq=state.seq,
        data_mode=state.identity.data_mode,
        positions=lines,
        value_usd=state.pnl.value,
        unrealised_usd=sum((line.unrealised_usd for line in lines), _ZERO),
        realised_usd=sum((line.realised_usd for line in lines), _ZERO),
        cash_usd=cash.balance,
        receivables_usd=cash.receivable,
        equity_usd=equity,
        fees_usd=cash.fees,
        dividends_usd=cash.dividends,
        deposits_less_withdrawals_usd=cash.external_flows,
        result_usd=equity - cash.external_flows,
    )


def _lines(state: State) -> Iterator[PositionLine]:
    for symbol, position in sorted(state.positions.account.items()):
        if position.quantity or position.realised_pnl:
            yield PositionLine(
                symbol=symbol,
                quantity=position.quantity,
                average_entry_price=position.average_entry_price,
                mark=state.pnl.marks.get(symbol),
                value_usd=state.pnl.values.get(symbol, _ZERO),
                unrealised_usd=state.pnl.unrealised_pnl(symbol, position),
                realised_usd=position.realised_pnl,
            )


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
