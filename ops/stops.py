"""The two familiar words, kill switch and circuit breaker, read off the holds and the limits."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from events import KILL_SWITCH, HoldLevel, HoldPlaced, HoldScope, Trip
from ops.recorded_config import LossLimits, recorded_config
from ops.render import money, one_line, percent
from ops.sentences import HOW_IT_ENDS
from projections import State

_BY_HAND: Final = "operator"
"""The cause of a hold that a person has placed."""
_TRIPS: Final = frozenset(trip.value for trip in Trip)
_BELOW_AGAIN: Final = "until it is below its limit again"


class Tripped(msgspec.Struct, frozen=True):
    """What stops trading by itself, how far, on what (empty: everything), and what ends it."""

    cause: str
    level: HoldLevel
    target: str
    ends: str
    why: str


def is_kill(hold: HoldPlaced) -> bool:
    """Say whether `hold` is the kill switch's."""
    return hold.cause == KILL_SWITCH


def is_by_hand(hold: HoldPlaced) -> bool:
    """Say whether a person has placed `hold`, other than by the kill switch."""
    return hold.cause == _BY_HAND


def is_trip(hold: HoldPlaced) -> bool:
    """Say whether `hold` was placed by no person: by a trip, or else on everything."""
    if hold.cause in _TRIPS:
        return True
    return hold.scope is HoldScope.ALL and hold.cause not in {KILL_SWITCH, _BY_HAND}


def is_killed(state: State) -> bool:
    """Say whether the kill switch is engaged."""
    return any(map(is_kill, state.holds.active.values()))


def trips_of(state: State) -> list[Tripped]:
    """Return why trading is stopped or reduced by itself: holds, and losses at their limits.

    The figures of losses are those the gate holds against these limits at the next order.
    """
    held = [
        Tripped(hold.cause, hold.level, hold.target, HOW_IT_ENDS[hold.lifts], hold.why)
        for hold in state.holds.active.values()
        if is_trip(hold)
    ]
    causes = {each.cause for each in held}
    limits = recorded_config(state.identity.config).limits.account
    return held + [each for each in _losses(state, limits) if each.cause not in causes]


def kill_text(*, killed: bool) -> str:
    """Return the word for the kill switch."""
    return "ENGAGED" if killed else "off"


def breaker_text(trips: Iterable[Tripped]) -> str:
    """Return the word for the circuit breaker: ok, or each cause with what ends it."""
    causes = "; ".join(f"{one_line(each.cause)}{_on(each)}, {each.ends}" for each in trips)
    return f"TRIPPED ({causes})" if causes else "ok"


def _on(trip: Tripped) -> str:
    return f" on {one_line(trip.target)}" if trip.target else ""


def _losses(state: State, limits: LossLimits) -> Iterator[Tripped]:
    uncharged, pnl = state.cash.uncharged_max, state.pnl
    loss = uncharged - pnl.day_pnl
    if limits.max_daily_loss_usd is not None and loss >= limits.max_daily_loss_usd:
        why = f"the day's loss of {money(loss)} reached {money(limits.max_daily_loss_usd)}"
        yield Tripped(Trip.DAILY_LOSS, HoldLevel.REDUCE, "", _BELOW_AGAIN, why)
    if limits.max_drawdown is not None and pnl.peak_equity > 0:
        drawdown = 1 - (pnl.equity - uncharged) / pnl.peak_equity
        if drawdown >= limits.max_drawdown:
            why = f"the drawdown of {percent(drawdown)} reached {percent(limits.max_drawdown)}"
            yield Tripped(Trip.DRAWDOWN, HoldLevel.REDUCE, "", _BELOW_AGAIN, why)
