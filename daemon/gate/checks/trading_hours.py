"""Whether the exchange takes the order now."""

from datetime import timedelta

from daemon.gate.checks.measures import allowed, unset
from daemon.gate.checks.question import Question
from events import Check, OrderType, SymbolTerms, TimeInForce
from projections.calendar import ALWAYS_OPEN

_UNKNOWN = "the symbol is not configured"
_IN_SESSION, _IN_REGULAR_HOURS = allowed("session_open"), allowed("order_hours")
_NOT_HALTED, _NO_AUCTION = allowed("symbol_halted"), allowed("auction_cutoff")


def session_open(question: Question) -> Check:
    """Require the exchange to be open; auction orders may wait for their auction."""
    terms = question.terms
    if terms is None:
        return allowed("session_open", _UNKNOWN)
    if not terms.enforce_hours or question.is_auction:
        return allowed("session_open")
    is_open = question.moment.is_regular or (
        terms.extended_hours
        and question.state.calendar.takes_orders(terms.exchange, question.moment.now, extended=True)
    )
    return _IN_SESSION if is_open else allowed("session_open", f"{terms.exchange} is closed")


def order_hours(question: Question) -> Check:
    """Let only limit orders that say so trade outside regular hours, where those are allowed."""
    terms = question.terms
    if terms is None:
        return allowed("order_hours", _UNKNOWN)
    if question.intent.outside_rth:
        return allowed("order_hours", _not_outside(question, terms))
    if question.is_auction or not terms.enforce_hours or question.moment.is_regular:
        return _IN_REGULAR_HOURS
    problem = "outside regular hours an order must be a limit order and say outside_rth"
    return allowed("order_hours", problem)


def _not_outside(question: Question, terms: SymbolTerms) -> str:
    """Return why the order may not trade outside regular hours, empty where it may."""
    if question.intent.order_type is not OrderType.LIMIT or question.is_auction:
        return "only limit orders trade outside regular hours"
    if terms.enforce_hours and not terms.extended_hours:
        return "extended hours are not allowed"
    return ""


def symbol_halted(question: Question) -> Check:
    """Refuse what the exchange has halted."""
    halted = question.state.halts.active.get(question.intent.symbol)
    if halted is None:
        return _NOT_HALTED
    return allowed("symbol_halted", f"trading is halted {halted.reason}".rstrip())


def auction_cutoff(question: Question) -> Check:
    """Refuse an auction order that comes too late for its auction, half days included."""
    terms = question.terms
    if not question.is_auction:
        return _NO_AUCTION
    if terms is None:
        return allowed("auction_cutoff", _UNKNOWN)
    if terms.exchange == ALWAYS_OPEN:
        return allowed("auction_cutoff", "what always trades has no auction")
    if not terms.enforce_hours:
        return allowed("auction_cutoff")
    return _before_cutoff(question, terms.exchange)


def _before_cutoff(question: Question, exchange: str) -> Check:
    opens = question.intent.time_in_force is TimeInForce.OPG
    rules = question.limits.orders
    seconds = rules.open_cutoff_s if opens else rules.close_cutoff_s
    if seconds is None:
        option = "open_cutoff_s" if opens else "close_cutoff_s"
        return unset("auction_cutoff", f"orders.{option}")
    sessions = question.state.calendar.exchanges.get(exchange)
    moment = sessions.next_auction(question.moment.now, opening=opens) if sessions else None
    if moment is None:
        return allowed("auction_cutoff", "no session with that auction is known")
    ends = moment - timedelta(seconds=seconds)
    late = f"orders for the auction at {moment:%H:%M} UTC ended at {ends:%H:%M}"
    return allowed("auction_cutoff", "" if question.moment.now < ends else late)
