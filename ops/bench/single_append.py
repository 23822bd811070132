"""One durable event at a time: how long `append` takes against a bare one-row commit.

The journal's append hops to its thread and back, and makes the witness durable after the commit:
two flushes where the bare commit has one.
"""

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles

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

GOAL = 2.5
LOGS = ("default", "growing", "recycled")


def prepare(work: Work) -> Sequence[Case]:
    """Return our two event loops and SQLite with its log in three conditions."""
    given = (source_journal(work.folder, work.appended_events), work.single_commits, work.folder)
    return (
        *(Case(loop, ours("single_append", loop, *given)) for loop in ("uvloop", "asyncio")),
        *(Case(log, raw("peer_raw_sqlite.py", log, *given)) for log in LOGS),
    )


def report(readings: Readings) -> list[Result]:
    """Return both loops against each condition; the goal is on SQLite as it is by default."""
    return [_result(readings, loop, log) for loop in ("uvloop", "asyncio") for log in LOGS]


def _result(readings: Readings, loop: str, log: str) -> Result:
    times = ratio(readings, loop, log, "p50_us")
    has_goal = log == "default"
    return Result(
        benchmark="single_append",
        what=f"one durable append, {loop}",
        figure=f"p50 {typical(readings, loop, 'p50_us'):,.0f} us",
        against=f"one-row commit, {log} log {typical(readings, log, 'p50_us'):,.0f} us",
        ratio=times,
        goal=f"<= {GOAL}" if has_goal else "",
        met=times <= GOAL if has_goal else None,
    )


BENCHMARK = Benchmark("single_append", prepare, report)


async def append_singly(records: Sequence[Record], path: Path) -> Figures:
    """Append `records` one by one to a new journal at `path`, each awaited."""
    journal = await Journal.open(path)
    gc.collect()
    gc.freeze()
    taken_us = []
    for record in records:
        started = time.perf_counter_ns()
        await journal.append((record,))
        taken_us.append((time.perf_counter_ns() - started) / 1_000)
        if journal.checkpoint_due:
            await journal.checkpoint()
    await journal.close()
    return {"p50_us": median(taken_us), "p99_us": quantiles(taken_us, n=100)[98]}


def main(loop: str, source: str, count: str, folder: str) -> None:
    """Measure once on that event loop, over the first `count` events of `source`."""
    with JournalReader(Path(source)) as reader:
        records = list(reader.records(upto=int(count)))
    run = uvloop.run if loop == "uvloop" else asyncio.run
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        print_figures(run(append_singly(records, Path(fresh) / "journal.db")))


if __name__ == "__main__":
    main(*sys.argv[1:])
