"""Whether there is a price to reckon with, how old it is, and whether it can be believed.

A price that jumped is believed once a second bar agrees with it: a crash trades one bar later, a
bad tick never.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from daemon.gate.checks.measures import allowed, counted, passes, unless_flatten, unset, within
from daemon.gate.checks.question import Question
from events import Check
from projections.calendar import ALWAYS_OPEN
from projections.references import Reference

_ONE = Decimal(1)
_SECOND = timedelta(seconds=1)
_NOT_STALE = allowed("data_stale")
_NO_OWN_PRICE, _NONE_EITHER = allowed("collar_last"), allowed("collar_close")


def price_known(question: Question) -> Check:
    """Require a last price: there is never a default one. A flatten at the market needs none."""
    price = question.price
    if price is None and question.is_flatten:
        return passes("price_known", "no price: an operator's flatten passes")
    return Check("price_known", price is not None, price, None, None, "" if price else "no price")


def data_age_s(question: Question) -> Check:
    """Limit the age of the last price, in seconds of sessions: a night makes no price old."""
    limit = question.limits.prices.max_data_age_s
    bar, terms = question.state.market.last.get(question.intent.symbol), question.terms
    if bar is None or terms is None:
        found = counted("data_age_s", None, limit, "max_data_age_s", "no price")
        return unless_flatten(question, found)
    if bar.end >= question.moment.clock:
        return counted("data_age_s", 0, limit, "max_data_age_s")
    exchange = terms.exchange if terms.enforce_hours else ALWAYS_OPEN
    age = question.state.calendar.open_time(
        exchange, bar.end, question.moment.clock, extended=terms.extended_hours
    )
    if age is None:
        return counted("data_age_s", None, limit, "max_data_age_s", "the sessions are not known")
    # Rounded up: what is older than its limit by less than a second is older.
    found = counted("data_age_s", -(-age // _SECOND), limit, "max_data_age_s")
    return unless_flatten(question, found)


def data_stale(question: Question) -> Check:
    """Refuse a batch with any symbol whose data has not come as expected, but for what reduces.

    So what passes the hold on a stale symbol passes here, and nothing passes before that is placed.
    """
    if not question.state.freshness.watching:
        return _NOT_STALE
    symbols = sorted({intent.symbol for intent in question.batch})
    stale = [symbol for symbol in symbols if question.state.is_stale(symbol, question.moment.clock)]
    if not stale:
        return _NOT_STALE
    note = f"no fresh data of {', '.join(stale)}"
    return Check("data_stale", passed=question.standing.reduces, note=note)


def outlier(question: Question) -> Check:
    """Limit how far the last bar is from both before it: near one of them it is believed."""
    limit = question.limits.prices.outlier_threshold
    found = question.state.references.of(question.intent.symbol)
    if limit is None:
        return unset("outlier", "outlier_threshold")
    if found is None or question.last is None:
        return unless_flatten(question, within("outlier", None, limit, "", "no price"))
    move = jump(found, limit)
    if move is None:
        return passes("outlier", "the first bar")
    return unless_flatten(question, within("outlier", move, limit, ""))


def jump(found: Reference, limit: Decimal) -> Decimal | None:
    """Return how far the last bar is from the one before it, or from that before where nearer.

    The second is looked at only where the first is beyond `limit`. None at the first bar.
    """
    if found.before is None:
        return None
    move = distance(found.last, found.before)
    if move > limit and found.long_before is not None:
        move = min(move, distance(found.last, found.long_before))
    return move


def is_believed(found: Reference | None, limit: Decimal | None) -> bool:
    """Say whether the last bar, if there is one, is within `limit` of either bar before it.

    That is what `jump` says, without dividing: it is asked of everything that is held.
    """
    if limit is None or found is None or found.before is None:
        return limit is not None
    if abs(found.last - found.before) <= limit * found.before:
        return True
    other = found.long_before
    return other is not None and abs(found.last - other) <= limit * other


def collar_last(question: Question) -> Check:
    """Limit how far an order's own prices lie from the last price."""
    limit = question.limits.prices.max_distance_last
    if limit is None:
        return unset("collar_last", "max_distance_last")
    own = question.own_prices
    if not own:
        return _NO_OWN_PRICE
    last = question.last
    value = None if last is None else farthest(own, last)
    return within("collar_last", value, limit, "")


def collar_close(question: Question) -> Check:
    """Limit how far they lie from the close of the session before, unless the move is confirmed.

    It is when the bar before the last, of the same session, is near the last one.
    """
    limit = question.limits.prices.max_distance_close
    if limit is None:
        return unset("collar_close", "max_distance_close")
    own = question.own_prices
    if not own:
        return _NONE_EITHER
    found = question.state.references.of(question.intent.symbol)
    if found is None or found.session_close is None:
        return passes("collar_close", "no session before this one is known")
    close = found.session_close
    check = within("collar_close", farthest(own, close), limit, "")
    if check.passed or not _is_confirmed(found, question.limits.prices.outlier_threshold):
        return check
    note = "the move is confirmed"
    return Check("collar_close", True, check.value, limit, check.headroom, note)  # noqa: FBT003 - a Check starts so


def distance(price: Decimal, reference: Decimal) -> Decimal:
    """Return how far `price` is from `reference`, as a share of that."""
    return abs(price / reference - _ONE)


def farthest(prices: Sequence[Decimal], reference: Decimal) -> Decimal:
    """Return how far the one of `prices` is that is farthest from `reference`."""
    return max([distance(price, reference) for price in prices])


def _is_confirmed(found: Reference, threshold: Decimal | None) -> bool:
    if found.before is None or threshold is None or found.bars < 2:  # noqa: PLR2004 - this one, and one before
        return False
    return distance(found.last, found.before) <= threshold
