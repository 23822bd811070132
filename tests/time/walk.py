"""A core, its clock and its machine through weeks of bad time, held against New York's real days.

The wall clock is set both ways, by less and by more than what is let pass; it drifts; the machine
sleeps, and is off; a person lifts what that led to, with the clock set right before or not. The
core, its deadlines, the daemon's clock and what looks at it are the real ones; a restart takes the
books through a snapshot's form. All chance comes from the seed.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec

from daemon.calendar import load_calendar
from daemon.clock import SystemClock
from daemon.config.options import SessionsConfig
from daemon.core.core import Core, CoreSettings
from daemon.core.data_watch import CALENDAR_ENDS
from daemon.core.recorder import RefreshCalendars
from daemon.core.strategy_runs import StrategyRun
from daemon.gate import RiskApproved
from daemon.history.replay import Renewed, ReplayCore, turns
from daemon.session import clock_behind
from daemon.stopping.kill_switch import KillSwitch
from daemon.stopping.permit import Permit
from daemon.strategies import Anchor, Answer, Every, Intent, Schedule, Strategy, View
from daemon.surroundings import DiskTerms, Surroundings
from events import (
    CalendarLoaded,
    ClockJumped,
    FreshnessTerms,
    JournalOpened,
    Mode,
    OperatorLifted,
    OrderAcknowledged,
    OrderCancelled,
    OrderSending,
    Record,
    SessionStarted,
    ShortSaleReported,
    TimerFired,
    TimerKind,
    Trip,
    nanoseconds,
    utc_from_nanoseconds,
)
from events.codec import Input, decode, encode
from projections import State
from tests.builders import a_bar, a_config, a_deposit, utc
from tests.core_desk import A
from tests.gate_desk import WIDE
from tests.operators import said
from tests.simulation.timeline import SECOND, MachineClocks, Timeline
from tests.time import oracle

BEGINS = ("2023-12-20", "2024-02-22", "2024-03-05", "2024-10-29", "2024-11-22", "2024-12-20")
"""Before a year's end, a leap day, both changes of the hour, a half day and another year's end."""
DAYS = 16
HORIZON_DAYS = 8
"""Of a walk whose calendar nobody renews, so many days are known."""
AHEAD = timedelta(days=60)
LOOK_S = 900.0
JUMPS_S = (-260_000, -86_400, -3_600, -60, -2.5, -1.5, 1.5, 2.5, 60, 3_600, 86_400, 260_000)
NAPS_S = (1, 5, 600, 30_000, 200_000)
JUMP_S = 2.0
FEW = 1_000
GRACE = timedelta(seconds=60)
"""What small steps and drift may come to before anybody has looked."""
TIMETABLE = (
    Schedule("opening", Every.SESSION, offset_s=60),
    Schedule("closing", Every.SESSION, Anchor.CLOSE, -600),
    Schedule("evening", Every.SESSION, Anchor.CLOSE, 4 * 3_600),
    Schedule("weekly", Every.WEEK, Anchor.OPEN, 7_200),
    Schedule("monthly", Every.MONTH, Anchor.CLOSE, -3_600),
)
LIVE = SessionStarted("1", {"timely": "code"}, {}, live_feed=True)
SETTINGS = CoreSettings(WIDE, 30)
MIDNIGHTS = oracle.midnights()


class Broken(AssertionError):
    """A promise was broken."""


def demand(holds: object, what: str) -> None:
    if not holds:
        raise Broken(what)


class Timely(Strategy):
    """Buys a share whenever it is told that it is time."""

    def schedules(self) -> Sequence[Schedule]:
        return TIMETABLE

    def on_timer(self, timer: TimerFired, view: View) -> Answer:  # noqa: ARG002 - every strategy's
        return Intent(A, Decimal(1))


@cache
def _library() -> CalendarLoaded:
    return load_calendar("NYSE", date(2023, 10, 1), date(2025, 4, 30), SessionsConfig())


def calendar_until(last: datetime) -> CalendarLoaded:
    """Return the library's sessions that close by `last`."""
    known = tuple(each for each in _library().sessions if each.close <= last)
    return CalendarLoaded("NYSE", "test", known)


def a_run() -> StrategyRun:
    return StrategyRun("timely", Timely(), "code", frozenset({A}))


class Walk:
    """One seed's walk; `seen` counts what befell it. Every fourth has a calendar that ends."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._chance = Random(seed)
        self.seen: Counter[str] = Counter()
        begins = utc(BEGINS[seed % len(BEGINS)]) + timedelta(hours=self._chance.uniform(0, 24))
        self.timeline = Timeline(begins)
        self.ends = begins + timedelta(days=DAYS)
        self.machine = MachineClocks(self.timeline)
        self._horizon = begins + timedelta(days=HORIZON_DAYS) if seed % 4 == 3 else None
        self._permit = Permit(folder / "permit")
        self._permit.grant()
        self.records: list[Record] = []
        self._orders = 0
        self.is_misled = False
        """The daemon goes by a clock that a person has called right, or that a start has found."""
        self.fired: dict[str, list[datetime]] = {}
        self.state = State()
        self._start(JournalOpened("j1", Mode.BROKER_PAPER, "mine"))

    # Lives.

    def _start(self, *first: Input) -> None:
        self.clock = SystemClock(self.machine.read)
        self.run = a_run()
        self.core = Core(self.state, [self.run], SETTINGS)
        switch = KillSwitch(self._permit)
        self.surroundings = Surroundings(self.core, switch, DiskTerms(1, 10**9), lambda: 10**12)
        now = self.now
        self._since = self._seen_at = now
        self._was_off_s = self._off_s
        self.is_misled = abs(self.machine.wall_is_ahead) > GRACE.seconds * SECOND
        config = msgspec.structs.replace(
            a_config("A"), freshness=FreshnessTerms(max_age_s=10**8, grace_s=10**6)
        )
        self._step(*first, *clock_behind(self.state, now), config, LIVE, self._calendar(now))
        if first:
            self._step(a_deposit("1000000"))
        self._bar()

    def _restart(self) -> None:
        """Be off for a while, and come back from a snapshot."""
        self.seen["restarted"] += 1
        self._pass(self._chance.choice((5, 600, 20_000, 150_000)))
        if self._chance.random() < 0.3:
            self.machine.wall_is_ahead = int(self._chance.choice(JUMPS_S) * SECOND)
        self.state = msgspec.json.decode(msgspec.json.encode(self.state), type=State)
        is_behind = self.state.at - self.machine.read().wall > JUMP_S * SECOND
        self._start()
        demand(not is_behind or self.state.clock_jumped, "it starts in its own past, unsuspecting")
        self.seen["started in its past"] += is_behind

    def _calendar(self, now: datetime) -> CalendarLoaded:
        return calendar_until(self._horizon or (now + AHEAD).replace(day=28))

    # Time.

    @property
    def now(self) -> datetime:
        """What time the daemon believes it is."""
        return utc_from_nanoseconds(self.clock.now())

    @property
    def _off_s(self) -> float:
        return (self.clock.now() - self.timeline.now) / SECOND

    @property
    def known_until(self) -> datetime:
        return self.state.calendar.horizon("NYSE") or datetime.min.replace(tzinfo=UTC)

    def _pass(self, seconds: float) -> None:
        """Let time pass while nobody looks; the wall clock drifts."""
        self.timeline.run_to(self.timeline.now + int(seconds * SECOND))
        drift = self._chance.uniform(-1, 1) * min(seconds, LOOK_S) * 5e-4
        self.machine.set_wall(timedelta(seconds=drift))

    def _live_for(self, seconds: float) -> None:
        """Live so long, and look as often as there is something to do."""
        ends = self.timeline.now + int(seconds * SECOND)
        while (left := (ends - self.timeline.now) / SECOND) > 0:
            to_due = (self.core.deadlines.next_due - self.now).total_seconds()
            self._pass(min(left, LOOK_S, max(to_due, 0.0) + 0.001))
            self.look()

    def go(self) -> None:
        """Walk to the end.

        Raises:
            Broken: a promise was broken.
        """
        while self.timeline.moment < self.ends:
            self._befall()
            self._live_for(self._chance.choice((1, 30, 3_000, 30_000, 90_000)))
            self._bar()
        self._decide_again()

    def _befall(self) -> None:
        what = self._chance.random()
        if what < 0.30:
            by = self._chance.choice(JUMPS_S)
            self.machine.set_wall(timedelta(seconds=by))
            self.seen["set ahead" if by > 0 else "set back"] += 1
        elif what < 0.42:
            nap = self._chance.choice(NAPS_S)
            self.machine.slept(nap)
            self._pass(nap)
            self.seen["slept"] += 1
        elif what < 0.54:
            self._restart()
        else:
            self._lift()

    def _lift(self) -> None:
        """Have the hold of a jump lifted; most people set the clock right before."""
        for hold in list(self.state.holds.active.values()):
            if hold.cause != Trip.CLOCK_JUMP:
                continue
            is_right = self._chance.random() < 0.8
            if is_right:
                self.machine.wall_is_ahead = 0
                self._live_for(1)
            self.seen["lifted"] += 1
            self._step(said(OperatorLifted, hold.hold_id, command_id=f"c{len(self.records)}"))
            self.is_misled = abs(self.machine.wall_is_ahead) > GRACE.seconds * SECOND
            self._is_free = True
            self.look()
            self._step(ShortSaleReported(A, self.now.date(), None, restricted=False))

    def _bar(self) -> None:
        """Have a price of today, as far as the daemon knows."""
        end = self.now.replace(microsecond=0)
        if oracle.is_open(end, timedelta()):
            self._step(a_bar(end=f"{end:%Y-%m-%dT%H:%M:%S}"))

    # What the engine does.

    def look(self) -> None:
        """Look at the clocks, take what is due, and see that it is what had to be."""
        before, held = self._seen_at, self.state.clock_jumped
        was_told = self._count(ClockJumped)
        self.surroundings.look(self.clock, live=True)
        self._take_records()
        now = self._seen_at = self.now
        self.seen["jumps noticed"] += self._count(ClockJumped) - was_told
        if not held:
            self._compare_clocks()
        fired: list[TimerFired] = []
        while (timer := self.core.deadlines.take_due(now)) is not None:
            fired.append(timer)
            demand(len(fired) < FEW, f"{timer.subject} fires without end")
            self._step(timer)
        self._compare_schedules(fired, now)
        self._compare_refreshes(fired, before, now)

    def _step(self, *events: Input) -> None:
        for event in events:
            self.core.step(event, self.clock.now())
            self._take_records()
            self._compare_day(event)
            self._act()

    def _act(self) -> None:
        recorder = self.core.recorder
        while recorder.effects:
            effects, recorder.effects = recorder.effects, []
            for effect in effects:
                if isinstance(effect, RiskApproved):
                    self._order_leaves(effect)
                elif isinstance(effect, RefreshCalendars):
                    found = self._calendar(self.now)
                    if not self.state.calendar.has(found):
                        self._step(found)

    def _take_records(self) -> None:
        self.records += self.core.recorder.records
        self.core.recorder.records.clear()

    def _count(self, kind: type[object]) -> int:
        return sum(isinstance(record.event, kind) for record in self.records[-20:])

    # What must hold.

    def _order_leaves(self, approved: RiskApproved) -> None:
        self.seen["orders"] += 1
        self.seen["orders on a wrong word"] += self.is_misled
        truth = self.timeline.moment
        demand(not self.state.clock_jumped, "an order leaves by a clock that has jumped")
        demand(
            self.is_misled or oracle.is_open(truth, GRACE),
            f"an order leaves at {truth:%Y-%m-%d %H:%M:%S}, when New York is closed",
        )
        order_id = approved.intent.client_order_id
        self._step(OrderAcknowledged(order_id), OrderCancelled(order_id))

    def _compare_clocks(self) -> None:
        """See that the daemon's time is moved by nothing but what passes, and a person's word."""
        off, before = self._off_s, self._was_off_s
        self._was_off_s = off
        wall_off = self.machine.wall_is_ahead / SECOND
        if self._is_free:
            self._is_free = abs(off - wall_off) > 0.001
            return
        demand(abs(off - before) <= JUMP_S, f"its time went by {off - before} s by itself")
        if abs(wall_off - off) > JUMP_S + 0.01:
            demand(self.state.clock_jumped, f"the wall clock is {wall_off - off} s off, unnoticed")

    def _compare_schedules(self, fired: Sequence[TimerFired], now: datetime) -> None:
        """See that each due time of New York's fires once, in order, and none is passed over."""
        at_once: Counter[str] = Counter()
        for timer in fired:
            if timer.kind is not TimerKind.SCHEDULE:
                continue
            due, subject = timer.due, timer.subject
            told = self.fired.setdefault(subject, [])
            demand(due in self._dues(subject), f"{subject} fires for {due}, which is no due time")
            demand(not told or told[-1] < due, f"{subject} fires for {due} behind {told[-1:]}")
            demand(due < now, f"{subject} fires for {due} at {now}")
            told.append(due)
            at_once[subject] += 1
            self.seen["schedules fired"] += 1
        for subject in self.run.schedules:
            told = self.fired.get(subject, [])
            dues = self._dues(subject)
            newest = bisect_left(dues, now) - 1
            since = max(told[-1:], default=self._since)
            if newest >= 0 and dues[newest] > since:
                raise Broken(f"{subject} was due at {dues[newest]}, and at {now} has not fired")
            demand(at_once[subject] < 2, f"{subject} fires for two due times at once")

    def _dues(self, subject: str) -> list[datetime]:
        return _dues_of(self.run.schedules[subject], self.known_until)

    def _compare_refreshes(
        self, fired: Sequence[TimerFired], before: datetime, now: datetime
    ) -> None:
        """See that the calendars are made anew as each day begins in New York, once."""
        told = self.fired.setdefault("calendars", [])
        fresh = [each.due for each in fired if each.kind is TimerKind.CALENDAR_REFRESH]
        for due in fresh:
            demand(due in MIDNIGHTS, f"calendars are made anew at {due}, no midnight")
            demand(not told or told[-1] < due, f"calendars of {due} are made again")
            told.append(due)
        newest = MIDNIGHTS[bisect_left(MIDNIGHTS, now) - 1]
        if before <= newest < now and not fresh:
            demand(told and told[-1] >= newest, f"the calendars of {newest} were left out")
        if fresh and self._horizon:
            causes = {hold.cause for hold in self.state.holds.active.values()}
            demand(CALENDAR_ENDS in causes, "nobody says that the calendar ends")
            self.seen["calendar ends"] += 1

    def _compare_day(self, event: Input) -> None:
        """See that a day of profit and loss ends once, at its close, and is not forgotten."""
        pnl, state = self.state.pnl, self.state
        ends_at, days, seq = self._day
        self._day = pnl.day_ends_at, pnl.days, state.seq
        demand(pnl.day_ends_at >= ends_at, "a day that was over begins again")
        demand(pnl.days <= days + 1, "two days end at once")
        demand(pnl.days == days or pnl.day_ends_at > ends_at, "a day ends twice")
        self.seen["days ended"] += pnl.days - days
        # The word that lifts a jump is still said by the clock from before.
        if state.clock_jumped or isinstance(event, ClockJumped | OperatorLifted):
            return
        past = state.at > nanoseconds(self.known_until)
        if state.seq > seq:
            demand(past or state.at <= pnl.day_ends_at, "a day goes on behind its close")

    def _decide_again(self) -> None:
        """Fold the stored rows anew, and make every decision again: `seq` alone is the order."""
        times = [record.at for record in self.records]
        self.seen["records before their forerunner"] += sum(
            later < earlier for earlier, later in pairwise(times)
        )
        stored = [
            Record(each.seq, each.at, decode(encode(each.event)), each.trace, each.cause)
            for each in self.records
        ]
        demand([each.seq for each in stored] == list(range(1, len(stored) + 1)), "a seq is missing")
        renewed = Renewed([a_run()], SETTINGS, {})
        again = ReplayCore(State(), renewed, lambda *_: renewed, compare_all=True)
        for turn in turns(stored):
            again.follow(turn)
        found = again.comparing.differences
        demand(not found, f"decided differently when asked again: {found[:1]}")
        demand(again.core.state == self.state, "the rows fold to other books")
        sent = [
            each.event.client_order_id for each in stored if isinstance(each.event, OrderSending)
        ]
        demand(len(sent) == len(set(sent)), "an order is sent twice")

    _is_free = False
    _day = (0, 0, 0)


@cache
def _dues_of(schedule: Schedule, known_until: datetime) -> list[datetime]:
    return oracle.dues(schedule, known_until)


def walk(seed: int) -> Counter[str]:
    """Walk one seed's way; return what befell it.

    Raises:
        Broken: a promise was broken; it says which, when, and how to see it again.
    """
    with TemporaryDirectory() as folder:
        made = Walk(seed, Path(folder))
        try:
            made.go()
        except Broken as error:
            again = f"python -m tests.time --seed {seed}"
            raise Broken(f"{error}\n  at {made.timeline.moment}; again: {again}") from error
        return made.seen
