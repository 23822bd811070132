"""Replaying a whole journal: read, verify the chain, decode, fold every book.

The peer is the eventsourcing library reading as many of its own events, decoding each and mutating
one aggregate with it; it verifies nothing. Ours is also measured as recovery does it, with the
strategies and the gate deciding everything again.
"""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from daemon.history.recovery import open_recovery
from events.journal import Head, JournalReader
from ops.bench.measure import (
    Benchmark,
    Case,
    Figures,
    Readings,
    Result,
    Work,
    ours,
    peer,
    print_figures,
    ratio,
    run,
    typical,
)
from ops.bench.workload import source_journal
from projections import State

GOAL = 6.0
CASES = {"folds": "full replay", "redecided": "full replay, decided again"}


def prepare(work: Work) -> Sequence[Case]:
    """Return both of our replays and the peer's, over as many events."""
    count = work.replayed_events
    source = source_journal(work.folder, work.appended_events)
    theirs = work.folder / f"eventsourcing-{count}.db"
    if not theirs.exists():
        run(peer("peer_eventsourcing.py", "build", theirs, count))
    return (
        *(Case(name, ours("replay", name, source, count)) for name in CASES),
        Case("eventsourcing", peer("peer_eventsourcing.py", "replay", theirs, count)),
    )


def report(readings: Readings) -> list[Result]:
    """Return both of ours against the peer; the goal is on the folds."""
    theirs = f"eventsourcing {typical(readings, 'eventsourcing', 'per_s'):,.0f} events/s"
    results = []
    for name, what in CASES.items():
        times = ratio(readings, name, "eventsourcing", "per_s")
        has_goal = name == "folds"
        results.append(
            Result(
                benchmark="replay",
                what=what,
                figure=f"{typical(readings, name, 'per_s'):,.0f} events/s",
                against=theirs,
                ratio=times,
                goal=f">= {GOAL:.0f}" if has_goal else "",
                met=times >= GOAL if has_goal else None,
            )
        )
    return results


BENCHMARK = Benchmark("replay", prepare, report)


def fold_all(path: Path, count: int) -> int:
    """Fold the first `count` events of the journal at `path`; return the seq reached."""
    state = State()
    with JournalReader(path) as reader:
        for record in reader.verified_records(Head(), count):
            state.apply(record)
    return state.seq


def decide_all(path: Path, count: int) -> int:
    """Recover the journal at `path` up to `count` without a snapshot; return the seq reached."""
    with JournalReader(path) as reader:
        recovered = open_recovery(path, reader).recover(count, from_snapshot=False)
    assert not recovered.differences, "the journal was written by this very code"
    return recovered.state.seq


def main(name: str, source: str, count: str) -> None:
    """Measure one of both once."""
    replayed: dict[str, Callable[[Path, int], int]] = {"folds": fold_all, "redecided": decide_all}
    gc.collect()
    gc.freeze()
    started = time.perf_counter()
    seq = replayed[name](Path(source), int(count))
    taken_s = time.perf_counter() - started
    assert seq == int(count), f"{source} has only {seq} events"
    figures: Figures = {"per_s": seq / taken_s}
    print_figures(figures)


if __name__ == "__main__":
    main(*sys.argv[1:])
