"""What has been lost, and whether that can be known."""

from datetime import timedelta
from decimal import Decimal

from daemon.gate.checks.measures import loss_within, unset
from daemon.gate.checks.prices import is_believed, open_time_since, overdue
from daemon.gate.checks.question import Question
from events import BarClosed, Check

_ZERO, _ONE = Decimal(0), Decimal(1)
_ALL_FRESH = Check("equity_known", True, _ZERO, _ZERO, _ZERO)  # noqa: FBT003 - a Check starts so


def equity_known(question: Question) -> Check:
    """Where something held has no fresh price, only let orders pass that reduce the position.

    Nor is a price known that jumped and that no second bar has confirmed: what it makes of equity
    is no ground to buy something else on. The value is how many symbols have none.
    """
    seconds = question.limits.prices.max_data_age_s
    if seconds is None:
        return unset("equity_known", "max_data_age_s")
    longest = timedelta(seconds=seconds)
    oldest, last = question.moment.now - longest, question.state.market.last
    references = question.state.references.symbols
    threshold = question.limits.prices.outlier_threshold
    stale = []
    for symbol, position in question.state.positions.account.items():
        if position.quantity:
            bar = last.get(symbol)
            # What is young by the clock is young in session time, too.
            if bar is None or (bar.end < oldest and not _is_fresh(question, bar, longest)):
                stale.append(str(symbol))
            elif not is_believed(references.get(symbol), threshold):
                stale.append(f"{symbol}, which jumped")
    if not stale:
        return _ALL_FRESH
    count = Decimal(len(stale))
    note = f"no fresh price of {', '.join(stale)}"
    return Check("equity_known", question.standing.reduces, count, _ZERO, -count, note)


def _is_fresh(question: Question, bar: BarClosed, longest: timedelta) -> bool:
    """Say whether the symbol's next bar is due for no longer than `longest`, in session time."""
    terms = question.state.symbols.get(bar.symbol)
    if terms is None:
        return False
    age = open_time_since(question, bar.end, terms)
    return age is not None and overdue(question, bar, terms, age) <= longest


def daily_loss(question: Question) -> Check:
    """Once the day's loss reaches its limit, only let orders pass that reduce the position.

    Commissions not yet reported count at the most they can be.
    """
    state = question.state
    loss = question.money.uncharged - state.pnl.day_pnl
    loss = loss if loss > _ZERO else _ZERO  # noqa: FURB136 - max() costs twice as much
    limit = question.limits.account.max_daily_loss_usd
    return loss_within(question, "daily_loss", loss, limit, "max_daily_loss_usd")


def drawdown(question: Question) -> Check:
    """Once equity is too far below its peak, only let orders pass that reduce the position."""
    pnl, limit = question.state.pnl, question.limits.account.max_drawdown
    if limit is None:
        return unset("drawdown", "max_drawdown")
    if pnl.peak_equity <= _ZERO:
        return Check("drawdown", question.standing.reduces, note="there is no equity")
    value = _ONE - question.money.equity / pnl.peak_equity
    value = value if value > _ZERO else _ZERO  # noqa: FURB136 - as above
    return loss_within(question, "drawdown", value, limit, "max_drawdown")
