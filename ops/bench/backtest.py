"""A backtest of one moving-average cross over the same bars: ours, Backtrader, NautilusTrader.

Ours is the daemon itself: every event journaled with synchronous=FULL and chained, the whole gate,
commissions, snapshots. "memory" is timed as the peers are, from the first bar it asks for to the
end, its bars read beforehand; "file" is all of it, the configuration's calendar and reading and
checking the CSV file included. The peers charge 1 basis point, ours IBKR's fixed plan ($1 for an
order of 100 shares, about the same); both peers keep no journal.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from daemon.config.options import Exchange, FeedConfig
from events import Symbol
from ops.bench.market import MemoryFeed
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
from ops.bench.workload import config, trade

FAST, SLOW = 10, 30
SYMBOL = Symbol("AAPL")
PEERS = {"backtrader": "Backtrader", "nautilus": "NautilusTrader", "nautilus tuned": "its fastest"}
GOALS = {"backtrader": 15.0, "nautilus": 4.0}
FEEDS = {"memory": "journaled backtest", "file": "the same from a CSV file, all in"}


def prepare(work: Work) -> Sequence[Case]:
    """Write the bars, and return everybody who is to run over them."""
    bars = work.folder / f"{SYMBOL}.csv"
    run(peer("peer_bars.py", bars, work.backtest_bars))
    return (
        *(Case(feed, ours("backtest", feed, bars, work.folder)) for feed in FEEDS),
        Case("backtrader", peer("peer_backtrader.py", bars)),
        Case("nautilus", peer("peer_nautilus.py", bars, "default")),
        Case("nautilus tuned", peer("peer_nautilus.py", bars, "tuned")),
    )


def report(readings: Readings) -> list[Result]:
    """Return both of ours against every peer; the goals are on bars in memory."""
    return [_result(readings, feed, other) for feed in FEEDS for other in PEERS]


def _result(readings: Readings, feed: str, other: str) -> Result:
    times = ratio(readings, feed, other, "per_s")
    goal = GOALS.get(other) if feed == "memory" else None
    return Result(
        benchmark="backtest",
        what=FEEDS[feed],
        figure=f"{typical(readings, feed, 'per_s'):,.0f} bars/s",
        against=f"{PEERS[other]} {typical(readings, other, 'per_s'):,.0f} bars/s",
        ratio=times,
        goal="" if goal is None else f">= {goal:.0f}",
        met=None if goal is None else times >= goal,
    )


BENCHMARK = Benchmark("backtest", prepare, report)


def backtest(feed: str, bars: Path, folder: Path) -> Figures:
    """Run the daemon once over the bars, into a new journal in `folder`."""
    if feed == "memory":
        table = FeedConfig(
            kind="ops.bench.market:MemoryFeed", params={"path": str(bars), "symbol": SYMBOL}
        )
    else:
        table = FeedConfig(paths=(str(bars.resolve()),))
    asked = config(table, [SYMBOL], Exchange.ALWAYS, fast=FAST, slow=SLOW)
    began = time.perf_counter()
    outcome = trade(asked, folder / "journal.db")
    ended = time.perf_counter()
    if feed == "memory":
        began = MemoryFeed.first_asked_at
    state = outcome.state
    assert not state.holds.active, "a benchmark that was stopped measures nothing"
    return {
        "per_s": state.market.bars / (ended - began),
        "events": state.seq,
        "fills": state.orders.fills,
        "equity": float(state.pnl.equity.quantize(Decimal("0.01"))),
    }


def main(feed: str, bars: str, folder: str) -> None:
    """Measure once."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        print_figures(backtest(feed, Path(bars), Path(fresh)))


if __name__ == "__main__":
    main(*sys.argv[1:])
