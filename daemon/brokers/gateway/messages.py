"""What the gateway says, read from its text fields into values: Decimals, UTC, unset as None.

Pure. Positions are those of the text protocol, server versions 157 to 178. What cannot be read
raises; only an execution's time may be odd without losing the execution.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

UNSET_FROM: Final = Decimal("1e300")
"""Prices and sizes from here on say that nothing is set (1.797e308)."""
UNSET_INTEGER: Final = 2_147_483_647

TICK_SIZE: Final = 2
ORDER_STATUS: Final = 3
ERROR: Final = 4
OPEN_ORDER: Final = 5
ACCOUNT_VALUE: Final = 6
NEXT_VALID_ID: Final = 9
CONTRACT_DETAILS: Final = 10
EXECUTION: Final = 11
MANAGED_ACCOUNTS: Final = 15
HISTORICAL_DATA: Final = 17
TICK_GENERIC: Final = 45
TICK_STRING: Final = 46
CURRENT_TIME: Final = 49
REAL_TIME_BAR: Final = 50
CONTRACT_DETAILS_END: Final = 52
OPEN_ORDERS_END: Final = 53
ACCOUNT_END: Final = 54
EXECUTIONS_END: Final = 55
MARKET_DATA_TYPE: Final = 58
COMMISSION: Final = 59
POSITION: Final = 61
POSITIONS_END: Final = 62
HISTORICAL_UPDATE: Final = 90
ORDER_BOUND: Final = 100
COMPLETED_ORDER: Final = 101
COMPLETED_ORDERS_END: Final = 102

ENDED: Final = frozenset({"Cancelled", "ApiCancelled", "Filled", "Inactive"})
"""Statuses of an order that does not work."""

KINDS: Final = {
    ORDER_STATUS: "orderStatus",
    ERROR: "error",
    OPEN_ORDER: "openOrder",
    EXECUTION: "execDetails",
    COMMISSION: "commissionReport",
    POSITION: "position",
    ORDER_BOUND: "orderBound",
    COMPLETED_ORDER: "completedOrder",
}
"""Messages about orders and positions: these are journaled as they came."""


_NEW_YORK: Final = frozenset({"EST", "EDT", "EST5EDT"})
"""What New York is called as well: taken by its word, "EST" would not know of summer."""


class Unreadable(Exception):
    """A message of the gateway is not what the protocol says."""


class Status(msgspec.Struct, frozen=True):
    """One orderStatus."""

    order_id: int
    status: str
    filled: Decimal
    remaining: Decimal
    perm_id: int
    client_id: int
    why_held: str


class Notice(msgspec.Struct, frozen=True):
    """One error: about an order or a request (`about`), or about nothing of ours (-1)."""

    about: int
    code: int
    text: str


class Execution(msgspec.Struct, frozen=True):
    """One execution. `request` is -1 where it has just happened; `quantity` is signed."""

    request: int
    order_id: int
    contract_id: int
    symbol: str
    security_type: str
    local_symbol: str
    execution_id: str
    time: str
    account: str
    quantity: Decimal
    price: Decimal
    perm_id: int
    client_id: int
    liquidation: int
    order_ref: str

    @property
    def root(self) -> str:
        """The id that a correction keeps: all but what follows the last dot."""
        return split_execution_id(self.execution_id)[0]

    @property
    def revision(self) -> int:
        """1, and more where it corrects what was reported before."""
        return split_execution_id(self.execution_id)[1]


class Commission(msgspec.Struct, frozen=True):
    """What one execution cost; None: nobody says yet."""

    execution_id: str
    amount: Decimal | None
    currency: str


class PositionLine(msgspec.Struct, frozen=True):
    """One position of one account."""

    account: str
    contract_id: int
    symbol: str
    security_type: str
    local_symbol: str
    quantity: Decimal
    average_cost: Decimal | None


class AccountValue(msgspec.Struct, frozen=True):
    """One figure of the account."""

    tag: str
    value: str
    currency: str
    account: str


class OrderLine(msgspec.Struct, frozen=True):
    """An order as the broker has it: open, or completed (then without order and client id).

    What only asks for margins (`is_what_if`) is told in the same words, and is no order.
    """

    order_id: int
    client_id: int
    perm_id: int
    order_ref: str
    account: str
    contract_id: int
    symbol: str
    security_type: str
    quantity: Decimal
    filled: Decimal | None
    order_type: str
    time_in_force: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    status: str
    completed_status: str = ""
    warning: str = ""
    is_what_if: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing of it can fill any more; Inactive may be over, or not."""
        return bool(self.completed_status) or self.status in ENDED


def read_status(fields: Sequence[str]) -> Status:
    """Return an orderStatus (12 fields, the message's number first)."""
    _at_least(fields, 12)
    return Status(
        order_id=integer(fields[1]),
        status=fields[2],
        filled=_number(fields[3]),
        remaining=_number(fields[4]),
        perm_id=integer(fields[6]),
        client_id=integer(fields[9]),
        why_held=fields[10],
    )


def read_notice(fields: Sequence[str]) -> Notice:
    """Return an error."""
    _at_least(fields, 5)
    return Notice(integer(fields[2]), integer(fields[3]), fields[4])


def read_execution(fields: Sequence[str]) -> Execution:
    """Return an execution."""
    _at_least(fields, 31)
    side = fields[18]
    if side not in {"BOT", "SLD"}:
        raise Unreadable(f"side {side!r} is neither BOT nor SLD")
    shares = _number(fields[19])
    return Execution(
        request=integer(fields[1]),
        order_id=integer(fields[2]),
        contract_id=integer(fields[3]),
        symbol=fields[4],
        security_type=fields[5],
        local_symbol=fields[11],
        execution_id=fields[14],
        time=fields[15],
        account=fields[16],
        quantity=shares if side == "BOT" else -shares,
        price=_number(fields[20]),
        perm_id=integer(fields[21]),
        client_id=integer(fields[22]),
        liquidation=integer(fields[23]),
        order_ref=fields[26],
    )


def read_commission(fields: Sequence[str]) -> Commission:
    """Return a commissionReport."""
    _at_least(fields, 5)
    return Commission(fields[2], number_or_none(fields[3]), fields[4])


def read_position(fields: Sequence[str]) -> PositionLine:
    """Return a position."""
    _at_least(fields, 16)
    return PositionLine(
        account=fields[2],
        contract_id=integer(fields[3]),
        symbol=fields[4],
        security_type=fields[5],
        local_symbol=fields[12],
        quantity=_number(fields[14]),
        average_cost=number_or_none(fields[15]),
    )


def read_account_value(fields: Sequence[str]) -> AccountValue:
    """Return a figure of the account."""
    _at_least(fields, 6)
    return AccountValue(fields[2], fields[3], fields[4], fields[5])


def split_execution_id(execution_id: str) -> tuple[str, int]:
    """Return what of an execution id stays when it is corrected, and the number of the correction.

    An id without a number behind its last dot is all root.
    """
    root, dot, last = execution_id.rpartition(".")
    if dot and root and last.isascii() and last.isdigit() and int(last):
        return root, int(last)
    return execution_id, 1


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone that the gateway calls so."""
    return ZoneInfo("America/New_York" if name in _NEW_YORK else name)


def read_time(text: str, zone: str) -> datetime | None:
    """Return an execution's time in UTC, None where nobody can tell what `text` means.

    Three spellings: with a zone's name, with a dash (UTC), with blanks alone (the zone the gateway
    was logged in to, `zone`).
    """
    try:
        if "-" in text[:9]:
            return datetime.strptime(text[:17], "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
        words = text.split()
        moment = datetime.strptime(f"{words[0]} {words[1]}", "%Y%m%d %H:%M:%S")  # noqa: DTZ007 - its zone follows
        name = words[2] if len(words) > 2 else zone  # noqa: PLR2004 - date, time, zone
        return moment.replace(tzinfo=zone_of(name)).astimezone(UTC)
    except (ValueError, IndexError, ZoneInfoNotFoundError, OSError):
        return None


def number_or_none(text: str) -> Decimal | None:
    """Return a number as text, None where it says that nothing is set.

    Raises:
        Unreadable: it is no number.
    """
    if text in {"", "None"}:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise Unreadable(f"{text!r} is no number") from error
    if not number.is_finite() or abs(number) >= UNSET_FROM or number == UNSET_INTEGER:
        return None
    return number


def integer(text: str) -> int:
    """Return a whole number as text, 0 for none.

    Raises:
        Unreadable: it is no whole number.
    """
    try:
        return int(text or 0)
    except ValueError as error:
        raise Unreadable(f"{text!r} is no whole number") from error


def _number(text: str) -> Decimal:
    number = number_or_none(text)
    if number is None:
        raise Unreadable(f"{text!r} where a number has to be")
    return number


def _at_least(fields: Sequence[str], count: int) -> None:
    if len(fields) < count:
        raise Unreadable(f"{len(fields)} fields where {count} have to be")
