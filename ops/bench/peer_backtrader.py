"""Backtrader at the shared bars: long 100 while SMA 10 is over SMA 30, flat otherwise.

Run by its path in the peers' environment. It runs as it is fastest: preloaded, indicators
vectorised, no observers. Capital 1,000,000, commission 1 basis point of the value traded.
"""

import json
import sys
import time

import backtrader as bt
from peer_bars import read


class Cross(bt.Strategy):
    """The moving-average cross."""

    def __init__(self) -> None:
        """Set up both averages."""
        self.fast = bt.ind.SMA(self.data.close, period=10)
        self.slow = bt.ind.SMA(self.data.close, period=30)
        self.fills = 0

    def next(self) -> None:
        """Enter above, leave below."""
        held = self.position.size
        if self.fast[0] > self.slow[0]:
            if not held:
                self.buy(size=100)
        elif held:
            self.close()

    def notify_order(self, order: bt.Order) -> None:
        """Count fills."""
        self.fills += order.status == order.Completed


def main(path: str) -> None:
    """Run once over the bars at `path`."""
    frame = read(path)
    frame.index = frame.index.tz_localize(None)
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(1_000_000)
    cerebro.broker.setcommission(0.0001)
    cerebro.addstrategy(Cross)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    started = time.perf_counter()
    (cross,) = cerebro.run(runonce=True, preload=True)
    taken_s = time.perf_counter() - started
    equity = cerebro.broker.getvalue()
    print(json.dumps({"per_s": len(frame) / taken_s, "fills": cross.fills, "equity": equity}))


if __name__ == "__main__":
    main(sys.argv[1])
