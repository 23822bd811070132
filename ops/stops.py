"""The two familiar words, kill switch and circuit breaker, read off the holds and the limits."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from daemon.core.operator_desk import LIFTED_BY_RESUME
from events import KILL_SWITCH, BreakOpened, HoldLevel, HoldPlaced, HoldScope, Trip
from ops.recorded_config import LossLimits, recorded_config
from ops.render import money, one_line, percent
from ops.sentences import HOW_IT_ENDS
from projections import State
from projections.strategies import FAILED

RESOLVE_ALL: Final = 'traded resolve --all --adopt --why "what you found"'
"""What ends every break where the broker is right."""
_WHY: Final = '--why "what you found"'
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


class Ending(msgspec.Struct, frozen=True):
    """What to look at before a hold is ended, and the command that ends it: what is typed."""

    look: str
    command: str


def ending_of(hold: HoldPlaced) -> Ending:
    """Return how a person ends `hold`, also where it would end by itself."""
    if hold.cause == Trip.RECONCILIATION_BREAK:
        return Ending("traded breaks", _resolve(hold.subject) if hold.subject else RESOLVE_ALL)
    if hold.cause in LIFTED_BY_RESUME:
        return Ending("traded ready", f"traded resume {_WHY}")
    if hold.cause == FAILED:
        return Ending("traded status", f"traded resume {_word(hold.target)} {_WHY}")
    return Ending("traded holds", f"traded lift {_word(hold.hold_id)} {_WHY}")


def end_of_break(opened: BreakOpened) -> str:
    """Return the command that ends a break where the broker is right."""
    return _resolve(opened.break_id)


def _resolve(break_id: str) -> str:
    return f"traded resolve {_word(break_id)} --adopt {_WHY}"


def _word(text: str) -> str:
    """Return `text` as one word of a shell, whatever is in it."""
    return shlex.quote(one_line(text))


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
