"""What is known of each symbol's contract, and of what may be sold short of it."""

from typing import assert_never

import msgspec

from events import ContractResolved, ShortSaleReported, Symbol


class Instruments(msgspec.Struct):
    """The newest word on each symbol."""

    contracts: dict[Symbol, ContractResolved] = {}
    short_sales: dict[Symbol, ShortSaleReported] = {}

    def apply(self, event: ContractResolved | ShortSaleReported) -> None:
        """Take the newest word on a symbol; the one before it is over."""
        match event:
            case ContractResolved():
                self.contracts[event.symbol] = event
            case ShortSaleReported():
                self.short_sales[event.symbol] = event
            case _:
                assert_never(event)
