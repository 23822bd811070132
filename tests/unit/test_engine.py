"""The engine: nothing leaves before it is written down, and what follows when it cannot be."""

import resource
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.brokers import Inbox
from daemon.brokers.paper import PaperBroker
from daemon.core.deadlines import NEVER
from daemon.gate import RiskApproved
from events import (
    BarClosed,
    BrokerUnparsed,
    CancelSending,
    ClientOrderId,
    CorporateActionApplied,
    HoldLevel,
    HoldLifted,
    HoldPlaced,
    LookWhy,
    OrderAcknowledged,
    OrderCancelled,
    OrderRejected,
    OrderSending,
    OrderWithheld,
    nanoseconds,
)
from events.codec import Input
from events.errors import JournalWriteFailed
from events.journal import Journal, JournalReader
from projections import State
from projections.order_states import OrderState
from tests.broker_desk import PLAIN
from tests.builders import a_commission, a_fill, utc
from tests.core_desk import OPENING, A, Scripted, buy, kinds
from tests.engine_desk import Blocks, minutes, works

Answers = Callable[[ClientOrderId, int], Sequence[Input]]


class Venue:
    """A broker outside this process. It answers at once, as `answers` says for its nth order.

    `unwritten` is what it was asked before another reader of the journal could see it there.
    """

    outside = True
    next_due = NEVER

    def __init__(self, journal: Path) -> None:
        self._reader = JournalReader(journal)
        self.answers: Answers = lambda _order_id, _nth: ()
        self.submitted: list[ClientOrderId] = []
        self.cancelled: list[ClientOrderId] = []
        self.unwritten: list[ClientOrderId] = []

    def connect(self, state: State, inbox: Inbox) -> None:  # noqa: ARG002 - the protocol's
        self._report = inbox

    def submit(self, approved: RiskApproved) -> None:
        order_id = approved.intent.client_order_id
        self.submitted.append(order_id)
        if self._reader.find(OrderSending, order_id) is None:
            self.unwritten.append(order_id)
        for report in self.answers(order_id, len(self.submitted)):
            self._report(report)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        self.cancelled.append(client_order_id)
        written = [record.event for record in self._reader.records()]
        if not any(isinstance(each, CancelSending) for each in written):
            self.unwritten.append(client_order_id)
        self._report(OrderCancelled(client_order_id))

    def observe(self, bar: BarClosed) -> None:
        pass

    def advance(self, now: datetime) -> None:
        pass

    def corporate_action(self, action: CorporateActionApplied) -> None:
        pass

    def report_books(self, look_id: str, why: LookWhy, now: datetime) -> None:
        pass

    def close(self) -> None:
        self._reader.close()


@contextmanager
def no_file_can_be_written() -> Iterator[None]:
    """Let this process write no byte to any file: the real cause is as good as a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


@pytest.fixture
def venue(journal: Journal) -> Iterator[Venue]:
    outside = Venue(journal.path)
    yield outside
    outside.close()


def acknowledged(order_id: ClientOrderId, _nth: int) -> Sequence[Input]:
    return (OrderAcknowledged(order_id),)


def filled_at_once(order_id: ClientOrderId, nth: int) -> Sequence[Input]:
    """Return an answer within the call that sends: acknowledged, and filled."""
    fill = a_fill("10", order_id=order_id, execution_id=f"e{nth}", executed_at="2024-01-02T15:00")
    return OrderAcknowledged(order_id), fill


# A broker outside.


async def test_nothing_is_sent_before_another_process_could_read_that_it_is(
    journal: Journal, venue: Venue
) -> None:
    venue.answers = acknowledged
    trend, other = Scripted(bars=[[buy("1"), buy("2")]]), Scripted(bars=[None, buy("3")])
    async with works(journal, venue, trend, other) as at:
        await at.run(minutes(0, 1))
        assert len(venue.submitted) == 3
        assert venue.unwritten == []
        assert {order.state for order in at.state.orders.open.values()} == {OrderState.ACKNOWLEDGED}


async def test_bars_that_nothing_follows_from_share_a_commit_and_an_order_waits_for_no_other_bar(
    journal: Journal, venue: Venue
) -> None:
    async with works(journal, venue, Scripted(bars=[None, buy(), None, None])) as at:
        await at.run(minutes(0, 3))
        first, *_, last = at.commits
        sent = ["order.intended", "intent.approved", "order.sending"]
        assert first == ["bar.closed", "bar.closed", *sent]
        assert last.count("bar.closed") == 2


async def test_an_order_that_a_report_leads_to_while_another_is_sent_is_written_first_too(
    journal: Journal, venue: Venue
) -> None:
    # The first order fills within the call that sends it, and the strategy answers the fill.
    venue.answers = filled_at_once
    async with works(journal, venue, Scripted(bars=[buy()], fills=[buy(), buy()])) as at:
        await at.run(minutes(0, 0))
        assert len(venue.submitted) == 3
        assert venue.unwritten == []
        assert at.state.positions.held(A).quantity == 30


async def test_orders_of_one_turn_are_sent_in_the_order_of_their_records(
    journal: Journal, venue: Venue
) -> None:
    async with works(journal, venue, Scripted(bars=[[buy("1"), buy("-2"), buy("3")]])) as at:
        await at.run(minutes(0, 0))
        sent = [r.event.client_order_id for r in at.written() if isinstance(r.event, OrderSending)]
        assert venue.submitted == sent
        assert len(sent) == 3


async def test_a_cancel_is_sent_after_its_record_and_only_once(
    journal: Journal, venue: Venue
) -> None:
    venue.answers = acknowledged
    trend = Scripted(bars=[buy(cancel_after_s=90)])
    async with works(journal, venue, trend) as at:
        await at.run(minutes(0, 5))
        assert venue.cancelled == venue.submitted
        assert venue.unwritten == []
        assert at.state.orders.open == {}


async def test_an_order_nobody_answers_is_unknown_keeps_its_exposure_and_is_not_sent_again(
    journal: Journal, venue: Venue
) -> None:
    async with works(journal, venue, Scripted(bars=[buy("10")])) as at:
        await at.run(minutes(0, 5))
        (order,) = at.state.orders.open.values()
        assert (order.state, order.reserved) == (OrderState.UNKNOWN, 10)
        assert venue.submitted == [order.client_order_id]
        # Sent at 15:00:00; found out with the bar of 15:01, as of 15:00:30.
        (timer, unknown) = [
            r for r in at.written() if r.at == nanoseconds(utc("2024-01-02T15:00:30"))
        ]
        assert kinds([timer, unknown]) == ["timer.fired", "order.unknown"]


async def test_a_dry_run_decides_everything_and_sends_nothing(
    journal: Journal, venue: Venue
) -> None:
    async with works(journal, venue, Scripted(bars=[buy(), buy()]), dry_run=True) as at:
        await at.run(minutes(0, 1))
        assert venue.submitted == []
        withheld = [r.event for r in at.written() if isinstance(r.event, OrderWithheld)]
        assert [each.reason for each in withheld] == ["dry run", "dry run"]
        assert at.state.orders.open == {}
        assert {order.state for order in at.state.orders.closed.values()} == {OrderState.WITHHELD}


async def test_an_order_is_withheld_where_a_report_on_the_one_before_has_led_to_a_halt(
    journal: Journal, venue: Venue
) -> None:
    # Ten were ordered and twenty filled: nothing goes after that, the same turn's orders included.
    def too_much(order_id: ClientOrderId, _nth: int) -> Sequence[Input]:
        return (a_fill("20", order_id=order_id, executed_at="2024-01-02T15:00"),)

    venue.answers = too_much
    async with works(journal, venue, Scripted(bars=[[buy("10"), buy("11")]])) as at:
        await at.run(minutes(0, 0))
        assert len(venue.submitted) == 1
        withheld = [r.event for r in at.written() if isinstance(r.event, OrderWithheld)]
        assert [event.reason for event in withheld] == ["HALT: over-fill"]


async def test_an_order_is_withheld_after_a_stop(journal: Journal, venue: Venue) -> None:
    async with works(journal, venue, Scripted(bars=[[buy("10"), buy("11")]])) as at:

        def stopping(_order_id: ClientOrderId, _nth: int) -> Sequence[Input]:
            at.engine.request_stop("enough")
            return ()

        venue.answers = stopping
        await at.run(minutes(0, 5))
        assert len(venue.submitted) == 1
        assert at.state.market.bars == 1
        assert kinds(at.written())[-1] == "order.withheld"


async def test_an_unanswered_cancel_is_sent_again_at_the_next_start(
    journal: Journal, venue: Venue
) -> None:
    async with works(journal, venue, Scripted(bars=[buy("10"), None])) as at:
        await at.run(minutes(0, 0))
        (order_id,) = venue.submitted
        at.engine.core.orders.cancel(order_id, "on request")
        at.engine.recorder.effects.clear()  # As a crash does behind the commit.
        await at.engine.commit()
        assert venue.cancelled == []
        await at.engine.connect_broker()
        assert venue.cancelled == [order_id]
        assert at.state.orders.open == {}


async def test_a_dry_run_sends_no_cancel_either(journal: Journal, venue: Venue) -> None:
    async with works(journal, venue, Scripted(bars=[buy("10")])) as at:
        await at.run(minutes(0, 0))
        at.engine.settings = msgspec.structs.replace(at.engine.settings, dry_run=True)
        at.engine.core.orders.cancel(venue.submitted[0], "on request")
        await at.engine.commit()
        assert kinds(at.written())[-1] == "cancel.sending"
        assert venue.cancelled == []


@pytest.mark.parametrize(
    "report",
    [
        a_fill("10", "NaN"),
        a_fill("10", "-5"),
        a_fill("10", "0"),
        a_fill("0", "5"),
        a_fill("10", "1e300"),
        a_fill("10", "1e-99"),
        a_fill("10", "5", executed_at="2099-01-01T00:00"),
        a_commission("1.7976931348623157e308"),
        OrderRejected(ClientOrderId("o1"), None),  # type: ignore[arg-type] # what a broker may do
        HoldLifted("h1", "broker", "why not"),
        "gone",
    ],
)
async def test_what_cannot_be_so_is_recorded_as_it_came_and_halts_everything(
    journal: Journal,
    venue: Venue,
    report: Any,  # noqa: ANN401 - anything
) -> None:
    async with works(journal, venue, Scripted()) as at:
        at.engine.report(report)
        await at.engine.commit()
        assert kinds(at.written()) == ["broker.unparsed", "hold.placed"]
        (unparsed, hold) = (record.event for record in at.written())
        assert isinstance(unparsed, BrokerUnparsed)
        assert isinstance(hold, HoldPlaced)
        assert unparsed.raw == repr(report)
        assert hold.level is HoldLevel.HALT
        assert at.state.positions.account == {}


async def test_blocks_that_come_while_one_is_written_share_the_next_commit(
    journal: Journal,
) -> None:
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        durable: list[int] = []
        for minute in range(3):
            at.engine.take_bar(*minutes(minute, minute))
            records, at.engine.recorder.records = at.engine.recorder.records, []
            at.engine.commits.take(records, 0.0, lambda _: durable.append(len(at.written())))
        await at.engine.commits.done()
        # Each block is told of when it is durable: that was the case for all three at once.
        assert durable == [3, 3, 3]


async def test_many_blocks_are_all_in_the_journal_in_order(journal: Journal) -> None:
    async with works(journal, PaperBroker(PLAIN), Scripted(), every=100) as at:
        await at.run(*(minutes(each, each) for each in range(500)))
        assert kinds(at.written()) == ["bar.closed"] * 500
        assert [len(commit) for commit in at.commits] == at.bars == [1] * 500
        with JournalReader(journal.path) as reader:
            newest = at.engine.commits.snapshots.newest(reader, None)
        assert newest is not None
        assert newest.seq > len(OPENING) + 400


# A journal that cannot be written.


async def test_what_could_not_be_written_is_not_sent_and_nothing_is_after_it(
    journal: Journal, venue: Venue
) -> None:
    venue.answers = acknowledged
    async with works(journal, venue, Scripted(bars=[buy(), buy(), buy()])) as at:
        await at.run(minutes(0, 0))
        assert len(venue.submitted) == 1
        with no_file_can_be_written(), pytest.raises(JournalWriteFailed, match="may or may not be"):
            await at.run(minutes(1, 1))
        assert journal.poisoned
        # The disk is well again, but what is in the file is not known: a restart finds out.
        with pytest.raises(JournalWriteFailed, match="nothing more is appended"):
            await at.run(minutes(2, 2))
        assert len(venue.submitted) == 1


async def test_a_write_that_failed_behind_a_block_is_found_out_and_no_other_follows(
    journal: Journal,
) -> None:
    # A broker inside: the next blocks are computed while this one is written.
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        with no_file_can_be_written(), pytest.raises(JournalWriteFailed):
            await at.run(minutes(0, 1), minutes(2, 3), minutes(4, 5))
        with pytest.raises(JournalWriteFailed, match="nothing more is appended"):
            await at.run(minutes(6, 7))
        assert at.written() == []


async def test_after_a_failed_write_a_restart_goes_on_from_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first = await Journal.open(path)
    async with works(first, PaperBroker(PLAIN), Scripted()) as at:
        await at.run(minutes(0, 1))
        with no_file_can_be_written(), pytest.raises(JournalWriteFailed):
            await at.run(minutes(2, 3))
    await first.close()
    again = await Journal.open(path)
    with JournalReader(path) as reader:
        assert reader.check() == []
        assert kinds(list(reader.records(after=len(OPENING)))) == ["bar.closed"] * 2
    assert again.head.seq == len(OPENING) + 2
    await again.close()


# A broker inside, and the end of a run.


async def test_the_bars_of_a_block_and_what_followed_from_them_are_one_commit(
    journal: Journal,
) -> None:
    async with works(journal, PaperBroker(PLAIN), Scripted(bars=[buy()])) as at:
        await at.run(minutes(0, 1), minutes(2, 3))
        sent = ["bar.closed", "order.intended", "intent.approved", "order.sending"]
        filled = ["order.acknowledged", "order.filled", "commission.charged", "bar.closed"]
        assert at.commits == [[*sent, *filled], ["bar.closed"] * 2]
        assert at.bars == [2, 2]
        assert at.engine.stop_reason == "the feed ended"


async def test_a_stop_ends_the_run_after_the_block_in_hand_and_the_first_reason_stands(
    journal: Journal,
) -> None:
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        blocks = Blocks(minutes(0, 1), minutes(2, 3), minutes(4, 5))
        await at.engine.run(blocks, lambda _: at.engine.request_stop("signal SIGTERM"))
        at.engine.request_stop("another reason")
        assert at.engine.stop_reason == "signal SIGTERM"
        assert at.state.market.bars == 2
        await at.engine.commit()
        assert kinds(at.written()) == ["bar.closed"] * 2


async def test_once_takes_a_live_feeds_first_block_and_says_so(journal: Journal) -> None:
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        await at.take(Blocks(minutes(0, 1), minutes(2, 3), live=True), once=True)
        assert at.bars == [2]
        assert at.engine.stop_reason == "once: took what was there"


async def test_once_takes_all_of_a_recorded_feed(journal: Journal) -> None:
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        await at.take(Blocks(minutes(0, 1), minutes(2, 3)), once=True)
        assert at.bars == [2, 2]
        assert at.engine.stop_reason == "the feed ended"


async def test_snapshots_come_as_often_as_asked_and_the_newest_are_kept(journal: Journal) -> None:
    # The opening is four events; then every fourth bar, of which two are kept.
    async with works(journal, PaperBroker(PLAIN), Scripted(), every=4) as at:
        await at.run(minutes(0, 1), minutes(2, 3), minutes(4, 5), minutes(6, 7), minutes(8, 9))
        with JournalReader(journal.path) as reader:
            newest = at.engine.commits.snapshots.newest(reader, None)
            before = at.engine.commits.snapshots.newest(reader, newest.seq - 1) if newest else None
        assert newest is not None
        assert before is not None
        assert [(each.seq, each.state.market.bars) for each in (before, newest)] == [
            (8, 4),
            (12, 8),
        ]


async def test_a_snapshot_that_cannot_be_written_is_said_and_ends_nothing(journal: Journal) -> None:
    async with works(journal, PaperBroker(PLAIN), Scripted(), every=4) as at:
        folder = at.engine.commits.snapshots.path
        shutil.rmtree(folder)
        folder.write_text("a file where the folder should be")
        await at.run(minutes(0, 1), minutes(2, 3))
        assert at.engine.stop_reason == "the feed ended"
        assert at.engine.commits.snapshot_problem.startswith("the snapshot at 8 was not written: ")
        folder.unlink()
        await at.run(minutes(4, 7))
        assert at.engine.commits.snapshot_problem == ""


async def test_what_is_not_written_yet_is_in_no_snapshot(journal: Journal) -> None:
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        await at.run(minutes(0, 0))
        at.engine.take_bar(minutes(1, 1)[0])
        at.engine.commits.snapshot()
        with JournalReader(journal.path) as reader:
            assert at.engine.commits.snapshots.newest(reader, None) is None
