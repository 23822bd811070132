"""Recording an input without the daemon: its books, the input, and what the core makes of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from daemon.clock import SystemClock
from daemon.core.core import Core, CoreSettings
from daemon.history.snapshots import SnapshotFolder
from daemon.stopping.side_file import Offline
from events import JournalRestored, Mode, Record
from events.errors import JournalMissing
from events.journal import Head, Journal, JournalReader
from projections import State


def record(journal: Path, event: Offline | JournalRestored) -> Sequence[Record]:
    """Put `event`, and what it leads to, into the journal that nobody holds; return the records.

    Raises:
        JournalError: it cannot be read or written.
    """
    return asyncio.run(_record(journal, event))


async def _record(journal: Path, event: Offline | JournalRestored) -> Sequence[Record]:
    opened = await Journal.open(journal)
    try:
        state = _books(journal)
        # Nothing that may be told offline asks a strategy, whose code may be what is wrong.
        core = Core(state, [], CoreSettings())
        core.step(event, state.at if _is_of_the_past(state) else SystemClock().now())
        records = core.recorder.records
        await opened.append(records)
    finally:
        await opened.close()
    return records


def _books(journal: Path) -> State:
    """Return the books of `journal`, its rows read against the hash chain.

    Raises:
        JournalError: they cannot be read, or the journal has not been begun.
    """
    with JournalReader(journal) as reader:
        found = SnapshotFolder(journal).newest(reader)
        state = found.state if found else State()
        start = Head(found.seq, bytes.fromhex(found.row_hash)) if found else Head()
        for record in reader.verified_records(start):
            state.apply(record)
    if state.identity.opened is None:
        raise JournalMissing(f"{journal} has no first event yet", "start the daemon once")
    return state


def _is_of_the_past(state: State) -> bool:
    """Say whether the journal goes by the time of recorded bars, which this must not run ahead."""
    opened, feed = state.identity.opened, state.identity.config.get("feed")
    is_file = isinstance(feed, dict) and feed.get("kind") == "file"
    return is_file or (opened is not None and opened.mode is Mode.BACKTEST)
