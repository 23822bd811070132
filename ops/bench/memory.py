"""Memory over a long run: how much the process grows while millions of bars stream through it.

Growth is counted from the point where a twentieth of the bars are through, when every book, window
and cache has its working size, to the end.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from daemon import app
from ops.bench.measure import (
    Benchmark,
    Case,
    Figures,
    Readings,
    Result,
    Work,
    ours,
    print_figures,
    typical,
)
from ops.bench.workload import synthetic

GOAL_MB = 50.0
WARM_SHARE = 20
PAGE_BYTES = 4096


def prepare(work: Work) -> Sequence[Case]:
    """Return the long run."""
    return (Case("stream", ours("memory", work.memory_bars, work.folder)),)


def report(readings: Readings) -> list[Result]:
    """Return the growth."""
    grown_mb = typical(readings, "stream", "grown_mb")
    bars = typical(readings, "stream", "bars")
    return [
        Result(
            benchmark="memory",
            what=f"memory over {bars:,.0f} bars",
            figure=f"{grown_mb:+.1f} MB",
            against=f"of {typical(readings, 'stream', 'warm_mb'):,.0f} MB once warm",
            ratio=None,
            goal=f"< {GOAL_MB:.0f} MB",
            met=grown_mb < GOAL_MB,
        )
    ]


BENCHMARK = Benchmark("memory", prepare, report, rounds_max=1)


class Watch:
    """Counts bars, and looks at the memory once the run is warm and at every block after."""

    def __init__(self, bars: int) -> None:
        """Start before the first of `bars`."""
        self.warm_after = bars // WARM_SHARE
        self.bars = 0
        self.warm_mb = 0.0
        self.most_mb = 0.0

    def advance(self, count: int) -> None:
        """Take note of `count` more bars."""
        self.bars += count
        if self.bars >= self.warm_after:
            now_mb = resident_mb()
            self.warm_mb = self.warm_mb or now_mb
            self.most_mb = max(self.most_mb, now_mb)


def resident_mb() -> float:
    """Return the memory this process occupies, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


def stream(bars: int, folder: Path) -> Figures:
    """Run the daemon over `bars` made-up bars and watch it."""
    watch = Watch(bars)
    started = time.perf_counter()
    uvloop.run(
        app.run(
            synthetic(bars),
            folder,
            folder / "journal.db",
            started=lambda _prepared: None,
            progress=watch.advance,
        )
    )
    return {
        "bars": watch.bars,
        "warm_mb": watch.warm_mb,
        "grown_mb": watch.most_mb - watch.warm_mb,
        "per_s": watch.bars / (time.perf_counter() - started),
    }


def main(bars: str, folder: str) -> None:
    """Measure once."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        print_figures(stream(int(bars), Path(fresh)))


if __name__ == "__main__":
    main(*sys.argv[1:])
