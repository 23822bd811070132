"""The contracts the simulated gateway knows, and what it answers who asks for one. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from zlib import crc32

import msgspec

from ops.gateway_sim.hours import ZONE_NAME, Hours, new_york_day
from ops.gateway_sim.terms import Contract, ContractDetails

Error = tuple[int, str]
"""An error's code and text."""

NO_DEFINITION: Final = (200, "No security definition has been found for the request")
SMART: Final = "SMART"
STOCK: Final = "STK"

MARKET_RULE: Final = 26
"""The id of the rule that the tick is a cent at every price."""

_HOURS_DAYS: Final = 6
_SAMPLES_MAX: Final = 16
_ORDER_TYPES: Final = (
    "ACTIVETIM,AD,ADJUST,ALERT,ALLOC,AVGCOST,BASKET,COND,COND_IDENT,DAY,DEACT,DEACTDIS,GAT,GTC,GTD,"
    "IOC,LIT,LMT,LOC,MIT,MKT,MOC,NGCOMB,NONALGO,OCA,OPG,OPGREROUT,PREOPGRTH,RTH,SCALE,SNAPMID,"
    "STP,STPLMT,TRAIL,TRAILLIT,TRAILLMT,TRAILMIT,WHATIF"
)
_KNOWN_IDS: Final = {
    "AAPL": (265598, "NASDAQ", "APPLE INC"),
    "AIG": (61319701, "NYSE", "AMERICAN INTERNATIONAL GROUP"),
    "AMZN": (3691937, "NASDAQ", "AMAZON.COM INC"),
    "BAC": (10098, "NYSE", "BANK OF AMERICA CORP"),
    "GOOG": (208813720, "NASDAQ", "ALPHABET INC-CL C"),
    "IBM": (8314, "NYSE", "INTL BUSINESS MACHINES CORP"),
    "MSFT": (272093, "NASDAQ", "MICROSOFT CORP"),
    "NVDA": (4815747, "NASDAQ", "NVIDIA CORP"),
    "QQQ": (320227571, "NASDAQ", "INVESCO QQQ TRUST SERIES 1"),
    "SPY": (756733, "ARCA", "SPDR S&P 500 ETF TRUST"),
    "TSLA": (76792991, "NASDAQ", "TESLA INC"),
}
_MADE_UP_IDS_FROM: Final = 1_000_000_000
_MADE_UP_IDS: Final = 1_000_000_000
"""So that every id fits into the protocol's 31 bits."""


class Listing(msgspec.Struct, frozen=True):
    """One stock on its primary exchange."""

    symbol: str
    con_id: int
    primary_exchange: str
    name: str
    currency: str = "USD"
    min_tick: Decimal = Decimal("0.01")
    trades_smart: bool = True

    @property
    def contract(self) -> Contract:
        """The contract as the gateway writes it."""
        return Contract(
            con_id=self.con_id,
            symbol=self.symbol,
            security_type=STOCK,
            exchange=SMART if self.trades_smart else self.primary_exchange,
            primary_exchange=self.primary_exchange,
            currency=self.currency,
            local_symbol=self.symbol,
            trading_class="NMS" if self.primary_exchange == "NASDAQ" else self.symbol,
        )

    @property
    def exchanges(self) -> tuple[str, ...]:
        """Where it may be routed to."""
        if not self.trades_smart:
            return (self.primary_exchange,)
        return (SMART, self.primary_exchange, "ISLAND", "BYX")


def us_stock(symbol: str) -> Listing:
    """Return a US listing of `symbol`, with its real id where it is a well-known one."""
    if symbol in _KNOWN_IDS:
        return Listing(symbol, *_KNOWN_IDS[symbol])
    return Listing(symbol, made_up_id(f"{symbol}.USD"), "NYSE", f"{symbol} INC")


def mexican_twin(listing: Listing) -> Listing:
    """Return the same stock in Mexico: why a request without a currency is ambiguous."""
    con_id = made_up_id(f"{listing.symbol}.MXN")
    return Listing(listing.symbol, con_id, "MEXI", listing.name, "MXN", trades_smart=False)


def american_twin(symbol: str) -> Listing:
    """Return another US stock of that symbol: why one needs its primary exchange."""
    return Listing(symbol, made_up_id(f"{symbol}.AMEX"), "AMEX", f"{symbol} HOLDINGS")


def made_up_id(name: str) -> int:
    """Return a contract id for `name`, the same each time."""
    return _MADE_UP_IDS_FROM + crc32(name.encode()) % _MADE_UP_IDS


def venue(contract: Contract) -> str:
    """Return where a contract trades as the gateway's messages name it: `NASDAQ.NMS`, `NYSE`."""
    is_nasdaq = contract.primary_exchange == "NASDAQ"
    return f"{contract.primary_exchange}.NMS" if is_nasdaq else contract.primary_exchange


class Contracts:
    """All listings. The gateway answers 200 for what it does not know and for what is ambiguous."""

    def __init__(self, listings: Iterable[Listing], hours: Hours) -> None:
        """Know `listings`, all open in `hours`."""
        self._hours = hours
        self._by_symbol: dict[str, list[Listing]] = {}
        self._by_id: dict[int, Listing] = {}
        for listing in listings:
            self.add(listing)

    def add(self, listing: Listing) -> None:
        """Know one more."""
        if listing.con_id in self._by_id:
            raise ValueError(f"{listing.symbol}: the contract id {listing.con_id} is taken")
        self._by_id[listing.con_id] = listing
        self._by_symbol.setdefault(listing.symbol, []).append(listing)

    def __contains__(self, symbol: str) -> bool:
        """Tell whether there is any listing of `symbol`."""
        return symbol in self._by_symbol

    def listing(self, con_id: int) -> Listing:
        """Return the listing with that id, which must be known."""
        return self._by_id[con_id]

    def matching(self, wanted: Contract) -> list[Listing]:
        """Return the listings that fit everything `wanted` says."""
        if wanted.con_id:
            found = [self._by_id[wanted.con_id]] if wanted.con_id in self._by_id else []
        else:
            found = self._by_symbol.get(wanted.symbol or wanted.local_symbol, [])
        return [listing for listing in found if _fits(listing, wanted)]

    def resolve(self, wanted: Contract) -> Contract | Error:
        """Return the one contract that orders and data requests mean, or error 200."""
        found = self.matching(wanted)
        if not found:
            return NO_DEFINITION
        if len(found) > 1:
            return 200, f"The contract description specified for {wanted.symbol} is ambiguous."
        contract = found[0].contract
        if wanted.exchange:
            return msgspec.structs.replace(contract, exchange=wanted.exchange)
        # Requests that need an exchange and get none are refused, though the contract is clear.
        if wanted.con_id:
            return contract
        return 321, "Error validating request.-'bN' : cause - Please enter exchange"

    def details(self, wanted: Contract, now: datetime) -> Sequence[ContractDetails] | Error:
        """Return everything known of every contract that fits, or error 200."""
        found = self.matching(wanted)
        return [self._detailed(listing, now) for listing in found] if found else NO_DEFINITION

    def beginning_with(self, pattern: str, now: datetime) -> Sequence[ContractDetails]:
        """Return the listings whose symbol or name begins like `pattern`."""
        start = pattern.upper()
        found = [
            listing
            for listing in self._by_id.values()
            if start and (listing.symbol.startswith(start) or listing.name.startswith(start))
        ]
        return [self._detailed(listing, now) for listing in found[:_SAMPLES_MAX]]

    def _detailed(self, listing: Listing, now: datetime) -> ContractDetails:
        day = new_york_day(now)
        exchanges = ",".join(listing.exchanges)
        return ContractDetails(
            contract=listing.contract,
            market_name=listing.contract.trading_class,
            min_tick=listing.min_tick,
            order_types=_ORDER_TYPES,
            valid_exchanges=exchanges,
            long_name=listing.name,
            time_zone=ZONE_NAME,
            trading_hours=self._hours.spelled(day, _HOURS_DAYS, regular=False),
            liquid_hours=self._hours.spelled(day, _HOURS_DAYS, regular=True),
            market_rule_ids=",".join(f"{MARKET_RULE}" for _ in listing.exchanges),
        )


def _fits(listing: Listing, wanted: Contract) -> bool:
    known = listing.contract
    return (
        wanted.security_type in {"", STOCK}
        and wanted.symbol in {"", known.symbol}
        and wanted.currency in {"", known.currency}
        and wanted.exchange in {"", *listing.exchanges}
        and wanted.primary_exchange in {"", known.primary_exchange}
        and wanted.local_symbol in {"", known.local_symbol}
        and wanted.trading_class in {"", known.trading_class}
    )
