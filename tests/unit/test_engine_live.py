"""The engine on a live feed that is silent: it hears stops, deadlines and reports all the same."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from daemon.brokers import Inbox
from daemon.brokers.paper import PaperBroker
from daemon.clock import SystemClock
from daemon.gate import RiskApproved
from events import (
    BarClosed,
    ClientOrderId,
    CorporateActionApplied,
    OrderAcknowledged,
    OrderCancelled,
    Symbol,
)
from events.journal import Journal
from projections import State
from tests.broker_desk import PLAIN
from tests.core_desk import Scripted, buy, kinds
from tests.engine_desk import minutes, works


class Silent:
    """A live feed that gives one block and then waits for ever."""

    live = True
    bars_total = starts_at = ends_at = None

    def __init__(self, *first: BarClosed) -> None:
        self.first = first
        self.was_closed = False

    async def blocks(
        self,
        newest: Mapping[Symbol, datetime],  # noqa: ARG002 - as every feed's
    ) -> AsyncIterator[Sequence[BarClosed]]:
        try:
            yield self.first
            await asyncio.Event().wait()
        finally:
            self.was_closed = True


class Quiet:
    """A broker outside that takes orders, answers cancels, and says nothing by itself."""

    outside = True

    def __init__(self) -> None:
        self.submitted: list[ClientOrderId] = []
        self.report: Inbox

    def connect(self, _state: State, inbox: Inbox) -> None:
        self.report = inbox

    def submit(self, approved: RiskApproved) -> None:
        self.submitted.append(approved.intent.client_order_id)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        self.report(OrderCancelled(client_order_id))

    def observe(self, bar: BarClosed) -> None: ...

    def advance(self, now: datetime) -> None: ...

    def corporate_action(self, action: CorporateActionApplied) -> None: ...


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happens():  # noqa: ASYNC110 - what is waited for is in a file
            await asyncio.sleep(0.02)


async def test_a_stop_is_heard(journal: Journal) -> None:
    feed = Silent(*minutes(0, 1))
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        running = asyncio.create_task(at.take(feed))
        await until(lambda: at.bars == [2])
        at.engine.request_stop("enough")
        await asyncio.wait_for(running, timeout=10)
        assert at.engine.stop_reason == "enough"
    assert feed.was_closed


async def test_an_order_is_cancelled_when_its_time_is_over(journal: Journal) -> None:
    async with works(journal, Quiet(), Scripted(bars=[buy("10", cancel_after_s=1)])) as at:
        at.engine.clock = SystemClock()
        running = asyncio.create_task(at.take(Silent(*minutes(0, 0))))
        await until(lambda: "order.cancelled" in kinds(at.written()))
        assert kinds(at.written())[-3:] == ["timer.fired", "cancel.sending", "order.cancelled"]
        at.engine.request_stop("enough")
        await running


async def test_a_report_is_written_at_once(journal: Journal) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")])) as at:
        running = asyncio.create_task(at.take(Silent(*minutes(0, 0))))
        await until(lambda: bool(broker.submitted))
        broker.report(OrderAcknowledged(broker.submitted[0]))
        await until(lambda: "order.acknowledged" in kinds(at.written()))
        at.engine.request_stop("enough")
        await running


async def test_a_feed_that_fails_ends_the_run_with_its_error(journal: Journal) -> None:
    class Broken(Silent):
        async def blocks(
            self, newest: Mapping[Symbol, datetime]
        ) -> AsyncIterator[Sequence[BarClosed]]:
            async for block in super().blocks(newest):
                yield block
                raise ConnectionError("gone")

    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        with pytest.raises(ConnectionError, match="gone"):
            await at.take(Broken(*minutes(0, 1)))
        assert at.bars == [2]
