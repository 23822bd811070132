"""The account's money over a period, followed event by event. Pure."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from events import (
    CashAdjusted,
    CashMoved,
    ClientOrderId,
    CommissionCharged,
    CommissionCorrected,
    CorporateActionApplied,
    PositionAdjusted,
    Record,
    Symbol,
    utc_from_nanoseconds,
)
from ops.reports.shape import DayLine, EquityPoint, Held, Line, Money
from projections import State
from projections.pnl import Pnl
from projections.positions import Position

ZERO: Final = Decimal(0)
CURVE_MAX: Final = 480
"""Points of a curve; more than a picture this size can show."""
_FLOWS: Final = (CashMoved, CashAdjusted, PositionAdjusted)
_CENT: Final = Decimal("0.01")


class Parts(msgspec.Struct):
    """What makes up one line: what it was before the period, and what came in it."""

    realised_before: Decimal = ZERO
    unrealised_before: Decimal = ZERO
    dividends: Decimal = ZERO
    fees: Decimal = ZERO


class Ledger:
    """Follows equity, and sums fees and dividends by symbol and strategy."""

    def __init__(self, before: State, cuts: list[tuple[date, int]]) -> None:
        """Start from the books as they were `before` the period; `cuts` end its sessions."""
        self._equity_start = equity = before.pnl.equity
        self._flows = self._flows_at_day = ZERO
        self._equity_at_day = equity
        self._dividends_before = _dividends(before)
        self._fees_before = before.cash.fees
        self._cuts = list(reversed(cuts))
        self._days: list[DayLine] = []
        self._own = Pnl(equity=equity, peak_equity=equity, lowest_known=equity)
        self._worst_at: int | None = None
        self._from_peak = before.pnl.drawdown
        self._points = [(before.at, equity, ZERO)] if before.seq else []
        self._symbols: dict[str, Parts] = {}
        self._strategies: dict[str, Parts] = {}
        for name, lines in (("", before.positions.account), *before.positions.by_strategy.items()):
            for symbol, position in lines.items():
                part = self._part(self._strategies, name) if name else self._symbol(symbol)
                part.realised_before += position.realised_pnl
                part.unrealised_before += _unrealised(before, symbol, position)

    def take(self, record: Record, state: State, flows_before: Decimal, days_before: int) -> None:
        """Take one record that `state` has folded; before it the day had these flows."""
        event, pnl = record.event, state.pnl
        if isinstance(event, _FLOWS):
            new = pnl.day_flows - (flows_before if pnl.days == days_before else ZERO)
            if new:
                self._flows += new
                self._own.external_flow(new)
        if pnl.equity != self._own.equity:
            worst = self._own.drawdown_max
            self._own.settle(pnl.equity)
            if self._own.drawdown_max != worst:
                self._worst_at = record.at
            self._from_peak = max(self._from_peak, pnl.drawdown)
            self._points.append((record.at, pnl.equity, self._own.drawdown))
        self._close_days(record.seq, pnl.equity)

    def charge(
        self, event: CommissionCharged | CommissionCorrected, symbol: str, strategy: str
    ) -> None:
        """Count a commission that is news, of an order in `symbol` of `strategy`."""
        amount = event.amount - (event.was if isinstance(event, CommissionCorrected) else ZERO)
        self._symbol(symbol).fees += amount
        self._part(self._strategies, strategy).fees += amount

    def go_ex(self, event: CorporateActionApplied, state: State) -> None:
        """Count a dividend gone ex: each strategy has its share of it by what it holds."""
        if not event.receivable:
            return
        self._symbol(event.symbol).dividends += event.receivable
        held = state.positions.held(event.symbol).quantity
        rest = event.receivable
        for name, book in state.positions.by_strategy.items():
            share = book.get(event.symbol, Position()).quantity
            if held and share:
                part = (event.receivable * share / held).quantize(_CENT)
                part = rest if share == held else part
                self._part(self._strategies, name).dividends += part
                rest -= part
        if rest:
            self._part(self._strategies, "").dividends += rest

    def money(self, after: State) -> Money:
        """Return what became of the account, with the books as they are `after` the period."""
        self._close_days(after.seq, after.pnl.equity, rest=True)
        by_symbol = [
            _line(name, part, _of_symbol(after, name)) for name, part in self._every_symbol(after)
        ]
        by_strategy = [
            _line(name, part, _of_strategy(after, name))
            for name, part in self._every_strategy(after)
        ]
        realised = sum((each.realised_usd for each in by_symbol), ZERO)
        unrealised = sum((each.unrealised_usd for each in by_symbol), ZERO)
        dividends = _dividends(after) - self._dividends_before
        fees = after.cash.fees - self._fees_before
        result = after.pnl.equity - self._equity_start - self._flows
        whole = (realised, unrealised, dividends, fees)
        return Money(
            equity_start_usd=self._equity_start,
            equity_end_usd=after.pnl.equity,
            flows_usd=self._flows,
            result_usd=result,
            realised_usd=realised,
            unrealised_usd=unrealised,
            dividends_usd=dividends,
            fees_usd=fees,
            other_usd=result - (realised + unrealised + dividends - fees),
            drawdown_worst=self._own.drawdown_max,
            drawdown_worst_at=utc_from_nanoseconds(self._worst_at) if self._worst_at else None,
            drawdown_from_peak=self._from_peak,
            by_symbol=_with_rest(by_symbol, whole),
            by_strategy=_with_rest(by_strategy, whole),
            by_day=self._days,
            curve=list(self._curve()),
        )

    def _close_days(self, seq: int, equity: Decimal, *, rest: bool = False) -> None:
        while self._cuts and (rest or seq >= self._cuts[-1][1]):
            day, _ = self._cuts.pop()
            result = equity - self._equity_at_day - (self._flows - self._flows_at_day)
            self._days.append(DayLine(day, result, equity))
            self._equity_at_day, self._flows_at_day = equity, self._flows

    def _curve(self) -> Iterator[EquityPoint]:
        """Yield what was followed; of too many points the first, lowest and last of a stretch."""
        points = self._points
        if len(points) > CURVE_MAX:
            step = -(-len(points) * 3 // CURVE_MAX)
            kept: dict[int, None] = {}
            for start in range(0, len(points), step):
                stretch = range(start, min(start + step, len(points)))
                lowest = max(stretch, key=lambda index: points[index][2])
                kept |= dict.fromkeys(sorted({stretch[0], lowest, stretch[-1]}))
            points = [points[index] for index in kept]
        for at, equity, drawdown in points:
            yield EquityPoint(utc_from_nanoseconds(at), equity, drawdown)

    def _every_symbol(self, after: State) -> Iterator[tuple[str, Parts]]:
        for name in sorted({*self._symbols, *after.positions.account}):
            yield name, self._symbol(name)

    def _every_strategy(self, after: State) -> Iterator[tuple[str, Parts]]:
        for name in sorted({*self._strategies, *after.positions.by_strategy} - {""}):
            yield name, self._part(self._strategies, name)

    def _symbol(self, name: str) -> Parts:
        return self._part(self._symbols, name)

    @staticmethod
    def _part(parts: dict[str, Parts], name: str) -> Parts:
        found = parts.get(name)
        if found is None:
            found = parts[name] = Parts()
        return found


def held(state: State) -> list[Held]:
    """Return what is held, by symbol."""
    return [
        Held(
            symbol,
            position.quantity,
            state.pnl.marks.get(symbol),
            state.pnl.values.get(symbol, ZERO),
            state.pnl.unrealised_pnl(symbol, position),
        )
        for symbol, position in sorted(state.positions.account.items())
        if position.quantity
    ]


def _of_symbol(state: State, name: str) -> tuple[Decimal, Decimal]:
    position = state.positions.held(Symbol(name))
    return position.realised_pnl, _unrealised(state, Symbol(name), position)


def _of_strategy(state: State, name: str) -> tuple[Decimal, Decimal]:
    book = state.positions.by_strategy.get(name, {})
    return (
        sum((each.realised_pnl for each in book.values()), ZERO),
        sum((_unrealised(state, symbol, each) for symbol, each in book.items()), ZERO),
    )


def _unrealised(state: State, symbol: Symbol, position: Position) -> Decimal:
    """Return value less cost; of the whole position by its value, which no rounding parts."""
    if position is state.positions.account.get(symbol):
        return state.pnl.values.get(symbol, position.cost) - position.cost
    return state.pnl.unrealised_pnl(symbol, position)


def _dividends(state: State) -> Decimal:
    return state.cash.dividends + state.cash.receivable


def _line(name: str, part: Parts, now: tuple[Decimal, Decimal]) -> Line:
    realised, unrealised = now[0] - part.realised_before, now[1] - part.unrealised_before
    result = realised + unrealised + part.dividends - part.fees
    return Line(name, realised, unrealised, part.dividends, part.fees, result)


def _with_rest(lines: list[Line], whole: tuple[Decimal, Decimal, Decimal, Decimal]) -> list[Line]:
    """Return the lines that have anything in them, and one for what is in none of them."""
    sums = [
        sum((amount[place] for amount in map(_amounts, lines)), ZERO) for place in range(len(whole))
    ]
    rest = [there - summed for there, summed in zip(whole, sums, strict=True)]
    found = [each for each in lines if any(_amounts(each))]
    realised, unrealised, dividends, fees = rest
    result = realised + unrealised + dividends - fees
    # Each strategy has an average price of its own, so only the sum of both parts must agree.
    if abs(result) >= _CENT / 2:
        found.append(Line("", realised, unrealised, dividends, fees, result))
    return found


def _amounts(line: Line) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return line.realised_usd, line.unrealised_usd, line.dividends_usd, line.fees_usd


def known_order(order_id: ClientOrderId, state: State) -> tuple[str, str]:
    """Return symbol and strategy of an order as the books know them, "" where they do not."""
    order = state.orders.find(order_id)
    if order is None:
        return "", state.orders.strategy_of(order_id) or ""
    return order.symbol, order.intent.strategy
