"""Counting decisions: who decided what, and what stood in the way most often. Pure.

A strategy that declines says so when its answer changes, and then how often the answer before had
been given; so each answer is counted when the next one tells, and once as long as none has. Behind
an order strategies count afresh: how often they said what stood before it nobody knows, so once.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum

import msgspec

from events import (
    ClientOrderId,
    ConfigLoaded,
    DataMode,
    IntentApproved,
    IntentRefused,
    JournalOpened,
    OperatorShadowed,
    OrderIntended,
    Record,
    SessionStarted,
    StrategyDeclined,
    StrategyPromoted,
    Symbol,
    utc_from_nanoseconds,
)
from projections.data_modes import data_mode_of
from projections.strategies import SHADOW, shadowed_in

SHADOW_MOVES = (ConfigLoaded, OperatorShadowed, StrategyPromoted)
"""The events that say who is in shadow."""


class Outcome(StrEnum):
    """How a decision ended."""

    DECLINED = "declined"
    REFUSED = "refused"
    APPROVED = "approved"


class Blocker(msgspec.Struct, frozen=True):
    """What stood in the way: a strategy's own stage and reason, or a check of the gate."""

    source: str
    name: str


class Decision(msgspec.Struct, frozen=True):
    """One decision, made `evaluations` times in a row at least, and what stood in its way.

    In shadow an intent counts as approved that only the shadow kept from being sent.
    """

    seq: int
    day: date
    strategy: str
    symbol: Symbol
    data_mode: DataMode | None
    shadow: bool
    outcome: Outcome
    evaluations: int
    blockers: tuple[Blocker, ...]


class BlockerCount(msgspec.Struct, frozen=True):
    """How many evaluations it stood in the way of, of which share of all; `seq` was the last."""

    source: str
    name: str
    evaluations: int
    share: float
    seq: int


class Counts(msgspec.Struct, frozen=True):
    """One group of decisions. An intent that several checks refused counts for each of them."""

    group: str
    data_modes: list[str]
    decisions: int
    evaluations: int
    declined: int
    refused: int
    approved: int
    blockers: list[BlockerCount]


NO_MODE = "-"
"""Stands for the data mode of what no session decided."""
GROUPINGS: Mapping[str, Callable[[Decision], str]] = {
    "day": lambda decision: decision.day.isoformat(),
    "strategy": lambda decision: decision.strategy,
    "symbol": lambda decision: decision.symbol,
    "data_mode": lambda decision: str(decision.data_mode or NO_MODE),
    "data": lambda decision: "shadow" if decision.shadow else "live",
}
"""By what decisions are told apart; shadow and live never share a figure."""


def decisions_in(
    records: Iterable[Record],
    intended: Callable[[ClientOrderId], OrderIntended | None],
    in_shadow: Callable[[str, int], bool],
    mode_at: Callable[[int], DataMode | None],
) -> Iterator[Decision]:
    """Yield the decisions in `records`, which come newest first.

    `intended` finds an order's intent; `in_shadow` says of a strategy whether it only decided at
    an event, `mode_at` which data mode the session of an event had.
    """
    told: dict[tuple[str, Symbol], int] = {}
    for record in records:
        match record.event:
            case StrategyDeclined() as declined:
                whose = (declined.strategy, declined.symbol)
                times = max(told.pop(whose, 0), 1)
                told[whose] = declined.evaluations
                reason = Blocker("strategy", f"{declined.stage}: {declined.reason}")
                outcome, blockers = Outcome.DECLINED, [reason]
            case IntentApproved() | IntentRefused() as answer:
                intent = intended(answer.client_order_id)
                if intent is None:
                    continue
                whose, times = (intent.strategy, intent.symbol), 1
                failed = [check.name for check in answer.checks if not check.passed]
                blockers = [Blocker("gate", name) for name in failed if name != SHADOW]
                outcome = Outcome.REFUSED if blockers else Outcome.APPROVED
            case _:
                continue
        yield Decision(
            seq=record.seq,
            day=utc_from_nanoseconds(record.at).date(),
            strategy=whose[0],
            symbol=whose[1],
            data_mode=mode_at(record.seq),
            shadow=in_shadow(whose[0], record.seq),
            outcome=outcome,
            evaluations=times,
            blockers=tuple(blockers),
        )


class ShadowTimes:
    """Which strategies were in their shadow when, by the events that move one in or out."""

    def __init__(self, moves: Iterable[Record]) -> None:
        """Follow `moves`, oldest first; other events than `SHADOW_MOVES` tell nothing."""
        shadows, wanted = frozenset[str](), frozenset[str]()
        self._since = [0]
        self._shadows = [shadows]
        for record in moves:
            match record.event:
                case ConfigLoaded() as loaded:
                    before, wanted = wanted, shadowed_in(loaded.config)
                    shadows |= wanted - before
                case OperatorShadowed() as moved:
                    shadows |= {moved.strategy}
                case StrategyPromoted() as moved:
                    shadows -= {moved.strategy}
                case _:
                    continue
            self._since.append(record.seq)
            self._shadows.append(shadows)

    def __call__(self, strategy: str, seq: int) -> bool:
        """Say whether that strategy was in its shadow at event `seq`."""
        return strategy in self._shadows[bisect_right(self._since, seq) - 1]


class SessionModes:
    """Which data mode the journal was in when: that of the session under way."""

    def __init__(self, opened: JournalOpened | None, sessions: Iterable[Record]) -> None:
        """Follow `sessions`, oldest first, of the journal that `opened` has begun."""
        self._since = [0]
        self._modes: list[DataMode | None] = [None]
        for record in sessions:
            if opened is not None and isinstance(record.event, SessionStarted):
                self._since.append(record.seq)
                self._modes.append(data_mode_of(opened, record.event))

    def __call__(self, seq: int) -> DataMode | None:
        """Return the data mode at event `seq`, None before the first session."""
        return self._modes[bisect_right(self._since, seq) - 1]


def counted(decisions: Iterable[Decision], grouping: str, top: int) -> list[Counts]:
    """Return the counts of each group, by its name, with its `top` blockers."""
    groups: dict[str, list[Decision]] = {}
    for decision in decisions:
        groups.setdefault(GROUPINGS[grouping](decision), []).append(decision)
    return [_counts(name, groups[name], top) for name in sorted(groups)]


def _counts(group: str, decisions: list[Decision], top: int) -> Counts:
    outcomes: Counter[Outcome] = Counter()
    blocked: Counter[Blocker] = Counter()
    last: dict[Blocker, int] = {}
    for decision in decisions:
        outcomes[decision.outcome] += decision.evaluations
        for blocker in decision.blockers:
            blocked[blocker] += decision.evaluations
            last[blocker] = max(last.get(blocker, 0), decision.seq)
    evaluations = outcomes.total()
    # The most frequent first, and of equal ones the newest.
    ranked = sorted(blocked, key=lambda blocker: (-blocked[blocker], -last[blocker]))
    return Counts(
        group=group,
        data_modes=sorted({GROUPINGS["data_mode"](each) for each in decisions}),
        decisions=len(decisions),
        evaluations=evaluations,
        declined=outcomes[Outcome.DECLINED],
        refused=outcomes[Outcome.REFUSED],
        approved=outcomes[Outcome.APPROVED],
        blockers=[
            BlockerCount(
                each.source, each.name, blocked[each], blocked[each] / evaluations, last[each]
            )
            for each in ranked[:top]
        ],
    )
