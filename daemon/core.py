"""The core: takes one input, folds it, lets strategies and gate answer, folds each answer at once.

Pure and synchronous. It reads no clock, waits for nothing and touches nothing outside; what has to
happen outside is left in `effects`, to be carried out once the records are durable.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import assert_never

import msgspec

from daemon import gate
from daemon.corporate_actions import applied_action
from daemon.deadlines import Deadlines
from daemon.gate import Limits, RiskApproved
from daemon.order_ids import client_order_id
from daemon.strategies import Answer, Intent, NoTrade
from daemon.strategy_runs import StateView, StrategyRun, Tally
from events import (
    BarClosed,
    CancelSending,
    CashMoved,
    ClientOrderId,
    CommissionCharged,
    CorporateActionAnnounced,
    CorporateActionApplied,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentApproved,
    IntentRefused,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderSending,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    Record,
    StrategyDeclined,
    StrategyFailed,
    Symbol,
    TimerFired,
    TimerKind,
    utc_from_nanoseconds,
)
from events.codec import Decided, Input
from projections import State
from projections.order_states import OrderState, next_state
from projections.orders import Order


class Cancel(msgspec.Struct, frozen=True):
    """Ask the broker to cancel this order."""

    client_order_id: ClientOrderId


Effect = RiskApproved | Cancel | CorporateActionApplied
"""What the engine carries out: an order to send, a cancel, an action the broker must know of."""

OrderReport = (
    OrderAcknowledged | OrderWorking | OrderRejected | OrderCancelled | OrderExpired | OrderWithheld
)


class CoreSettings(msgspec.Struct, frozen=True):
    """What the core takes from the configuration."""

    limits: Limits = Limits()
    answer_deadline_s: int = 30


class Core:
    """Holds the books and the strategies.

    `records` and `effects` collect until the engine takes them.
    """

    def __init__(self, state: State, runs: Sequence[StrategyRun], settings: CoreSettings) -> None:
        """Go on from `state` with `runs` in the order in which they are to be asked."""
        self.state = state
        self.runs = {run.name: run for run in runs}
        self.settings = settings
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.repeats_dropped = 0
        self.deadlines = Deadlines(state, self.runs.values(), settings.answer_deadline_s)
        self._views = {
            run.name: StateView(state, run.name, utc_from_nanoseconds(0)) for run in runs
        }
        self._asked_about: dict[Symbol, tuple[StrategyRun, ...]] = {}
        self._root = 0
        self._trace: int | None = None
        self._cause_key = ""
        self._legs: dict[str, int] = {}

    @property
    def next_due(self) -> datetime:
        """When the next timer has to fire; far in the future when none is set."""
        return self.deadlines.next_due

    def step(self, event: Input, at: int) -> None:
        """Take one input at wall time `at` (ns UTC). A repeat of what is known changes nothing."""
        match event:
            case BarClosed():
                self._bar(event, at)
            case OrderFilled():
                self._fill(event, at)
            case CommissionCharged():
                self._commission(event, at)
            case (
                OrderAcknowledged()
                | OrderWorking()
                | OrderRejected()
                | OrderCancelled()
                | OrderExpired()
                | OrderWithheld()
            ):
                self._report(event, at)
            case TimerFired():
                self._timer(event, at)
            case CashMoved():
                self._take(event, at)
            case CorporateActionAnnounced():
                self._take(event, at)
                self.deadlines.watch_action(event)
            case _:
                self._take(event, at)
                self.deadlines.restart()

    # Inputs, each folded first and answered then.

    def _bar(self, bar: BarClosed, at: int) -> None:
        if not self.state.market.is_news(bar):
            self.repeats_dropped += 1
            return
        self._take(bar, at)
        symbol = bar.symbol
        if self.state.market.last.get(symbol) is not bar:
            return  # Off session: recorded, no price, not shown.
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
            self._answer(run, answer, bar)

    def _fill(self, fill: OrderFilled, at: int) -> None:
        if self.state.orders.is_repeat(fill):
            self.repeats_dropped += 1
            return
        order = self.state.orders.find(fill.client_order_id)
        self._take(fill, at, order)
        self._suspect_fill(fill, order)
        run = self.runs.get(order.intent.strategy) if order else None
        if run is not None:
            self._ask(run, lambda view: run.strategy.on_fill(fill, view), fill)

    def _commission(self, charge: CommissionCharged, at: int) -> None:
        if self.state.orders.is_repeat(charge):
            self.repeats_dropped += 1
            return
        self._take(charge, at, self.state.orders.find(charge.client_order_id))

    def _report(self, report: OrderReport, at: int) -> None:
        order = self.state.orders.find(report.client_order_id)
        after = order and next_state(order.state, type(report), wholly_filled=False)
        if order is not None and after is order.state and after is not OrderState.UNKNOWN:
            self.repeats_dropped += 1
            return
        self._take(report, at, order)
        if after is None:
            said = report.__struct_config__.tag
            is_now = order.state if order else "not ours"
            why = f"{said} for {report.client_order_id}, which is {is_now}"
            self._hold_everything("impossible report", why)

    def _timer(self, timer: TimerFired, at: int) -> None:
        self._take(timer, at)
        match timer.kind:
            case TimerKind.SCHEDULE:
                run = self.runs.get(timer.subject.partition("/")[0])
                if run is not None:
                    self._ask(run, lambda view: run.strategy.on_timer(timer, view), timer)
            case TimerKind.CANCEL_AFTER:
                self.cancel(ClientOrderId(timer.subject), "cancel_after_s is over")
            case TimerKind.ANSWER_DEADLINE:
                self._give_up_waiting(ClientOrderId(timer.subject))
            case TimerKind.CORPORATE_ACTION:
                self._apply_action(timer.subject)
            case _:
                assert_never(timer.kind)
        self.deadlines.after(timer)

    def cancel(self, order_id: ClientOrderId, reason: str) -> None:
        """Ask for a cancel of an order that may still fill."""
        order = self.state.orders.open.get(order_id)
        if order is None or order.cancel_requested:
            return
        self._emit(CancelSending(order_id, reason), order)
        self.effects.append(Cancel(order_id))
        asked = self.state.orders.open.get(order_id)
        if asked is not None:
            self.deadlines.watch_cancel(asked)

    def _give_up_waiting(self, order_id: ClientOrderId) -> None:
        order = self.state.orders.open.get(order_id)
        if order is None or order.state is OrderState.UNKNOWN:
            return
        if order.cancel_requested:
            self._emit(OrderUnknown(order_id, "the cancel was not answered in time"), order)
        elif order.state is OrderState.SENDING:
            self._emit(OrderUnknown(order_id, "the order was not answered in time"), order)

    def _apply_action(self, action_id: str) -> None:
        announced = self.state.corporate_actions.pending.get(action_id)
        if announced is None:
            return
        applied = applied_action(announced, self.state)
        self._emit(applied)
        self.effects.append(applied)
        if (applied.new_shares, applied.old_shares) != (1, 1):
            for run in self.runs.values():
                if not run.failed and applied.symbol in run.symbols:
                    try:
                        run.strategy.on_split(applied)
                    except Exception as error:  # noqa: BLE001 - a strategy may fail, the daemon not
                        self._fail(run, error)

    def _suspect_fill(self, fill: OrderFilled, order: Order | None) -> None:
        """Hold everything where a fill cannot be right: nobody's order, or more than ordered."""
        now = self.state.orders.find(fill.client_order_id)
        if order is None or now is None:
            self._hold_everything("foreign fill", f"{fill.execution_id} is of no order of ours")
        elif abs(now.filled) > abs(now.intent.quantity):
            self._hold_everything("over-fill", f"{fill.client_order_id} filled {now.filled}")
        elif order.state in {OrderState.REFUSED, OrderState.WITHHELD}:
            self._hold_everything("impossible fill", f"{fill.client_order_id} was never sent")

    def _hold_everything(self, cause: str, why: str) -> None:
        self._emit(
            HoldPlaced(
                hold_id=f"{cause}-{self._root}",
                scope=HoldScope.ALL,
                level=HoldLevel.HALT,
                cause=cause,
                by="core",
                why=why,
                lifts=HoldLifts.OPERATOR,
            )
        )

    # Strategies' answers.

    def _ask(
        self,
        run: StrategyRun,
        question: Callable[[StateView], Answer],
        cause: OrderFilled | TimerFired | IntentRefused,
    ) -> None:
        if run.failed:
            return
        view = self._views[run.name]
        view.now = utc_from_nanoseconds(self.state.at)
        try:
            answer = question(view)
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
        cause: BarClosed | OrderFilled | TimerFired | IntentRefused,
    ) -> None:
        if type(answer) is NoTrade:
            self._decline(run, answer, cause)
        elif type(answer) is Intent:
            self._intend(run, answer, cause)
        elif isinstance(answer, list | tuple):
            for each in answer:
                self._answer(run, each, cause)
        else:
            self._fail(run, TypeError(f"answered {answer!r}, which is neither Intent nor NoTrade"))

    def _decline(
        self,
        run: StrategyRun,
        answer: NoTrade,
        cause: BarClosed | OrderFilled | TimerFired | IntentRefused,
    ) -> None:
        symbol = answer.symbol or (
            cause.symbol if isinstance(cause, BarClosed | OrderFilled) else None
        )
        if symbol is None:
            self._fail(run, ValueError(f"{answer!r} does not say which symbol it is about"))
            return
        tally = run.memory.tallies.get(symbol)
        if tally is not None and tally.given == answer:
            tally.given = answer
            tally.evaluations += 1
            return
        run.memory.tallies[symbol] = Tally(answer)
        before = tally.evaluations if tally else 0
        self._emit(StrategyDeclined(run.name, symbol, answer.stage, answer.reason, before))

    def _intend(
        self,
        run: StrategyRun,
        intent: Intent,
        cause: BarClosed | OrderFilled | TimerFired | IntentRefused,
    ) -> None:
        problem = _misshapen(intent)
        if problem:
            self._fail(run, TypeError(problem))
            return
        run.memory.tallies.pop(intent.symbol, None)
        if not self._cause_key and isinstance(cause, BarClosed):
            self._cause_key = cause.natural_key
        leg = self._legs.get(run.name, 0)
        self._legs[run.name] = leg + 1
        now = self._views[run.name].now
        opened = self.state.identity.opened
        order_id = client_order_id(
            journal_id=opened.journal_id if opened else "",
            strategy=run.name,
            cause_key=self._cause_key,
            cause_time=now,
            leg=leg,
            intent=intent,
        )
        if self.state.orders.find(order_id) is not None:
            self.repeats_dropped += 1
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
            {name: str(value) for name, value in intent.values.items()},
        )
        seq = self._emit(intended)
        if self.state.orders.find(order_id) is None:
            return  # A replay, and the journal says otherwise.
        self._decide(run, intended, seq, now, is_retry=isinstance(cause, IntentRefused))

    def _decide(
        self, run: StrategyRun, intended: OrderIntended, seq: int, now: datetime, *, is_retry: bool
    ) -> None:
        (decision,) = gate.check((intended,), self.state, self.settings.limits, now)
        order_id = intended.client_order_id
        if isinstance(decision, RiskApproved):
            decided = self._record(IntentApproved(order_id, decision.checks), seq)
            self._record(OrderSending(order_id), decided)
            self.effects.append(decision)
            sent = self.state.orders.open.get(order_id)
            if sent is not None:
                self.deadlines.watch_order(sent)
            return
        refusal = IntentRefused(order_id, decision.checks)
        self._record(refusal, seq)
        # What answers a refusal is not asked again about its own refusal: no endless argument.
        if not is_retry:
            outer = self._cause_key
            self._ask(run, lambda view: run.strategy.on_refusal(refusal, view), refusal)
            self._cause_key = outer

    def fail_strategy(self, name: str, why: str) -> None:
        """Stop asking a strategy and hold its orders until an operator lifts that."""
        run = self.runs[name]
        if not run.failed:
            self._stop(run, why)

    def _fail(self, run: StrategyRun, error: Exception) -> None:
        self._stop(run, f"{type(error).__name__}: {error}")

    def _stop(self, run: StrategyRun, text: str) -> None:
        run.failed = True
        self._emit(StrategyFailed(run.name, text))
        self._emit(
            HoldPlaced(
                hold_id=f"strategy-failed-{run.name}-{self._root}",
                scope=HoldScope.STRATEGY,
                level=HoldLevel.HALT,
                cause="strategy failed",
                by="core",
                why=text,
                lifts=HoldLifts.OPERATOR,
                target=run.name,
            )
        )

    # Recording: every event is folded the moment it exists.

    def _take(self, event: Input, at: int, order: Order | None = None) -> None:
        """Record and fold an input; a report on an order follows from that order's sending."""
        seq = self.state.seq + 1
        if order is None:
            record = Record(seq, at, event)
            self._trace = seq
        else:
            record = Record(seq, at, event, order.trace, order.sending_seq or order.intended_seq)
            self._trace = order.trace
        self._root = seq
        if self._legs:
            self._legs = {}
        self.state.apply(record)
        self.records.append(record)

    def _emit(self, event: Decided, order: Order | None = None) -> int:
        """Record and fold a decision that follows from the input being answered."""
        return self._record(event, self._root, order)

    def _record(self, event: Decided, cause: int, order: Order | None = None) -> int:
        seq = self.state.seq + 1
        trace = order.trace if order else self._trace
        record = Record(seq, self.state.at, event, trace, cause)
        self.state.apply(record)
        self.records.append(record)
        return seq


_WARMING_UP = NoTrade("warm-up", "insufficient data")


def _misshapen(intent: Intent) -> str:
    """Say what of `intent` is not of the type it must be; strategies are not type-checked here."""
    for name in ("quantity", "limit_price", "stop_price"):
        value = getattr(intent, name)
        if not isinstance(value, Decimal) and (value is not None or name == "quantity"):
            return f"intent.{name} is {value!r}: it must be a Decimal"
    return ""
