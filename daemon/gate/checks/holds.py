"""Whether a hold stands in the way."""

from daemon.gate.checks.measures import allowed
from daemon.gate.checks.question import Question
from events import Check, HoldLevel
from projections.holds import strictest

_NONE = allowed("holds")


def holds(question: Question) -> Check:
    """Let nothing pass a HALT but a flatten, and what reduces the position pass a REDUCE.

    A symbol that is being flattened is held for every other order: one more would keep it open.
    """
    flattening = question.state.commands.flattening
    if question.intent.symbol in flattening and not question.intent.closing:
        by = flattening[question.intent.symbol].by
        return Check("holds", passed=False, note=f"HALT: it is being flattened by {by}")
    if not question.state.holds.active:
        return _NONE
    found = question.state.holds.in_scope(question.intent.strategy, question.intent.symbol)
    level = strictest(found)
    if level is None:
        return _NONE
    if question.is_flatten:
        return Check("holds", passed=True, note=f"{level}: an operator's flatten passes")
    passed = level is HoldLevel.REDUCE and question.standing.reduces
    return Check("holds", passed=passed, note=f"{level}: {', '.join(hold.cause for hold in found)}")
