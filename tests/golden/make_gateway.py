"""Writes tests/golden/gateway.db anew: a start, a fill and a stop at the simulated gateway.

Run from the repository's root: `python -m tests.golden.make_gateway FOLDER`. It is run once a
release; tests/acceptance/test_golden_journals.py says when, and what to do with what it writes.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from events import OrderAcknowledged, OrderCancelled, OrderFilled, ReconcileCompleted, SessionEnded
from tests.gateway_daemon import Running, a_daemon, a_day_begun
from tests.gateway_desk import ACCOUNT, until


async def tell(daemon: Running, verb: str, **args: str | bool) -> None:
    answer = await daemon.tell(verb, **args)
    assert answer.exit_code == 0, answer


async def write(folder: Path) -> None:
    """Write the journal into `folder`; the account number stays outside, as in real life."""
    async with (
        a_day_begun() as gateway,
        a_daemon(folder, gateway, bar_every_s=60, trades=True) as daemon,
    ):
        await daemon.adopt()
        await daemon.trade_until(lambda: daemon.of(OrderFilled))
        looks = len(daemon.of(ReconcileCompleted))
        await daemon.trade_until(lambda: len(daemon.of(ReconcileCompleted)) > looks)
        resting = {
            "symbol": "AAPL",
            "quantity": "3",
            "type": "LMT",
            "limit_price": "120",
            "tif": "DAY",
        }
        await tell(daemon, "order", **resting)
        await daemon.trade_until(lambda: len(daemon.of(OrderAcknowledged)) > 1)
        await tell(daemon, "cancel-all")
        await daemon.trade_until(lambda: daemon.of(OrderCancelled))
        await tell(daemon, "flatten", all=True)
        await daemon.trade_until(lambda: any(f.quantity < 0 for f in daemon.of(OrderFilled)))
        os.kill(os.getpid(), 15)
        await until(lambda: daemon.of(SessionEnded))


if __name__ == "__main__":
    os.environ["IBKR_ACCOUNT"] = ACCOUNT
    with tempfile.TemporaryDirectory(prefix="t-") as short:
        os.environ["XDG_RUNTIME_DIR"] = short
        asyncio.run(write(Path(sys.argv[1])))
