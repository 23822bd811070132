"""What a stop does to orders at a broker outside: left as they are, or cancelled and counted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from daemon.brokers import Inbox
from daemon.brokers.paper import PaperBroker
from daemon.config.options import OnStop
from daemon.core.deadlines import NEVER
from daemon.gate import RiskApproved
from daemon.stopping.open_orders import Parting, part
from events import (
    BarClosed,
    CancelSending,
    ClientOrderId,
    CorporateActionApplied,
    LookWhy,
    OrderAcknowledged,
    OrderCancelled,
    OrderType,
    SessionEnded,
    SessionStopping,
    TimeInForce,
)
from events.journal import Journal
from ops.commands.run import parting_lines
from ops.sentences import sentence
from projections import State
from projections.order_states import OrderState
from tests.broker_desk import PLAIN
from tests.builders import a_fill
from tests.core_desk import Scripted, buy, kinds
from tests.engine_desk import Works, minutes, works

S = OrderState
SOON = 0.05


class Outside:
    """A broker outside that takes every order; `silent` and `filled` say how cancels are met."""

    outside = True
    next_due = NEVER

    def __init__(self) -> None:
        self.orders: list[ClientOrderId] = []
        self.asked: list[ClientOrderId] = []
        self.silent: set[int] = set()
        self.filled: set[int] = set()

    def connect(self, state: State, inbox: Inbox) -> None:  # noqa: ARG002 - the protocol's
        self._report = inbox

    def report_books(self, look_id: str, why: LookWhy, now: datetime) -> None: ...

    def submit(self, approved: RiskApproved) -> None:
        self.orders.append(approved.intent.client_order_id)
        self._report(OrderAcknowledged(self.orders[-1]))

    def cancel(self, client_order_id: ClientOrderId) -> None:
        self.asked.append(client_order_id)
        number = self.orders.index(client_order_id)
        if number in self.filled:
            fill = a_fill("10", order_id=client_order_id, executed_at="2024-01-02T15:00")
            self._report(fill)
        elif number not in self.silent:
            self.confirm(client_order_id)

    def confirm(self, client_order_id: ClientOrderId) -> None:
        self._report(OrderCancelled(client_order_id, "asked for"))

    def observe(self, bar: BarClosed) -> None: ...
    def advance(self, now: datetime) -> None: ...
    def corporate_action(self, action: CorporateActionApplied) -> None: ...


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


def resting() -> Scripted:
    """Return a strategy that wants three orders at its first bar."""
    terms = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC}
    prices = (Decimal(90), Decimal(91), Decimal(92))
    return Scripted(bars=[[buy("10", limit_price=price, **terms) for price in prices]])


async def parted(at: Works, on_stop: OnStop) -> Parting | None:
    await at.run(minutes(0, 0))
    at.engine.stop_reason = "signal SIGTERM"
    return await part(at.engine, on_stop, SOON)


def states(parting: Parting | None) -> tuple[list[OrderState], list[OrderState]]:
    """Return how the orders ended, and how those stand that have not."""
    assert parting is not None
    return [each.state for each in parting.ended], [each.state for each in parting.still_open]


async def test_orders_are_left_as_they_are_and_named(journal: Journal) -> None:
    market = Outside()
    async with works(journal, market, resting()) as at:
        parting = await parted(at, OnStop.LEAVE)
        assert states(parting) == ([], [S.ACKNOWLEDGED] * 3)
        assert parting is not None
        assert parting.left == tuple(market.orders)
        assert market.asked == []
        assert "session.stopping" not in kinds(at.written())
        assert list(parting_lines(parting)) == [
            "on_stop = leave: 3 orders stay open at the broker",
            *(f"  ACKNOWLEDGED {each}" for each in market.orders),
        ]


async def test_cancels_leave_behind_the_record_of_the_stop_and_are_confirmed(
    journal: Journal,
) -> None:
    market = Outside()
    async with works(journal, market, resting()) as at:
        parting = await parted(at, OnStop.CANCEL)
        assert states(parting) == ([S.CANCELLED] * 3, [])
        assert market.asked == market.orders
        records = at.written()
        (stopping,) = [each for each in records if isinstance(each.event, SessionStopping)]
        cancels = [each for each in records if isinstance(each.event, CancelSending)]
        assert {each.cause for each in cancels} == {stopping.seq}
        assert {each.event.reason for each in cancels if isinstance(each.event, CancelSending)} == {
            "the daemon stops: signal SIGTERM"
        }
        assert parting is not None
        assert list(parting_lines(parting)) == ["on_stop = cancel: 3 cancelled; no order is open"]


async def test_what_is_not_confirmed_in_time_is_said_and_so_is_what_filled_first(
    journal: Journal,
) -> None:
    market = Outside()
    market.silent, market.filled = {1}, {2}
    async with works(journal, market, resting()) as at:
        parting = await parted(at, OnStop.CANCEL)
        assert states(parting) == ([S.CANCELLED, S.FILLED], [S.ACKNOWLEDGED])
        assert parting is not None
        assert parting.left == (market.orders[1],)
        assert list(parting_lines(parting)) == [
            "on_stop = cancel: 1 cancelled, 1 filled; NOT confirmed, and open: 1",
            f"  ACKNOWLEDGED {market.orders[1]}",
        ]


async def test_nothing_confirmed_at_all_is_not_taken_for_orders_that_were_to_stay(
    journal: Journal,
) -> None:
    market = Outside()
    market.silent = {0, 1, 2}
    async with works(journal, market, resting()) as at:
        parting = await parted(at, OnStop.CANCEL)
        assert parting is not None
        first, *_ = parting_lines(parting)
        assert first == "on_stop = cancel: 0 confirmed; NOT confirmed, and open: 3"


async def test_a_dry_run_cancels_nothing(journal: Journal) -> None:
    market = Outside()
    async with works(journal, market, resting()) as at:
        await at.run(minutes(0, 0))
        at.engine.settings = msgspec.structs.replace(at.engine.settings, dry_run=True)
        parting = await part(at.engine, OnStop.CANCEL, SOON)
        assert states(parting) == ([], [S.ACKNOWLEDGED] * 3)
        assert market.asked == []
        assert "session.stopping" not in kinds(at.written())


async def test_an_answer_that_takes_its_time_is_waited_for(journal: Journal) -> None:
    market = Outside()
    market.silent = {0, 1, 2}
    async with works(journal, market, resting()) as at:
        await at.run(minutes(0, 0))
        parting = asyncio.create_task(part(at.engine, OnStop.CANCEL, 5))
        async with asyncio.timeout(5):
            while len(market.asked) < 3:  # noqa: ASYNC110 - what is waited for is the broker's
                await asyncio.sleep(0.01)
        for order_id in market.orders:
            market.confirm(order_id)
        assert states(await parting) == ([S.CANCELLED] * 3, [])


async def test_without_an_order_there_is_nothing_to_record(journal: Journal) -> None:
    async with works(journal, Outside(), Scripted()) as at:
        parting = await parted(at, OnStop.CANCEL)
        assert parting is not None
        assert list(parting_lines(parting)) == ["on_stop = cancel: no order is at the broker"]
        assert "session.stopping" not in kinds(at.written())


async def test_what_rests_inside_the_process_is_in_the_books_and_stays_there(
    journal: Journal,
) -> None:
    async with works(journal, PaperBroker(PLAIN), resting()) as at:
        assert await parted(at, OnStop.CANCEL) is None
        assert len(at.state.orders.open) == 3


def test_both_ends_of_a_session_read_as_sentences() -> None:
    left = (ClientOrderId("a"), ClientOrderId("b"))
    assert sentence(SessionStopping("signal SIGINT")) == (
        "traded stops and asks for a cancel of every order: signal SIGINT"
    )
    assert sentence(SessionEnded("signal SIGINT", left)) == (
        "traded gave the journal back with 2 orders left at the broker: signal SIGINT"
    )
    assert sentence(SessionEnded("the feed ended")) == (
        "traded gave the journal back: the feed ended"
    )
