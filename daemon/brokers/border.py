"""The border to a broker outside: what it reports is looked at before it is believed."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

import msgspec

from events import (
    BrokerUnparsed,
    CashMoved,
    CommissionCharged,
    MarginReported,
    MarginUnavailable,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderWithheld,
    OrderWorking,
    SymbolHalted,
    SymbolResumed,
    utc_from_nanoseconds,
)
from events.codec import Input, decode, encode

REPORTS: Final = (
    OrderAcknowledged,
    OrderWorking,
    OrderRejected,
    OrderCancelled,
    OrderExpired,
    OrderWithheld,
    OrderFilled,
    CommissionCharged,
    CashMoved,
    MarginReported,
    MarginUnavailable,
    SymbolHalted,
    SymbolResumed,
)
"""What a broker may report."""
NUMBER_MAX: Final = Decimal("1e12")
DECIMAL_PLACES_MAX: Final = 18
AHEAD_MAX: Final = timedelta(days=1)
"""How far ahead of our clock a broker's may be."""
_MARGINS: Final = ("initial_after", "maintenance_after", "equity_after")
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
            if not (_is_number(report.quantity) and report.quantity):
                return f"its quantity is {report.quantity}"
            if not (_is_number(report.price) and report.price > 0):
                return f"its price is {report.price}"
            if report.executed_at > utc_from_nanoseconds(now) + AHEAD_MAX:
                return f"it was executed at {report.executed_at}, in the future"
        case CommissionCharged() | CashMoved():
            if not _is_number(report.amount):
                return f"its amount is {report.amount}"
        case _:
            pass
    return ""


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
