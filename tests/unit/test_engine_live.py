"""The engine on a live feed that is silent: it hears stops, deadlines and reports all the same."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from daemon.brokers import Inbox
from daemon.brokers.paper import PaperBroker
from daemon.clock import SystemClock
from daemon.core.deadlines import NEVER
from daemon.engine import BrokerFailed
from daemon.gate import RiskApproved
from events import (
    BarClosed,
    ClientOrderId,
    CorporateActionApplied,
    LookWhy,
    OrderAcknowledged,
    OrderCancelled,
    Symbol,
    nanoseconds,
)
from events.journal import Journal
from projections import State
from tests.broker_desk import PLAIN
from tests.builders import a_fill, utc
from tests.core_desk import Scripted, buy, kinds
from tests.engine_desk import Blocks, minutes, works


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
    next_due = NEVER

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

    def report_books(self, look_id: str, why: LookWhy, now: datetime) -> None: ...


class SetBack:
    """The machine's clock, set back to the day of the bars here: it moves on by itself."""

    speed = 1.0

    def __init__(self, at: datetime) -> None:
        self._behind = SystemClock().now() - nanoseconds(at)

    def now(self) -> int:
        return SystemClock().now() - self._behind

    def set(self, at: int) -> None: ...

    def jump(self) -> None: ...

    def agree(self) -> None: ...


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
        at.engine.clock = SetBack(utc("2024-01-02T15:00"))
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


async def test_a_report_that_comes_while_a_record_is_written_sends_nothing_unwritten(
    journal: Journal,
) -> None:
    # The second order is decided on a fill that arrives while the bar is on its way to the disk.
    broker = Quiet()
    strategy = Scripted(bars=[buy("10"), None], fills=[buy("5")])
    async with works(journal, broker, strategy) as at:
        await at.take(Blocks(minutes(0, 0)))
        at.engine.stop_reason = ""
        at.engine.take_bar(minutes(1, 1)[0])
        committing = asyncio.create_task(at.engine.commit())
        await asyncio.sleep(0)
        broker.report(OrderAcknowledged(broker.submitted[0]))
        broker.report(a_fill("10", order_id=broker.submitted[0], executed_at="2024-01-02T15:01"))
        await committing
        assert len(broker.submitted) == 2
        assert at.commits[-1] == [
            "order.acknowledged",
            "order.filled",
            "order.intended",
            "intent.approved",
            "order.sending",
        ]


async def test_what_is_over_ends_without_another_bar(journal: Journal) -> None:
    # Tuesday's order, by the machine's clock years old: the session it was for is over.
    async with works(journal, PaperBroker(PLAIN), Scripted(bars=[buy("10")])) as at:
        await at.take(Blocks(minutes(0, 0)))
        at.engine.clock = SystemClock()
        running = asyncio.create_task(at.take(Silent(*minutes(1, 0))))
        await until(lambda: "order.expired" in kinds(at.written()))
        at.engine.request_stop("enough")
        await running


async def test_a_broker_that_raises_ends_the_run_and_says_which_order(journal: Journal) -> None:
    class Raising(Quiet):
        def submit(self, approved: RiskApproved) -> None:
            raise ConnectionResetError(f"gone with {approved.intent.quantity}")

    async with works(journal, Raising(), Scripted(bars=[buy("10")])) as at:
        with pytest.raises(BrokerFailed, match="gone with 10"):
            await at.take(Silent(*minutes(0, 0)))
        assert kinds(at.written())[-1] == "order.sending"


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
