"""Which symbols the exchange has halted."""

from typing import assert_never

import msgspec

from events import Symbol, SymbolHalted, SymbolResumed


class Halts(msgspec.Struct):
    """The halts in force, by symbol."""

    active: dict[Symbol, SymbolHalted] = {}

    def apply(self, event: SymbolHalted | SymbolResumed) -> None:
        """Halt or resume one symbol; what is so already stays so."""
        match event:
            case SymbolHalted():
                self.active[event.symbol] = event
            case SymbolResumed():
                self.active.pop(event.symbol, None)
            case _:
                assert_never(event)
