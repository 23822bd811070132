"""ib_async by itself: an order out, its acknowledgement in, nothing written down.

Run by its path, in a process of its own; it imports nothing of ours.
"""

import asyncio
import json
import sys
import time
from statistics import median, quantiles

import ib_async

CLIENT_ID = 77
APART_S = 0.05
"""The gateway takes 50 messages in a second without letting them wait."""


async def measure(port: int, count: int, symbol: str) -> dict[str, float]:
    """Return what `count` round trips took, ms."""
    ib = ib_async.IB()
    await ib.connectAsync("127.0.0.1", port, CLIENT_ID)
    (contract,) = await ib.qualifyContractsAsync(ib_async.Stock(symbol, "SMART", "USD"))
    assert isinstance(contract, ib_async.Contract), f"no one {symbol}: {contract}"
    took: list[float] = []
    for number in range(count):
        heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def acknowledged(_trade: ib_async.Trade, heard: asyncio.Future[None] = heard) -> None:
            if not heard.done():
                heard.set_result(None)

        ib.openOrderEvent += acknowledged
        order = ib_async.MarketOrder("SELL" if number % 2 else "BUY", 1, tif="DAY")
        began = time.perf_counter()
        ib.placeOrder(contract, order)
        await heard
        took.append((time.perf_counter() - began) * 1e3)
        ib.openOrderEvent -= acknowledged
        await asyncio.sleep(APART_S)
    ib.disconnect()
    return {"p50_ms": median(took), "p90_ms": quantiles(took, n=10)[-1], "count": len(took)}


def main(port: str, count: str, symbol: str) -> None:
    """Measure once."""
    print(json.dumps(asyncio.run(measure(int(port), int(count), symbol))))


if __name__ == "__main__":
    main(*sys.argv[1:])
