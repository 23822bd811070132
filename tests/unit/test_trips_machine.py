"""A clock that was set, a machine that slept, a disk that fills up: each stops everything, once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.brokers.paper import PaperBroker
from daemon.clock import SystemClock
from daemon.stopping.kill_switch import KillSwitch
from daemon.stopping.permit import Permit
from daemon.surroundings import DiskTerms, Surroundings
from events import (
    ClockJumped,
    DiskLow,
    HoldLevel,
    HoldLifts,
    HoldScope,
    IntentRefused,
    OperatorLifted,
    OrderSending,
    SymbolResumed,
    WorkingOrders,
    nanoseconds,
    utc_from_nanoseconds,
)
from events.codec import Input, decode, encode
from events.journal import Journal
from ops.sentences import sentence
from tests.broker_desk import PLAIN
from tests.builders import a_calendar, a_fill, a_session, utc
from tests.core_desk import A, Scripted, kinds, of
from tests.engine_desk import works
from tests.gate_desk import rules
from tests.operators import said
from tests.trip_desk import TripDesk, assert_decided_alike
from tests.unit.test_clock import NOON, Machine, S
from tests.unit.test_engine_live import Silent, until

AHEAD = ClockJumped(Decimal("3600.000"), Decimal("0.000"))
SLEPT = ClockJumped(Decimal("0.012"), Decimal("3600.000"))
LOW = DiskLow(249_999_999, 250_000_000)


# At the core.


@pytest.mark.parametrize(
    ("event", "cause", "working"),
    [
        (AHEAD, "CLOCK_JUMP", WorkingOrders.KEEP),
        (SLEPT, "CLOCK_JUMP", WorkingOrders.KEEP),
        (LOW, "DISK_LOW", WorkingOrders.CANCEL_INCREASING),
    ],
)
def test_each_stops_everything_until_an_operator_lifts_it(
    event: Input, cause: str, working: WorkingOrders
) -> None:
    desk = TripDesk()
    order_id = desk.working(0)
    desk.step(event)
    hold = desk.hold
    assert (hold.cause, hold.scope, hold.level) == (cause, HoldScope.ALL, HoldLevel.HALT)
    assert (hold.by, hold.lifts, hold.working) == (
        "circuit breaker",
        HoldLifts.OPERATOR,
        working,
    )
    asked_back = desk.state.orders.open[order_id].cancel_requested
    assert asked_back == (working is WorkingOrders.CANCEL_INCREASING)
    assert asked_back or desk.cancels() == ["cancel.sending"], "cancels pass"
    assert len(of(desk.minute("15:01"), IntentRefused)) == 1
    assert kinds(desk.step(event)) == [str(event.__struct_config__.tag)], "it stands once"
    assert desk.restarted().hold == hold
    desk.step(said(OperatorLifted, hold.hold_id))
    assert len(of(desk.minute("15:02"), OrderSending)) == 1
    assert_decided_alike(desk)


@pytest.mark.parametrize("event", [AHEAD, SLEPT])
def test_no_day_ends_by_a_clock_that_jumped_until_somebody_says_that_it_is_right(
    event: ClockJumped,
) -> None:
    desk = TripDesk(rules(account={"max_daily_loss_usd": "50"}))
    desk.step(a_fill("1", order_id=desk.working(0), executed_at="2024-01-02T15:00"))
    desk.minute("15:01", "40")  # 100 - 60
    assert desk.held_by == ["DAILY_LOSS_EXCEEDED"]
    desk.step(event, "2024-01-03T15:30")
    desk.step(SymbolResumed(A), "2024-01-03T15:31")
    desk.step(a_calendar(a_session("2024-01-02"), a_session("2024-01-03")), "2024-01-03T15:32")
    assert desk.held_by == ["DAILY_LOSS_EXCEEDED", "CLOCK_JUMP"]
    assert desk.state.pnl.days == 0
    jumped = list(desk.state.holds.active)[1]
    desk.step(said(OperatorLifted, jumped), "2024-01-03T15:33")
    desk.step(SymbolResumed(A), "2024-01-03T15:34")
    assert (desk.held_by, desk.state.pnl.days) == ([], 1)
    assert_decided_alike(desk)


@pytest.mark.parametrize(
    ("event", "what"),
    [
        (AHEAD, "the clock was set 3600.000 s ahead of the time that has passed"),
        (
            ClockJumped(Decimal("-60.5"), Decimal(3)),
            "the clock was set 60.5 s behind the time that has passed",
        ),
        (SLEPT, "the machine slept for 3600.000 s"),
    ],
)
def test_a_jump_says_how_far_and_which_time_counts(event: ClockJumped, what: str) -> None:
    desk = TripDesk()
    desk.step(event, "2024-01-02T15:00")
    assert desk.hold.why == (
        f"{what}; the daemon goes by 2024-01-02 15:00:00 UTC until this is lifted, then by "
        "the machine's clock: set that right first, see `timedatectl`"
    )


def test_a_low_disk_says_how_low_and_how_much_is_needed() -> None:
    desk = TripDesk()
    desk.step(LOW)
    assert desk.hold.why == (
        "250 MB are free for the journal, 250 are needed; make room, then lift this"
    )


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            AHEAD,
            (
                "the machine's clock jumped: 3600.000 s ahead of the time that has passed, "
                "0.000 s asleep"
            ),
        ),
        (LOW, "the disk is low: 250 MB are free, 250 MB are needed"),
    ],
)
def test_each_reads_as_a_sentence(event: ClockJumped | DiskLow, text: str) -> None:
    assert sentence(event) == text
    assert decode(encode(event)) == event


# Looking around.


class Around:
    """Surroundings of a core, with a machine and a disk that a test changes."""

    def __init__(self, folder: Path, *, every_s: int = 30) -> None:
        self.desk = TripDesk()
        self.machine = Machine()
        self.clock = SystemClock(self.machine)
        self.free = 10_000
        self.looks_at_disk = 0
        permit = Permit(folder / "permit")
        permit.grant()
        self.surroundings = Surroundings(
            self.desk.core, KillSwitch(permit), DiskTerms(1_000, every_s), self._free
        )

    def _free(self) -> int:
        self.looks_at_disk += 1
        return self.free

    def look(self, *, live: bool = True) -> list[str]:
        self.surroundings.look(self.clock, live=live)
        taken, self.desk.recorder.records = self.desk.recorder.records, []
        return kinds(taken)

    def lift(self) -> None:
        self.desk.step(said(OperatorLifted, self.desk.hold.hold_id))


@pytest.fixture
def around(tmp_path: Path) -> Around:
    return Around(tmp_path)


def test_where_nothing_is_odd_nothing_is_said(around: Around) -> None:
    for _ in range(3):
        around.machine.passes(3_600)
        assert around.look() == []


def test_a_jump_is_told_once_and_lifting_it_takes_the_machines_time_over(around: Around) -> None:
    around.machine.passes(1, wall=3_600)
    assert around.look() == ["clock.jumped", "hold.placed"]
    around.machine.passes(60)
    assert around.look() == []
    assert around.clock.now() == NOON + 61 * S
    around.lift()
    assert around.look() == []
    assert around.clock.now() == NOON + (61 + 3_600) * S
    assert around.desk.held_by == []
    around.machine.passes(1, wall=-3_600)
    assert around.look() == ["clock.jumped", "hold.placed"], "the next one is another"


def test_a_clock_that_was_set_right_by_itself_is_held_all_the_same(around: Around) -> None:
    around.machine.passes(1, wall=3_600)
    around.look()
    around.machine.passes(1, wall=-3_600)
    assert around.look() == []
    assert around.desk.held_by == ["CLOCK_JUMP"]
    around.lift()
    around.machine.passes(1, wall=10)
    assert around.look() == ["clock.jumped", "hold.placed"], "it was not swallowed"


def test_a_jump_behind_a_hold_of_an_earlier_process_is_told_when_that_is_lifted(
    around: Around,
) -> None:
    around.desk.step(AHEAD)
    around.machine.passes(1, wall=60)
    assert around.look() == []
    around.lift()
    assert around.look() == ["clock.jumped", "hold.placed"]


def test_a_disk_below_its_level_is_told_once_and_again_when_lifted_too_soon(
    around: Around,
) -> None:
    around.free = 1_000
    assert around.look() == []
    around.free = 999
    around.machine.passes(29.9)
    assert around.look() == [], "it is not looked at yet"
    around.machine.passes(0.1)
    assert around.look() == ["disk.low", "hold.placed"]
    around.machine.passes(30)
    assert around.look() == []
    around.lift()
    around.machine.passes(30)
    assert around.look() == ["disk.low", "hold.placed"]
    around.free = 1_000
    around.lift()
    around.machine.passes(30)
    assert around.look() == []


def test_the_disk_is_looked_at_now_and_then(around: Around) -> None:
    for _ in range(61):
        around.look()
        around.machine.passes(1)
    assert around.looks_at_disk == 3


def test_a_clock_set_back_does_not_keep_the_disk_from_being_looked_at(around: Around) -> None:
    around.look()
    around.machine.passes(1, wall=-86_400)
    around.look()
    around.lift()
    around.look()
    around.look()
    assert around.looks_at_disk == 2


def test_recorded_bars_depend_on_neither_clock_nor_disk(around: Around) -> None:
    around.machine.passes(1, wall=3_600)
    around.free = 0
    assert around.look(live=False) == []


# At an engine on a live feed.


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


async def in_silence(
    journal: Journal, happens: Callable[[Machine], None], *, free: int = 10**9
) -> list[str]:
    """Return what an engine on a silent live feed records from where something `happens` on."""
    machine = Machine()
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        at.engine.clock = SystemClock(machine)
        running = asyncio.create_task(at.take(Silent()))
        await until(lambda: at.bars == [0])  # It waits for bars from here on.
        at.engine.surroundings.free_bytes = lambda: free
        happens(machine)
        await until(lambda: "hold.placed" in kinds(at.written()))
        at.engine.request_stop("enough")
        await running
        return kinds(at.written())


async def test_the_engine_hears_of_a_jump_before_what_would_be_due_by_it(journal: Journal) -> None:
    heard = await in_silence(journal, lambda machine: machine.passes(1, wall=86_400))
    assert heard[:2] == ["clock.jumped", "hold.placed"]
    # It reckons on by its own time: a day later by the machine's, nothing has come due.
    assert heard[2:] == []


async def test_the_engine_hears_of_a_low_disk(journal: Journal) -> None:
    assert await in_silence(journal, lambda _: None, free=0) == ["disk.low", "hold.placed"]


async def test_by_itself_it_looks_at_the_disk_of_the_journal(journal: Journal) -> None:
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        assert 0 < at.engine.surroundings.free_bytes() < 10**18


def test_noon_is_noon() -> None:
    assert nanoseconds(utc("2024-01-02T12:00")) == NOON == nanoseconds(utc_from_nanoseconds(NOON))
