"""The strategies' desk: asks each strategy what concerns it and takes its answers to the gate.

A strategy that raises, or answers what is no answer, is put on HALT; the daemon goes on.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from types import UnionType
from typing import Final

from daemon.hold_desk import HoldDesk
from daemon.order_desk import OrderDesk
from daemon.order_ids import client_order_id
from daemon.recorder import Recorder
from daemon.strategies import Answer, Intent, NoTrade
from daemon.strategy_runs import StateView, StrategyRun, Tally
from events import (
    BarClosed,
    CorporateActionApplied,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentRefused,
    OrderFilled,
    OrderIntended,
    OrderType,
    StrategyDeclined,
    StrategyFailed,
    Symbol,
    TimeInForce,
    TimerFired,
    utc_from_nanoseconds,
)

Cause = BarClosed | OrderFilled | TimerFired | IntentRefused
"""What a strategy is asked about."""

_WARMING_UP = NoTrade("warm-up", "insufficient data")
_KINDS: Final[dict[str, tuple[type | UnionType, str]]] = {
    "symbol": (str, "a text"),
    "quantity": (Decimal, "a Decimal"),
    "limit_price": (Decimal | None, "a Decimal or None"),
    "stop_price": (Decimal | None, "a Decimal or None"),
    "order_type": (OrderType, "an OrderType"),
    "time_in_force": (TimeInForce, "a TimeInForce"),
    "cancel_after_s": (int | None, "an int or None"),
    "values": (Mapping, "a mapping"),
}
"""What the fields of an intent must be."""


class StrategyDesk:
    """Asks the strategies of `runs`, in that order."""

    def __init__(
        self,
        recorder: Recorder,
        runs: Iterable[StrategyRun],
        orders: OrderDesk,
        holds: HoldDesk,
    ) -> None:
        """Record answers with `recorder`; intents go to `orders`, failures to `holds`."""
        self.runs = {run.name: run for run in runs}
        self._recorder = recorder
        self._state = recorder.state
        self._orders = orders
        self._holds = holds
        self._views = {
            name: StateView(self._state, name, utc_from_nanoseconds(0)) for name in self.runs
        }
        self._asked_about: dict[Symbol, tuple[StrategyRun, ...]] = {}
        self._cause_key = ""
        self._cause_time = utc_from_nanoseconds(0)
        self._legs: dict[str, int] = {}
        self._legs_of = 0

    def on_bar(self, bar: BarClosed) -> None:
        """Ask every strategy that trades the bar's symbol."""
        symbol = bar.symbol
        runs = self._asked_about.get(symbol)
        if runs is None:
            runs = tuple(run for run in self.runs.values() if symbol in run.symbols)
            self._asked_about[symbol] = runs
        for run in runs:
            if run.failed:
                continue
            view = self._views[run.name]
            view.now = bar.end
            try:
                answer = run.strategy.on_bar(bar, view)
            except Exception as error:  # noqa: BLE001 - a strategy may fail, the daemon not
                self._fail(run, error)
                continue
            memory = run.memory
            seen = memory.bars_seen.get(symbol, 0) + 1
            memory.bars_seen[symbol] = seen
            if seen < run.warmup:
                answer = _WARMING_UP
            if answer is None:
                continue
            tally = memory.tallies.get(symbol)
            if tally is not None and answer is tally.given:
                tally.evaluations += 1  # The same object as at the last bar: the usual case.
                continue
            self._cause_key = ""
            self._cause_time = bar.end
            self._answer(run, answer, bar)

    def on_fill(self, fill: OrderFilled, strategy: str) -> None:
        """Tell the strategy whose order was filled."""
        run = self.runs.get(strategy)
        if run is not None:
            self._begin(run, fill.executed_at)
            self._ask(run, lambda view: run.strategy.on_fill(fill, view), fill)

    def on_schedule(self, timer: TimerFired) -> None:
        """Ask the strategy whose schedule has come due."""
        run = self.runs.get(timer.subject.partition("/")[0])
        if run is not None:
            self._begin(run, timer.due)
            self._ask(run, lambda view: run.strategy.on_timer(timer, view), timer)

    def on_split(self, action: CorporateActionApplied) -> None:
        """Let every strategy of the symbol restate what it remembers."""
        for run in self.runs.values():
            if not run.failed and action.symbol in run.symbols:
                try:
                    run.strategy.on_split(action)
                except Exception as error:  # noqa: BLE001 - a strategy may fail, the daemon not
                    self._fail(run, error)

    def fail_strategy(self, name: str, why: str) -> None:
        """Stop asking a strategy and hold its orders until an operator lifts that."""
        run = self.runs.get(name)
        if run is None:
            return
        if self._state.strategies.of(name).failed:
            run.failed = True  # The books know of it, and of the hold.
        else:
            self._stop(run, why)

    def _begin(self, run: StrategyRun, happened: datetime) -> None:
        """Turn to an input that is no bar. Ids go by when it happened, never by when we heard."""
        self._views[run.name].now = utc_from_nanoseconds(self._state.at)
        self._cause_time = happened

    def _ask(
        self,
        run: StrategyRun,
        question: Callable[[StateView], Answer],
        cause: OrderFilled | TimerFired | IntentRefused,
    ) -> None:
        if run.failed:
            return
        try:
            answer = question(self._views[run.name])
        except Exception as error:  # noqa: BLE001 - a strategy may fail, the daemon not
            self._fail(run, error)
            return
        if answer is not None:
            self._cause_key = f"{cause.__struct_config__.tag}|{cause.key()}"
            self._answer(run, answer, cause)

    def _answer(
        self,
        run: StrategyRun,
        answer: Answer,
        cause: Cause,
    ) -> None:
        if run.failed:
            return  # By an answer before this one.
        if type(answer) is NoTrade:
            self._decline(run, answer, cause)
        elif type(answer) is Intent:
            self._intend(run, answer, cause)
        elif isinstance(answer, list | tuple):
            for each in answer:
                self._answer(run, each, cause)
        else:
            what = type(answer).__name__
            self._fail(run, TypeError(f"answered a {what}, which is neither Intent nor NoTrade"))

    def _decline(
        self,
        run: StrategyRun,
        answer: NoTrade,
        cause: Cause,
    ) -> None:
        symbol = answer.symbol or (
            cause.symbol if isinstance(cause, BarClosed | OrderFilled) else None
        )
        if symbol is None:
            self._fail(run, ValueError(f"{answer!r} does not say which symbol it is about"))
            return
        texts = (symbol, answer.stage, answer.reason)
        if not all(isinstance(text, str) for text in texts):
            self._fail(run, TypeError("a NoTrade's symbol, stage and reason must be texts"))
            return
        tally = run.memory.tallies.get(symbol)
        if tally is not None and tally.given == answer:
            tally.given = answer
            tally.evaluations += 1
            return
        run.memory.tallies[symbol] = Tally(answer)
        before = tally.evaluations if tally else 0
        self._recorder.emit(StrategyDeclined(run.name, symbol, answer.stage, answer.reason, before))

    def _intend(
        self,
        run: StrategyRun,
        intent: Intent,
        cause: Cause,
    ) -> None:
        problem = _misshapen(intent, run)
        if problem:
            self._fail(run, TypeError(problem))
            return
        run.memory.tallies.pop(intent.symbol, None)
        if not self._cause_key and isinstance(cause, BarClosed):
            self._cause_key = cause.natural_key
        leg = self._next_leg(run.name)
        now = self._views[run.name].now
        opened = self._state.identity.opened
        order_id = client_order_id(
            journal_id=opened.journal_id if opened else "",
            strategy=run.name,
            cause_key=self._cause_key,
            cause_time=self._cause_time,
            leg=leg,
            intent=intent,
        )
        if self._state.orders.find(order_id) is not None:
            self._recorder.repeats_dropped += 1
            return
        intended = OrderIntended(
            order_id,
            run.name,
            intent.symbol,
            intent.quantity,
            intent.order_type,
            intent.time_in_force,
            self._cause_key,
            leg,
            intent.limit_price,
            intent.stop_price,
            intent.cancel_after_s,
            {str(name): str(value) for name, value in intent.values.items()},
        )
        seq = self._recorder.emit(intended)
        if self._state.orders.find(order_id) is None:
            return  # A replay, and the journal says otherwise.
        self._decide(run, intended, seq, now, is_retry=isinstance(cause, IntentRefused))

    def _decide(
        self, run: StrategyRun, intended: OrderIntended, seq: int, now: datetime, *, is_retry: bool
    ) -> None:
        refusal = self._orders.decide(intended, seq, now)
        # What answers a refusal is not asked again about its own refusal: no endless argument.
        if refusal is not None and not is_retry:
            outer = self._cause_key
            self._ask(run, lambda view: run.strategy.on_refusal(refusal, view), refusal)
            self._cause_key = outer

    def _next_leg(self, strategy: str) -> int:
        """Return the number of this intent among the strategy's answers to the input in hand."""
        if self._legs_of != self._recorder.root:
            self._legs_of = self._recorder.root
            self._legs.clear()
        leg = self._legs.get(strategy, 0)
        self._legs[strategy] = leg + 1
        return leg

    def _fail(self, run: StrategyRun, error: Exception) -> None:
        self._stop(run, f"{type(error).__name__}: {error}")

    def _stop(self, run: StrategyRun, text: str) -> None:
        run.failed, run.failure = True, text
        self._recorder.emit(StrategyFailed(run.name, text))
        self._holds.place(
            HoldPlaced(
                hold_id=f"strategy-failed-{run.name}-{self._recorder.root}",
                scope=HoldScope.STRATEGY,
                level=HoldLevel.HALT,
                cause="strategy failed",
                by="core",
                why=text,
                lifts=HoldLifts.OPERATOR,
                target=run.name,
            )
        )


def _misshapen(intent: Intent, run: StrategyRun) -> str:
    """Say what of `intent` is not `run`'s to ask, or could not be read back from the journal.

    Strategies are not type-checked here.
    """
    for name, (kind, what) in _KINDS.items():
        value = getattr(intent, name)
        if not isinstance(value, kind) or isinstance(value, bool):
            return f"intent.{name} is {value!r}: it must be {what}"
        if isinstance(value, Decimal) and not value.is_finite():
            return f"intent.{name} is {value}: it must be finite"
    if intent.symbol not in run.symbols:
        return f"intent.symbol is {intent.symbol}: the strategy does not trade it"
    return ""
