"""An order's way out and back: the whole daemon against ib_async alone, at the same gateway.

The daemon's is from the intent to the acknowledgement in the journal, as it dates them: every check
of the gate, the durable commit before the order leaves, the wire, the gateway, the answer taken in.
No what-if is asked. Bare ib_async places the same orders before and after.
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles

import uvloop

from events import (
    BarClosed,
    BreakOpened,
    ClientOrderId,
    HoldLifted,
    HoldPlaced,
    IntentRefused,
    OrderAcknowledged,
    OrderFilled,
    OrderIntended,
    OrderWithheld,
    Record,
)
from ops.bench.live_gateway import a_daemon, a_gateway, names, tell
from ops.bench.measure import (
    Benchmark,
    Case,
    Figures,
    Readings,
    Result,
    Work,
    ours,
    print_figures,
    raw,
    run,
    typical,
)

GOAL_RATIO = 4.0
APART_S = 0.05
PATIENCE_S = 120.0


def prepare(work: Work) -> Sequence[Case]:
    """Return the one case."""
    return (Case("both", ours("round_trip", work.round_trips, work.folder)),)


def report(readings: Readings) -> list[Result]:
    """Return how much longer the daemon takes."""
    traded, bare = (
        typical(readings, "both", "traded_p50_ms"),
        typical(readings, "both", "bare_p50_ms"),
    )
    return [
        Result(
            benchmark="round trip",
            what="an order placed and acknowledged, p50: gate, durable commit, wire",
            figure=f"{traded:.2f} ms",
            against=f"bare ib_async: {bare:.2f} ms",
            ratio=traded / bare,
            goal=f"<= {GOAL_RATIO:.0f}",
            met=traded / bare <= GOAL_RATIO,
        )
    ]


BENCHMARK = Benchmark("round-trip", prepare, report)


class Watch:
    """When each order was intended and acknowledged, and what came of it."""

    def __init__(self) -> None:
        """Have seen nothing yet."""
        self.bars: set[str] = set()
        self.intended_at: dict[ClientOrderId, int] = {}
        self.took_ms: dict[ClientOrderId, float] = {}
        self.filled: set[ClientOrderId] = set()
        self.refused: list[object] = []
        self.is_to_be_adopted = False
        self.holds: set[str] = set()
        self.something = asyncio.Event()

    def recorded(self, records: Sequence[Record]) -> None:
        """Take note of what is on record."""
        for record in records:
            match record.event:
                case BarClosed(symbol=symbol):
                    self.bars.add(symbol)
                case OrderIntended(client_order_id=order):
                    self.intended_at[order] = record.at
                case OrderAcknowledged(client_order_id=order):
                    self.took_ms[order] = (record.at - self.intended_at[order]) / 1e6
                case OrderFilled(client_order_id=order):
                    self.filled.add(order)
                case BreakOpened():
                    self.is_to_be_adopted = True
                case HoldPlaced(hold_id=hold):
                    self.holds.add(hold)
                case HoldLifted(hold_id=hold):
                    self.holds.discard(hold)
                case IntentRefused() | OrderWithheld():
                    self.refused.append(record.event)
                case _:
                    continue
            self.something.set()

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait for what is to come on record."""
        async with asyncio.timeout(PATIENCE_S):
            while not there():
                assert not self.refused, self.refused
                self.something.clear()
                await self.something.wait()

    async def until_filled(self, count: int) -> None:
        """Wait until so many orders have filled."""
        await self.until(lambda: len(self.filled) >= count)


async def measured(count: int, folder: Path) -> Figures:
    """Let ib_async and the daemon place so many orders each."""
    ours_, theirs = symbols = names(2)
    with a_gateway(folder, symbols) as port:

        async def bare() -> Figures:
            return await asyncio.to_thread(
                # As many buys as sells: what it held would have no price here.
                run,
                raw("peer_ib_async.py", port, 2 * max(count // 4, 3), theirs),
            )

        watch = Watch()
        before = await bare()
        async with a_daemon(folder, port, [ours_], watch.recorded):
            await watch.until(lambda: watch.is_to_be_adopted and ours_ in watch.bars)
            adopted = await tell(folder, "resolve", all=True, adopt=True)
            assert not adopted.exit_code, adopted.lines
            await watch.until(lambda: not watch.holds)
            for number in range(1, count + 1):
                quantity = "-1" if number % 2 == 0 else "1"
                told = await tell(
                    folder, "order", symbol=ours_, quantity=quantity, type="MKT", tif="DAY"
                )
                assert not told.exit_code, told.lines
                await watch.until_filled(number)
                await asyncio.sleep(APART_S)
        after = await bare()
    took = list(watch.took_ms.values())
    return {
        "traded_p50_ms": median(took),
        "traded_p90_ms": quantiles(took, n=10)[-1],
        "bare_p50_ms": (before["p50_ms"] + after["p50_ms"]) / 2,
        "bare_p90_ms": (before["p90_ms"] + after["p90_ms"]) / 2,
        "orders": len(took),
    }


def main(count: str, folder: str) -> None:
    """Measure once."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        print_figures(uvloop.run(measured(int(count), Path(fresh))))


if __name__ == "__main__":
    main(*sys.argv[1:])
