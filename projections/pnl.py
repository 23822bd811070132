"""Profit and loss: marks, equity, the day's result by exchange session, peak and drawdown.

Equity = cash + receivables + sum(quantity x mark). The day's result = equity now - equity at the
last session close - external flows since, fees included. External flows move the peak in proportion
to equity, so that they leave the drawdown as it is. Worked examples: ops/profit-and-loss.md.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from events import (
    CorporateActionApplied,
    CorporateActionKind,
    Symbol,
    nanoseconds,
    utc_from_nanoseconds,
)
from projections.market import restated
from projections.positions import Position

_ZERO = Decimal(0)
_STEP = Decimal("1e-8")
_EPOCH = utc_from_nanoseconds(0)


class Pnl(msgspec.Struct):
    """All in US dollars; `drawdown_max` is a share of the peak.

    `marks` are the prices positions are valued at; `value` is the sum of quantity x mark, `gross`
    the same with shorts added instead of taken off.
    `lowest_known` is the equity at which the worst drawdown would be reached again: above it there
    is nothing to divide. `day_start_equity` is equity at the last session close, `day_started`;
    `day_flows` are the external flows since. `day_ends_at` is the close of this day's session in
    ns UTC, 0 without a calendar; `days` counts the days closed.
    """

    marks: dict[Symbol, Decimal] = {}
    values: dict[Symbol, Decimal] = {}
    value: Decimal = _ZERO
    gross: Decimal = _ZERO
    equity: Decimal = _ZERO
    peak_equity: Decimal = _ZERO
    drawdown_max: Decimal = _ZERO
    lowest_known: Decimal = _ZERO
    day_start_equity: Decimal = _ZERO
    day_flows: Decimal = _ZERO
    day_started: datetime = _EPOCH
    day_ends_at: int = 0
    days: int = 0

    @property
    def day_pnl(self) -> Decimal:
        """The result since the last session close, fees included, external flows left out."""
        return self.equity - self.day_start_equity - self.day_flows

    @property
    def drawdown(self) -> Decimal:
        """How far equity is below its peak, as a share of the peak."""
        return _ZERO if self.peak_equity <= 0 else 1 - self.equity / self.peak_equity

    def mark(self, symbol: Symbol, price: Decimal, value: Decimal) -> None:
        """Reckon `symbol` at `price` a share from now on; what is held of it is worth `value`."""
        self.marks[symbol] = price
        before = self.values.get(symbol, _ZERO)
        self.value += value - before
        self.gross += abs(value) - abs(before)
        self.values[symbol] = value

    def unrealised_pnl(self, symbol: Symbol, position: Position) -> Decimal:
        """Return what closing `position` in `symbol` at its mark would bring, fees apart."""
        mark = self.marks.get(symbol)
        return _ZERO if mark is None else position.quantity * mark - position.cost

    def restate(self, event: CorporateActionApplied) -> None:
        """Restate a mark as of after a corporate action, so that equity is continuous."""
        mark = self.marks.get(event.symbol)
        if mark is None:
            return
        price = restated(mark, event)
        value = event.quantity_after * price
        if event.kind is CorporateActionKind.SPLIT and value:
            # What stays is worth exactly what it was, however the new price has to be rounded.
            before = event.quantity_before * event.new_shares
            kept = event.quantity_after * event.old_shares / before
            value = (self.values[event.symbol] * kept).quantize(_STEP)
        self.mark(event.symbol, price, value)

    def settle(self, cash_and_receivables: Decimal, moment: datetime | None = None) -> None:
        """Restate equity, and from it peak and drawdown.

        `moment` is when what changed it happened. The last bar and the last fills of a session are
        reported after its close: what they change belongs to the day that is over.
        """
        equity = cash_and_receivables + self.value
        if moment is not None and moment <= self.day_started:
            self.day_start_equity += equity - self.equity
        self.equity = equity
        peak = self.peak_equity
        if equity >= peak:
            self.peak_equity = equity
            self.lowest_known = equity * (1 - self.drawdown_max)
        elif equity < self.lowest_known and peak:
            self.drawdown_max = max(self.drawdown_max, 1 - equity / peak)
            self.lowest_known = equity

    def external_flow(self, amount: Decimal) -> None:
        """Take in money that came or went, before equity is restated with it.

        Where there was no equity before, or is none after, there is no share to keep: the peak
        starts anew.
        """
        before, after = self.equity, self.equity + amount
        self.day_flows += amount
        if 0 < before < self.peak_equity and after > 0:
            self.peak_equity = self.peak_equity * after / before
        else:
            self.peak_equity = max(after, _ZERO)
        self.lowest_known = self.peak_equity * (1 - self.drawdown_max)

    def start_peak(self, equity: Decimal) -> None:
        """Count the drawdown from `equity` on: somebody has looked at what was lost before."""
        self.peak_equity = max(equity, _ZERO)
        self.lowest_known = self.peak_equity * (1 - self.drawdown_max)

    def end_day(self, day: tuple[int, int]) -> None:
        """Close the day and go on with `day`: what follows counts against equity as it is now."""
        self.day_start_equity = self.equity
        self.day_flows = _ZERO
        self.days += 1
        self.set_day(day)

    def find_day(self, day: tuple[int, int], at: int) -> None:
        """Take up the day of `at` (ns UTC) by a new table of sessions.

        A day that is over stays over: a clock that was set back must not end it once more.
        """
        if day[1] <= nanoseconds(self.day_started):
            return
        if 0 < self.day_ends_at < at:
            # The table before had ended, so the day could not be closed when it was over.
            self.end_day(day)
        else:
            self.set_day(day)

    def set_day(self, day: tuple[int, int]) -> None:
        """Say between which closes, in ns UTC, the day lies."""
        self.day_started = utc_from_nanoseconds(day[0])
        self.day_ends_at = day[1]
