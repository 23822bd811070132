"""Answers for people: what the records behind a command say came of it."""

from collections.abc import Sequence

from daemon.control.protocol import VERSION, Answer
from events import (
    CancelSending,
    CommandRefused,
    HoldLifted,
    HoldPlaced,
    IntentRefused,
    OperatorCommand,
    OrderIntended,
    OrderSending,
    Record,
    StrategyPromoted,
)

EXIT_OK = 0
EXIT_REFUSED = 5


def answer_from(records: Sequence[Record]) -> Answer:
    """Return the answer to the command that `records` start with; they are durable by now."""
    lines: list[str] = []
    exit_code = EXIT_OK
    for record in records:
        match record.event:
            case CommandRefused(why=why):
                exit_code = EXIT_REFUSED
                lines.append(f"refused: {why}")
            case HoldPlaced() as hold:
                about = hold.target or "everything"
                lines.append(f"{hold.level} on {about}: hold {hold.hold_id}")
            case HoldLifted() as lifted:
                lines.append(f"lifted: {lifted.hold_id}")
            case CancelSending() as cancel:
                lines.append(f"cancel asked: {cancel.client_order_id}")
            case OrderIntended() as intended:
                lines.append(f"order {intended.client_order_id}")
            case OrderSending():
                lines.append("  passed the gate and is sent")
            case IntentRefused() as refused:
                exit_code = EXIT_REFUSED
                failed = [each for each in refused.checks if not each.passed]
                lines += [f"  refused by {each.name}: {each.note or each.value}" for each in failed]
            case StrategyPromoted() as promoted:
                lines.append(f"{promoted.strategy} sends its orders from here")
            case _:
                pass
    seq = records[0].seq if records else 0
    if not lines:
        lines.append("done" if seq else "nothing to do: it was done before")
    assert not records or isinstance(records[0].event, OperatorCommand), "a command's records"
    return Answer(VERSION, exit_code, tuple(lines), seq=seq)
