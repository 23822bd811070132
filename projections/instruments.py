"""What is known of each symbol's contract, when it trades, and what may be sold short of it."""

from typing import assert_never

import msgspec

from events import ContractResolved, ShortSaleReported, Symbol, TradingHoursReported


class Instruments(msgspec.Struct):
    """The newest word on each symbol."""

    contracts: dict[Symbol, ContractResolved] = {}
    short_sales: dict[Symbol, ShortSaleReported] = {}
    hours: dict[Symbol, TradingHoursReported] = {}

    def apply(self, event: ContractResolved | ShortSaleReported | TradingHoursReported) -> None:
        """Take the newest word on a symbol; the one before it is over."""
        match event:
            case ContractResolved():
                self.contracts[event.symbol] = event
            case ShortSaleReported():
                self.short_sales[event.symbol] = event
            case TradingHoursReported():
                self.hours[event.symbol] = event
            case _:
                assert_never(event)
