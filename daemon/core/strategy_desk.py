"""The strategies' desk: asks each strategy what concerns it and takes its answers to the gate.

A strategy that raises, or answers what is no answer, is put on HALT; the daemon goes on. One that
has run away is asked on, so that it does not lose track, and nothing it wants is taken: that is
recorded when it changes, however often it asks. A strategy is asked apart: what it does to the
decimal context stays there.
"""

from collections.abc import Callable, Iterable
from contextvars import Context as Apart
from datetime import datetime
from decimal import Context as Arithmetic
from decimal import getcontext, setcontext
from typing import Final

from daemon.core.answers import journal_text, read_answer
from daemon.core.hold_desk import HoldDesk
from daemon.core.order_desk import OrderDesk
from daemon.core.order_ids import client_order_id
from daemon.core.recorder import Recorder
from daemon.core.strategy_runs import StateView, StrategyRun, Tally
from daemon.strategies import Answer, Intent, NoTrade
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
    PositionAdjusted,
    StrategyDeclined,
    StrategyFailed,
    Symbol,
    TimerFired,
    Trip,
    utc_from_nanoseconds,
)
from projections.strategies import FAILED

Cause = BarClosed | OrderFilled | TimerFired | IntentRefused
"""What a strategy is asked about."""

_WARMING_UP = NoTrade("warm-up", "insufficient data")
_LATCHED = NoTrade("circuit breaker", "RUNAWAY: what it wants is not taken until that is lifted")
_OF_REFUSAL: Final = f"{IntentRefused.__struct_config__.tag}|"
"""How the cause of an intent begins that answers a refusal."""
_ARITHMETIC: Final = Arithmetic()
"""How a strategy finds the decimal context, and has to leave it."""


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
        self._apart = {name: _apart() for name in self.runs}
        self._asked_about: dict[Symbol, tuple[tuple[StrategyRun, StateView, Apart], ...]] = {}
        self._cause_key = ""
        self._cause_time = utc_from_nanoseconds(0)
        self._legs: dict[str, int] = {}
        self._legs_of = 0

    def on_bar(self, bar: BarClosed) -> None:
        """Ask every strategy that trades the bar's symbol."""
        symbol = bar.symbol
        asked = self._asked_about.get(symbol)
        if asked is None:
            runs = [run for run in self.runs.values() if symbol in run.symbols]
            asked = tuple((run, self._views[run.name], self._apart[run.name]) for run in runs)
            self._asked_about[symbol] = asked
        for run, view, apart in asked:
            if run.failed and not self._is_forgiven(run):
                continue
            view.now = bar.end
            try:
                answer = apart.run(run.strategy.on_bar, bar, view)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a strategy may fail, the daemon not
                self._fail(run, error)
                continue
            memory = run.memory
            seen = memory.bars_seen.get(symbol, 0) + 1
            memory.bars_seen[symbol] = seen
            if seen < run.warmup:
                answer = _WARMING_UP
            if answer is None or bar.past:
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

    def on_refusal(self, refusal: IntentRefused, intended: OrderIntended) -> None:
        """Tell the strategy whose intent was refused after all, when the broker had been asked."""
        run = self.runs.get(intended.strategy)
        if run is not None and not intended.cause_key.startswith(_OF_REFUSAL):
            self._begin(run, utc_from_nanoseconds(self._state.at))
            self._ask(run, lambda view: run.strategy.on_refusal(refusal, view), refusal)

    def on_schedule(self, timer: TimerFired) -> None:
        """Ask the strategy whose schedule has come due."""
        run = self.runs.get(timer.subject.partition("/")[0])
        if run is not None:
            self._begin(run, timer.due)
            self._ask(run, lambda view: run.strategy.on_timer(timer, view), timer)

    def on_split(self, action: CorporateActionApplied) -> None:
        """Let every strategy of the symbol restate what it remembers."""
        for run in self._of(action.symbol):
            self._tell(run, run.strategy.on_split, action)

    def on_adjusted(self, change: PositionAdjusted) -> None:
        """Tell every strategy of the symbol that an operator has changed what the account holds."""
        for run in self._of(change.symbol):
            view = self._views[run.name]
            view.now = utc_from_nanoseconds(self._state.at)
            self._tell(run, run.strategy.on_adjusted, change, view)

    def fail_strategy(self, name: str, why: str) -> None:
        """Stop asking a strategy and hold its orders until an operator lifts that."""
        run = self.runs.get(name)
        if run is None:
            return
        if self._state.strategies.of(name).failed:
            run.failed = True  # The books know of it, and of the hold.
        else:
            self._stop(run, why)

    def _of(self, symbol: Symbol) -> list[StrategyRun]:
        """Return the strategies of `symbol` that are asked."""
        runs = [run for run in self.runs.values() if symbol in run.symbols]
        return [run for run in runs if not run.failed or self._is_forgiven(run)]

    def _tell(self, run: StrategyRun, tell: Callable[..., None], *what: object) -> None:
        """Tell a strategy what wants no answer."""
        try:
            self._apart[run.name].run(tell, *what)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a strategy may fail, the daemon not
            self._fail(run, error)

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
        if run.failed and not self._is_forgiven(run):
            return
        try:
            answer = self._apart[run.name].run(question, self._views[run.name])
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a strategy may fail, the daemon not
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
        about = cause.symbol if isinstance(cause, BarClosed | OrderFilled) else None
        try:
            parts = self._apart[run.name].run(_read, answer, run, about)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a strategy may fail, the daemon not
            self._fail(run, error)
            return
        for part in parts:
            if run.failed:
                return  # By what it said to the refusal of a part before this one.
            if not isinstance(part, Intent):
                self._decline(run, part, part.symbol or about)
            elif self._state.holds.stands(Trip.RUNAWAY, run.name):
                self._decline(run, _LATCHED, part.symbol)
            else:
                self._intend(run, part, cause)

    def _decline(self, run: StrategyRun, answer: NoTrade, symbol: Symbol | None) -> None:
        assert symbol is not None, "read_answer refuses what is about no symbol"
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
        run.memory.tallies.pop(intent.symbol, None)
        if not self._cause_key and isinstance(cause, BarClosed):
            self._cause_key = cause.natural_key
        leg = self._next_leg(run.name)
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
            outside_rth=intent.outside_rth,
            expected_edge_usd=intent.expected_edge_usd,
        )
        self._recorder.emit(intended)
        if self._state.orders.find(order_id) is None:
            return  # A replay, and the journal says otherwise.
        self._decide(run, intended, is_retry=isinstance(cause, IntentRefused))

    def _decide(self, run: StrategyRun, intended: OrderIntended, *, is_retry: bool) -> None:
        refusal = self._orders.decide(intended)
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

    def _is_forgiven(self, run: StrategyRun) -> bool:
        """Say whether the hold behind the failure of `run` is lifted; then go on with it."""
        answers = self._state.strategies.of(run.name)
        if answers.failed or answers.forgiven_seq <= run.failed_seq:
            return False
        run.failed, run.failure = False, ""
        self._apart[run.name].run(setcontext, _ARITHMETIC.copy())
        return True

    def _fail(self, run: StrategyRun, error: BaseException) -> None:
        self._stop(run, self._apart[run.name].run(_said, error))

    def _stop(self, run: StrategyRun, why: str) -> None:
        text = journal_text(why)
        run.failed, run.failure, run.failed_seq = True, text, self._state.seq
        self._recorder.emit(StrategyFailed(run.name, text))
        if self._state.holds.stands(FAILED, run.name):
            return  # Since a failure of earlier code.
        self._holds.place(
            HoldPlaced(
                hold_id=f"strategy-failed-{run.name}-{self._recorder.root}",
                scope=HoldScope.STRATEGY,
                level=HoldLevel.HALT,
                cause=FAILED,
                by="core",
                why=text,
                lifts=HoldLifts.OPERATOR,
                target=run.name,
            )
        )


def _apart() -> Apart:
    """Return where a strategy is asked: with a decimal context that is nobody else's."""
    apart = Apart()
    apart.run(setcontext, _ARITHMETIC.copy())
    return apart


def _read(answer: object, run: StrategyRun, about: Symbol | None) -> list[Intent | NoTrade]:
    """Return the parts of an answer that was reckoned as everybody reckons.

    Raises:
        BaseException: the answer is none, or the strategy has changed the decimal context: after a
            restart it would reckon otherwise.
    """
    if _settings_of(getcontext()) != _SETTINGS:
        message = "it changed the decimal context: that is for decimal.localcontext()"
        raise ValueError(message)
    return read_answer(answer, run.symbols, about)


def _settings_of(context: Arithmetic) -> tuple[object, ...]:
    """Return what decides how `context` reckons."""
    numbers = (context.prec, context.Emin, context.Emax, context.capitals, context.clamp)
    return (context.rounding, *numbers, context.traps)


_SETTINGS: Final = _settings_of(_ARITHMETIC)


def _said(error: BaseException) -> str:
    """Return what `error` says of itself, if it can."""
    try:
        return f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - its text is the strategy's, too
        return "an exception that cannot say what is wrong"
