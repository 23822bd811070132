"""The operator's desk: what each command of a person leads to.

A command is recorded first and carried out then. What cannot be carried out is refused with an
event, and changes nothing.
"""

from decimal import ROUND_DOWN, Decimal
from typing import Final, assert_never

from daemon.core.hold_desk import HoldDesk
from daemon.core.looks import ReconciliationTerms, look_id_of
from daemon.core.loss_limits import reached
from daemon.core.order_desk import OrderDesk
from daemon.core.order_ids import client_order_id
from daemon.core.promotion import PromotionRule, unmet
from daemon.core.recorder import LookAtBooks, Recorder
from daemon.core.resolution import resolve
from daemon.strategies import Intent
from events import (
    AT_START,
    BY_HAND,
    FLATTEN_FAILED,
    KILL_SWITCH,
    BreakKind,
    CancelWithheld,
    ClientOrderId,
    CommandRefused,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentRefused,
    LookWhy,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorHeld,
    OperatorKilled,
    OperatorLifted,
    OperatorOrderAsked,
    OperatorPromoteAsked,
    OperatorReconcileAsked,
    OperatorReloaded,
    OperatorResolveAsked,
    OperatorResumed,
    OperatorShadowed,
    OrderIntended,
    PermitLost,
    PositionAdjusted,
    StrategyPromoted,
    Symbol,
    Trip,
    WorkingOrders,
    utc_from_nanoseconds,
)
from events.codec import Command
from projections.closing import closing_terms
from projections.order_states import OrderState

LIFTED_BY_RESUME: Final = frozenset({KILL_SWITCH, AT_START})
_CLOSED_NOTHING: Final = frozenset(
    {OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.WITHHELD}
)
"""How an order ends that was to close a position and has left something of it."""


class OperatorDesk:
    """Carries out commands."""

    def __init__(  # noqa: PLR0913, PLR0917 - what commands reach
        self,
        recorder: Recorder,
        orders: OrderDesk,
        holds: HoldDesk,
        strategies: frozenset[str],
        rule: PromotionRule,
        reconciliation: ReconciliationTerms,
    ) -> None:
        """Answer with `recorder`; `strategies` are the names there are, `rule` lets them out.

        `after_adjustment` is called with what a command has changed in a position.
        """
        self._recorder = recorder
        self._state = recorder.state
        self._orders = orders
        self._holds = holds
        self._strategies = strategies
        self.rule = rule
        self._reconciliation = reconciliation
        self.after_adjustment = _nothing

    def take(self, command: Command, at: int) -> None:  # noqa: C901, PLR0912 - one flat branch a command
        """Record and carry out one command; the same one again changes nothing."""
        if command.command_id in self._state.commands.taken:
            self._recorder.repeats_dropped += 1
            return
        self._recorder.take(command, at)
        match command:
            case OperatorKilled():
                self._kill(command.by, command.why, command.working)
            case OperatorResumed():
                self._resume(command)
            case OperatorHeld():
                self._hold(command)
            case OperatorLifted():
                self._lift(command)
            case OperatorCancelAsked():
                self._cancel(command)
            case OperatorFlattenAsked():
                self._flatten(command)
            case OperatorOrderAsked():
                self._order(command, at)
            case OperatorShadowed():
                self._assert_strategy(command, command.strategy)
            case OperatorPromoteAsked():
                self._promote(command)
            case OperatorReloaded():
                pass  # The configuration that follows says the rest.
            case OperatorReconcileAsked():
                look_id = look_id_of(self._recorder.root)
                self._recorder.effects.append(LookAtBooks(look_id, LookWhy.OPERATOR))
            case OperatorResolveAsked():
                for change in resolve(self._recorder, self._holds, command, self._reconciliation):
                    self.after_adjustment(change)
            case _:
                assert_never(command)

    def lose_permit(self, event: PermitLost, at: int) -> None:
        """Record that the permit file is gone, which is the kill switch by other means."""
        self._recorder.take(event, at)
        self._kill("permit file", event.why, WorkingOrders.CANCEL_INCREASING)

    def after_order(self, order_id: ClientOrderId, symbol: Symbol) -> None:
        """Go on flattening `symbol` after news of that order, where it is the last to be over.

        What a lost cancel has left alive is asked to end once more. An order that was to close the
        position and has not is told of.
        """
        if symbol in self._state.commands.flattening:
            self._cancel_for_flatten(symbol, self._state.commands.flattening[symbol].by)
            self._close(symbol)
            return
        order = self._state.orders.find(order_id)
        if order is not None and order.intent.closing and order.state in _CLOSED_NOTHING:
            if order.state is OrderState.WITHHELD and self._state.identity.is_dry_run:
                return
            self._tell_of_failure(symbol, f"{order_id} is {order.state}: {order.reason}")

    def after_lost_cancel(self, symbol: Symbol, cancel: CancelWithheld) -> None:
        """Tell of a flatten that waits for an order which nobody here can cancel."""
        if symbol in self._state.commands.flattening:
            why = f"{cancel.client_order_id} is in the way: {cancel.reason}"
            self._tell_of_failure(symbol, why)

    def _kill(self, by: str, why: str, working: WorkingOrders) -> None:
        hold = HoldPlaced(
            hold_id=f"kill-{self._recorder.root}",
            scope=HoldScope.ALL,
            level=HoldLevel.HALT,
            cause=KILL_SWITCH,
            by=by,
            why=why,
            lifts=HoldLifts.OPERATOR,
            working=working,
        )
        if any(each.cause == KILL_SWITCH for each in self._state.holds.active.values()):
            self._holds.cancel_for(hold)  # It stands already; this one may want more to go.
        else:
            self._holds.place(hold)

    def _resume(self, command: OperatorResumed) -> None:
        if command.strategy:
            found = [
                hold
                for hold in self._state.holds.active.values()
                if (hold.scope, hold.target) == (HoldScope.STRATEGY, command.strategy)
            ]
        else:
            active = self._state.holds.active.values()
            found = [hold for hold in active if hold.cause in LIFTED_BY_RESUME]
        if not found and command.strategy:
            self._refuse(command, f"nothing holds the strategy {command.strategy}")
        for hold in found:
            self._holds.lift(hold.hold_id, command.by, command.why)

    def _hold(self, command: OperatorHeld) -> None:
        scope, target = command.scope, command.target
        if scope is HoldScope.STRATEGY and not self._assert_strategy(command, target):
            return
        if scope is HoldScope.SYMBOL and target not in self._state.symbols:
            self._refuse(command, f"{target} is not configured")
            return
        self._holds.place(
            HoldPlaced(
                hold_id=f"operator-{self._recorder.root}",
                scope=scope,
                level=command.level,
                cause="operator",
                by=command.by,
                why=command.why,
                lifts=HoldLifts.OPERATOR,
                target=target,
                working=command.working,
            )
        )

    def _lift(self, command: OperatorLifted) -> None:
        hold = self._state.holds.active.get(command.hold_id)
        if hold is None:
            self._refuse(command, f"there is no hold {command.hold_id}: `traded holds` lists them")
        elif hold.cause == KILL_SWITCH:
            self._refuse(command, "the kill switch is lifted by `traded resume`")
        else:
            # Where it still stands the next price would trip it again, for ever.
            still = dict(reached(self._state, self._orders.limits.account))
            again = hold.cause == Trip.DRAWDOWN and Trip.DRAWDOWN in still
            new_peak = self._state.pnl.equity if again else None
            self._holds.lift(hold.hold_id, command.by, command.why, new_peak)

    def _cancel(self, command: OperatorCancelAsked) -> None:
        orders = self._state.orders.open
        wanted = command.order
        found = [each for each in orders if wanted is None or each.startswith(wanted)]
        # A whole id names its order, whatever else begins like it.
        found = [each for each in found if each == wanted] or found
        if wanted is not None and len(found) != 1:
            known = f"{len(found)} open orders begin so" if found else "no open order begins so"
            self._refuse(command, f"{wanted}: {known}")
            return
        for order_id in found:
            self._orders.cancel(order_id, f"asked for by {command.by}")

    def _flatten(self, command: OperatorFlattenAsked) -> None:
        wanted = [
            symbol
            for symbol, flattened in self._state.commands.flattening.items()
            if flattened.command_id == command.command_id
        ]
        lost = [
            order.client_order_id
            for order in self._state.orders.open.values()
            if order.state is OrderState.UNKNOWN and order.symbol in wanted
        ]
        if lost and not command.trust_broker:
            why = f"nobody knows where {', '.join(lost)} is: resolve it, or say --trust-broker"
            self._refuse(command, why)
            return
        differing = [
            opened.break_id
            for opened in self._state.reconciliation.open.values()
            if opened.difference.symbol in wanted
            and opened.difference.kind is not BreakKind.UNKNOWN_EXECUTION
        ]
        if differing and not command.trust_broker:
            named = ", ".join(differing)
            why = f"the broker has it differently: resolve {named}, or say --trust-broker"
            self._refuse(command, why)
            return
        # What an earlier flatten waits for is asked to end once more.
        asked = [
            symbol for symbol in self._state.commands.flattening if command.symbol in {None, symbol}
        ]
        if not asked:
            self._refuse(command, "there is nothing to close")
        for symbol in asked:
            self._cancel_for_flatten(symbol, command.by)
            self._close(symbol)

    def _cancel_for_flatten(self, symbol: Symbol, by: str) -> None:
        for order in self._state.orders.open_for(symbol):
            self._orders.cancel(order.client_order_id, f"flatten by {by}")

    def _close(self, symbol: Symbol) -> None:
        """Make the orders that close the position, once no other is open in the symbol.

        That may be long after the command: nobody waits for an answer any more that could say that
        one was refused.
        """
        command = self._state.commands.flattening[symbol]
        for order in self._state.orders.open_for(symbol):
            if not (command.trust_broker and order.state is OrderState.UNKNOWN):
                return
        for leg, (owner, held) in enumerate(self._owners(symbol)):
            intent = Intent(symbol, -self._closable(symbol, held))
            refusal = self._intend(command, intent, self._state.at, owner, leg)
            is_late = self._state.commands.taken.get(command.command_id) != self._recorder.root
            if refusal is not None and is_late:
                failed = (f"{each.name} {each.note}".rstrip() for each in refusal.failed)
                self._tell_of_failure(symbol, f"refused by {', '.join(failed)}")

    def _tell_of_failure(self, symbol: Symbol, why: str) -> None:
        """Leave a hold on what is still held: for a person to see, and not to be added to."""
        held = self._state.positions.held(symbol).quantity
        if not held or self._state.holds.stands(FLATTEN_FAILED, symbol):
            return
        next_step = f"`traded flatten {symbol}` again, then lift this"
        self._holds.place(
            HoldPlaced(
                hold_id=f"flatten-{symbol}-{self._recorder.root}",
                scope=HoldScope.SYMBOL,
                level=HoldLevel.REDUCE,
                cause=FLATTEN_FAILED,
                by="core",
                why=f"{held} are still held: {why}; {next_step}",
                lifts=HoldLifts.OPERATOR,
                target=symbol,
                subject=symbol,
            )
        )

    def _closable(self, symbol: Symbol, held: Decimal) -> Decimal:
        """Return what of `held` an order may be for: where no parts of a share, the whole ones."""
        terms = closing_terms(self._state, symbol)
        if terms is None or terms.fractions:
            return held
        return held.to_integral_value(ROUND_DOWN) or held  # Less than one: the gate says why not.

    def _owners(self, symbol: Symbol) -> list[tuple[str, Decimal]]:
        """Return who holds how much, so that each strategy hears of its own closing fill.

        What is nobody's, such as a trade at the broker, is the operator's. Where strategies stand
        against each other, the account's position is closed as one.
        """
        total = self._state.positions.held(symbol).quantity
        shares = {
            name: book[symbol].quantity
            for name, book in self._state.positions.by_strategy.items()
            if symbol in book and book[symbol].quantity
        }
        nobodys = total - sum(shares.values())
        if nobodys:
            shares[BY_HAND] = shares.get(BY_HAND, Decimal(0)) + nobodys
        if all(held * total > 0 for held in shares.values()):
            return sorted(shares.items())
        return [(BY_HAND, total)] if total else []

    def _promote(self, command: OperatorPromoteAsked) -> None:
        if not self._assert_strategy(command, command.strategy):
            return
        missing = unmet(self._state, command.strategy, self.rule)
        if missing:
            self._refuse(command, "; ".join(missing))
        else:
            self._recorder.emit(StrategyPromoted(command.strategy, command.by))

    def _order(self, command: OperatorOrderAsked, at: int) -> None:
        intent = Intent(
            command.symbol,
            command.quantity,
            command.order_type,
            command.time_in_force,
            command.limit_price,
            command.stop_price,
            outside_rth=command.outside_rth,
        )
        self._intend(command, intent, at, BY_HAND, 0)

    def _intend(
        self,
        command: OperatorOrderAsked | OperatorFlattenAsked,
        intent: Intent,
        at: int,
        owner: str,
        leg: int,
    ) -> IntentRefused | None:
        """Take the order of `command` to the gate; return its refusal, if it is one."""
        moment = utc_from_nanoseconds(at)
        opened = self._state.identity.opened
        cause_key = f"{command.__struct_config__.tag}|{command.command_id}"
        order_id = client_order_id(
            journal_id=opened.journal_id if opened else "",
            strategy=owner,
            cause_key=cause_key,
            cause_time=moment,
            leg=leg,
            intent=intent,
        )
        intended = OrderIntended(
            order_id,
            owner,
            intent.symbol,
            intent.quantity,
            intent.order_type,
            intent.time_in_force,
            cause_key,
            leg,
            intent.limit_price,
            intent.stop_price,
            closing=isinstance(command, OperatorFlattenAsked),
            outside_rth=intent.outside_rth,
        )
        self._recorder.emit(intended)
        if self._state.orders.find(order_id) is None:
            return None
        return self._orders.decide(intended)

    def _assert_strategy(self, command: Command, name: str) -> bool:
        if name in self._strategies:
            return True
        known = ", ".join(sorted(self._strategies)) or "none"
        self._refuse(command, f"there is no strategy {name}; there is {known}")
        return False

    def _refuse(self, command: Command, why: str) -> None:
        self._recorder.emit(CommandRefused(command.command_id, why))


def _nothing(_change: PositionAdjusted, /) -> None:
    pass
