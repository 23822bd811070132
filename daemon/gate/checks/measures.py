"""How a value is held against its limit: written as "allow only if"."""

from decimal import Decimal
from functools import lru_cache

from daemon.gate.checks.question import Question
from events import Check
from projections.exposure import WorstCase

_ZERO = Decimal(0)
UNKNOWN = "the value is not known"
_UNSET = "no limit is set"


def allowed(name: str, problem: str = "") -> Check:
    """Return a check that is a plain yes, or no with the `problem` in words."""
    return Check(name, not problem, None, None, None, problem)


def passes(name: str, note: str) -> Check:
    """Return a check that passes and says why it had nothing to hold against a limit."""
    return Check(name, passed=True, note=note)


def tightest(*limits: Decimal | None) -> Decimal | None:
    """Return the smallest of those limits that are set."""
    least = None
    for limit in limits:
        if limit is not None and (least is None or limit < least):
            least = limit
    return least


def notional(quantity: Decimal, price: Decimal | None) -> Decimal | None:
    """Return what `quantity` costs, None without a price."""
    return None if price is None else quantity * price


def unset(name: str, option: str, value: Decimal | None = None) -> Check:
    """Return the refusal of a check whose limit is not set."""
    return Check(name, passed=False, value=value, note=f"{_UNSET}: {option}")


def without_limits(question: Question, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Let an operator's flatten pass `checks` whose limit is not set: to get out needs none."""
    if not question.is_flatten:
        return checks
    return tuple(
        Check(each.name, True, each.value, None, None, f"{each.note}: a flatten needs none")  # noqa: FBT003 - a Check starts so
        if not each.passed and each.note.startswith(_UNSET)
        else each
        for each in checks
    )


def within(
    name: str, value: Decimal | None, limit: Decimal | None, option: str, note: str = ""
) -> Check:
    """Pass only a known, finite value within a limit that is set."""
    if limit is None:
        return unset(name, option, value)
    if value is None:
        return Check(name, False, None, limit, None, note or UNKNOWN)  # noqa: FBT003 - a Check starts so
    # It is finite only where both are, and never rounded to the other side of zero.
    headroom = limit - value
    if not headroom.is_finite():
        return Check(name, passed=False, note=UNKNOWN)
    return Check(name, headroom >= _ZERO, value, limit, headroom, note)


@lru_cache(maxsize=4_096)
def counted(name: str, value: int | None, limit: int | None, option: str, note: str = "") -> Check:
    """Pass only a known count within a limit that is set.

    The same counts are held against the same limits all the time: what came of it is remembered.
    """
    if limit is None or value is None:
        return within(name, None, None if limit is None else Decimal(limit), option, note)
    room = limit - value
    return Check(name, room >= 0, Decimal(value), Decimal(limit), Decimal(room), note)


def unless_reducing(question: Question, found: Check, worst: WorstCase | None = None) -> Check:
    """Let what only reduces the position (or else that of `worst`) stay above a limit.

    A value that is not known stops no more than one that is too large: something else is held or
    on order without a price.
    """
    if found.passed or found.limit is None:
        return found
    if not (question.standing.reduces if worst is None else question.reduces(worst)):
        return found
    note = "reduces the position"
    return Check(found.name, True, found.value, found.limit, found.headroom, note)  # noqa: FBT003 - a Check starts so


def unless_flatten(question: Question, found: Check) -> Check:
    """Let an operator's flatten, whose size is that of the position, pass a limit that is set."""
    if found.passed or found.limit is None or not question.is_flatten:
        return found
    note = "an operator's flatten passes"
    return Check(found.name, True, found.value, found.limit, found.headroom, note)  # noqa: FBT003 - a Check starts so


def loss_within(
    question: Question, name: str, value: Decimal, limit: Decimal | None, option: str
) -> Check:
    """Hold a loss against its limit: at the limit it is reached."""
    if limit is None:
        return unset(name, option, value)
    headroom = limit - value
    if not headroom.is_finite():
        return Check(name, passed=False, note=UNKNOWN)
    if headroom > _ZERO:
        return Check(name, True, value, limit, headroom)  # noqa: FBT003 - a Check starts so
    reduces = question.standing.reduces
    return Check(name, reduces, value, limit, headroom, "limit reached")
