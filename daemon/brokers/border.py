"""The border to a broker outside: what it reports is looked at before it is believed."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

import msgspec

from events import (
    AccountReported,
    BooksReported,
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerHeard,
    BrokerOrder,
    BrokerRestored,
    BrokerUnparsed,
    BrokerUnreachable,
    CancelWithheld,
    CashMoved,
    CommissionCharged,
    ContractResolved,
    MarginReported,
    MarginUnavailable,
    MarketDataImpaired,
    OrderAcknowledged,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderNumbered,
    OrderNumbersWentBack,
    OrderRejected,
    OrderWithheld,
    OrderWorking,
    ShortSaleReported,
    SymbolHalted,
    SymbolResumed,
    TradingHoursReported,
    utc_from_nanoseconds,
)
from events.codec import Input, decode, encode

REPORTS: Final = (
    OrderAcknowledged,
    OrderWorking,
    OrderAmended,
    OrderRejected,
    OrderCancelled,
    OrderExpired,
    OrderWithheld,
    CancelWithheld,
    OrderFilled,
    CommissionCharged,
    CashMoved,
    BrokerHeard,
    OrderNumbered,
    OrderNumbersWentBack,
    BrokerConnected,
    BrokerDisconnected,
    BrokerDegraded,
    BrokerRestored,
    BrokerDataLost,
    BrokerUnreachable,
    BrokerUnparsed,
    ContractResolved,
    TradingHoursReported,
    MarketDataImpaired,
    AccountReported,
    MarginReported,
    MarginUnavailable,
    SymbolHalted,
    SymbolResumed,
    ShortSaleReported,
    BooksReported,
)
"""What a broker may report."""
NUMBER_MAX: Final = Decimal("1e12")
DECIMAL_PLACES_MAX: Final = 18
AHEAD_MAX: Final = timedelta(days=1)
"""How far ahead of our clock a broker's may be."""
_MARGINS: Final = ("initial_after", "maintenance_after", "equity_after")
LISTED_MAX: Final = 50_000
"""Entries a list of the broker's may have; no account has as many."""
TEXT_MAX: Final = 100
"""Characters a name of the broker's may have."""
_RAW_CHARACTERS_MAX: Final = 2_000


def checked(report: object, now: int) -> Input:
    """Return `report`, heard at `now` (ns UTC), or a `broker.unparsed` where it cannot be so."""
    if isinstance(report, MarginReported):
        report = _without_sentinels(report)
    why = _objection(report, now)
    if not why:
        assert isinstance(report, REPORTS), "anything else is objected to"
        return report
    return BrokerUnparsed(_raw(report), why)


def _objection(report: object, now: int) -> str:
    if not isinstance(report, REPORTS):
        return f"a {type(report).__name__} is nothing a broker reports"
    try:
        if decode(encode(report)) != report:
            return "it does not come out of the journal as it went in"
        return _wrong_numbers(report, now)
    except Exception as error:  # noqa: BLE001 - a report may hold anything
        return f"it cannot be recorded: {type(error).__name__}"


def _wrong_numbers(report: object, now: int) -> str:
    match report:
        case OrderFilled():
            return next(_wrong_fill(report, now), "")
        case OrderAmended():
            return next(_wrong_terms(report), "")
        case CommissionCharged() | CashMoved():
            return "" if _is_number(report.amount) else f"its amount is {report.amount}"
        case AccountReported() | MarginReported() | ShortSaleReported():
            figures = [
                each for each in msgspec.structs.astuple(report) if isinstance(each, Decimal)
            ]
            wrong = [each for each in figures if not _is_number(each)]
            return f"one of its figures is {wrong[0]}" if wrong else ""
        case BooksReported():
            return next(_wrong_in_books(report, now), "")
        case _:
            return ""


def _wrong_fill(fill: OrderFilled, now: int) -> Iterator[str]:
    # A correction may take an execution back wholly.
    is_bust = fill.revision > 1 and not fill.quantity
    if not (_is_number(fill.quantity) and (fill.quantity or is_bust)):
        yield f"its quantity is {fill.quantity}"
    if not (_is_number(fill.price) and (fill.price > 0 or is_bust)):
        yield f"its price is {fill.price}"
    if fill.executed_at > utc_from_nanoseconds(now) + AHEAD_MAX:
        yield f"it was executed at {fill.executed_at}, in the future"


def _wrong_terms(amended: OrderAmended) -> Iterator[str]:
    for number in (amended.quantity, amended.limit_price, amended.stop_price):
        if number is not None and not _is_number(number):
            yield f"it has {number} for a number"
    for text in (amended.order_type, amended.time_in_force):
        if len(text) > TEXT_MAX or not text.isprintable():
            yield "it has a name that is none"


def _wrong_in_books(look: BooksReported, now: int) -> Iterator[str]:
    """Yield what is wrong with a look: one thing is enough not to believe the rest."""
    yield from _wrong_lists(look)
    names = [each.symbol for each in look.positions or ()]
    if len(set(names)) < len(names):
        yield "it has a position twice"
    executions = [each.execution_id for each in look.executions or ()]
    if len(set(executions)) < len(executions):
        yield "it has an execution twice"
    numbers: list[Decimal | None] = [each.quantity for each in look.positions or ()]
    numbers += [each.average_cost for each in look.positions or ()]
    numbers += [each.quantity for each in look.executions or ()]
    numbers += [look.cash.total, look.cash.settled] if look.cash is not None else []
    for number in numbers:
        if number is not None and not _is_number(number):
            yield f"it has {number} for a number"
    for order in look.open_orders or ():
        yield from _wrong_order(order)
    for moment in (look.began_at, look.connected_since):
        if moment is not None and moment > utc_from_nanoseconds(now) + AHEAD_MAX:
            yield f"it is of {moment}, in the future"


def _wrong_lists(look: BooksReported) -> Iterator[str]:
    lists: tuple[Sequence[object] | None, ...] = (
        look.positions,
        look.open_orders,
        look.completed_orders,
        look.executions,
    )
    if any(each is not None and len(each) > LISTED_MAX for each in lists):
        yield f"a list of it has more than {LISTED_MAX} entries"
    if not look.look_id:
        yield "it has no name of its own"
    for text in (look.look_id, *_texts(look)):
        if len(text) > TEXT_MAX or not text.isprintable():
            yield "it has a name that is none"


def _texts(look: BooksReported) -> Iterable[str]:
    for position in look.positions or ():
        yield position.symbol
    for order in look.open_orders or ():
        yield from (order.symbol, order.order_ref, order.perm_id, order.order_type, order.status)
    for ended in look.completed_orders or ():
        yield from (ended.order_ref, ended.perm_id, ended.status)
    for seen in look.executions or ():
        yield from (seen.symbol, seen.order_ref, seen.execution_id)


def _wrong_order(order: BrokerOrder) -> Iterator[str]:
    prices = (order.limit_price, order.stop_price)
    for number in (order.quantity, order.remaining, *prices):
        if number is not None and not _is_number(number):
            yield f"an order of it has {number} for a number"
            return
    if not order.order_ref and not order.perm_id:
        yield "an order of it has neither reference nor permId"
    if order.quantity * order.remaining < 0 or abs(order.remaining) > abs(order.quantity):
        yield f"{order.remaining} of {order.quantity} remain of an order of it"


def _without_sentinels(report: MarginReported) -> MarginReported:
    """Return `report` with None for each margin that is no number: the broker left it unset."""
    figures = {name: getattr(report, name) for name in _MARGINS}
    unset = {name: None for name, each in figures.items() if not _is_margin(each)}
    return msgspec.structs.replace(report, **unset)


def _is_margin(figure: object) -> bool:
    return isinstance(figure, Decimal) and _is_number(figure)


def _is_number(number: Decimal) -> bool:
    """Say whether `number` is finite, of a sensible size and of sensibly many digits."""
    if not number.is_finite() or abs(number) > NUMBER_MAX:
        return False
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -DECIMAL_PLACES_MAX


def _raw(report: object) -> str:
    try:
        text = repr(report)
    except Exception:  # noqa: BLE001 - a report may be anything
        text = f"a {type(report).__name__}"
    return text[:_RAW_CHARACTERS_MAX].encode(errors="replace").decode()
