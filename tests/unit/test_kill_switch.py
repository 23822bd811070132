"""The kill switch in the engine: the last look before an order leaves, and its latch."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from daemon.brokers import Broker
from daemon.brokers.paper import PaperBroker
from daemon.engine import Engine
from events import (
    KILL_SWITCH,
    ClientOrderId,
    HoldLevel,
    HoldPlaced,
    HoldScope,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorKilled,
    OperatorResumed,
    OrderAcknowledged,
    OrderSending,
    OrderWithheld,
    PermitLost,
)
from events.codec import Command
from events.journal import Journal
from tests.broker_desk import PLAIN
from tests.builders import a_fill
from tests.core_desk import A, Scripted, buy, kinds, of
from tests.engine_desk import Blocks, Works, minutes, works
from tests.operators import held, said
from tests.unit.test_engine_live import Quiet, Silent, until

HOLDS_ALL = [KILL_SWITCH]
KILL, RESUME = said(OperatorKilled), said(OperatorResumed, command_id="cmd-resume")


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


def held_by(at: Works) -> list[str]:
    return [hold.cause for hold in at.state.holds.active.values()]


def why_withheld(at: Works) -> list[str]:
    return [each.reason for each in of(at.written(), OrderWithheld)]


async def bars(at: Works, first: int, last: int) -> None:
    """Take the bars that end from 15:`first` to 15:`last`."""
    for bar in minutes(first, last):
        at.engine.take_bar(bar)
        await at.engine.commit()


async def told(at: Works, command: Command) -> None:
    """Give a command, and let the engine take it: nothing else is going on."""
    asked = asyncio.create_task(at.engine.obey(command))
    await asyncio.sleep(0)
    await at.engine.commit()
    await asked


@pytest.mark.parametrize("broker", [Quiet, lambda: PaperBroker(PLAIN)], ids=["outside", "inside"])
async def test_without_a_permit_no_order_leaves_and_that_is_a_kill(
    journal: Journal, broker: Callable[[], Broker]
) -> None:
    async with works(journal, broker(), Scripted(bars=[None, buy("10")])) as at:
        await bars(at, 0, 0)
        at.engine.switch.permit.revoke()
        await bars(at, 1, 1)
        assert why_withheld(at) == ["the permit file is gone"]
        assert held_by(at) == HOLDS_ALL
        assert len(of(at.written(), PermitLost)) == 1
        assert at.state.orders.open == {}
        assert "broker.unparsed" not in kinds(at.written())


async def test_two_orders_without_a_permit_are_one_kill(journal: Journal) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[None, [buy("10"), buy("11")]])) as at:
        await bars(at, 0, 0)
        at.engine.switch.permit.revoke()
        await bars(at, 1, 1)
        assert broker.submitted == []
        assert len(why_withheld(at)) == 2
        assert len(of(at.written(), PermitLost)) == len(of(at.written(), HoldPlaced)) == 1


async def test_a_permit_taken_away_is_noticed_while_nothing_is_sent(journal: Journal) -> None:
    async with works(journal, Quiet(), Scripted(bars=[buy("10")])) as at:
        running = asyncio.create_task(at.take(Silent(*minutes(0, 0)), once=False))
        await until(lambda: at.bars == [1])
        at.engine.switch.permit.revoke()
        began = asyncio.get_running_loop().time()
        await until(lambda: "cancel.sending" in kinds(at.written()))
        assert asyncio.get_running_loop().time() - began < 2
        assert held_by(at) == HOLDS_ALL
        at.engine.request_stop("enough")
        await running


async def test_a_latch_withholds_what_is_decided_before_the_kill_is_recorded(
    journal: Journal,
) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")])) as at:
        at.engine.switch.latch()
        await bars(at, 0, 0)
        assert broker.submitted == []
        assert why_withheld(at) == ["killed"]
        # A kill records itself: the permit it took away with it is no second one.
        assert of(at.written(), PermitLost) == []


async def test_a_kill_overtakes_the_orders_of_its_own_turn(journal: Journal) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")])) as at:
        at.engine.take_bar(minutes(0, 0)[0])
        assert at.engine.recorder.effects, "the order is decided and not sent"
        asked = asyncio.create_task(at.engine.obey(KILL))
        await asyncio.sleep(0)
        await at.engine.commit()
        await asked
        assert broker.submitted == []
        assert why_withheld(at) == [f"HALT: {KILL_SWITCH}"]


@pytest.mark.parametrize("level", HoldLevel)
async def test_a_hold_overtakes_the_orders_of_its_own_turn_that_it_would_not_let_pass(
    journal: Journal, level: HoldLevel
) -> None:
    broker = Quiet()
    answers = [buy("10"), None, [buy("-4"), buy("5")]]
    async with works(journal, broker, Scripted(bars=answers)) as at:
        await bars(at, 0, 0)
        broker.report(a_fill("10", order_id=broker.submitted[0], executed_at="2024-01-02T15:00"))
        await bars(at, 1, 1)
        at.engine.take_bar(minutes(2, 2)[0])
        await told(at, held(level=level))
        sells = level is HoldLevel.REDUCE
        assert why_withheld(at) == [f"{level}: operator"] * (1 if sells else 2)
        left = [at.state.orders.find(order_id) for order_id in broker.submitted[1:]]
        assert [order.intent.quantity for order in left if order] == [-4] * sells


async def test_an_order_whose_cancel_is_asked_for_before_it_leaves_stays_here(
    journal: Journal,
) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")])) as at:
        at.engine.take_bar(minutes(0, 0)[0])
        await told(at, said(OperatorCancelAsked))
        assert broker.submitted == []
        assert why_withheld(at) == ["its cancel was asked for before it left"]


async def test_an_order_withheld_by_the_kill_is_not_cancelled_at_the_broker(
    journal: Journal,
) -> None:
    class Strict(Quiet):
        """Knows what was sent to it, and nothing else."""

        def cancel(self, client_order_id: object) -> None:
            assert client_order_id in self.submitted, "nobody sent that"

    async with works(journal, Strict(), Scripted(bars=[buy("10")])) as at:
        at.engine.take_bar(minutes(0, 0)[0])
        await told(at, KILL)
        assert kinds(at.written())[-2:] == ["cancel.sending", "order.withheld"]
        assert held_by(at) == HOLDS_ALL


async def test_what_a_start_wants_cancelled_is_asked_for_once_the_broker_is_there(
    journal: Journal,
) -> None:
    class Absent(Quiet):
        """Is asked for nothing before it is connected."""

        def __init__(self) -> None:
            super().__init__()
            self.cancelled: list[object] = []

        def cancel(self, client_order_id: ClientOrderId) -> None:
            self.cancelled.append(client_order_id)
            super().cancel(client_order_id)

    async with works(journal, Quiet(), Scripted(bars=[buy("10")])) as at:
        await bars(at, 0, 0)
        (order,) = at.state.orders.open
        broker = Absent()
        parts = (at.engine.clock, at.engine.commits.snapshots, at.engine.settings, at.engine.switch)
        again = Engine(at.engine.core, journal, broker, *parts)
        await again.take(PermitLost("it was gone at the start"))
        assert broker.cancelled == []
        assert at.state.orders.open[order].cancel_requested
        await again.connect_broker()
        assert broker.cancelled == [order]
        assert at.state.orders.open == {}


async def test_once_the_kill_is_durable_its_hold_stops_and_a_flatten_may_pass(
    journal: Journal,
) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10"), None, buy("5")])) as at:
        await bars(at, 0, 0)
        broker.report(OrderAcknowledged(broker.submitted[0]))
        broker.report(a_fill("10", order_id=broker.submitted[0], executed_at="2024-01-02T15:00"))
        await at.engine.commit()
        switch = at.engine.switch
        switch.latch()
        assert not switch.permit.granted
        await told(at, KILL)
        assert switch.permit.granted
        await told(at, said(OperatorFlattenAsked, A, command_id="cmd-flat"))
        assert len(broker.submitted) == 2
        await bars(at, 1, 2)
        assert len(broker.submitted) == 2


async def test_a_flatten_does_not_pass_a_missing_permit(journal: Journal) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")])) as at:
        await bars(at, 0, 0)
        broker.report(a_fill("10", order_id=broker.submitted[0], executed_at="2024-01-02T15:00"))
        await at.engine.commit()
        at.engine.switch.permit.revoke()
        await told(at, said(OperatorFlattenAsked, A, command_id="cmd-flat"))
        assert len(broker.submitted) == 1
        assert why_withheld(at) == ["the permit file is gone"]


async def test_a_resume_lets_orders_leave_again(journal: Journal) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[None, buy("10")])) as at:
        await bars(at, 0, 0)
        at.engine.switch.latch()
        await told(at, KILL)
        at.engine.switch.permit.revoke()
        await told(at, RESUME)
        assert at.engine.switch.permit.granted
        assert not at.engine.switch.latched
        await bars(at, 1, 1)
        assert len(broker.submitted) == 1


async def test_a_kill_that_comes_while_a_resume_is_written_stands(journal: Journal) -> None:
    async with works(journal, Quiet(), Scripted()) as at:
        at.engine.switch.latch()
        await told(at, KILL)
        resuming = asyncio.create_task(at.engine.obey(RESUME))
        await asyncio.sleep(0)
        at.engine.switch.latch()  # By another caller's thread, as its kill comes in.
        await at.engine.commit()
        await resuming
        assert at.engine.switch.latched
        assert not at.engine.switch.permit.granted


async def test_a_resume_of_one_strategy_does_not_release_the_latch(journal: Journal) -> None:
    async with works(journal, Quiet(), Scripted()) as at:
        at.engine.switch.latch()
        await told(at, KILL)
        await told(at, held(HoldScope.STRATEGY, "trend"))
        await told(at, said(OperatorResumed, "trend", command_id="cmd-2"))
        assert held_by(at) == HOLDS_ALL
        assert at.engine.switch.latched


async def test_the_same_kill_again_gives_no_permit_back_that_somebody_else_took(
    journal: Journal,
) -> None:
    async with works(journal, Quiet(), Scripted()) as at:
        at.engine.switch.latch()
        await told(at, KILL)
        await told(at, RESUME)
        at.engine.switch.permit.revoke()  # By hand, and nothing is sent that would notice.
        at.engine.switch.latch()
        await told(at, KILL)  # Sent again, for want of an answer to the first.
        assert not at.engine.switch.permit.granted


async def test_a_kill_gives_no_permit_back_that_a_person_has_taken_before(
    journal: Journal,
) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")])) as at:
        await bars(at, 0, 0)
        broker.report(a_fill("10", order_id=broker.submitted[0], executed_at="2024-01-02T15:00"))
        at.engine.switch.permit.revoke()
        for number in range(2):  # To be on the safe side, and once more.
            at.engine.switch.latch()
            await told(at, said(OperatorKilled, command_id=f"cmd-kill-{number}"))
            assert not at.engine.switch.permit.granted
        await told(at, said(OperatorFlattenAsked, A, command_id="cmd-flat"))
        assert len(broker.submitted) == 1
        await told(at, RESUME)
        assert at.engine.switch.permit.granted


async def test_a_permit_that_cannot_be_written_is_told_who_resumes_and_the_daemon_lives(
    journal: Journal,
) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")])) as at:
        at.engine.switch.latch()
        await told(at, KILL)
        permit = at.engine.switch.permit.path
        permit.unlink()
        permit.mkdir()  # Nobody writes a file there.
        (permit / "in the way").touch()
        asked = asyncio.create_task(at.engine.obey(RESUME))
        await asyncio.sleep(0)
        await at.engine.commit()
        with pytest.raises(IsADirectoryError):
            await asked
        await bars(at, 0, 0)
        assert broker.submitted == []


async def test_orders_that_answer_fills_without_end_keep_no_bar_waiting(journal: Journal) -> None:
    class Instant(Quiet):
        """Fills at once."""

        def submit(self, approved: object) -> None:
            super().submit(approved)  # type: ignore[arg-type] # an approval
            order_id = self.submitted[-1]
            quantity = "10" if len(self.submitted) % 4 in {1, 2} else "-10"
            fill = a_fill(
                quantity,
                execution_id=f"x{len(self.submitted)}",
                order_id=order_id,
                executed_at="2024-01-02T15:00",
            )
            self.report(fill)

    def endless() -> Scripted:
        answers = [buy("-10") if number % 2 == 0 else buy("10") for number in range(20_000)]
        return Scripted(bars=[buy("10"), None], fills=answers)

    one, other = endless(), endless()
    broker = Instant()
    async with works(journal, broker, one, other) as at:
        running = asyncio.create_task(at.take(Blocks(minutes(0, 0), minutes(1, 1), live=True)))
        await until(lambda: at.state.market.bars == 2)
        assert len(broker.submitted) < 2_000
        at.engine.request_stop("enough")
        await running


async def test_who_stops_waiting_before_his_command_is_taken_is_not_obeyed(
    journal: Journal,
) -> None:
    async with works(journal, Quiet(), Scripted()) as at:
        asked = asyncio.create_task(at.engine.obey(held()))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await at.engine.commit()
        assert kinds(at.written()) == []


async def test_the_same_command_again_is_answered_with_nothing(journal: Journal) -> None:
    async with works(journal, Quiet(), Scripted()) as at:
        first = asyncio.create_task(at.engine.obey(held()))
        again = asyncio.create_task(at.engine.obey(held()))
        other = asyncio.create_task(at.engine.obey(said(OperatorCancelAsked)))
        await asyncio.sleep(0)
        await at.engine.commit()
        assert kinds(await first) == ["operator.held", "hold.placed"]
        assert list(await again) == []
        assert kinds(await other) == ["operator.cancel-asked"]
        assert kinds(at.written()) == ["operator.held", "hold.placed", "operator.cancel-asked"]


async def test_the_records_of_a_command_are_its_own_with_its_cancels(journal: Journal) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10"), buy("11")])) as at:
        await bars(at, 0, 0)
        # In one commit with a bar and what it leads to.
        at.engine.take_bar(minutes(1, 1)[0])
        asked = asyncio.create_task(at.engine.obey(said(OperatorCancelAsked)))
        await asyncio.sleep(0)
        await at.engine.commit()
        records = await asked
        assert kinds(records) == ["operator.cancel-asked", "cancel.sending", "cancel.sending"]
        assert not of(list(records), OrderSending)
