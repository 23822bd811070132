"""Live bars of many symbols: feed, core and journal against a simulated gateway, in real time.

The gateway is a process of its own and says a five-second bar of every symbol every five seconds;
the daemon here takes them as it would Interactive Brokers', a strategy over all of them. Beside it
a task asks to be woken every few milliseconds: how late it is, is how long the loop was busy.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles

import uvloop

from daemon.simulated_time import SimulatedClock
from events import BarClosed, Record
from ops.bench.live_gateway import a_daemon, a_gateway, names
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

GOAL_LAG_MS = 100.0
PART_S = 5
WAKE_S = 0.005
PATIENCE_S = 300.0
STRATEGY = """
[strategies.trend]
class = "daemon.strategies.moving_average:MovingAverage"
params = { fast = 5, slow = 20, shares = 10 }
"""


def prepare(work: Work) -> Sequence[Case]:
    """Return the one case."""
    return (Case("live", ours("live_bars", work.live_symbols, work.live_seconds, work.folder)),)


def report(readings: Readings) -> list[Result]:
    """Return how late the loop was, and whether every bar came."""

    def of(figure: str) -> float:
        return typical(readings, "live", figure)

    lag_ms, lost = of("lag_p99_ms"), of("bars_due") - of("bars")
    lags = f"loop lag p99 {lag_ms:.0f} ms (p50 {of('lag_p50_ms'):.1f}, most {of('lag_max_ms'):.0f})"
    delay = f"on record {of('delay_p50_s'):.2f} s behind their end (p99 {of('delay_p99_s'):.2f})"
    return [
        Result(
            benchmark="live bars",
            what=f"{of('symbols'):.0f} symbols x {PART_S}-second bars, {of('seconds'):.0f} s",
            figure=lags,
            against=f"{of('bars'):,.0f} bars, {lost:.0f} lost, {delay}",
            ratio=None,
            goal=f"p99 < {GOAL_LAG_MS:.0f} ms",
            met=lag_ms < GOAL_LAG_MS and not lost,
        )
    ]


BENCHMARK = Benchmark("live-bars", prepare, report, rounds_max=1)


class Watch:
    """Counts bars that are on record, and how late they and the loop are, once all have come."""

    def __init__(self, symbols: int, seconds: int, clock: SimulatedClock) -> None:
        """Watch for `seconds` once each of `symbols` has had a bar."""
        self.over = asyncio.Event()
        self.bars: Counter[datetime] = Counter()
        self.delays_s: list[float] = []
        self.lags_s: list[float] = []
        self.begins: datetime | None = None
        self._ends: datetime | None = None
        self._symbols = symbols
        self._span = timedelta(seconds=seconds)
        self._clock = clock

    def recorded(self, records: Sequence[Record]) -> None:
        """Take note of what is on record."""
        now_s = self._clock.now() / 1e9
        for record in records:
            bar = record.event
            if not isinstance(bar, BarClosed):
                continue
            self.bars[bar.end] += 1
            if self.begins is None:
                if self.bars[bar.end] == self._symbols:
                    self.begins = bar.end
                    self._ends = bar.end + self._span
            elif bar.end > self.begins:
                self.delays_s.append(now_s - bar.end.timestamp())
                if self._ends is not None and bar.end > self._ends:
                    self.over.set()

    async def wake(self) -> None:
        """Sleep again and again, and note how much too long."""
        while True:
            due = time.perf_counter() + WAKE_S
            await asyncio.sleep(WAKE_S)
            if self.begins is not None:
                self.lags_s.append(time.perf_counter() - due)

    def figures(self) -> Figures:
        """Return what was seen while all symbols were there."""
        assert self.begins is not None
        assert self._ends is not None
        counted = {
            end: count for end, count in self.bars.items() if self.begins < end <= self._ends
        }
        lags, delays = quantiles(self.lags_s, n=100), quantiles(self.delays_s, n=100)
        return {
            "symbols": self._symbols,
            "seconds": self._span.total_seconds(),
            "bars": sum(counted.values()),
            "bars_due": self._symbols * (self._span.total_seconds() // PART_S),
            "lag_p50_ms": lags[49] * 1e3,
            "lag_p99_ms": lags[98] * 1e3,
            "lag_max_ms": max(self.lags_s) * 1e3,
            "delay_p50_s": delays[49],
            "delay_p99_s": delays[98],
        }


async def measured(symbols: int, seconds: int, folder: Path) -> Figures:
    """Let a daemon take bars for so long, and return what was seen."""
    traded = names(symbols)
    with a_gateway(folder, traded) as port:
        watch = Watch(symbols, seconds, SimulatedClock(folder / "time"))
        waking = asyncio.create_task(watch.wake())
        async with (
            a_daemon(folder, port, traded, watch.recorded, STRATEGY),
            asyncio.timeout(PATIENCE_S + seconds),
        ):
            await watch.over.wait()
        waking.cancel()
        return watch.figures()


def main(symbols: str, seconds: str, folder: str) -> None:
    """Measure once."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        figures = uvloop.run(measured(int(symbols), int(seconds), Path(fresh)))
    print_figures(figures | {"took_s": time.perf_counter() - began})


if __name__ == "__main__":
    main(*sys.argv[1:])
