"""Coming back after a crash: a long journal, its newest snapshot 10,000 events before the end.

The time runs from `Journal.open` to the recovered state: lock, witness, snapshot, then the tail
read, verified, folded and decided again.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from daemon.history.recovery import Recovered, open_recovery
from events.journal import Journal, JournalReader
from ops.bench.measure import (
    Benchmark,
    Case,
    Readings,
    Result,
    Work,
    ours,
    print_figures,
    run,
    typical,
)
from ops.bench.workload import BARS_AN_EVENT, synthetic, trade

TAIL_EVENTS = 10_000
SECOND_RUN = "2020-01-06"
GOAL_S = 1.0
MIB = 2**20


def prepare(work: Work) -> Sequence[Case]:
    """Build the journal, which takes minutes, and return its recovery."""
    journal = work.folder / f"recovery-{work.recovery_events}.db"
    if not journal.exists():
        run(ours("recovery", "build", journal, work.recovery_events))
    return (Case("recovery", ours("recovery", "recover", journal)),)


def report(readings: Readings) -> list[Result]:
    """Return how long it took."""
    taken_s = typical(readings, "recovery", "s")
    events = typical(readings, "recovery", "events")
    size_mib = typical(readings, "recovery", "mib")
    tail = typical(readings, "recovery", "tail")
    return [
        Result(
            benchmark="recovery",
            what=f"recovery, {events:,.0f} events, {size_mib:,.0f} MiB",
            figure=f"{taken_s:.3f} s",
            against=f"snapshot and {tail:,.0f} events behind it",
            ratio=None,
            goal=f"< {GOAL_S:.0f} s",
            met=taken_s < GOAL_S,
        )
    ]


BENCHMARK = Benchmark("recovery", prepare, report)


def build(journal: Path, events: int) -> dict[str, float]:
    """Make a journal of about so many events whose newest snapshot is a tail before its end.

    It is two runs: one that ends with its snapshot, and one, years later, that loses its own.
    """
    bars = int((events - TAIL_EVENTS) * BARS_AN_EVENT)
    trade(synthetic(bars, snapshot_every_events=events), journal)
    tail = int(TAIL_EVENTS * BARS_AN_EVENT)
    trade(synthetic(tail, first_day=SECOND_RUN, snapshot_every_events=events), journal)
    snapshots = sorted(journal.with_name(journal.name + ".snapshots").glob("*.json"))
    snapshots[-1].unlink()
    return {"mib": journal.stat().st_size / MIB}


async def recover(path: Path) -> Recovered:
    """Open the journal for writing and recover what it says."""
    journal = await Journal.open(path)
    with JournalReader(path) as reader:
        recovered = open_recovery(path, reader).recover()
    await journal.close()
    return recovered


def main(what: str, journal: str, events: str = "0") -> None:
    """Build the journal, or measure its recovery once."""
    path = Path(journal)
    if what == "build":
        print_figures(build(path, int(events)))
        return
    gc.collect()
    gc.freeze()
    started = time.perf_counter()
    recovered = asyncio.run(recover(path))
    taken_s = time.perf_counter() - started
    assert not recovered.differences, "the journal was written by this very code"
    print_figures(
        {
            "s": taken_s,
            "tail": recovered.events_folded,
            "events": recovered.head.seq,
            "mib": path.stat().st_size / MIB,
        }
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
