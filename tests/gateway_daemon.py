"""The whole daemon over the simulated gateway, in its time: engine, journal, gate, adapter, socket.

Its one strategy buys and holds AAPL, which is at 149 for ten minutes before the daemon starts.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from daemon import app
from daemon.config.file import load
from daemon.control.client import call
from daemon.control.protocol import VERSION, Answer, Request
from events import BreakOpened, BrokerConnected, Event, Record
from ops.gateway_sim.server import RunningGateway
from ops.gateway_sim.virtual_clock import VirtualClock
from tests.adapter_desk import GatewayTime
from tests.gateway_desk import TUESDAY, a_gateway, quote, until

Kind = TypeVar("Kind", bound=Event)
PATIENCE_S = 60.0
CONFIG = """
mode = "{mode}"
account = "main"
{dry_run}
[symbols.AAPL]
exchange = "NASDAQ"
bar_every_s = {bar_every_s}
[strategies.hold]
class = "daemon.strategies.buy_and_hold:BuyAndHold"
params = {{ shares = {shares} }}
[broker]
kind = "{broker}"
[feed]
kind = "ibkr"
[gateway]
port = {port}
warm_up_bars = 5
late_after_s = 86400
[journal]
path = "j.db"
[control]
enabled = {control}
[limits.account]
max_order_shares = 500
max_order_usd = 100000
max_position_shares = 1000
max_position_usd = 200000
max_daily_loss_usd = 10000
max_drawdown = 0.20
{more}
"""


class Running:
    """A daemon in this loop, and what it has recorded."""

    def __init__(self, gateway: RunningGateway, journal: Path) -> None:
        self.gateway = gateway
        self.journal = journal
        self.records: list[Record] = []
        self.said: list[str] = []
        self.task: asyncio.Task[Any] | None = None

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [each.event for each in self.records if isinstance(each.event, kind)]

    async def trade(self, parts: int, price: float = 150) -> None:
        """Let so many five seconds pass at the gateway, a trade in each."""
        for _ in range(parts):
            quote(self.gateway.gateway, "AAPL", price)
            await self.wait_there(5)

    async def wait_there(self, seconds: float) -> None:
        """Let time pass at the gateway, and the daemon see it."""
        gateway = self.gateway.gateway
        gateway.clock.go_to(gateway.now() + timedelta(seconds=seconds))
        gateway.tick()
        await asyncio.sleep(0.02)

    async def trade_until(self, there: Callable[[], Any], parts: int = 12) -> None:
        """Let the market trade, so many parts at a time, until something is there."""
        ends = asyncio.get_running_loop().time() + PATIENCE_S
        while not there():
            assert self.task is not None
            assert not self.task.done(), self.task
            assert asyncio.get_running_loop().time() < ends, self.records[-10:]
            await self.trade(parts)

    async def tell(self, verb: str, **args: str | bool) -> Answer:
        """Tell the daemon one command as the command line does, and confirm it."""
        asked = await self._ask(verb, "", args)
        return await self._ask(verb, asked.token, args) if asked.token else asked

    async def _ask(self, verb: str, token: str, args: dict[str, str | bool]) -> Answer:
        request = Request(VERSION, verb, f"test-command-{len(self.records)}", "a test", token, args)
        return await asyncio.to_thread(call, self.journal, request)

    async def adopt(self) -> None:
        """Have the account's balance opened in the books, as on a first day."""
        ends = asyncio.get_running_loop().time() + PATIENCE_S
        while not self.of(BreakOpened):
            assert asyncio.get_running_loop().time() < ends, self.records[-10:]
            await self.wait_there(5)
        answer = await self.tell("resolve", all=True, adopt=True)
        assert answer.exit_code == 0, answer


@asynccontextmanager
async def a_daemon(  # noqa: PLR0913 - what a daemon is configured with
    folder: Path,
    gateway: RunningGateway,
    mode: str = "broker-paper",
    broker: str = "ibkr",
    *,
    shares: int = 5,
    more: str = "",
    bar_every_s: int = 1800,
    trades: bool = False,
) -> AsyncIterator[Running]:
    """Run a daemon on `gateway`; one that `trades` can be told things and sends its orders."""
    found = Running(gateway, folder / "j.db")
    file = folder / "traded.toml"
    text = CONFIG.format(
        mode=mode,
        broker=broker,
        port=gateway.port,
        shares=shares,
        more=more,
        bar_every_s=bar_every_s,
        control=str(trades).lower(),
        dry_run="dry_run = false" if trades else "",
    )
    file.write_text(text)
    found.task = task = asyncio.create_task(
        app.run(
            load(file, {}),
            folder,
            found.journal,
            started=lambda _prepared: None,
            progress=lambda _bars: None,
            recorded=found.records.extend,
            told=found.said.append,
            wall=GatewayTime(gateway),
        )
    )
    try:
        await until(lambda: found.of(BrokerConnected) or task.done())
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def a_day_begun(**parts: Any) -> AsyncIterator[RunningGateway]:  # noqa: ANN401 - a gateway's
    """Yield a gateway after ten minutes of trading, so that there is a past."""
    async with a_gateway(clock=VirtualClock(TUESDAY, speed=0), **parts) as running:
        for _ in range(120):
            quote(running.gateway, "AAPL", 149)
            running.gateway.clock.go_to(running.gateway.now() + timedelta(seconds=5))
            running.gateway.tick()
        yield running
