"""The simulated account: what executions do to cash and positions, and its figures. Pure.

Margin follows Regulation T, and is the same by day and by night: half of a position's value to
open it, a quarter of a long and 30 % of a short one to keep it.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Final

import msgspec

from ops.gateway_sim.ledger import Holding, Ledger, Money
from ops.gateway_sim.terms import (
    AccountValue,
    Commission,
    Contract,
    Execution,
    PortfolioLine,
    PositionLine,
    Side,
    WhatIf,
)

INITIAL: Final = Decimal("0.50")
MAINTENANCE_LONG: Final = Decimal("0.25")
MAINTENANCE_SHORT: Final = Decimal("0.30")
BUYING_POWER_PER_DOLLAR: Final = 4
COMMISSION_PER_SHARE: Final = Decimal("0.005")
COMMISSION_MIN: Final = Decimal("1.00")
COMMISSION_SHARE_MAX: Final = Decimal("0.01")
"""No order costs more than this share of what it traded."""

_ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")

Prices = Mapping[int, Decimal]
"""The last price of each contract id."""


class Margin(msgspec.Struct, frozen=True):
    """What an account has and what it must have, US dollars."""

    equity: Decimal
    initial: Decimal
    maintenance: Decimal


def order_commission(shares: Decimal, value: Decimal) -> Decimal:
    """Return what an order costs that has traded `shares` for `value`, both unsigned."""
    cost = max(shares * COMMISSION_PER_SHARE, COMMISSION_MIN)
    return min(cost, value * COMMISSION_SHARE_MAX).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def book_execution(money: Money, execution: Execution, commission: Decimal) -> Decimal | None:
    """Let `execution` move cash and position; return the profit it realized, None if it opened.

    A trade through zero closes all and opens the rest; the commission is split by shares.
    """
    contract, price = execution.contract, execution.price
    signed = execution.shares if execution.side == Side.BUY else -execution.shares
    money.cash -= signed * price + commission
    holding = _holding(money, contract)
    is_closing = holding.quantity * signed < 0
    closed = min(abs(holding.quantity), abs(signed)) if is_closing else _ZERO
    opened = abs(signed) - closed
    realized = None
    if closed:
        cost = holding.cost * closed / abs(holding.quantity)
        proceeds = closed.copy_sign(-signed) * price
        realized = proceeds - cost - commission * closed / abs(signed)
        holding.realized += realized
        holding.cost -= cost
    if opened:
        holding.cost += opened.copy_sign(signed) * price + commission * opened / abs(signed)
    holding.quantity += signed
    return realized


def rebook(ledger: Ledger) -> None:
    """Count today again from its opening: an execution was corrected."""
    money = copy_of(ledger.opening)
    for execution in ledger.executions:
        known = ledger.commissions.get(execution.execution_id)
        if not execution.shares:
            # A position that is gone is told as 0.
            _holding(money, execution.contract)
            continue
        realized = book_execution(money, execution, known.commission if known else _ZERO)
        if known is not None:
            ledger.commissions[execution.execution_id] = Commission(
                execution_id=known.execution_id, commission=known.commission, realized=realized
            )
    ledger.money = money


def begin_day(ledger: Ledger) -> None:
    """Close the books of the day before: flat positions go, the day's profits begin at 0."""
    holdings = ledger.money.holdings
    ledger.money.holdings = {
        con_id: holding for con_id, holding in holdings.items() if holding.quantity
    }
    for holding in ledger.money.holdings.values():
        holding.realized = _ZERO
    ledger.opening = copy_of(ledger.money)


def copy_of(money: Money) -> Money:
    """Return `money` again, to be changed without changing this one."""
    copied = {con_id: msgspec.structs.replace(each) for con_id, each in money.holdings.items()}
    return Money(money.cash, copied)


def margin(money: Money, prices: Prices) -> Margin:
    """Return the account's margin at `prices`; what has no price counts at its cost."""
    equity, initial, maintenance = money.cash, _ZERO, _ZERO
    for holding in money.holdings.values():
        value = _value(holding, prices)
        equity += value
        initial += abs(value) * INITIAL
        maintenance += abs(value) * (MAINTENANCE_LONG if value > 0 else MAINTENANCE_SHORT)
    return Margin(equity, initial, maintenance)


def weigh(
    money: Money, prices: Prices, contract: Contract, signed: Decimal, price: Decimal
) -> WhatIf:
    """Return what an order of `signed` shares at `price` would do to the margin."""
    before = margin(money, prices)
    cost = order_commission(abs(signed), abs(signed) * price)
    after = margin(
        _traded(money, contract, signed, price, cost), {contract.con_id: price} | dict(prices)
    )
    return WhatIf(
        initial_before=_cents(before.initial),
        maintenance_before=_cents(before.maintenance),
        equity_before=_cents(before.equity),
        initial_change=_cents(after.initial - before.initial),
        maintenance_change=_cents(after.maintenance - before.maintenance),
        equity_change=_cents(after.equity - before.equity),
        initial_after=_cents(after.initial),
        maintenance_after=_cents(after.maintenance),
        equity_after=_cents(after.equity),
        commission=_cents(cost),
    )


def shortfall(money: Money, prices: Prices, extra: Mapping[int, Decimal]) -> Margin | None:
    """Return the margin if `extra` signed shares of contracts traded at their `prices`.

    None if it is enough, which it always is for what only reduces positions.
    """
    now = margin(money, prices)
    initial = now.initial
    for con_id, signed in extra.items():
        holding = money.holdings.get(con_id)
        held = holding.quantity if holding is not None else _ZERO
        initial += (abs(held + signed) - abs(held)) * prices[con_id] * INITIAL
    if initial <= now.equity or initial <= now.initial:
        return None
    return Margin(now.equity, initial, now.maintenance)


def positions(ledger: Ledger) -> list[PositionLine]:
    """Return every position, with those closed today at 0."""
    return [
        PositionLine(
            account=ledger.account,
            contract=holding.contract,
            quantity=holding.quantity,
            average_cost=holding.average_cost,
        )
        for holding in ledger.money.holdings.values()
    ]


def portfolio(ledger: Ledger, prices: Prices) -> list[PortfolioLine]:
    """Return every position with its value at `prices`."""
    lines = []
    for con_id, holding in ledger.money.holdings.items():
        value = _value(holding, prices)
        lines.append(
            PortfolioLine(
                account=ledger.account,
                contract=holding.contract,
                quantity=holding.quantity,
                market_price=prices.get(con_id, holding.average_cost),
                market_value=_cents(value),
                average_cost=holding.average_cost,
                unrealized=_cents(value - holding.cost),
                realized=_cents(holding.realized),
            )
        )
    return lines


def account_values(ledger: Ledger, prices: Prices) -> list[AccountValue]:
    """Return every figure, the whole account's first, then by currency."""
    account = ledger.account
    figures = _figures(ledger, prices)
    stocks = [_figure(account, f"{tag}-S", value, "USD") for tag, value in figures.items()]
    return [*_whole(ledger, prices), *stocks, *_by_currency(ledger, prices)]


def account_summary(ledger: Ledger, prices: Prices, tags: Sequence[str]) -> list[AccountValue]:
    """Return the figures that `tags` name; `$LEDGER` (`:USD`, `:ALL`) is all of a currency's."""
    asked = {tag.partition(":")[2] or "BASE" for tag in tags if tag.startswith("$LEDGER")}
    currencies = {"BASE", "USD"} if "ALL" in asked else asked
    whole = [value for value in _whole(ledger, prices) if value.tag in tags]
    by_currency = [v for v in _by_currency(ledger, prices) if v.currency in currencies]
    return [*whole, *by_currency]


def _whole(ledger: Ledger, prices: Prices) -> list[AccountValue]:
    account = ledger.account
    texts = {
        "AccountCode": account,
        "AccountType": "INDIVIDUAL",
        "Cushion": _cushion(ledger, prices),
        "DayTradesRemaining": "-1",
        "LookAheadNextChange": "0",
    }
    figures = _figures(ledger, prices)
    return [
        *(AccountValue(account=account, tag=tag, value=text) for tag, text in texts.items()),
        *(_figure(account, tag, value, "USD") for tag, value in figures.items()),
    ]


def _by_currency(ledger: Ledger, prices: Prices) -> list[AccountValue]:
    account, holdings = ledger.account, ledger.money.holdings.values()
    value = sum((_value(each, prices) for each in holdings), _ZERO)
    figures = {
        "AccruedCash": _ZERO,
        "CashBalance": ledger.money.cash,
        "NetLiquidationByCurrency": ledger.money.cash + value,
        "RealizedPnL": sum((each.realized for each in holdings), _ZERO),
        "StockMarketValue": value,
        "TotalCashBalance": ledger.money.cash,
        "UnrealizedPnL": value - sum((each.cost for each in holdings), _ZERO),
    }
    found = []
    for currency in ("BASE", "USD"):
        for tag, text in (("Currency", currency), ("ExchangeRate", "1.00")):
            found.append(AccountValue(account=account, tag=tag, value=text, currency=currency))
        found += [_figure(account, tag, figure, currency) for tag, figure in figures.items()]
    return found


def _figures(ledger: Ledger, prices: Prices) -> dict[str, Decimal]:
    now = margin(ledger.money, prices)
    available, excess = now.equity - now.initial, now.equity - now.maintenance
    gross = sum((abs(_value(each, prices)) for each in ledger.money.holdings.values()), _ZERO)
    return {
        "AccruedCash": _ZERO,
        "AccruedDividend": _ZERO,
        "AvailableFunds": available,
        "BuyingPower": max(available, _ZERO) * BUYING_POWER_PER_DOLLAR,
        "EquityWithLoanValue": now.equity,
        "ExcessLiquidity": excess,
        "FullAvailableFunds": available,
        "FullExcessLiquidity": excess,
        "FullInitMarginReq": now.initial,
        "FullMaintMarginReq": now.maintenance,
        "GrossPositionValue": gross,
        "InitMarginReq": now.initial,
        "LookAheadAvailableFunds": available,
        "LookAheadExcessLiquidity": excess,
        "LookAheadInitMarginReq": now.initial,
        "LookAheadMaintMarginReq": now.maintenance,
        "MaintMarginReq": now.maintenance,
        "NetLiquidation": now.equity,
        "PreviousDayEquityWithLoanValue": margin(ledger.opening, prices).equity,
        "RegTEquity": now.equity,
        "RegTMargin": now.initial,
        "SMA": available,
        "SettledCash": ledger.money.cash,
        "TotalCashValue": ledger.money.cash,
    }


def _cushion(ledger: Ledger, prices: Prices) -> str:
    now = margin(ledger.money, prices)
    share = (now.equity - now.maintenance) / now.equity if now.equity > 0 else _ZERO
    return str(share.quantize(Decimal("0.000001"), ROUND_HALF_EVEN))


def _figure(account: str, tag: str, value: Decimal, currency: str) -> AccountValue:
    return AccountValue(account=account, tag=tag, value=str(_cents(value)), currency=currency)


def _holding(money: Money, contract: Contract) -> Holding:
    """Return the position in `contract`, new at 0; it is told with its primary exchange."""
    known = money.holdings.get(contract.con_id)
    if known is None:
        held = msgspec.structs.replace(contract, exchange=contract.primary_exchange)
        known = money.holdings[contract.con_id] = Holding(contract=held)
    return known


def _value(holding: Holding, prices: Prices) -> Decimal:
    price = prices.get(holding.contract.con_id)
    return holding.cost if price is None else holding.quantity * price


def _traded(
    money: Money, contract: Contract, signed: Decimal, price: Decimal, commission: Decimal
) -> Money:
    """Return a copy of `money` in which the trade has happened, for its margin only."""
    imagined = copy_of(money)
    imagined.cash -= signed * price + commission
    holding = _holding(imagined, contract)
    holding.quantity += signed
    return imagined


def _cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_EVEN)
