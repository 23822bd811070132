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
from events import BarClosed, BrokerDegraded, BrokerRestored, BrokerUnparsed
from ops.gateway_sim.faults import Fault, FaultKind
from ops.gateway_sim.server import RunningGateway
from tests.adapter_desk import AAPL, QUICK, SYMBOLS, GatewayTime
from tests.gateway_desk import ACCOUNT, a_gateway, quote, until

MINUTE = timedelta(minutes=1)
PART_S = 5
A_DAY_S = 86_400
"""Minutes pass there in moments here: what a busy machine is late by says nothing."""


class Listening:
    """A feed for AAPL, and what it has delivered."""

    def __init__(
        self,
        running: RunningGateway,
        warm_up: int = 0,
        *,
        takes_delayed: bool = False,
        bar_seconds: int = 60,
        late_after_s: int | None = A_DAY_S,
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
            bar_seconds=bar_seconds,
            warm_up_bars=warm_up,
            regular_hours=True,
            takes_delayed=takes_delayed,
            late_after_s=late_after_s,
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

    def hear_bar(self, behind_s: int) -> None:
        """Hear the parts of the next bar, its last one so far behind its end."""
        gateway, feed, span_s = self.running.gateway, self.feed, self.feed._span_s  # noqa: SLF001 - asked by a test
        begins = feed._streams[AAPL].builder.begin_of(gateway.now()) + timedelta(seconds=span_s)  # noqa: SLF001 - as above
        gateway.clock.go_to(begins + timedelta(seconds=span_s + behind_s))
        request = feed._streams[AAPL].request  # noqa: SLF001 - as above
        for part in range(0, span_s, PART_S):
            at = begins.timestamp() + part
            row = ("50", "3", request, int(at), 150, 150, 150, 150, 100, 150, 1)
            feed.heard(messages.REAL_TIME_BAR, [str(each) for each in row])

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


@pytest.mark.parametrize(
    ("bar_seconds", "late_after_s", "behind_s", "is_past"),
    [
        (5, None, 4, False),
        (5, None, 16, True),
        (30, None, 20, False),
        (30, None, 31, True),
        (600, None, 45, False),
        (600, None, 61, True),
        (60, 300, 200, False),
        (60, 300, 301, True),
    ],
)
async def test_a_bar_that_comes_late_for_its_size_is_one_of_the_past(
    bar_seconds: int, late_after_s: int | None, behind_s: int, *, is_past: bool
) -> None:
    parts = {"bar_seconds": bar_seconds, "late_after_s": late_after_s}
    async with a_gateway() as running, listening(running, **parts) as found:
        found.hear_bar(behind_s)
        await until(lambda: found.bars)
        assert [bar.past for bar in found.bars] == [is_past]


async def test_that_bars_come_late_is_said_until_one_comes_in_time() -> None:
    async with a_gateway() as running, listening(running, late_after_s=None) as found:
        await until(lambda: not found.session.connection.missing)
        found.hear_bar(95)
        await until(lambda: found.session.connection.missing)
        found.hear_bar(200)
        await until(lambda: len(found.bars) == 2)
        (said,) = [each for each in found.reports if isinstance(each, BrokerDegraded)]
        assert "s late: nothing is decided on such bars" in said.reason
        found.hear_bar(1)
        await until(lambda: found.live)
        assert BrokerRestored in map(type, found.reports)
