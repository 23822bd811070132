"""Whatever goes wrong by a seed, the gateway's own book stays whole and it goes on serving.

The clients here are simple ones that place, cancel and connect again; what a careful daemon makes
of such a gateway is another matter. `GATEWAY_SEEDS=1000` runs more of them.
"""

import asyncio
import os
import random
from collections import Counter
from contextlib import suppress
from decimal import Decimal

import pytest

from ops.gateway_sim.faults import FaultPlan, plan_from_seed
from ops.gateway_sim.gateway import Gateway
from ops.gateway_sim.server import RunningGateway
from ops.gateway_sim.terms import ExecutionFilter, Side
from tests.gateway_desk import Desk, a_client, a_gateway, quote, undecoded, until

SEEDS = int(os.environ.get("GATEWAY_SEEDS", "12"))
STEPS = 25


async def trade_through(running: RunningGateway, chance: random.Random) -> None:
    """Place and cancel orders while prices move, connecting again whenever it has to."""
    desk = Desk()
    for _ in range(STEPS):
        if not desk.ib.isConnected():
            desk = Desk()
            with suppress(TimeoutError, ConnectionError, OSError):
                await desk.ib.connectAsync("127.0.0.1", running.port, 7, timeout=0.2)
        with suppress(ConnectionError):
            act(desk, chance)
        quote(running.gateway, "AAPL", chance.choice([148, 149, 150, 151, 152]))
        await asyncio.sleep(0.015)
    desk.ib.disconnect()


def act(desk: Desk, chance: random.Random) -> None:
    if not desk.ib.isConnected():
        return
    working = desk.ib.openTrades()
    if working and chance.random() < 0.4:
        desk.ib.cancelOrder(chance.choice(working).order)
    elif chance.random() < 0.5:
        desk.market(chance.choice(["BUY", "SELL"]), chance.randint(1, 50))
    else:
        side = chance.choice(["BUY", "SELL"])
        desk.limit(side, chance.randint(1, 50), chance.choice([147.5, 149.5, 150.5, 152.5]))


def shares_executed(gateway: Gateway) -> dict[str, Decimal]:
    """Add up the executions by symbol, a correction in place of what it corrects."""
    done = [done for done, _ in gateway.floor.executions(gateway.now(), ExecutionFilter())]
    newest = {each.execution_id.rpartition(".")[0]: each for each in done}
    held: Counter[str] = Counter()
    for each in newest.values():
        held[each.contract.symbol] += int(each.shares if each.side is Side.BUY else -each.shares)
    return {symbol: Decimal(shares) for symbol, shares in held.items() if shares}


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_the_book_is_whole_after_whatever_went_wrong(seed: int) -> None:
    faults = plan_from_seed(seed)
    with undecoded() as problems:
        async with a_gateway(*faults) as running:
            gateway = running.gateway
            await trade_through(running, random.Random(seed))
            # What has not struck by now does not strike, and what is still away comes back.
            gateway.plan = FaultPlan()
            gateway.mishaps.restore_line()
            gateway.mishaps.log_in()
            await until(lambda: running.is_listening and not gateway.sessions)
            held = {line.contract.symbol: line.quantity for line in gateway.floor.positions()}
            assert held == shares_executed(gateway)
            async with a_client(running, 8) as desk:
                trade = desk.market("BUY", 1)
                await until(lambda: trade.orderStatus.status == "Filled")
    assert problems == []
