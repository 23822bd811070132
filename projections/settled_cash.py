"""Cash that a cash account may spend: what is there less what has not settled yet. US dollars."""

from datetime import datetime
from decimal import Decimal

from projections.state import State

_ZERO = Decimal(0)


def settled_cash(state: State, moment: datetime) -> Decimal:
    """Return what has settled by `moment`, commissions to come taken off at their most."""
    sessions = state.calendar.exchanges.get(state.calendar.day_exchange)
    proceeds = state.settlement.proceeds
    waiting = (
        state.settlement.unsettled(sessions, moment)
        if sessions is not None
        else sum(proceeds.values(), _ZERO)
    )
    uncharged = state.cash.uncharged_max if state.cash.uncharged else _ZERO
    return state.cash.balance - uncharged - waiting
