"""How large the order is, and the position it may lead to."""

from daemon.gate.checks.measures import (
    allowed,
    notional,
    tightest,
    unless_flatten,
    unless_reducing,
    within,
)
from daemon.gate.checks.question import Question
from events import Check

_NONE_SET = allowed("strategy_position")


def order_shares(question: Question) -> Check:
    """Limit the size of one order."""
    account, symbol, strategy = question.tables
    limit = tightest(account.max_order_shares, symbol.max_order_shares, strategy.max_order_shares)
    value = abs(question.intent.quantity)
    found = within("order_shares", value, question.share_limit(limit), "max_order_shares")
    return unless_flatten(question, found)


def order_usd(question: Question) -> Check:
    """Limit the notional of one order, in US dollars."""
    account, symbol, strategy = question.tables
    limit = tightest(account.max_order_usd, symbol.max_order_usd, strategy.max_order_usd)
    value = notional(abs(question.intent.quantity), question.price)
    return unless_flatten(question, within("order_usd", value, limit, "max_order_usd"))


def position_shares(question: Question) -> Check:
    """Limit the worst case of held, working, unknown and pending quantity."""
    account, symbol, _ = question.tables
    limit = question.share_limit(tightest(account.max_position_shares, symbol.max_position_shares))
    worst = question.standing.worst_quantity
    found = within("position_shares", worst, limit, "max_position_shares")
    return unless_reducing(question, found)


def position_usd(question: Question) -> Check:
    """Limit the notional of that worst case, in US dollars."""
    account, symbol, _ = question.tables
    limit = tightest(account.max_position_usd, symbol.max_position_usd)
    value = notional(question.standing.worst_quantity, question.price)
    found = within("position_usd", value, limit, "max_position_usd")
    return unless_reducing(question, found)


def strategy_position(question: Question) -> Check:
    """Limit the strategy's own worst case, where limits are set for the strategy."""
    own = question.tables[2]
    shares, usd = own.max_position_shares, own.max_position_usd
    if shares is None and usd is None:
        return _NONE_SET
    worst = question.strategy_worst()
    quantity, found = worst.quantity, _NONE_SET
    if shares is not None:
        found = within("strategy_position", quantity, question.share_limit(shares), "")
        found = unless_reducing(question, found, worst)
    if usd is None or not found.passed:
        return found
    in_usd = within("strategy_position", notional(quantity, question.price), usd, "")
    in_usd = unless_reducing(question, in_usd, worst)
    return in_usd if shares is None or not in_usd.passed else found
