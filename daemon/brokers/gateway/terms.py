"""What goes between the wire and the rest: our words, without a type of any library."""

from datetime import datetime
from decimal import Decimal

import msgspec


class Greeting(msgspec.Struct, frozen=True):
    """What a gateway says first."""

    server_version: int
    order_id_next: int
    accounts: tuple[str, ...]


class StockContract(msgspec.Struct, frozen=True):
    """A US stock: by the broker's number, or (0) by symbol and primary exchange."""

    symbol: str
    primary_exchange: str = ""
    contract_id: int = 0


class ContractTerms(msgspec.Struct, frozen=True):
    """What the broker says of a contract."""

    contract_id: int
    symbol: str
    security_type: str
    currency: str
    primary_exchange: str
    long_name: str
    price_increment: Decimal | None
    size_increment: Decimal | None
    liquid_hours: str
    trading_hours: str
    time_zone: str


class OrderTerms(msgspec.Struct, frozen=True):
    """One order in the protocol's words. `quantity` is signed."""

    quantity: Decimal
    order_type: str
    time_in_force: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    outside_rth: bool
    account: str
    order_ref: str
    what_if: bool = False


class Margins(msgspec.Struct, frozen=True):
    """The answer to a what-if: before it and after it; None where it was left unset."""

    order_id: int
    initial: tuple[Decimal | None, Decimal | None]
    maintenance: tuple[Decimal | None, Decimal | None]
    equity: tuple[Decimal | None, Decimal | None]
    warning: str


class HistoryWanted(msgspec.Struct, frozen=True):
    """Bars of the past: `duration` and `bar_size` in the protocol's words, up to `end` or now."""

    contract: StockContract
    duration: str
    bar_size: str
    end: datetime | None = None
    regular_hours: bool = True
