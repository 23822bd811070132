"""What the account can pay for: settled cash in a cash account, margin in a margin account."""

from decimal import Decimal

from daemon.gate.checks.exposure import exposure, exposure_here
from daemon.gate.checks.measures import allowed, passes, unless_reducing, unset, within
from daemon.gate.checks.question import Question, dearest
from daemon.gate.limits import AccountType
from events import Check, MarginReported, MarginUnavailable
from projections.cash import COMMISSION_FLOOR_USD, COMMISSION_SHARE_MAX

_NO_NEED = passes("settled_usd", "a margin account need not wait")
NOT_ASKED = "the broker has to be asked"
_ZERO = Decimal(0)


def settled_usd(question: Question) -> Check:
    """In a cash account, limit what all purchases could cost to the cash that has settled."""
    if question.limits.margin.account_type is not AccountType.CASH:
        return _NO_NEED
    if question.is_sale:
        return passes("settled_usd", "a sale costs nothing")
    return within("settled_usd", _cost_of_buys(question), _settled(question), "")


def _cost_of_buys(question: Question) -> Decimal | None:
    """Return the most that everything on order could cost, commissions included."""
    cost = _ZERO
    for intent, reserved in question.on_order:
        if reserved <= _ZERO:
            continue
        last = question.price_of(intent.symbol)
        if last is None:
            return None
        usd = reserved * dearest(last, intent)
        cost += usd + max(COMMISSION_FLOOR_USD, usd * COMMISSION_SHARE_MAX)
    return cost


def _settled(question: Question) -> Decimal:
    state = question.state
    sessions = state.calendar.exchanges.get(state.calendar.day_exchange)
    proceeds = state.settlement.proceeds
    waiting = (
        state.settlement.unsettled(sessions, question.clock)
        if sessions is not None
        else sum(proceeds.values(), _ZERO)
    )
    return state.cash.balance - question.uncharged - waiting


def margin_usd(question: Question) -> Check:
    """Limit the margin needed to what is there, less the cushion.

    It is the larger of our own estimate and what the broker says, where it has said something.
    """
    rules, answer = question.limits.margin, question.margin_answer
    if rules.account_type is AccountType.CASH:
        return passes("margin_usd", "a cash account has none")
    if rules.cushion is None:
        return unset("margin_usd", "margin.cushion")
    if isinstance(answer, MarginUnavailable):
        return allowed("margin_usd", f"the broker said no margin: {answer.reason}")
    needed = _margin_needed(question)
    if answer is None and rules.ask:
        return Check("margin_usd", passed=False, value=needed, note=NOT_ASKED)
    available = question.available
    if isinstance(answer, MarginReported):
        available = min(available, answer.equity_after)
        needed = None if needed is None else max(needed, answer.initial_after)
    limit = available * (1 - rules.cushion)
    option = "margin.initial_share"
    found = within("margin_usd", needed, None if rules.initial_share is None else limit, option)
    return unless_reducing(question, found)


def batch_margin_usd(question: Question) -> Check:
    """Limit what the whole batch leads to: all of it may pass, or nothing."""
    rules = question.limits.margin
    if rules.account_type is AccountType.CASH:
        return passes("batch_margin_usd", "a cash account has none")
    if rules.initial_share is None or rules.max_batch_share is None:
        option = "initial_share" if rules.initial_share is None else "max_batch_share"
        return unset("batch_margin_usd", f"margin.{option}")
    size = len(question.batch)
    is_last = question.index + 1 == size
    found = exposure_here(question) if is_last else exposure(question, question.reserved(size))
    value = None if found is None else found.gross * rules.initial_share
    limit = question.available * rules.max_batch_share
    check = within("batch_margin_usd", value, limit, "")
    return unless_reducing(question, check)


def _margin_needed(question: Question) -> Decimal | None:
    share, found = question.limits.margin.initial_share, exposure_here(question)
    if share is None or found is None:
        return None
    estimate = found.gross * share
    account = question.state.margin.account
    if account is None:
        return estimate
    # The broker's figure is of what is held; what is on order comes on top of it.
    return max(estimate, account.initial_margin + (found.gross - found.held) * share)
