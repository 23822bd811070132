"""How much is ordered in a while and in a day, and whether it is worth its costs."""

from bisect import bisect_left
from decimal import Decimal

from daemon.gate.checks.measures import (
    allowed,
    counted,
    passes,
    unless_flatten,
    unless_reducing,
    unset,
    within,
)
from daemon.gate.checks.question import Question
from events import Check, OrderIntended
from projections.activity import Times
from projections.calendar import ALWAYS_OPEN
from projections.cash import COMMISSION_FLOOR_USD

DAY_TRADE_DAYS = 5
_ZERO = Decimal(0)
_SECOND = 10**9
_NEVER = Times()
_NO_EDGE = passes("edge_usd", "the strategy states none")
_NOT_COUNTED = passes("day_trades", "they are not counted")
_BASIS_POINT = Decimal("0.0001")
_COMMISSION_A_SHARE_USD = Decimal("0.005")


def order_rate(question: Question) -> Check:
    """Limit the orders in the window, this one and those before it in its batch included."""
    value = _in_window(question, question.state.activity.orders, question.index + 1)
    found = counted("order_rate", value, question.limits.rates.max_orders, "rates.max_orders")
    return unless_flatten(question, found)


def message_rate(question: Question) -> Check:
    """Limit orders and cancels together in the window; cancels themselves always pass."""
    value = _in_window(question, question.state.activity.messages, question.index + 1)
    found = counted("message_rate", value, question.limits.rates.max_messages, "rates.max_messages")
    return unless_flatten(question, found)


def runaway(question: Question) -> Check:
    """Limit the intents of one strategy in the window, refused ones included."""
    times = question.state.activity.intents.get(question.intent.strategy, _NEVER)
    value = _in_window(question, times, 0)
    found = counted("runaway", value, question.limits.rates.max_intents, "rates.max_intents")
    return unless_flatten(question, found)


def _in_window(question: Question, times: Times, more: int) -> int | None:
    window = question.limits.rates.window_s
    return None if window is None else times.since(question.state.at - window * _SECOND) + more


def orders_a_day(question: Question) -> Check:
    """Limit the day's orders: of the account, of the symbol and of the strategy."""
    account, symbol, strategy = question.tables
    if account.max_orders_a_day is None:
        return unset("orders_a_day", "max_orders_a_day")
    activity, more = question.state.activity, question.index + 1
    limit, count = account.max_orders_a_day, activity.sent_today
    if symbol.max_orders_a_day is not None:
        own = sum([each.get(question.intent.symbol, 0) for each in activity.sent.values()])
        if symbol.max_orders_a_day - own < limit - count:
            limit, count = symbol.max_orders_a_day, own
    if strategy.max_orders_a_day is not None:
        own = sum(activity.sent.get(question.intent.strategy, {}).values())
        if strategy.max_orders_a_day - own < limit - count:
            limit, count = strategy.max_orders_a_day, own
    # The one with the least room is shown. All of the batch counts against each: that is careful.
    return unless_flatten(question, counted("orders_a_day", count + more, limit, ""))


def turnover(question: Question) -> Check:
    """Limit how often the strategy turns the symbol over in a day; getting out is always free."""
    intent = question.intent
    sent = question.state.activity.sent.get(intent.strategy, {}).get(intent.symbol, 0)
    if question.index:
        sent += sum(_is_alike(each, intent) for each in question.batch[: question.index])
    limit = question.limits.turnover.max_a_day
    found = counted("turnover", sent + 1, limit, "turnover.max_a_day")
    return unless_reducing(question, found)


def _is_alike(one: OrderIntended, other: OrderIntended) -> bool:
    return one.strategy == other.strategy and one.symbol == other.symbol


def edge_usd(question: Question) -> Check:
    """Require that an edge the strategy states is worth its costs, getting out again included.

    The value is the least it must be, the limit what was stated.
    """
    rules, edge = question.limits.turnover, question.intent.expected_edge_usd
    if rules.min_ratio is None:
        return unset("edge_usd", "turnover.min_ratio")
    if rules.cost_bps is None:
        return unset("edge_usd", "turnover.cost_bps")
    if edge is None:
        return _NO_EDGE
    if question.price is None:
        return within("edge_usd", None, edge, "")
    shares = abs(question.intent.quantity)
    commission = max(COMMISSION_FLOOR_USD, shares * _COMMISSION_A_SHARE_USD)
    slippage = shares * question.price * rules.cost_bps * _BASIS_POINT
    found = within("edge_usd", rules.min_ratio * 2 * (commission + slippage), edge, "")
    return unless_reducing(question, found)


def day_trades(question: Question) -> Check:
    """Limit the day trades of five sessions: what is opened today may have to be closed today.

    So each position opened today counts as one, and closing never has to wait.
    """
    limit = question.limits.account.max_day_trades
    terms = question.terms
    if limit is None:
        return _NOT_COUNTED
    if terms is not None and terms.exchange == ALWAYS_OPEN:
        return allowed("day_trades")
    activity = question.state.activity
    days = activity.day_trades
    done = len(days) - bisect_left(days, _first_day(question)) if days else 0
    account, opened = question.state.positions.account, activity.opened
    more = set()
    for other, reserved in question.standing.on_order:
        if not opened.get(other.symbol):
            held = account.get(other.symbol)
            if held is None or not held.quantity or (held.quantity > _ZERO) is (reserved > _ZERO):
                more.add(other.symbol)
    opened_today = sum(opened.values()) + len(more)
    found = counted("day_trades", done + opened_today, limit, "")
    return unless_reducing(question, found)


def _first_day(question: Question) -> int:
    """Return the close that ends the first of the five days, in ns UTC; 0 when nobody knows."""
    closes = question.state.calendar.day_closes
    index = bisect_left(closes, question.state.activity.day)
    return closes[max(index - DAY_TRADE_DAYS + 1, 0)] if index < len(closes) else 0
