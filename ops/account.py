"""The account as it is shown: positions with what they are worth, cash, equity."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from events import DataMode, Symbol
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
