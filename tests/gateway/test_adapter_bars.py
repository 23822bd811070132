"""Live bars over the simulated gateway: warm-up, gaps, symbols that fall silent (problem 14)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.contracts import Contracts
from daemon.brokers.gateway.session import GatewaySession
from daemon.brokers.gateway.settings import GatewaySettings
from daemon.brokers.gateway.windows import Windows
from daemon.feeds import ibkr
from daemon.feeds.ibkr import IbkrFeed
from events import BarClosed, BrokerUnparsed
from ops.gateway_sim.faults import Fault, FaultKind
from ops.gateway_sim.server import RunningGateway
from tests.adapter_desk import AAPL, QUICK, SYMBOLS, GatewayTime
from tests.gateway_desk import ACCOUNT, a_gateway, quote, until

MINUTE = timedelta(minutes=1)
PART_S = 5


class Listening:
    """A feed for AAPL, and what it has delivered."""

    def __init__(
        self, running: RunningGateway, warm_up: int = 0, *, takes_delayed: bool = False
    ) -> None:
        self.running = running
        self.bars: list[BarClosed] = []
        self.reports: list[object] = []
        settings = GatewaySettings("127.0.0.1", running.port, 1001, ACCOUNT, "main")
        clock = GatewayTime(running)
        self.session = GatewaySession(settings, clock, Windows(), sends=False, timing=QUICK)
        self.session.report = self.reports.append
        contracts = Contracts(self.session, {AAPL: SYMBOLS[AAPL]})
        self.feed = IbkrFeed(
            self.session,
            contracts,
            [AAPL],
            bar_seconds=60,
            warm_up_bars=warm_up,
            regular_hours=True,
            takes_delayed=takes_delayed,
        )
        self.session.listeners = [contracts, self.feed]

    async def collect(self) -> None:
        async for block in self.feed.blocks({}):
            self.bars += block

    async def pass_parts(self, count: int, price: float = 150) -> None:
        """Let so many five seconds pass, a trade in each."""
        gateway = self.running.gateway
        for _ in range(count):
            quote(gateway, "AAPL", price)
            gateway.clock.go_to(gateway.now() + timedelta(seconds=PART_S))
            gateway.tick()
            await asyncio.sleep(0.01)

    @property
    def is_subscribed(self) -> bool:
        return self.feed._streams[AAPL].request is not None  # noqa: SLF001 - asked by a test

    @property
    def live(self) -> Sequence[BarClosed]:
        return [bar for bar in self.bars if not bar.past]


@asynccontextmanager
async def listening(running: RunningGateway, **parts: Any) -> AsyncIterator[Listening]:  # noqa: ANN401 - a Listening's
    found = Listening(running, **parts)
    tasks = [
        asyncio.create_task(each)
        for each in (found.session.run(), found.feed.run(), found.collect())
    ]
    try:
        await until(lambda: found.is_subscribed)
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_whole_minute_of_parts_is_a_live_bar() -> None:
    async with a_gateway() as running, listening(running) as found:
        await found.pass_parts(26)
        await until(lambda: found.live)
        bar = found.live[0]
        assert (bar.symbol, bar.span_s, bar.close) == (AAPL, 60, Decimal(150))
        assert bar.end.second == 0


async def test_the_past_comes_first_and_is_marked() -> None:
    async with a_gateway() as running:
        # Twenty minutes of trading before anybody listens.
        for _ in range(240):
            quote(running.gateway, "AAPL", 151)
            running.gateway.clock.go_to(running.gateway.now() + timedelta(seconds=PART_S))
            running.gateway.tick()
        async with listening(running, warm_up=10) as found:
            await until(lambda: len(found.bars) >= 10)
            assert [bar.past for bar in found.bars] == [True] * 10
            await found.pass_parts(26)
            await until(lambda: found.live)
            ends = [bar.end for bar in found.bars]
            assert ends == sorted(set(ends))
            assert all(later - before == MINUTE for before, later in pairwise(ends))


async def test_14_bars_go_on_after_a_reconnect_and_what_was_missed_is_filled() -> None:
    async with a_gateway() as running, listening(running) as found:
        await found.pass_parts(26)
        await until(lambda: found.live)
        before = len(found.live)
        running.gateway.mishaps.restart()
        await found.pass_parts(1)
        await until(lambda: found.session.connection.why_not == "" and found.is_subscribed)
        # In the time of the wall a bar that waits for its gap takes a second.
        while len(found.live) == before:
            await found.pass_parts(12)
        await until(lambda: any(bar.past for bar in found.bars))
        ends = [bar.end for bar in found.bars]
        assert ends == sorted(set(ends)), "in order, none twice"
        steps = {later - before for before, later in pairwise(ends)}
        assert steps == {MINUTE}, "none is missing"


async def test_14_a_symbol_that_falls_silent_is_subscribed_again() -> None:
    lost = [Fault(FaultKind.LOST, "realtimeBar", nth=nth) for nth in range(1, 30)]
    async with a_gateway(*lost) as running, listening(running) as found:
        stream = found.feed._streams[AAPL]  # noqa: SLF001 - asked by a test
        first = stream.request
        running.gateway.clock.go_to(running.gateway.now() + ibkr.SILENCE)
        await until(lambda: stream.request != first)


async def test_data_that_is_lost_with_1101_is_subscribed_again() -> None:
    async with a_gateway() as running, listening(running) as found:
        first = found.feed._streams[AAPL].request  # noqa: SLF001 - asked by a test
        running.gateway.mishaps.lose_line()
        running.gateway.mishaps.restore_line(1101)
        await until(
            lambda: found.feed._streams[AAPL].request not in {None, first}  # noqa: SLF001 - as above
        )
        await found.pass_parts(26)
        await until(lambda: found.live)


@pytest.mark.parametrize("low", ["-1", "0.0", "1.7976931348623157E308", "NaN"])
async def test_a_bar_that_cannot_be_so_is_on_record_and_handed_on_to_nobody(low: str) -> None:
    async with a_gateway() as running, listening(running) as found:
        heard = found.feed.heard

        def misheard(kind: int, fields: Sequence[str]) -> None:
            is_bar = kind == messages.REAL_TIME_BAR
            heard(kind, [*fields[:6], low, *fields[7:]] if is_bar else fields)

        found.feed.heard = misheard  # type: ignore[method-assign]
        await found.pass_parts(26)
        await until(lambda: any(isinstance(each, BrokerUnparsed) for each in found.reports))
        assert found.live == []


async def test_a_minute_that_lacks_a_part_comes_whole_from_the_history() -> None:
    # The first minute is begun in its middle or whole; the lost part is in the second or third.
    lost = Fault(FaultKind.LOST, "realtimeBar", nth=20)
    async with a_gateway(lost) as running, listening(running) as found:
        while not any(bar.past for bar in found.bars):
            await found.pass_parts(12)
        ends = [bar.end for bar in found.bars]
        assert {later - before for before, later in pairwise(ends)} <= {MINUTE}
        assert sum(bar.past for bar in found.bars) >= 1
