"""The one function every order passes: all checks, in a fixed order, each recorded.

Pure: the same batch, state, limits and time give the same answer. It fails closed: a missing limit,
a missing price, a number that is not finite or an exception inside a check refuses.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from daemon.gate.checks import CHECKS
from daemon.gate.checks.account import is_to_be_asked
from daemon.gate.checks.measures import without_limits
from daemon.gate.checks.question import Question
from daemon.gate.decision import RiskApproved, RiskAsks, RiskRefused, approve
from daemon.gate.limits import Limits
from events import Check, OrderIntended
from projections import State

Decision = tuple[RiskApproved, ...] | tuple[RiskAsks, ...] | tuple[RiskRefused, ...]


def check(batch: Sequence[OrderIntended], state: State, limits: Limits, now: datetime) -> Decision:
    """Hold `batch` against every check; it passes or is refused as a whole.

    Where nothing is missing but the broker's word on its margin, that is to be asked for, and the
    batch to be held against every check once more with the answer. An intent counts as reserved for
    those after it in the batch. `now` is the time of the input that led here.
    """
    answers = [_ask_all(Question(batch, index, state, limits, now)) for index in range(len(batch))]
    failed = [each for checks in answers for each in checks if not each.passed]
    if not failed:
        return tuple(map(approve, batch, answers))
    if all(is_to_be_asked(each) for each in failed):
        return tuple(
            RiskAsks(intent, checks) for intent, checks in zip(batch, answers, strict=True)
        )
    return tuple(
        RiskRefused(intent, _with_batch(_unasked(checks)))
        for intent, checks in zip(batch, answers, strict=True)
    )


def _ask_all(question: Question) -> tuple[Check, ...]:
    try:
        checks = tuple([ask(question) for ask in CHECKS])
        return without_limits(question, checks) if question.intent.closing else checks
    except Exception:  # noqa: BLE001 - one of them: a check changes nothing, so all are asked again
        return tuple([_ask(ask, question) for ask in CHECKS])


def _ask(ask: Callable[[Question], Check], question: Question) -> Check:
    try:
        return ask(question)
    except Exception as error:  # noqa: BLE001 - a check that cannot answer refuses
        return Check(ask.__name__, passed=False, note=f"{type(error).__name__}: {error}")


def _unasked(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Return `checks` with nothing left to ask: what is refused by others nobody is asked about."""
    return tuple(
        msgspec.structs.replace(each, passed=True, note="") if is_to_be_asked(each) else each
        for each in checks
    )


def _with_batch(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    if all(each.passed for each in checks):
        return (*checks, Check("batch", passed=False, note="another order of its batch is refused"))
    return checks
