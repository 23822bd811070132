"""The whole daemon over the simulated gateway, in its time: engine, journal, gate, recovery."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from daemon import app
from daemon.config.file import load
from events import (
    BarClosed,
    BrokerConnected,
    DataMode,
    Event,
    OrderFilled,
    OrderIntended,
    ReconcileCompleted,
    Record,
    SessionStarted,
)
from events.journal import JournalReader
from ops.gateway_sim.server import RunningGateway
from ops.gateway_sim.virtual_clock import VirtualClock
from tests.adapter_desk import GatewayTime
from tests.gateway_desk import ACCOUNT, TUESDAY, a_gateway, quote, until

Kind = TypeVar("Kind", bound=Event)
CONFIG = """
mode = "{mode}"
account = "main"
[symbols.AAPL]
exchange = "NASDAQ"
[strategies.hold]
class = "daemon.strategies.buy_and_hold:BuyAndHold"
params = {{ shares = 5 }}
[broker]
kind = "{broker}"
[feed]
kind = "ibkr"
[gateway]
port = {port}
warm_up_bars = 5
[journal]
path = "j.db"
[control]
enabled = false
[limits.account]
max_order_shares = 500
max_order_usd = 100000
max_position_shares = 1000
max_position_usd = 200000
max_daily_loss_usd = 10000
max_drawdown = 0.20
"""


class Running:
    """A daemon in this loop, and what it has recorded."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.gateway = gateway
        self.records: list[Record] = []
        self.said: list[str] = []

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [each.event for each in self.records if isinstance(each.event, kind)]

    async def trade(self, parts: int, price: float = 150) -> None:
        """Let so many five seconds pass at the gateway, a trade in each."""
        gateway = self.gateway.gateway
        for _ in range(parts):
            quote(gateway, "AAPL", price)
            gateway.clock.go_to(gateway.now() + timedelta(seconds=5))
            gateway.tick()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def a_daemon(
    folder: Path, gateway: RunningGateway, mode: str, broker: str, more: str = ""
) -> AsyncIterator[Running]:
    found = Running(gateway)
    file = folder / "traded.toml"
    file.write_text(CONFIG.format(mode=mode, broker=broker, port=gateway.port) + more)
    task = asyncio.create_task(
        app.run(
            load(file, {}),
            folder,
            folder / "j.db",
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


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBKR_ACCOUNT", ACCOUNT)


@asynccontextmanager
async def a_day_begun() -> AsyncIterator[RunningGateway]:
    """Yield a gateway after ten minutes of trading, so that there is a past."""
    async with a_gateway(clock=VirtualClock(TUESDAY, speed=0)) as running:
        for _ in range(120):
            quote(running.gateway, "AAPL", 149)
            running.gateway.clock.go_to(running.gateway.now() + timedelta(seconds=5))
            running.gateway.tick()
        yield running


async def test_paper_on_live_data_warms_up_then_trades_and_sends_nothing(tmp_path: Path) -> None:
    async with a_day_begun() as gateway, a_daemon(tmp_path, gateway, "paper", "paper") as daemon:
        while not daemon.of(OrderFilled):
            await daemon.trade(12)
        bars = daemon.of(BarClosed)
        first = next(at for at, each in enumerate(bars) if not each.past)
        assert first >= 5, "the warm-up comes first"
        began = daemon.records.index(
            next(each for each in daemon.records if isinstance(each.event, OrderIntended))
        )
        seen: list[datetime] = [
            each.event.end
            for each in daemon.records[:began]
            if isinstance(each.event, BarClosed) and each.event.past
        ]
        assert len(seen) >= 5
        assert daemon.of(OrderFilled)[0].quantity == 5
        assert gateway.gateway.floor.positions() == []
        assert daemon.of(BrokerConnected)[0].sends is False


async def test_two_strategies_on_one_symbol_share_one_subscription(tmp_path: Path) -> None:
    second = """
[strategies.also]
class = "daemon.strategies.buy_and_hold:BuyAndHold"
params = { shares = 7 }
"""
    async with (
        a_day_begun() as gateway,
        a_daemon(tmp_path, gateway, "paper", "paper", second) as daemon,
    ):
        while len(daemon.of(OrderFilled)) < 2:
            await daemon.trade(12)
        assert {each.quantity for each in daemon.of(OrderFilled)} == {5, 7}
        data = gateway.gateway.floor._data  # noqa: SLF001 - asked by a test
        assert len(data._wanted) == 1  # noqa: SLF001 - as above
        (started,) = daemon.of(SessionStarted)
        assert started.data_mode is DataMode.PAPER_LIVE


async def test_the_account_number_is_in_no_byte_of_the_journal(tmp_path: Path) -> None:
    async with (
        a_day_begun() as gateway,
        a_daemon(tmp_path, gateway, "broker-paper", "ibkr") as daemon,
    ):
        await daemon.trade(24)
        await until(lambda: daemon.of(ReconcileCompleted))
    assert_nowhere(tmp_path)
    assert not any(ACCOUNT in each for each in daemon.said)


async def test_an_account_that_holds_what_the_books_do_not_is_held_until_somebody_has_looked(
    tmp_path: Path,
) -> None:
    # A new journal knows of no money; the account has a million dollars.
    async with (
        a_day_begun() as gateway,
        a_daemon(tmp_path, gateway, "broker-paper", "ibkr") as daemon,
    ):
        await daemon.trade(36)
        (first, *_) = daemon.of(ReconcileCompleted)
        assert first.differing >= 1
        assert gateway.gateway.floor.all_open_orders() == []
        assert gateway.gateway.floor.positions() == []
    with JournalReader(tmp_path / "j.db") as reader:
        kinds = [row[2] for row in reader.rows()]
    assert "broker.books-reported" in kinds


def assert_nowhere(folder: Path) -> None:
    for file in folder.iterdir():
        assert ACCOUNT.encode() not in file.read_bytes(), file
