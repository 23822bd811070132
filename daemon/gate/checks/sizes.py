"""How large the order is, and the position it may lead to."""

from daemon.gate.checks.measures import (
    allowed,
    failed,
    notional,
    unless_flatten,
    unless_reducing,
    within,
)
from daemon.gate.checks.question import Question
from events import Check

_NONE_SET = allowed("strategy_position")


def order_shares(question: Question) -> Check:
    """Limit the size of one order."""
    limit = question.share_limit(question.tightest("max_order_shares", strategy_too=True))
    found = within("order_shares", abs(question.intent.quantity), limit, "max_order_shares")
    return unless_flatten(question, found)


def order_usd(question: Question) -> Check:
    """Limit the notional of one order, in US dollars."""
    value = notional(abs(question.intent.quantity), question.price)
    limit = question.tightest("max_order_usd", strategy_too=True)
    return unless_flatten(question, within("order_usd", value, limit, "max_order_usd"))


def position_shares(question: Question) -> Check:
    """Limit the worst case of held, working, unknown and pending quantity."""
    limit = question.share_limit(question.tightest("max_position_shares", strategy_too=False))
    found = within("position_shares", question.worst_quantity, limit, "max_position_shares")
    return unless_reducing(question, found)


def position_usd(question: Question) -> Check:
    """Limit the notional of that worst case, in US dollars."""
    value = notional(question.worst_quantity, question.price)
    limit = question.tightest("max_position_usd", strategy_too=False)
    found = within("position_usd", value, limit, "max_position_usd")
    return unless_reducing(question, found)


def strategy_position(question: Question) -> Check:
    """Limit the strategy's own worst case, where limits are set for the strategy."""
    own = question.tables[2]
    if own.max_position_shares is None and own.max_position_usd is None:
        return _NONE_SET
    worst = question.strategy_worst
    quantity = worst.quantity
    checks = []
    if own.max_position_shares is not None:
        limit = question.share_limit(own.max_position_shares)
        checks.append(within("strategy_position", quantity, limit, ""))
    if own.max_position_usd is not None:
        value = notional(quantity, question.price)
        checks.append(within("strategy_position", value, own.max_position_usd, ""))
    checks = [unless_reducing(question, each, worst) for each in checks]
    return next(iter(failed(checks) or checks))
