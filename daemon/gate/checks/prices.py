"""Whether there is a price to reckon with, how old it is, and whether it can be believed.

A price that jumped is believed once a second bar agrees with it: a crash trades one bar later, a
bad tick never.
"""

from datetime import datetime, timedelta
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
from events import BarClosed, Check, SymbolTerms
from projections.calendar import ALWAYS_OPEN
from projections.references import Reference

_ZERO, _ONE = Decimal(0), Decimal(1)
_SECOND, _NO_TIME = timedelta(seconds=1), timedelta(0)
_NOT_STALE = allowed("data_stale")
_NO_OWN_PRICE, _NONE_EITHER = allowed("collar_last"), allowed("collar_close")


def price_known(question: Question) -> Check:
    """Require a last price: there is never a default one. A flatten at the market needs none."""
    price = question.price
    if price is None and question.is_flatten:
        return passes("price_known", "no price: an operator's flatten passes")
    return Check("price_known", price is not None, price, None, None, "" if price else "no price")


def data_age_s(question: Question) -> Check:
    """Limit the age of the last price, in seconds of sessions: a night makes no price old.

    Of bars that are longer than the limit it counts from when the next one is due.
    """
    limit = question.limits.prices.max_data_age_s
    bar, terms = question.state.market.last.get(question.intent.symbol), question.terms
    if bar is None or terms is None:
        found = counted("data_age_s", None, limit, "max_data_age_s", "no price")
        return unless_flatten(question, found)
    if bar.end >= question.moment.now:
        return counted("data_age_s", 0, limit, "max_data_age_s")
    age = open_time_since(question, bar.end, terms)
    if age is not None and limit is not None and bar.span_s > limit:
        age = overdue(question, bar, terms, age)
    if age is None:
        return counted("data_age_s", None, limit, "max_data_age_s", "the sessions are not known")
    # Rounded up: what is older than its limit by less than a second is older.
    found = counted("data_age_s", -(-age // _SECOND), limit, "max_data_age_s")
    return unless_flatten(question, found)


def open_time_since(question: Question, moment: datetime, terms: SymbolTerms) -> timedelta | None:
    """Return the session time from `moment` to now, 0 where it is to come; None: not known."""
    now = question.moment.now
    if moment >= now:
        return _NO_TIME
    exchange = terms.exchange if terms.enforce_hours else ALWAYS_OPEN
    return question.state.calendar.open_time(exchange, moment, now, extended=terms.extended_hours)


def overdue(question: Question, bar: BarClosed, terms: SymbolTerms, age: timedelta) -> timedelta:
    """Return for how long of session time the bar after `bar`, which has that `age`, is due."""
    span = timedelta(seconds=bar.span_s)
    exchange = terms.exchange if terms.enforce_hours else ALWAYS_OPEN
    due = question.state.calendar.next_daily(exchange, bar.end, span)
    since = open_time_since(question, due, terms) if due is not None else None
    late = age - span if since is None else min(age - span, since)
    return max(late, _NO_TIME)


def data_stale(question: Question) -> Check:
    """Refuse a batch with any symbol whose data has not come as expected, but for what reduces.

    So what passes the hold on a stale symbol passes here, and nothing passes before that is placed.
    """
    if not question.state.freshness.watching:
        return _NOT_STALE
    symbols = sorted({intent.symbol for intent in question.batch})
    stale = [symbol for symbol in symbols if question.state.is_stale(symbol, question.moment.now)]
    if not stale:
        return _NOT_STALE
    note = f"no fresh data of {', '.join(stale)}"
    return Check("data_stale", passed=question.standing.reduces, note=note)


def outlier(question: Question) -> Check:
    """Limit how far the last bar is from both before it: near one of them it is believed.

    An order to get out at the market needs no price to be believed; one with a price of its own may
    have taken that from the bar in doubt, and waits.
    """
    limit = question.limits.prices.outlier_threshold
    found = question.state.references.of(question.intent.symbol)
    if limit is None:
        return unset("outlier", "outlier_threshold")
    if found is None or question.last is None:
        return unless_flatten(question, within("outlier", None, limit, "", "no price"))
    move = jump(found, limit)
    if move is None:
        return passes("outlier", "the first bar")
    check = within("outlier", move, limit, "")
    if question.own_prices:
        return unless_flatten(question, check)
    # Out at the market is at the true price, whatever the last bar says.
    return unless_reducing(question, check)


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
    last, before, other = found.last, found.before, found.long_before
    if abs(last - before) <= limit * before:
        return True
    return other is not None and abs(last - other) <= limit * other


def collar_last(question: Question) -> Check:
    """Limit how far an order's own prices go beyond the last price, on the side that costs."""
    limit = question.limits.prices.max_distance_last
    if limit is None:
        return unset("collar_last", "max_distance_last")
    if not question.own_prices:
        return _NO_OWN_PRICE
    last = question.last
    value = None if last is None else beyond(question, last)
    return within("collar_last", value, limit, "")


def collar_close(question: Question) -> Check:
    """Limit how far they go beyond the close of the session before, unless the move is confirmed.

    It is when the bar before the last, of the same session, is near the last one.
    """
    limit = question.limits.prices.max_distance_close
    if limit is None:
        return unset("collar_close", "max_distance_close")
    if not question.own_prices:
        return _NONE_EITHER
    found = question.state.references.of(question.intent.symbol)
    if found is None or found.session_close is None:
        return passes("collar_close", "no session before this one is known")
    close = found.session_close
    check = within("collar_close", beyond(question, close), limit, "")
    if check.passed or not _is_confirmed(found, question.limits.prices.outlier_threshold):
        return check
    note = "the move is confirmed"
    return Check("collar_close", True, check.value, limit, check.headroom, note)  # noqa: FBT003 - a Check starts so


def distance(price: Decimal, reference: Decimal) -> Decimal:
    """Return how far `price` is from `reference`, as a share of that."""
    return abs(price / reference - _ONE)


def beyond(question: Question, reference: Decimal) -> Decimal:
    """Return how far the order's prices go beyond `reference` where that costs, as a share of it.

    That is a buy limit above it, and a stop below it, which is triggered at once; of a sale the
    other way round. A limit behind a stop counts from the stop: it waits until the market is there.
    What waits on the other side, such as a protective stop or a profit to take, costs nothing: 0.
    """
    sells = question.standing.is_sale
    limit, stop = question.intent.limit_price, question.intent.stop_price
    far, active = _ZERO, reference
    if stop is not None:
        passed = stop / reference - _ONE
        far = max(far, passed if sells else -passed)
        active = min(reference, stop) if sells else max(reference, stop)
    if limit is not None:
        above = limit / active - _ONE
        far = max(far, -above if sells else above)
    return far


def _is_confirmed(found: Reference, threshold: Decimal | None) -> bool:
    if found.before is None or threshold is None or found.bars < 2:  # noqa: PLR2004 - this one, and one before
        return False
    return distance(found.last, found.before) <= threshold
