"""What the account can pay for: settled cash in a cash account, margin in a margin account."""

from decimal import Decimal

from daemon.gate.checks.measures import allowed, passes, unless_reducing, unset, within
from daemon.gate.checks.question import Question
from daemon.gate.checks.sums import dearest, exposure
from daemon.gate.limits import AccountType
from events import Check, MarginUnavailable
from projections.cash import COMMISSION_FLOOR_USD, COMMISSION_SHARE_MAX
from projections.margin import MarginAnswer
from projections.settled_cash import settled_cash

NOT_ASKED = "the broker has to be asked"
LEFT_UNSET = "the broker left the margin unset"
_NO_NEED = passes("settled_usd", "a margin account need not wait")
_NO_MARGIN = passes("margin_usd", "a cash account has none")
_ZERO, _ONE = Decimal(0), Decimal(1)


def settled_usd(question: Question) -> Check:
    """In a cash account, limit what all purchases could cost to the cash that has settled."""
    if question.limits.margin.account_type is not AccountType.CASH:
        return _NO_NEED
    if question.standing.is_sale:
        return passes("settled_usd", "a sale costs nothing")
    return within(
        "settled_usd",
        _cost_of_buys(question),
        settled_cash(question.state, question.moment.now),
        "",
    )


def _cost_of_buys(question: Question) -> Decimal | None:
    """Return the most that everything on order could cost, commissions included."""
    cost = _ZERO
    for intent, reserved in question.standing.on_order:
        if reserved <= _ZERO:
            continue
        last = question.price_of(intent.symbol)
        if last is None:
            return None
        usd = reserved * dearest(last, intent)
        cost += usd + max(COMMISSION_FLOOR_USD, usd * COMMISSION_SHARE_MAX)
    return cost


def margin_usd(question: Question) -> Check:
    """Limit the margin needed to what is there, less the cushion.

    It is the larger of our own estimate and what the broker says, where it has said something. Of
    an order that only reduces the position nobody has to be asked.
    """
    rules, answer = (
        question.limits.margin,
        question.state.margin.answer_to(question.intent.client_order_id),
    )
    if rules.account_type is AccountType.CASH:
        return _NO_MARGIN
    if rules.cushion is None:
        return unset("margin_usd", "margin.cushion")
    if rules.initial_share is None:
        return unset("margin_usd", "margin.initial_share")
    estimate, free = _margin_needed(question, rules.initial_share), _ONE - rules.cushion
    if answer is not None:
        return _answered(question, answer, estimate, free)
    found = within("margin_usd", estimate, question.money.available * free, "")
    if found.passed and _must_ask(question):
        return Check("margin_usd", False, found.value, found.limit, found.headroom, NOT_ASKED)  # noqa: FBT003 - a Check starts so
    return unless_reducing(question, found)


def _answered(
    question: Question, answer: MarginAnswer, estimate: Decimal | None, free: Decimal
) -> Check:
    """Hold what the broker says against what may be needed, with our own figures where worse."""
    if isinstance(answer, MarginUnavailable):
        return allowed("margin_usd", f"the broker said no margin: {answer.reason}")
    initial, equity = answer.initial_after, answer.equity_after
    if initial is None or equity is None or answer.maintenance_after is None:
        return allowed("margin_usd", LEFT_UNSET)
    needed = None if estimate is None else max(estimate, initial)
    limit = min(question.money.available, equity) * free
    return unless_reducing(question, within("margin_usd", needed, limit, ""))


def is_to_be_asked(found: Check) -> bool:
    """Say whether nothing is wrong with what was found but that the broker was not asked."""
    return found.note == NOT_ASKED


def _must_ask(question: Question) -> bool:
    ask = question.limits.margin.ask
    wanted = question.state.margin.asks if ask is None else ask
    return wanted and not question.standing.reduces


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
    found = question.exposure if is_last else exposure(question.state, question.reserved(size))
    value = None if found is None else found.gross * rules.initial_share
    limit = question.money.available * rules.max_batch_share
    check = within("batch_margin_usd", value, limit, "")
    return unless_reducing(question, check)


def _margin_needed(question: Question, share: Decimal) -> Decimal | None:
    found = question.exposure
    if found is None:
        return None
    estimate = found.gross * share
    account = question.state.margin.account
    if account is None:
        return estimate
    # The broker's figure is of what is held; what is on order comes on top of it.
    return max(estimate, account.initial_margin + (found.gross - found.held) * share)
