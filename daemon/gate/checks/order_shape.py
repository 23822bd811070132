"""Whether the order is one at all, and whether its numbers come in the steps of its contract."""

from decimal import Decimal

from daemon.gate.checks.measures import allowed, passes
from daemon.gate.checks.question import Question
from events import Check, OrderType
from projections.calendar import ALWAYS_OPEN

NUMBER_MAX = Decimal("1e12")
SENTINEL = 2_147_483_647
"""What brokers write for "no number": it must never be taken for one."""
_MARKET, _LIMIT = OrderType.MARKET, OrderType.LIMIT
_STOP, _STOP_LIMIT = OrderType.STOP, OrderType.STOP_LIMIT
_SOUND, _WHOLE, _ON_STEP = allowed("valid_input"), allowed("size_step"), allowed("price_step")
_NO_NUMBER = Decimal(SENTINEL)
_FINEST = Decimal("1e-12")
_CENT = Decimal("0.01")
_SUB_DOLLAR_STEP = Decimal("0.0001")
_ZERO, _ONE = Decimal(0), Decimal(1)


def valid_input(question: Question) -> Check:
    """Require a known symbol, a finite quantity other than zero, and the prices the type needs."""
    intent, kind = question.intent, question.intent.order_type
    stops = kind is _STOP or kind is _STOP_LIMIT
    wrong = []
    if question.terms is None:
        way_out = f": add [symbols.{intent.symbol}] and restart, or close it at the broker"
        wrong.append(f"the symbol is not configured{way_out if intent.closing else ''}")
    if not _is_sensible(intent.quantity) or intent.quantity == _ZERO:
        wrong.append(f"the quantity is {intent.quantity}")
    if kind is _MARKET and intent.limit_price is None and intent.stop_price is None:
        prices: tuple[tuple[str, Decimal | None, bool], ...] = ()  # Nothing to look at.
    else:
        prices = (
            ("limit price", intent.limit_price, kind is _LIMIT or kind is _STOP_LIMIT),
            ("stop price", intent.stop_price, stops),
        )
    for name, price, needed in prices:
        if needed and price is None:
            wrong.append(f"a {intent.order_type} order needs a {name}")
        elif price is not None and not needed:
            wrong.append(f"a {intent.order_type} order has no {name}")
        elif price is not None and not (_is_sensible(price) and price > _ZERO):
            wrong.append(f"the {name} is {price}")
    seconds = intent.cancel_after_s
    if seconds is not None and not 0 < seconds < SENTINEL:
        wrong.append(f"cancel_after_s is {seconds}")
    if stops and question.is_auction:
        wrong.append(f"an auction takes no {intent.order_type} order")
    return allowed("valid_input", "; ".join(wrong)) if wrong else _SOUND


def _is_sensible(number: Decimal) -> bool:
    """Say whether `number` is finite, of a size and of a number of places that orders have."""
    if not number.is_finite():
        return False
    size = abs(number)
    return size <= NUMBER_MAX and size != _NO_NUMBER and size % _FINEST == _ZERO


def size_step(question: Question) -> Check:
    """Require whole shares, or the contract's own steps where those are known."""
    terms, quantity = question.terms, question.intent.quantity
    contract = question.state.instruments.contracts.get(question.intent.symbol)
    step = contract.size_increment if contract else None
    if terms is None:
        return allowed("size_step", "the symbol is not configured")
    if step is None and terms.fractions:
        return allowed("size_step", "" if quantity.is_finite() else "it is no number")
    if step is None or (step < _ONE and not terms.fractions):
        step = _ONE  # A contract that could be split up does not make us allow it.
    return _WHOLE if _is_multiple(quantity, step) else allowed("size_step", f"it comes in {step}")


def price_step(question: Question) -> Check:
    """Require prices in the contract's steps: else cents, below a dollar hundredths of a cent."""
    terms = question.terms
    if not question.own_prices:
        return _ON_STEP
    if terms is None:
        return allowed("price_step", "the symbol is not configured")
    contract = question.state.instruments.contracts.get(question.intent.symbol)
    own = contract.price_increment if contract else None
    if own is None and terms.exchange == ALWAYS_OPEN:
        return passes("price_step", "the contract's step is not known")
    for price in question.own_prices:
        step = own or (_CENT if price >= _ONE else _SUB_DOLLAR_STEP)
        if not _is_multiple(price, step):
            return allowed("price_step", f"{price} is not a multiple of {step}")
    return _ON_STEP


def _is_multiple(number: Decimal, step: Decimal) -> bool:
    """Say whether `number` is a whole number of steps; of a step that is none, nothing is."""
    return step.is_finite() and step > _ZERO and number.is_finite() and number % step == _ZERO
