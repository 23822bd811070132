"""On which terms a position may be closed: also one in a symbol that is not configured any more."""

from typing import Final, Protocol

from events import Mode, Symbol, SymbolTerms
from projections.calendar import Calendar
from projections.instruments import Instruments
from projections.journal_identity import JournalIdentity

_US_EXCHANGES: Final = ("NYSE", "NASDAQ")
"""They keep the same hours; the contract behind a position in a US stock trades at one of them."""


class Books(Protocol):
    """What of the books is needed here."""

    identity: JournalIdentity
    calendar: Calendar
    instruments: Instruments
    symbols: dict[Symbol, SymbolTerms]


def closing_terms(books: Books, symbol: Symbol) -> SymbolTerms | None:
    """Return the terms on which an order may close what is held of `symbol`, None where none may.

    What is not configured is closed in whole shares and regular hours only, at a broker outside
    that has named the contract behind the position. There is no price of it: an order that closes
    at the market needs none.
    """
    configured = books.symbols.get(symbol)
    opened = books.identity.opened
    if configured is not None or opened is None:
        return configured
    if opened.mode not in {Mode.BROKER_PAPER, Mode.LIVE}:
        return None  # A broker inside has no bars of it, and would never fill.
    known = [each for each in _US_EXCHANGES if each in books.calendar.exchanges]
    if symbol not in books.instruments.contracts or not known:
        return None
    return SymbolTerms(known[0], enforce_hours=True, extended_hours=False)
