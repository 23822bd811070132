"""The core: takes one input, folds it, lets strategies and gate answer, folds each answer at once.

Pure and synchronous. It reads no clock, waits for nothing and touches nothing outside; what has to
happen outside is left with the recorder, to be carried out once the records are durable.
"""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from daemon.circuit_breaker import CircuitBreaker
from daemon.corporate_actions import applied_action
from daemon.deadlines import Deadlines
from daemon.gate import Limits
from daemon.hold_desk import HoldDesk
from daemon.operator_desk import OperatorDesk
from daemon.order_desk import OrderDesk
from daemon.promotion import PromotionRule
from daemon.recorder import Recorder
from daemon.start_doubts import doubt_of_config, doubt_of_session
from daemon.strategy_desk import StrategyDesk
from daemon.strategy_runs import StrategyRun
from events import (
    AT_START,
    BarClosed,
    BrokerUnparsed,
    CashMoved,
    ClientOrderId,
    CommissionCharged,
    ConfigLoaded,
    CorporateActionAnnounced,
    OperatorCommand,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    PermitLost,
    SessionStarted,
    TimerFired,
    TimerKind,
)
from events.codec import Input
from projections import State
from projections.order_states import OrderState, next_state
from projections.orders import Order

OrderReport = (
    OrderAcknowledged | OrderWorking | OrderRejected | OrderCancelled | OrderExpired | OrderWithheld
)


class CoreSettings(msgspec.Struct, frozen=True):
    """What the core takes from the configuration."""

    limits: Limits = Limits()
    answer_deadline_s: int = 30
    promotion: PromotionRule = PromotionRule()


class Core:
    """Holds the books, the strategies and the deadlines; `recorder` has what came of the inputs."""

    def __init__(
        self,
        state: State,
        runs: Sequence[StrategyRun],
        settings: CoreSettings,
        recorder: Recorder | None = None,
    ) -> None:
        """Go on from `state` with `runs` in the order in which they are to be asked."""
        self.state = state
        self.recorder = recorder or Recorder(state)
        self.deadlines = Deadlines(state, runs, settings.answer_deadline_s)
        self.orders = OrderDesk(self.recorder, self.deadlines, settings.limits)
        self.holds = HoldDesk(self.recorder, self.orders)
        self.recorder.day_over = self.holds.lift_of_the_day
        self.desk = StrategyDesk(self.recorder, runs, self.orders, self.holds)
        self.operator = OperatorDesk(
            self.recorder, self.orders, self.holds, frozenset(self.desk.runs), settings.promotion
        )
        self.breaker = CircuitBreaker(state, self.holds, settings.limits.account)

    def use(self, settings: CoreSettings) -> None:
        """Go on under other limits; strategies and deadlines stay what they are."""
        self.orders.limits = settings.limits
        self.operator.rule = settings.promotion
        self.breaker.use(settings.limits.account)

    def step(self, event: Input, at: int) -> None:
        """Take one input at wall time `at` (ns UTC). A repeat of what is known changes nothing."""
        pnl = self.state.pnl
        equity = pnl.equity
        self._take(event, at)
        if pnl.equity is not equity:
            self.breaker.look()

    def _take(self, event: Input, at: int) -> None:  # noqa: C901, PLR0912 - one flat branch a kind of input
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
            case BrokerUnparsed():
                self.recorder.take(event, at)
                self.holds.halt_everything("unparsed report", f"{event.why}: {event.raw}")
            case CashMoved():
                self._cash(event, at)
            case CorporateActionAnnounced():
                self._announcement(event, at)
            case SessionStarted():
                doubt = doubt_of_session(self.state, event)
                self.recorder.take(event, at)
                self._start_on_halt(doubt)
                for name, why in event.diverged.items():
                    self.desk.fail_strategy(name, why)
                self.deadlines.restart()
            case OperatorCommand():
                self.operator.take(event, at)
            case PermitLost():
                self.operator.lose_permit(event, at)
            case ConfigLoaded():
                doubt = doubt_of_config(self.state, event)
                self.recorder.take(event, at)
                self._start_on_halt(doubt)
                self.deadlines.restart()
            case _:
                self.recorder.take(event, at)
                self.deadlines.restart()

    def _start_on_halt(self, doubt: str) -> None:
        if doubt:
            self.holds.halt_everything(AT_START, doubt)

    # Inputs, each folded first and answered then.

    def _bar(self, bar: BarClosed, at: int) -> None:
        state, symbol = self.state, bar.symbol
        if not state.market.is_news(bar):
            self.recorder.repeats_dropped += 1
            return
        self.recorder.take(bar, at)
        if state.market.last.get(symbol) is not bar:
            return  # Off session: recorded, no price, not shown.
        self.desk.on_bar(bar)

    def _fill(self, fill: OrderFilled, at: int) -> None:
        if self.state.orders.is_repeat(fill):
            self.recorder.repeats_dropped += 1
            return
        order = self.state.orders.find(fill.client_order_id)
        impossible = self.state.orders.impossible
        self.recorder.take(fill, at, order)
        self._suspect_fill(fill, order, is_impossible=self.state.orders.impossible > impossible)
        if order is not None:
            self.desk.on_fill(fill, order.intent.strategy)
            self.operator.after_order(order.symbol)

    def _commission(self, charge: CommissionCharged, at: int) -> None:
        if self.state.orders.is_repeat(charge):
            self.recorder.repeats_dropped += 1
            return
        self.recorder.take(charge, at, self.state.orders.find(charge.client_order_id))

    def _cash(self, moved: CashMoved, at: int) -> None:
        if self.state.cash.is_repeat(moved):
            self.recorder.repeats_dropped += 1
            return
        self.recorder.take(moved, at)

    def _announcement(self, action: CorporateActionAnnounced, at: int) -> None:
        if self.state.corporate_actions.is_repeat(action):
            self.recorder.repeats_dropped += 1
            return
        self.recorder.take(action, at)
        self.deadlines.watch_action(action)

    def _report(self, report: OrderReport, at: int) -> None:
        order = self.state.orders.find(report.client_order_id)
        after = order and next_state(order.state, type(report), wholly_filled=False)
        if order is not None and after is order.state and after is not OrderState.UNKNOWN:
            self.recorder.repeats_dropped += 1
            return
        self.recorder.take(report, at, order)
        if after is None:
            said = report.__struct_config__.tag
            is_now = order.state if order else "not ours"
            why = f"{said} for {report.client_order_id}, which is {is_now}"
            self.holds.halt_everything("impossible report", why)
        if order is not None:
            self.operator.after_order(order.symbol)

    def _timer(self, timer: TimerFired, at: int) -> None:
        self.recorder.take(timer, at)
        match timer.kind:
            case TimerKind.SCHEDULE:
                self.desk.on_schedule(timer)
            case TimerKind.CANCEL_AFTER:
                self.orders.cancel(ClientOrderId(timer.subject), "cancel_after_s is over")
            case TimerKind.ANSWER_DEADLINE:
                self._give_up_waiting(ClientOrderId(timer.subject))
            case TimerKind.CORPORATE_ACTION:
                self._apply_action(timer.subject)
            case _:
                assert_never(timer.kind)
        self.deadlines.after(timer)

    def _give_up_waiting(self, order_id: ClientOrderId) -> None:
        order = self.state.orders.open.get(order_id)
        if order is None or order.state is OrderState.UNKNOWN:
            return
        if order.cancel_requested:
            self.recorder.emit(OrderUnknown(order_id, "the cancel was not answered in time"), order)
        elif order.state is OrderState.SENDING:
            self.recorder.emit(OrderUnknown(order_id, "the order was not answered in time"), order)

    def _apply_action(self, action_id: str) -> None:
        announced = self.state.corporate_actions.pending.get(action_id)
        if announced is None:
            return
        applied = applied_action(announced, self.state)
        self.recorder.emit(applied)
        self.recorder.effects.append(applied)
        if (applied.new_shares, applied.old_shares) != (1, 1):
            self.desk.on_split(applied)

    def _suspect_fill(self, fill: OrderFilled, order: Order | None, *, is_impossible: bool) -> None:
        """Hold everything where a fill cannot be right.

        It is of nobody's order, of one never sent, of another symbol or side, or too much.
        """
        now = self.state.orders.find(fill.client_order_id)
        if order is None or now is None:
            self.holds.halt_everything(
                "foreign fill", f"{fill.execution_id} is of no order of ours"
            )
        elif order.state in {OrderState.REFUSED, OrderState.WITHHELD}:
            self.holds.halt_everything("impossible fill", f"{fill.client_order_id} was never sent")
        elif is_impossible:
            why = f"{fill.client_order_id} is not of {fill.quantity} {fill.symbol}"
            self.holds.halt_everything("impossible fill", why)
        elif abs(now.filled) > abs(now.intent.quantity):
            self.holds.halt_everything("over-fill", f"{fill.client_order_id} filled {now.filled}")
