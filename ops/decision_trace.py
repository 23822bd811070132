"""The decisions out of a journal, the newest first, and their counts for machines."""

from collections.abc import Callable, Iterator
from functools import lru_cache

from events import (
    ClientOrderId,
    IntentApproved,
    IntentRefused,
    JournalOpened,
    OrderIntended,
    SessionStarted,
    StrategyDeclined,
)
from events.journal import JournalReader
from ops.decision_counts import (
    GROUPINGS,
    SHADOW_MOVES,
    Decision,
    SessionModes,
    ShadowTimes,
    counted,
    decisions_in,
)
from ops.render import NOTHING

_KINDS = (StrategyDeclined, IntentApproved, IntentRefused)


def mode_of(reader: JournalReader) -> str:
    """Return the mode of the journal."""
    begun = _begun(reader)
    return begun.mode if begun else NOTHING


def newest_decisions(
    reader: JournalReader, upto: int | None = None, after: int = 0
) -> Iterator[Decision]:
    """Yield the decisions with `after` < seq <= `upto`, the newest first."""
    sessions = reversed(list(reader.records_back(kinds=(SessionStarted,))))
    modes = SessionModes(_begun(reader), sessions)
    newest = reader.records_back(upto, after=after, kinds=_KINDS)
    return decisions_in(newest, _intents(reader), shadow_times(reader), modes)


def fields_of(mode: str, decisions: list[Decision], top: int) -> dict[str, object]:
    """Return the counts of `decisions` as machines get them."""
    groups = {name: counted(decisions, name, top) for name in GROUPINGS}
    by = {name: found for name, found in groups.items() if name != "data"}
    return {"mode": mode, "decisions": len(decisions), "data": groups["data"], "by": by}


def shadow_times(reader: JournalReader) -> ShadowTimes:
    """Return which strategies were in their shadow when."""
    return ShadowTimes(reversed(list(reader.records_back(kinds=SHADOW_MOVES))))


def _begun(reader: JournalReader) -> JournalOpened | None:
    first = reader.record(1)
    return first.event if first and isinstance(first.event, JournalOpened) else None


def _intents(reader: JournalReader) -> Callable[[ClientOrderId], OrderIntended | None]:
    @lru_cache(maxsize=10_000)
    def intent_of(order_id: ClientOrderId) -> OrderIntended | None:
        found = reader.find(OrderIntended, order_id)
        return found.event if found and isinstance(found.event, OrderIntended) else None

    return intent_of
