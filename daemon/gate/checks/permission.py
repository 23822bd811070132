"""What may be traded at all, and what may be sold short."""

from decimal import Decimal

from daemon.gate.checks.measures import allowed, passes, within
from daemon.gate.checks.question import Question
from daemon.gate.limits import AccountType
from events import Check, OrderType, ShortSaleReported

_ZERO = Decimal(0)
_MARKET, _STOP = OrderType.MARKET, OrderType.STOP
_ALLOWED, _NO_SHORT = allowed("symbol_allowed"), allowed("short_allowed")
_NONE_NEEDED, _NOT_RESTRICTED = allowed("shortable"), allowed("short_restricted")


def symbol_allowed(question: Question) -> Check:
    """Require the symbol on the allow list, where there is one, and not on the deny list.

    What is held all the same an operator can flatten.
    """
    account, symbol = question.limits.account, question.intent.symbol
    if symbol in account.deny_symbols:
        problem = "the symbol is on the deny list"
    elif account.allow_symbols and symbol not in account.allow_symbols:
        problem = "the symbol is not on the allow list"
    else:
        return _ALLOWED
    if question.is_flatten:
        return passes("symbol_allowed", f"{problem}: an operator's flatten passes")
    return allowed("symbol_allowed", problem)


def short_allowed(question: Question) -> Check:
    """Require permission to be short, from everyone who has a say, of what could end short."""
    account, symbol, strategy = question.tables
    if not question.standing.is_sale:
        return _NO_SHORT
    if question.standing.worst.shortest < _ZERO:
        if question.limits.margin.account_type is AccountType.CASH:
            return allowed("short_allowed", "a cash account sells nothing short")
        if not account.allow_short:
            return allowed("short_allowed", "the account may not sell short")
        if symbol.allow_short is False:
            return allowed("short_allowed", "the symbol may not be sold short")
    if strategy.allow_short is False and question.strategy_worst().shortest < _ZERO:
        return allowed("short_allowed", "the strategy may not sell short")
    return _NO_SHORT


def shortable(question: Question) -> Check:
    """Limit what would have to be borrowed to what can be borrowed today."""
    worst = question.standing.worst
    if not question.standing.is_sale or worst.shortest >= _ZERO:
        return _NONE_NEEDED
    # What is held short already has been borrowed.
    needed = min(worst.held, _ZERO) - worst.shortest
    reported = _short_sale_today(question)
    if reported is None and not question.limits.orders.require_shortable_data:
        return passes("shortable", "nobody has said what can be borrowed today")
    shares = reported.shortable_shares if reported else None
    if shares is None:
        return allowed("shortable", "nobody has said what can be borrowed today")
    return within("shortable", needed, shares, "")


def short_restricted(question: Question) -> Check:
    """Refuse to sell short at the market while the short-sale price test is in force."""
    intent = question.intent
    at_market = intent.order_type is _MARKET or intent.order_type is _STOP
    if not at_market or not question.standing.is_sale or question.standing.worst.shortest >= _ZERO:
        return _NOT_RESTRICTED
    reported = _short_sale_today(question)
    if reported is not None and reported.restricted:
        return allowed("short_restricted", "no short at the market while it is restricted")
    return _NOT_RESTRICTED


def _short_sale_today(question: Question) -> ShortSaleReported | None:
    """Return what was reported of the symbol for the session in hand, or else the next one."""
    terms = question.terms
    reported = question.state.instruments.short_sales.get(question.intent.symbol)
    sessions = question.state.calendar.exchanges.get(terms.exchange) if terms else None
    hours = sessions.at_hand(question.moment.now) if sessions else None
    return reported if reported and hours and reported.day == hours.day else None
