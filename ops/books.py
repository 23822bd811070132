"""The books of a journal, for reading: newest usable snapshot, then the events behind it.

No strategy is loaded and nothing is proved: `traded verify` and `traded replay` do that.
"""

from contextlib import suppress

import msgspec

from daemon.core.strategy_runs import StrategyMemory
from daemon.history.snapshots import SnapshotFolder
from events.journal import JournalReader
from ops.render import progress
from projections import State
from projections.snapshot import Snapshot

_WORTH_A_BAR = 20_000
"""Events; fewer are folded before anybody could read a progress bar."""


class Books(msgspec.Struct):
    """The state after its own `seq`; what strategies remembered as of `snapshot_seq`, by name."""

    state: State
    snapshot_seq: int
    memories: dict[str, StrategyMemory]


def read_books(reader: JournalReader, upto: int | None = None) -> Books:
    """Return the books after row `upto` (None: the last one).

    Raises:
        JournalDamaged, UnknownEvent: a row on the way cannot be read.
    """
    last = upto if upto is not None else reader.head().seq
    snapshot = SnapshotFolder(reader.path).newest(reader, last)
    state = snapshot.state if snapshot else State()
    start = state.seq
    if last - start < _WORTH_A_BAR:
        for record in reader.records(start, last):
            state.apply(record)
    else:
        with progress("events folded", last - start) as reached:
            for record in reader.records(start, last):
                state.apply(record)
                if not record.seq % _WORTH_A_BAR:
                    reached(record.seq - start)
    return Books(state, start, _memories(snapshot))


def _memories(snapshot: Snapshot | None) -> dict[str, StrategyMemory]:
    """Return what the snapshot holds of each strategy besides the strategy's own fields.

    Code that kept its memory in another form leaves a strategy without: it only saves counting.
    """
    memories = {}
    for name, part in snapshot.strategies.items() if snapshot else ():
        with suppress(msgspec.ValidationError):
            kind = tuple[msgspec.Raw, StrategyMemory]
            memories[name] = msgspec.json.decode(part.fields, type=kind)[1]
    return memories
