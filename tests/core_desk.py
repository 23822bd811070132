"""A desk for tests of the core: strategies that answer by a script, and a core to give inputs to.

Time is told with each input; New York's session is 14:30 to 21:00 UTC.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from daemon.core.core import Core, CoreSettings
from daemon.core.recorder import Effect
from daemon.core.strategy_runs import StrategyRun
from daemon.gate import Limits
from daemon.strategies import Answer, Intent, Schedule, Strategy, View
from events import (
    BarClosed,
    CorporateActionApplied,
    Event,
    IntentRefused,
    JournalOpened,
    Mode,
    OrderFilled,
    OrderIntended,
    Record,
    Symbol,
    TimerFired,
    nanoseconds,
)
from events.codec import Input
from projections import State
from projections.orders import Order
from tests.builders import a_bar, a_calendar, a_config, a_deposit, a_session, utc
from tests.gate_desk import WIDE

A, B = Symbol("A"), Symbol("B")
Kind = TypeVar("Kind", bound=Event)
OPENED = JournalOpened("j1", Mode.BACKTEST, "paper")
OPENING: tuple[Input, ...] = (
    OPENED,
    a_config("A", "B"),
    a_calendar(*(a_session(f"2024-01-0{day}") for day in (2, 3, 4, 5))),
    a_deposit("1000000"),
)


class Scripted(Strategy):
    """Gives the answers of its script, one a question of that kind; an exception is raised.

    `heard` is what it was asked and told, `seen` what the view showed: time, position, pending.
    """

    bars: list[Any] = msgspec.field(default_factory=list)
    timers: list[Any] = msgspec.field(default_factory=list)
    fills: list[Any] = msgspec.field(default_factory=list)
    refusals: list[Any] = msgspec.field(default_factory=list)
    warm: int = 0
    timetable: tuple[Schedule, ...] = ()
    heard: list[Event] = msgspec.field(default_factory=list)
    seen: list[tuple[str, Decimal, Decimal]] = msgspec.field(default_factory=list)

    def warmup(self) -> int:
        return self.warm

    def schedules(self) -> Sequence[Schedule]:
        return self.timetable

    def on_bar(self, bar: BarClosed, view: View) -> Answer:
        return self._next(self.bars, bar, view, bar.symbol)

    def on_timer(self, timer: TimerFired, view: View) -> Answer:
        return self._next(self.timers, timer, view, A)

    def on_fill(self, fill: OrderFilled, view: View) -> Answer:
        return self._next(self.fills, fill, view, fill.symbol)

    def on_refusal(self, refusal: IntentRefused, view: View) -> Answer:
        return self._next(self.refusals, refusal, view, A)

    def on_split(self, action: CorporateActionApplied) -> None:
        self.heard.append(action)

    def _next(self, script: list[Any], event: Event, view: View, symbol: Symbol) -> Answer:
        self.heard.append(event)
        now = f"{view.now:%Y-%m-%dT%H:%M:%S}"
        self.seen.append((now, view.quantity(symbol), view.pending(symbol)))
        answer: Answer = script.pop(0) if script else None
        if isinstance(answer, BaseException):
            raise answer
        return answer


def buy(quantity: str = "10", /, **changes: Any) -> Intent:  # noqa: ANN401 - any field
    """Return an intent for so many shares of A; negative sells."""
    return msgspec.structs.replace(Intent(A, Decimal(quantity)), **changes)


class CoreDesk:
    """A core with its strategies, `trend` first; each input is told with the records it led to."""

    def __init__(
        self,
        *strategies: Strategy,
        under: Limits = WIDE,
        opening: Sequence[Input] = OPENING,
        state: State | None = None,
    ) -> None:
        self.runs = [
            StrategyRun(name, strategy, "code", frozenset({A}))
            for name, strategy in zip(("trend", "other", "third"), strategies, strict=False)
        ]
        self.state = state or State()
        self.core = Core(self.state, self.runs, CoreSettings(under, 30))
        self.recorder = self.core.recorder
        for event in opening:
            self.step(event, "2024-01-02T12:00")

    def step(self, event: Input, at: str | None = None) -> list[Record]:
        """Take one input, at its own time if none is given; return what is recorded of it."""
        if at is None:
            match event:
                case BarClosed(end=moment) | OrderFilled(executed_at=moment):
                    now = nanoseconds(moment)
                case TimerFired(due=moment):
                    now = max(nanoseconds(moment), self.state.at)  # Late, where others came first.
                case _:
                    now = self.state.at
        else:
            now = nanoseconds(utc(at))
        self.core.step(event, now)
        taken, self.recorder.records = self.recorder.records, []
        return taken

    def minute(self, at: str = "15:00", close: str = "100", symbol: str = "A") -> list[Record]:
        """Take the minute of 2 January that ends at `at`."""
        return self.step(a_bar(close, symbol=symbol, end=f"2024-01-02T{at}"))

    def pass_time(self, upto: str) -> list[Record]:
        """Take every timer due before `upto`."""
        taken = []
        while (timer := self.core.deadlines.take_due(utc(upto))) is not None:
            taken += self.step(timer)
        return taken

    def effects(self) -> list[Effect]:
        """Return what is to be carried out, and forget it."""
        effects, self.recorder.effects = self.recorder.effects, []
        return effects

    @property
    def repeats(self) -> int:
        return self.recorder.repeats_dropped

    def order(self, records: Sequence[Record]) -> Order:
        """Return the first order intended in `records`, as the books have it now."""
        (first, *_) = of(records, OrderIntended)
        order = self.state.orders.find(first.client_order_id)
        assert order is not None
        return order


def kinds(records: Sequence[Record]) -> list[str]:
    """Return the stored names of `records`."""
    return [str(record.event.__struct_config__.tag) for record in records]


def of(records: Sequence[Record], kind: type[Kind]) -> list[Kind]:
    return [record.event for record in records if isinstance(record.event, kind)]
