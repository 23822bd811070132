"""The whole account's exposure, and what it may be as a multiple of equity. US dollars."""

from decimal import Decimal

from daemon.gate.checks.measures import loss_within, unless_reducing, unset, within
from daemon.gate.checks.question import Question
from events import Check

_ZERO = Decimal(0)


def gross_usd(question: Question) -> Check:
    """Limit longs and shorts together."""
    found = question.exposure
    value = None if found is None else found.gross
    limit = _most_usd(question, question.limits.account.max_gross_usd)
    check = within("gross_usd", value, limit, "max_leverage")
    return unless_reducing(question, check)


def net_usd(question: Question) -> Check:
    """Limit longs less shorts, or shorts less longs."""
    found = question.exposure
    value = None if found is None else found.net
    limit = _most_usd(question, question.limits.account.max_net_usd)
    check = within("net_usd", value, limit, "max_leverage")
    return unless_reducing(question, check)


def leverage(question: Question) -> Check:
    """Limit gross exposure as a multiple of equity."""
    found, equity = question.exposure, question.money.equity
    value = None if found is None or equity <= _ZERO else found.gross / equity
    limit = question.limits.account.max_leverage
    note = "" if equity > _ZERO else "there is no equity"
    check = within("leverage", value, limit, "max_leverage", note)
    return unless_reducing(question, check)


def emergency_leverage(question: Question) -> Check:
    """Once what is held is too large a multiple of equity, only let orders pass that reduce it."""
    found, equity = question.exposure, question.money.equity
    limit = question.limits.account.emergency_leverage
    if limit is None:
        return unset("emergency_leverage", "emergency_leverage")
    if found is None or equity <= _ZERO:
        note = "there is no price" if found is None else "there is no equity"
        return Check("emergency_leverage", question.standing.reduces, None, limit, None, note)
    return loss_within(question, "emergency_leverage", found.held / equity, limit, "")


def _most_usd(question: Question, own: Decimal | None) -> Decimal | None:
    """Return the exposure that leverage allows, or `own` where that is set and less."""
    times = question.limits.account.max_leverage
    if times is None:
        return None
    most = times * question.money.equity
    return most if own is None else min(most, own)
