"""The margin the paper broker asks for: Regulation T's, half of every position and later a quarter.

Of orders it says what holds once they are filled at the last price; what else is on order is for
the gate to reckon with.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from events import MarginReported, MarginUnavailable, OrderIntended
from projections import State

INITIAL: Final = Decimal("0.50")
MAINTENANCE: Final = Decimal("0.25")


def margin_after(
    state: State, request_id: str, intents: Sequence[OrderIntended]
) -> MarginReported | MarginUnavailable:
    """Return what the account would need, and have, with `intents` filled."""
    held = {symbol: position.quantity for symbol, position in state.positions.account.items()}
    for intent in intents:
        held[intent.symbol] = held.get(intent.symbol, Decimal(0)) + intent.quantity
    worth = Decimal(0)
    for symbol, quantity in held.items():
        price = state.market.price(symbol) if quantity else Decimal(0)
        if price is None:
            return MarginUnavailable(request_id, f"no price of {symbol} is known")
        worth += abs(quantity) * price
    return MarginReported(request_id, worth * INITIAL, worth * MAINTENANCE, state.pnl.equity)
