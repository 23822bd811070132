"""What is known of a symbol besides its price: its contract, halts, and what may be sold short."""

from datetime import date, datetime
from decimal import Decimal

import msgspec

from events.base import Event, Symbol


class ContractResolved(Event, frozen=True, tag="contract.resolved"):
    """The broker named the contract behind a symbol, and the steps its orders come in.

    `price_increment` is in US dollars, `size_increment` in shares (or coins); None where the broker
    did not say. `contract_id` is the broker's number for it.
    """

    symbol: Symbol
    contract_id: int
    price_increment: Decimal | None = None
    size_increment: Decimal | None = None


class SymbolHalted(Event, frozen=True, tag="symbol.halted"):
    """The exchange halted trading in a symbol: no order is sent until it is resumed."""

    symbol: Symbol
    reason: str = ""


class SymbolResumed(Event, frozen=True, tag="symbol.resumed"):
    """The exchange trades a halted symbol again."""

    symbol: Symbol
    reason: str = ""


class ShortSaleReported(Event, frozen=True, tag="short-sale.reported"):
    """What may be sold short of a symbol on the session `day`.

    `shortable_shares` is how many can be borrowed, None where nobody said; `restricted` says that
    the short-sale price test is in force, so that no short may be sold at the market.
    """

    symbol: Symbol
    day: date
    shortable_shares: Decimal | None
    restricted: bool


class ReportedHours(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One stretch of trading on `day` as a broker has it; without times the day is closed."""

    day: date
    open: datetime | None = None
    close: datetime | None = None


class TradingHoursReported(Event, frozen=True, tag="trading-hours.reported"):
    """The broker said when a symbol trades in the coming days.

    `regular` are the hours in which most is traded, `extended` all of them. What could not be read
    is in `unread`, word for word.
    """

    symbol: Symbol
    regular: tuple[ReportedHours, ...] = ()
    extended: tuple[ReportedHours, ...] = ()
    unread: str = ""
