"""What the gateway refuses in an order before anybody trades it, with its own codes. Pure."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from events import SessionHours
from ops.gateway_sim.contracts import Error
from ops.gateway_sim.hours import NEW_YORK, Hours
from ops.gateway_sim.ledger import EARLIEST, NEVER
from ops.gateway_sim.matching import AT_CLOSE, STOPS, TRAILS
from ops.gateway_sim.terms import OrderTerms, OrderType, Side, Tif

DUPLICATE_ID: Final = (103, "Duplicate order id")
MODIFIED_FILLED: Final = (104, "Cannot modify a filled order.")
DOES_NOT_MATCH: Final = (105, "Order being modified does not match original order.")
NEW_TYPE: Final = (329, "Order modify failed. Cannot change to the new order type.")
STILL_PROCESSED: Final = (2102, "Unable to modify this order as it is still being processed.")
MISSING_PARENT: Final = (10006, "Missing parent order.")
WHAT_IF_TRANSMITS: Final = (413, "What-if order should have the transmit flag set to TRUE.")

CLOSE_CUTOFF: Final = timedelta(minutes=10)
"""How long before the close the exchange takes no more orders for it."""
OPENING_AUCTION: Final = timedelta(minutes=5)
"""How long an opening order waits for the first trade before it is cancelled."""

_BAD_TIME: Final = (
    391,
    "The date, time, or time-zone entered is invalid. It is yyyymmdd hh:mm:ss xx/xxxx.",
)
_NEEDS: Final = {
    OrderType.LIMIT: ("limit_price",),
    OrderType.LIMIT_ON_CLOSE: ("limit_price",),
    OrderType.STOP: ("aux_price",),
    OrderType.STOP_LIMIT: ("aux_price", "limit_price"),
}
_QUANTITY_MAX: Final = Decimal(10_000_000)


def objection(  # noqa: PLR0911 - one return for each way to be refused
    terms: OrderTerms, account: str, min_tick: Decimal, now: datetime, hours: Hours
) -> Error | None:
    """Return the code and text that refuse `terms`; None when there is nothing to object to."""
    if terms.account not in {"", account}:
        return _invalid(f"Invalid account code '{terms.account}'.")
    if terms.action not in set(Side):
        return _invalid(f"Invalid side:{terms.action}")
    if terms.type not in set(OrderType):
        return 321, "Error validating request.-'v' : cause - Invalid order type was entered"
    if terms.tif not in set(Tif):
        return _invalid(f"Invalid time in force:{terms.tif}")
    if terms.cash_quantity:
        return 10244, "Cash quantity cannot be used for this order."
    if not 0 < terms.quantity <= _QUANTITY_MAX:
        return 434, "The order size cannot be zero."
    if terms.quantity != terms.quantity.to_integral_value():
        return 10243, "Fractional-sized order cannot be placed via API."
    return _wrong_prices(terms, min_tick) or _wrong_times(terms, now, hours)


def working_hours(terms: OrderTerms, now: datetime, hours: Hours) -> tuple[datetime, datetime]:
    """Return from when an order works, and when it is over."""
    is_extended = terms.outside_rth and terms.type not in {OrderType.MARKET, *AT_CLOSE}
    session = _session_for(terms, now, hours, is_extended=is_extended)
    begins = session.extended_open if is_extended else session.open
    ends = session.extended_close if is_extended else session.close
    if terms.type in AT_CLOSE:
        begins, ends = EARLIEST, session.close
    elif terms.tif == Tif.OPG:
        ends = session.open + OPENING_AUCTION
    elif terms.tif == Tif.GTC:
        ends = NEVER
    elif terms.tif == Tif.GTD:
        ends = moment_of(terms.good_till) or NEVER
    begins = max(begins, moment_of(terms.good_after) or EARLIEST)
    return (EARLIEST if begins <= now else begins), ends


def moment_of(text: str) -> datetime | None:
    """Return the moment of `YYYYMMDD HH:MM:SS zone`, `YYYYMMDD-HH:MM:SS` (UTC) or `YYYYMMDD`.

    Without a zone it is New York's, where the gateway is logged in; a date means its end.
    """
    cleaned = text.strip()
    try:
        if len(cleaned) == len("YYYYMMDD"):
            day = datetime.strptime(cleaned, "%Y%m%d").replace(tzinfo=NEW_YORK)
            return datetime.combine(day, time(23, 59, 59), NEW_YORK).astimezone(UTC)
        if cleaned[8:9] == "-":
            return datetime.strptime(cleaned, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
        day_text, clock_text, *zone = cleaned.split()
        where = ZoneInfo(zone[0]) if zone else NEW_YORK
        text = f"{day_text} {clock_text}"
        return datetime.strptime(text, "%Y%m%d %H:%M:%S").replace(tzinfo=where).astimezone(UTC)
    except (ValueError, OSError, KeyError):
        return None


def _wrong_prices(terms: OrderTerms, min_tick: Decimal) -> Error | None:
    prices = {
        "limit_price": terms.limit_price,
        "aux_price": terms.aux_price,
        "trail_stop_price": terms.trail_stop_price,
    }
    for name in _NEEDS.get(OrderType(terms.type), ()):
        if not prices[name]:
            return _invalid(f"Missing {name.replace('_', ' ')} for a {terms.type} order")
    if terms.type in TRAILS and not terms.aux_price and not terms.trailing_percent:
        return _invalid(f"Missing trailing amount for a {terms.type} order")
    for price in prices.values():
        if price is not None and (not price.is_finite() or price < 0 or price % min_tick):
            return 110, "The price does not conform to the minimum price variation."
    return None


def _wrong_times(terms: OrderTerms, now: datetime, hours: Hours) -> Error | None:
    if terms.good_after and moment_of(terms.good_after) is None:
        return _BAD_TIME
    if terms.tif == Tif.GTD:
        till = moment_of(terms.good_till)
        if till is None:
            return _BAD_TIME
        if till <= now:
            return 201, "Order rejected - reason:The good-till date is in the past."
    is_auction = terms.type in AT_CLOSE
    allowed = set(Tif) - {Tif.IOC, Tif.FOK, Tif.OPG} if is_auction else set(Tif)
    is_opening_stop = terms.tif == Tif.OPG and terms.type in STOPS
    if terms.tif not in allowed or is_opening_stop:
        return 111, "The TIF and the order type are incompatible."
    if is_auction and now >= hours.next_session(now).close - CLOSE_CUTOFF:
        return 201, "Order rejected - reason:Too late for this closing auction."
    return None


def _session_for(
    terms: OrderTerms, now: datetime, hours: Hours, *, is_extended: bool
) -> SessionHours:
    """Return the first session in which the order can still work."""
    if is_extended and (running := hours.at(now)) is not None:
        return running
    session = hours.next_session(now)
    if terms.tif == Tif.OPG and session.open <= now:
        return hours.next_session(session.close)
    return session


def _invalid(cause: str) -> Error:
    return 321, f"Error validating request.-'bN' : cause - {cause}"
