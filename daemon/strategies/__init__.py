"""The strategy protocol: what a strategy is shown, and what it may answer.

A strategy is a msgspec Struct. Its fields are its parameters (from `params` in the configuration)
and its state, so that snapshots carry it; it changes nothing else. It is called synchronously, must
not read a clock, a file, a socket or chance, and answers with intents or with why there is none.
What it does to the decimal context touches nobody else, but an answer reckoned with a changed one
counts as a failure: use `decimal.localcontext()`. `daemon.core.answers` bounds an answer.
Load your own with `class = "your_package.module:YourClass"`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Protocol

import msgspec

from events import (
    BarClosed,
    CorporateActionApplied,
    IntentRefused,
    OrderFilled,
    OrderType,
    PositionAdjusted,
    Symbol,
    TimeInForce,
    TimerFired,
)

Value = str | int | float | Decimal


class Intent(msgspec.Struct, frozen=True, gc=False):
    """An order the strategy wants. `quantity` is signed: positive buys, negative sells.

    `values` names the numbers the decision rests on; `explain` shows them. `cancel_after_s` asks
    for a cancel that many seconds after sending, from 1 to 86,400. `outside_rth` lets a limit order
    trade outside regular hours too. `expected_edge_usd` is what the trade is expected to earn
    before costs.
    """

    symbol: Symbol
    quantity: Decimal
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    cancel_after_s: int | None = None
    values: Mapping[str, Value] = {}
    outside_rth: bool = False
    expected_edge_usd: Decimal | None = None


class NoTrade(msgspec.Struct, frozen=True, gc=False):
    """No order, and why: `stage` is where the decision ended, `reason` says it for a person.

    Both should be constant texts: a change is an event in the journal, a repeat is only counted.
    `symbol` is needed where the question was not about one symbol, such as a timer.
    """

    stage: str
    reason: str
    symbol: Symbol | None = None


Answer = NoTrade | Intent | Sequence[NoTrade | Intent] | None
"""What a strategy may return; None says nothing at all."""


class Every(StrEnum):
    """How often a schedule comes round; it fires in the first session of the period."""

    SESSION = "session"
    WEEK = "week"
    MONTH = "month"


class Anchor(StrEnum):
    """What a schedule's time of day is counted from."""

    OPEN = "open"
    CLOSE = "close"


class Schedule(msgspec.Struct, frozen=True):
    """When a strategy wants a timer: `offset_s` seconds after (negative: before) the anchor."""

    name: str
    every: Every
    anchor: Anchor = Anchor.OPEN
    offset_s: int = 0


class View(Protocol):
    """What a strategy may see: its own position and orders, the account's money, last prices."""

    @property
    def now(self) -> datetime:
        """The time of the input being answered, UTC."""
        ...

    @property
    def equity(self) -> Decimal:
        """The account's equity in US dollars."""
        ...

    @property
    def cash(self) -> Decimal:
        """The account's cash in US dollars."""
        ...

    def quantity(self, symbol: Symbol) -> Decimal:
        """Return this strategy's signed position in `symbol`."""
        ...

    def account_quantity(self, symbol: Symbol) -> Decimal:
        """Return the account's signed position: every strategy's, and what operators changed."""
        ...

    def pending(self, symbol: Symbol) -> Decimal:
        """Return the signed quantity this strategy's open orders in `symbol` may still fill."""
        ...

    def price(self, symbol: Symbol) -> Decimal | None:
        """Return the last close of `symbol`, None when there is none."""
        ...


class Strategy(msgspec.Struct):
    """Base of every strategy: override what you need, the rest answers nothing.

    `warmup_bars` is how many bars of a symbol must be seen before answers about it count; until
    then the journal says "insufficient data". Fields named in `state_fields` are state; all others
    are parameters, which the configuration may set.
    """

    warmup_bars: ClassVar[int] = 0
    state_fields: ClassVar[tuple[str, ...]] = ()

    def check(self, symbols: Sequence[Symbol]) -> None:
        """Refuse parameters that make no sense together, for these symbols.

        Raises:
            ValueError: what is wrong, for the operator.
        """

    def warmup(self) -> int:
        """Return the number of bars needed, where it depends on the parameters."""
        return self.warmup_bars

    def schedules(self) -> Sequence[Schedule]:
        """Return the timers this strategy wants."""
        return ()

    def on_bar(self, bar: BarClosed, view: View) -> Answer:
        """Answer a finished bar of one of the strategy's symbols."""
        return None

    def on_timer(self, timer: TimerFired, view: View) -> Answer:
        """Answer one of the strategy's schedules coming due; `timer.subject` ends in its name."""
        return None

    def on_fill(self, fill: OrderFilled, view: View) -> Answer:
        """Answer a fill of one of the strategy's own orders."""
        return None

    def on_refusal(self, refusal: IntentRefused, view: View) -> Answer:
        """Answer the gate's refusal of one of the strategy's own intents."""
        return None

    def on_split(self, action: CorporateActionApplied) -> None:
        """Restate remembered prices (x old / new) and quantities (x new / old) after a split."""

    def on_adjusted(self, change: PositionAdjusted, view: View) -> None:
        """Take note that an operator has brought in or taken out shares of the account.

        They are nobody's trade: `view.quantity` stays what the strategy itself has traded, and
        `view.account_quantity` is what there is now.
        """
