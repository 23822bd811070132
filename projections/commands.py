"""What operators have told the daemon: the last commands, and the flattening still under way."""

from collections.abc import Iterable

import msgspec

from events import CommandRefused, OperatorFlattenAsked, OperatorReloaded, OrderIntended, Symbol
from events.codec import Command

COMMANDS_KEPT = 1_000
"""Commands remembered by id; one sent again for want of an answer comes within minutes."""


class Commands(msgspec.Struct):
    """`taken` maps a command's id to its seq. `flattening` maps a symbol to its command.

    A symbol stays in `flattening` until the order that closes its position is intended, or there is
    nothing left to close. `reloading` holds from an operator's reload to its configuration.
    """

    taken: dict[str, int] = {}
    reloading: bool = False
    flattening: dict[Symbol, OperatorFlattenAsked] = {}

    def take(self, command: Command, seq: int) -> None:
        """Remember `command`."""
        self.taken[command.command_id] = seq
        self.reloading = isinstance(command, OperatorReloaded)
        if len(self.taken) > COMMANDS_KEPT:
            del self.taken[next(iter(self.taken))]

    def flatten(self, command: OperatorFlattenAsked, busy: Iterable[Symbol]) -> None:
        """Take up what `command` is to close, out of the symbols with a position or open orders.

        What is being closed already goes on, unless the broker is to be trusted from here.
        """
        for symbol in busy:
            is_news = symbol not in self.flattening or command.trust_broker
            if is_news and command.symbol in {None, symbol}:
                self.flattening[symbol] = command

    def refuse(self, event: CommandRefused) -> None:
        """Drop what was taken up for a command that is not carried out."""
        self.flattening = {
            symbol: command
            for symbol, command in self.flattening.items()
            if command.command_id != event.command_id
        }

    def keep(self, busy: Iterable[Symbol]) -> None:
        """Drop the symbols in which there is nothing left to close."""
        self.flattening = {
            symbol: command for symbol, command in self.flattening.items() if symbol in busy
        }

    def close(self, intended: OrderIntended) -> None:
        """Note that an order which closes a position is made."""
        if intended.closing:
            self.flattening.pop(intended.symbol, None)
