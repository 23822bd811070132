"""What a report holds: plain figures, as `traded report --json` prints them.

Money is US dollars, times are UTC, shares of one are numbers from 0 to 1, basis points of a price
are positive where the account paid them.
"""

from datetime import date, datetime
from decimal import Decimal

import msgspec

from events import DataMode, Mode, Symbol
from ops.decision_counts import Counts
from ops.limit_use import LimitUse
from ops.readiness import Point
from projections.order_states import OrderState


class Period(msgspec.Struct, frozen=True):
    """Which part of the journal: events with `after` < seq <= `upto`.

    `begins` and `ends` are moments of the exchange `exchange`; `days` are its sessions in between.
    `covered_from` and `covered_to` are the moments of the journal's own first and last event in it;
    it is not `over` where the journal ends before it does.
    """

    kind: str
    name: str
    exchange: str
    days: list[date]
    begins: datetime
    ends: datetime
    after: int
    upto: int
    covered_from: datetime
    covered_to: datetime
    over: bool


class Line(msgspec.Struct, frozen=True):
    """The result of one symbol or one strategy: realised + unrealised + dividends - fees.

    `unrealised_usd` is its change in the period; "" as a name is what belongs to none of them.
    """

    name: str
    realised_usd: Decimal
    unrealised_usd: Decimal
    dividends_usd: Decimal
    fees_usd: Decimal
    result_usd: Decimal


class DayLine(msgspec.Struct, frozen=True):
    """One session's result, from the close before to its own; money paid in or out left out."""

    day: date
    result_usd: Decimal
    equity_usd: Decimal


class EquityPoint(msgspec.Struct, frozen=True):
    """Equity after an event, and how far it then was below its highest of the period, a share."""

    at: datetime
    equity_usd: Decimal
    drawdown: Decimal


class Money(msgspec.Struct, frozen=True):
    """What became of the account.

    `result_usd` = equity at the end - at the start - `flows_usd` (money and shares brought in or
    taken out) = realised + unrealised + dividends - fees + `other_usd`, which is what operators
    have booked otherwise. `drawdown_worst` counts from the period's own highest equity,
    `drawdown_from_peak` from the highest there ever was.
    """

    equity_start_usd: Decimal
    equity_end_usd: Decimal
    flows_usd: Decimal
    result_usd: Decimal
    realised_usd: Decimal
    unrealised_usd: Decimal
    dividends_usd: Decimal
    fees_usd: Decimal
    other_usd: Decimal
    drawdown_worst: Decimal
    drawdown_worst_at: datetime | None
    drawdown_from_peak: Decimal
    by_symbol: list[Line]
    by_strategy: list[Line]
    by_day: list[DayLine]
    curve: list[EquityPoint]


class Held(msgspec.Struct, frozen=True):
    """A position at the end of the period."""

    symbol: Symbol
    quantity: Decimal
    mark: Decimal | None
    value_usd: Decimal
    unrealised_usd: Decimal


class Fill(msgspec.Struct):
    """One execution. `decided_at_price` is the last price the decision had, None: not known.

    `fee_usd` is None while its commission is not known.
    """

    at: datetime
    symbol: Symbol
    strategy: str
    quantity: Decimal
    price: Decimal
    client_order_id: str
    execution_id: str
    decided_at_price: Decimal | None = None
    fee_usd: Decimal | None = None

    @property
    def notional_usd(self) -> Decimal:
        """What was traded, unsigned."""
        return abs(self.quantity) * self.price

    @property
    def slippage_usd(self) -> Decimal | None:
        """What the account paid more than the price it decided at; negative: less."""
        if self.decided_at_price is None:
            return None
        return (self.price - self.decided_at_price) * self.quantity

    @property
    def slippage_bps(self) -> Decimal | None:
        """The same, in basis points of the price decided at."""
        slippage, before = self.slippage_usd, self.decided_at_price
        if slippage is None or not before or not self.quantity:
            return None
        return slippage / (abs(self.quantity) * before) * 10_000


class Delay(msgspec.Struct, frozen=True):
    """How long one step of orders took, in recorded time: the median, and the worst by name."""

    step: str
    orders: int
    median_s: float
    worst_s: float
    worst_order: str


class Ended(msgspec.Struct, frozen=True):
    """Orders that came to nothing: what was said, and how often."""

    how: str
    reason: str
    orders: int


class LostOrder(msgspec.Struct):
    """An order that was UNKNOWN in the period, since when, and what became of it."""

    client_order_id: str
    symbol: str
    since: datetime
    why: str
    ended_at: datetime | None = None
    state: OrderState = OrderState.UNKNOWN
    ended_by: str = ""


class Trading(msgspec.Struct, frozen=True):
    """What was traded. Counts are orders (of strategies not in shadow), but `fills`.

    Sums count every fill; `fills_shown` has the largest of them, in order of time.
    """

    intents: int
    approved: int
    refused: int
    withheld: int
    sent: int
    acknowledged: int
    filled: int
    fills: int
    notional_usd: Decimal
    fees_usd: Decimal
    slippage_usd: Decimal
    slippage_bps: Decimal | None
    slippage_unknown: int
    fills_shown: list[Fill]
    ended: list[Ended]
    delays: list[Delay]
    unknown: list[LostOrder]


class ShadowLine(msgspec.Struct, frozen=True):
    """What a strategy in shadow would have made of the intents that only the shadow stopped."""

    strategy: str
    intents: int
    passed: int
    fills: int
    notional_usd: Decimal
    fees_usd: Decimal
    result_usd: Decimal
    open_orders: int


class Shadow(msgspec.Struct, frozen=True):
    """The strategies in shadow, and how their results are estimated, sentence by sentence."""

    lines: list[ShadowLine]
    assumptions: list[str]


class HoldSpan(msgspec.Struct):
    """A hold that stood in the period, and for how long of it; `lifted_at` is None: it stands."""

    hold_id: str
    text: str
    placed_at: datetime
    held_s: float = 0.0
    lifted_at: datetime | None = None
    lifted_by: str = ""
    lifted_why: str = ""


class BreakSpan(msgspec.Struct):
    """A difference from the broker's books that stood in the period; as `HoldSpan`."""

    break_id: str
    text: str
    opened_at: datetime
    resolved_at: datetime | None = None
    how: str = ""
    by: str = ""
    why: str = ""


class Happening(msgspec.Struct, frozen=True):
    """Something out of the ordinary: what kind of thing, when, and its sentence."""

    kind: str
    seq: int
    at: datetime
    text: str


class BarsOf(msgspec.Struct, frozen=True):
    """The bars of one symbol over all sessions of the period; `gaps` are the first missing ones."""

    symbol: Symbol
    sessions: int
    bars: int
    possible: int
    expected: int
    missing: int
    off_session: int
    gaps: list[tuple[datetime, datetime]]


class Report(msgspec.Struct, frozen=True):
    """A report; `points` are of the moment it was made, `made_at`, and the rest of the period.

    `happened` counts by kind all that `happenings` has the last of.
    """

    journal: str
    account: str
    mode: Mode | None
    data_modes: list[DataMode]
    made_at: datetime
    period: Period
    ready: bool
    points: list[Point]
    money: Money
    held: list[Held]
    trading: Trading
    decisions: list[Counts]
    shadow: Shadow
    bars: list[BarsOf]
    holds: list[HoldSpan]
    breaks: list[BreakSpan]
    limits: list[LimitUse]
    happened: dict[str, int]
    happenings: list[Happening]
    not_known: list[str]
