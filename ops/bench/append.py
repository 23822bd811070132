"""Appending in bulk: the journal, 1,000 events a commit, against SQLite's own executemany.

Ours pays for encoding, the hash chain, the append-only trigger and the witness, and goes through
asyncio; SQLite is handed finished rows. Both write the same rows with synchronous=FULL.
"""

import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from events import Record
from events.journal import Journal, JournalReader
from ops.bench.measure import (
    Benchmark,
    Case,
    Figures,
    Readings,
    Result,
    Work,
    ours,
    print_figures,
    ratio,
    raw,
    typical,
)
from ops.bench.workload import source_journal

EVENTS_A_COMMIT = 1_000
GOAL = 0.60


def prepare(work: Work) -> Sequence[Case]:
    """Return the two ways to write the events of a finished journal again."""
    source = source_journal(work.folder, work.appended_events)
    given = (source, work.appended_events, work.folder)
    return (
        Case("journal", ours("append", *given)),
        Case("sqlite", raw("peer_raw_sqlite.py", "bulk", *given)),
    )


def report(readings: Readings) -> list[Result]:
    """Return what came of it."""
    share = ratio(readings, "journal", "sqlite", "per_s")
    return [
        Result(
            benchmark="append",
            what="append, 1,000 events a commit",
            figure=f"{typical(readings, 'journal', 'per_s'):,.0f} events/s",
            against=f"executemany {typical(readings, 'sqlite', 'per_s'):,.0f} rows/s",
            ratio=share,
            goal=f">= {GOAL:.2f}",
            met=share >= GOAL,
        )
    ]


BENCHMARK = Benchmark("append", prepare, report)


async def append_all(records: Sequence[Record], path: Path) -> Figures:
    """Append `records` to a new journal at `path` as the engine would, checkpoints included."""
    journal = await Journal.open(path)
    gc.collect()
    gc.freeze()
    started = time.perf_counter()
    # Event 1 names the journal and is always alone in its commit.
    await journal.append(records[:1])
    for first in range(1, len(records), EVENTS_A_COMMIT):
        await journal.append(records[first : first + EVENTS_A_COMMIT])
        if journal.checkpoint_due:
            await journal.checkpoint()
    taken_s = time.perf_counter() - started
    await journal.close()
    return {"per_s": len(records) / taken_s}


def main(source: str, count: str, folder: str) -> None:
    """Measure once, over the first `count` events of `source`."""
    with JournalReader(Path(source)) as reader:
        records = list(reader.records(upto=int(count)))
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        print_figures(uvloop.run(append_all(records, Path(fresh) / "journal.db")))


if __name__ == "__main__":
    main(*sys.argv[1:])
