"""What follows where the live data of a symbol does not come, or comes late.

Pure. The symbol is held with REDUCE, as with data that is too old: what makes a position smaller
may pass. An operator lifts it, for only a person can mend what is behind it.
"""

from collections.abc import Iterator
from typing import Final

from events import (
    DataTrouble,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    MarketDataImpaired,
)
from projections import State

IMPAIRED: Final = "MARKET_DATA_IMPAIRED"
"""The cause of the hold on a symbol without live data."""
_SUBSCRIBE: Final = "subscribe to its exchange's data at the broker, or drop it from [symbols]"
NEXT_STEP: Final = {
    DataTrouble.DELAYED: _SUBSCRIBE,
    DataTrouble.NO_PERMISSION: _SUBSCRIBE,
    DataTrouble.ANOTHER_LOGIN: "end the other session of this user, or give traded its own",
    DataTrouble.NO_LINE_LEFT: "trade fewer symbols, or buy more market-data lines",
}
"""What a person does about it: it stands first, for a long text is cut where many are shown."""
_BY: Final = "core"


def impaired_data(state: State, event: MarketDataImpaired, root: int) -> Iterator[HoldPlaced]:
    """Yield the hold on the symbol, one at a time; none where the data is accepted as it is."""
    if event.accepted or state.holds.stands(IMPAIRED, event.symbol):
        return
    yield HoldPlaced(
        hold_id=f"{IMPAIRED}-{event.symbol}-{root}",
        scope=HoldScope.SYMBOL,
        level=HoldLevel.REDUCE,
        cause=IMPAIRED,
        by=_BY,
        why=f"{event.trouble}: {NEXT_STEP[event.trouble]} ({event.said})",
        lifts=HoldLifts.OPERATOR,
        target=event.symbol,
        subject=event.symbol,
    )
