"""Executions of the simulated gateway: how one is made, costed, booked, and later corrected."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from ops.gateway_sim.account import book_execution, order_commission, rebook
from ops.gateway_sim.ledger import Ledger, Working
from ops.gateway_sim.terms import Commission, Execution, ExecutionFilter, OrderType, Side

ADDED: Final = 1
REMOVED: Final = 2
"""What an execution did to the market's liquidity."""

_FIRST: Final = 0x65A10000
_ZERO: Final = Decimal(0)
_MARKET_TAKERS: Final = frozenset({OrderType.MARKET, OrderType.STOP, OrderType.TRAIL})


def execute(  # noqa: PLR0913 - an execution has as many facts
    ledger: Ledger,
    order: Working,
    at: datetime,
    shares: Decimal,
    price: Decimal,
    *,
    exchange: str,
    is_taking: bool = False,
    liquidation: int = 0,
) -> tuple[Execution, Commission]:
    """Let `shares` of `order` trade: its line, the money and the lists of today change."""
    line = order.line
    filled = line.filled + shares
    value = line.average_price * line.filled + price * shares
    cost = order_commission(filled, value)
    execution = Execution(
        execution_id=f"0000e0d5.{_FIRST + ledger.next_execution:08x}.01.01",
        at=at,
        account=ledger.account,
        contract=msgspec.structs.replace(line.contract, exchange=exchange),
        side=Side(line.terms.action),
        shares=shares,
        price=price,
        exchange=exchange,
        perm_id=line.perm_id,
        client_id=line.client_id,
        order_id=line.order_id,
        cumulative=filled,
        average_price=value / filled,
        order_ref=line.terms.order_ref,
        liquidation=liquidation,
        last_liquidity=REMOVED if is_taking or line.terms.type in _MARKET_TAKERS else ADDED,
    )
    ledger.next_execution += 1
    charged = cost - (line.commission or _ZERO)
    realized = book_execution(ledger.money, execution, charged)
    commission = Commission(
        execution_id=execution.execution_id, commission=charged, realized=realized
    )
    ledger.executions.append(execution)
    ledger.commissions[execution.execution_id] = commission
    order.line = msgspec.structs.replace(
        line, filled=filled, average_price=value / filled, last_price=price, commission=cost
    )
    return execution, commission


def correct(
    ledger: Ledger, execution_id: str, shares: Decimal, price: Decimal
) -> tuple[Execution, Commission]:
    """Replace one of today's executions by its next revision; 0 `shares` is a bust.

    Raises:
        KeyError: there is no such execution today.
    """
    root = execution_id.rpartition(".")[0]
    roots = [each.execution_id.rpartition(".")[0] for each in ledger.executions]
    if root not in roots:
        raise KeyError(execution_id)
    index = roots.index(root)
    known = ledger.executions[index]
    revision = int(known.execution_id.rpartition(".")[2]) + 1
    revised = msgspec.structs.replace(
        known,
        execution_id=f"{root}.{revision:02d}",
        shares=shares,
        price=price,
        cumulative=known.cumulative - known.shares + shares,
    )
    ledger.executions[index] = revised
    before = ledger.commissions.pop(known.execution_id)
    cost = before.commission if shares else _ZERO
    ledger.commissions[revised.execution_id] = Commission(
        execution_id=revised.execution_id, commission=cost
    )
    rebook(ledger)
    return revised, ledger.commissions[revised.execution_id]


def wanted_executions(
    ledger: Ledger, wanted: ExecutionFilter
) -> list[tuple[Execution, Commission | None]]:
    """Return today's executions that fit the filter, the oldest first."""
    return [
        (each, ledger.commissions.get(each.execution_id))
        for each in ledger.executions
        if wanted.client_id in {0, each.client_id}
        and wanted.account in {"", each.account}
        and (wanted.since is None or each.at >= wanted.since)
        and wanted.symbol in {"", each.contract.symbol}
        and wanted.security_type in {"", each.contract.security_type}
        and wanted.exchange in {"", each.exchange}
        and wanted.side in {"", each.side, "BOT" if each.side == Side.BUY else "SLD"}
    ]
