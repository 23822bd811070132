"""What people told the daemon, and what came of it, in words."""

from typing import assert_never

from events import (
    CommandRefused,
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
    PermitLost,
    StrategyPromoted,
)
from events.codec import Command
from ops.render import one_line, quantity


def operator_sentence(event: Command | PermitLost | CommandRefused | StrategyPromoted) -> str:
    """Return what a person told the daemon, or what came of it."""
    match event:
        case PermitLost():
            return one_line(event.why)
        case CommandRefused():
            return f"not carried out: {one_line(event.why)}"
        case StrategyPromoted():
            by = one_line(event.by)
            return f"{one_line(event.strategy)} leaves its shadow, by {by}: its orders are sent"
        case _:
            why = f": {one_line(event.why)}" if event.why else ""
            return f"{one_line(command_text(event))}, by {one_line(event.by)}{why}"


def command_text(command: Command) -> str:  # noqa: C901, PLR0911, PLR0912 - one branch a command
    """Return what a person told the daemon, in words."""
    match command:
        case OperatorKilled():
            return f"kill switch, working orders: {command.working}"
        case OperatorResumed():
            return f"resume {command.strategy}".rstrip()
        case OperatorHeld():
            return f"{command.level} on {command.target or 'everything'}"
        case OperatorLifted():
            return f"lift {command.hold_id}"
        case OperatorCancelAsked():
            return f"cancel {command.order or 'every open order'}"
        case OperatorFlattenAsked():
            return f"flatten {command.symbol or 'everything'}"
        case OperatorOrderAsked():
            side = "buy" if command.quantity > 0 else "sell"
            return f"{side} {quantity(abs(command.quantity))} {command.symbol} by hand"
        case OperatorShadowed():
            return f"{command.strategy} goes into its shadow"
        case OperatorPromoteAsked():
            return f"promote {command.strategy}"
        case OperatorReloaded():
            return f"take a new configuration: {', '.join(command.changes)}"
        case OperatorReconcileAsked():
            return "compare the books with the broker's now"
        case OperatorResolveAsked():
            what = command.break_id or "every open break"
            if command.adjust is None:
                return f"resolve {what} by what the broker has"
            return f"resolve {what} by {command.adjust:+f}"
        case _:
            assert_never(command)
