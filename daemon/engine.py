"""The engine: hands inputs to the core, makes the records durable, and only then acts outside.

It drains what is there into one turn and one commit. A broker inside the process has no effect
outside it, so its bars share a commit with their fills; for any other broker nothing is sent
before the record of the sending is durable.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

import msgspec

from daemon.brokers import Broker, SendsLater, ask_margin
from daemon.brokers.border import checked
from daemon.clock import Clock
from daemon.command_inbox import CommandInbox, Loaded
from daemon.commits import Commits, SnapshotTerms
from daemon.core.core import Core
from daemon.core.deadlines import NEVER
from daemon.core.last_look import why_held
from daemon.core.recorder import AskMargin, Cancel, Effect, LookAtBooks, RefreshCalendars
from daemon.disk import free_bytes
from daemon.feeds import Feed
from daemon.gate import RiskApproved
from daemon.history.snapshots import SnapshotFolder
from daemon.stopping.kill_switch import KillSwitch
from daemon.surroundings import DiskTerms, Surroundings
from daemon.timing import Timing
from events import (
    BarClosed,
    ClientOrderId,
    CorporateActionApplied,
    OrderIntended,
    OrderWithheld,
    Record,
    TimerFired,
    nanoseconds,
    utc_from_nanoseconds,
)
from events.codec import Command, Input
from events.journal import Journal

Block = Sequence[BarClosed]

WAIT_MAX_S = 1.0
"""How long the engine sleeps at most: the clock may have been set, or the permit taken away."""
BAR_ON_ITS_WAY = timedelta(seconds=60)
"""How long after its end a live bar may still come: nothing ends by itself before that."""
ROUNDS_A_TURN = 10
"""Reports and what they lead to, so many times over, before bars and timers have their turn."""
DRY_RUN = "dry run"
_LATE_S = 0.001


class EngineSettings(msgspec.Struct, frozen=True):
    """What the engine takes from the configuration."""

    dry_run: bool
    snapshots: SnapshotTerms
    disk: DiskTerms


class BrokerFailed(Exception):
    """The broker raised instead of reporting; what it was asked to do may have happened."""


class Engine:
    """One turn after the other, until the feed ends or a stop is asked for."""

    def __init__(  # noqa: PLR0913, PLR0917 - the engine is where all parts meet
        self,
        core: Core,
        journal: Journal,
        broker: Broker,
        clock: Clock,
        snapshots: SnapshotFolder,
        settings: EngineSettings,
        switch: KillSwitch,
    ) -> None:
        """Bind the parts; nothing happens before `take` or `run`."""
        self.core = core
        self.recorder = core.recorder
        self.journal = journal
        self.broker = broker
        self.clock = clock
        self.settings = settings
        self.switch = switch
        self.stop_reason = ""
        self.feed_lost = False
        self.recorded: Callable[[Sequence[Record]], None] | None = None
        self.timing = Timing()
        self.commits = Commits(core, journal, snapshots, settings.snapshots, self.timing)
        self._last_end: datetime | None = None
        self._reports: list[Input] = []
        self._connected = False
        self._commands = CommandInbox(core, switch)
        self.surroundings = Surroundings(
            core, switch, settings.disk, partial(free_bytes, journal.path)
        )
        self._woken = asyncio.Event()

    def request_stop(self, reason: str) -> None:
        """Ask the run to end after the turn in hand; the first reason stands."""
        self.stop_reason = self.stop_reason or reason
        self._woken.set()

    async def take(self, *events: Input) -> None:
        """Take inputs that are neither bars nor reports, such as a session's start."""
        for event in events:
            self.core.step(event, self.clock.now())
        await self.commit()

    async def obey(self, command: Command, loaded: Loaded | None = None) -> Sequence[Record]:
        """Take a command in the next turn, before anything else; return its durable records.

        `loaded` is the configuration a reload takes. No records: the command was known already.
        """
        self.timing.input_came()
        self._woken.set()
        return await self._commands.ask(command, loaded)

    def report(self, event: Input) -> None:
        """Take one report of the broker: its inbox.

        A broker inside the process is answered at once. What comes from outside, at any moment,
        waits for the next turn: nothing may be decided while a record is being written.
        """
        if self.broker.outside:
            self.hear(event)
        else:
            self.core.step(event, self.clock.now())

    def hear(self, event: Input) -> None:
        """Take what came from outside, at any moment, in the next turn."""
        self.timing.heard(event)
        self._reports.append(event)
        self._woken.set()

    async def connect_broker(self) -> None:
        """Let the broker take up the open orders of the books; ask again for unanswered cancels."""
        self.broker.connect(self.core.state, self.report)
        if isinstance(self.broker, SendsLater):
            self.broker.look_again_with(self.why_not)
        self._connected = True
        if self.broker.outside:
            orders = tuple(self.core.state.orders.open.values())
            self._act([Cancel(order.client_order_id) for order in orders if order.cancel_requested])
        await self.commit()

    async def run(self, feed: Feed, progress: Callable[[int], None], *, once: bool = False) -> None:
        """Take bars until the feed ends, a stop is asked for, or (`once`, live) one block is done.

        `progress` is told how many bars were taken, block by block.
        """
        blocks = feed.blocks(self.core.state.market.newest_end)
        while not self.stop_reason:
            block = await self._next_block(blocks, live=feed.live)
            if block is None:
                self.feed_lost = feed.live and not self.stop_reason
                self.request_stop("the feed ended")
                return
            self.timing.input_came()
            self.surroundings.look(self.clock, live=feed.live)
            for bar in block:
                self.take_bar(bar)
                if self.broker.outside:
                    if self.recorder.effects or self._reports or self._commands:
                        await self._turn()  # Bars that nothing follows from share a commit.
                    # The loop gets a turn, so that a signal is heard before the next bar.
                    await asyncio.sleep(0)
                    if self.stop_reason:
                        break
            await self._commit_block()
            progress(len(block))
            if once and feed.live:
                self.request_stop("once: took what was there")

    async def _next_block(self, blocks: AsyncIterator[Block], *, live: bool) -> Block | None:
        """Wait for bars, and take meanwhile what is reported or, `live`, comes due.

        Returns None when the feed ends or a stop is asked for.
        """
        coming = asyncio.create_task(_first(blocks), name="feed")
        try:
            while not await self._done(coming, self._seconds_to_due() if live else None):
                if self.stop_reason:
                    return None
                # The clock before what comes due by it.
                self.surroundings.look(self.clock, live=live)
                if live:
                    self._let_time_pass()
                await self._turn()
            return coming.result()
        finally:
            coming.cancel()
            await asyncio.wait({coming})

    async def _done(self, coming: asyncio.Task[Block | None], seconds: float | None) -> bool:
        """Wait until bars are there, something else has happened, or `seconds` are over."""
        woken = asyncio.create_task(self._woken.wait(), name="engine waits")
        awaited = {coming, woken, *self.commits.under_way}
        await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
        self._woken.clear()
        return coming.done()

    def _seconds_to_due(self) -> float:
        now = utc_from_nanoseconds(self.clock.now())
        due = self.core.deadlines.next_due
        if self.broker.next_due < NEVER:
            due = min(due, self.broker.next_due + BAR_ON_ITS_WAY)
        wait_s = max((due - now).total_seconds(), 0.0) / self.clock.speed
        return min(wait_s + _LATE_S, WAIT_MAX_S)

    def _let_time_pass(self) -> None:
        """Take what has come due by the wall clock while no bar came."""
        now = utc_from_nanoseconds(self.clock.now())
        self._fire_timers(now)
        if self.broker.next_due < now - BAR_ON_ITS_WAY:
            self.broker.advance(now - BAR_ON_ITS_WAY)

    def take_bar(self, bar: BarClosed) -> None:
        """Take one bar: what came due before it, what it did to resting orders, the bar itself."""
        end = bar.end
        if self.core.deadlines.next_due < end:
            self._fire_timers(end)
        if end is not self._last_end:
            self._last_end = end
            if self.broker.next_due < end:
                # What ended by itself before the bar is dated no later than its start.
                self.clock.set(nanoseconds(bar.start))
                self.broker.advance(bar.start)
            self.clock.set(nanoseconds(end))
        self.broker.observe(bar)
        self.core.step(bar, self.clock.now())
        if self.recorder.effects and not self.broker.outside:
            self._act_at_once()

    async def commit(self) -> None:
        """Make the records so far durable, then carry out what they decided outside.

        It goes on until nothing is reported on that any more.
        """
        await self._turn()
        while self._has_more:
            await self._turn()

    async def _turn(self) -> None:
        """Do what `commit` does, for so many rounds: orders may answer fills without end."""
        await self.commits.done()
        rounds = ROUNDS_A_TURN
        while rounds and self._has_more:
            rounds -= 1
            # A person's word overtakes the queue.
            self._commands.take(self.clock.now())
            self._take_reports()
            # Only what these very records say may be carried out behind them.
            records, self.recorder.records = self.recorder.records, []
            effects, self.recorder.effects = self.recorder.effects, []
            if records:
                await self.commits.write(records, self.timing.turn())
            self._commands.answer(records)
            self._act(effects)
            self._tell(records)
        if self._has_more:
            self._woken.set()
        await self.commits.tidy_up()

    @property
    def queued(self) -> int:
        """How many reports and commands wait for a turn."""
        return len(self._reports) + len(self._commands)

    @property
    def _has_more(self) -> bool:
        return any((self._commands, self._reports, self.recorder.records, self.recorder.effects))

    def _take_reports(self) -> None:
        reports, self._reports = self._reports, []
        for report in reports:
            now = self.clock.now()
            self.core.step(checked(report, now), now)

    async def _commit_block(self) -> None:
        """Commit a block of recorded bars; with nothing to do outside, compute the next meanwhile.

        The journal's thread works while this one goes on.
        """
        if self.broker.outside or self.recorder.effects or self._commands:
            await self._turn()
            return
        records, self.recorder.records = self.recorder.records, []
        if records:
            self.commits.take(records, self.timing.turn(), self.recorded)
        await self.commits.room()

    def _tell(self, records: Sequence[Record]) -> None:
        if self.recorded is not None:
            self.recorded(records)

    def _fire_timers(self, before: datetime) -> None:
        while (timer := self.core.deadlines.take_due(before)) is not None:
            self.fire(timer)

    def fire(self, timer: TimerFired) -> None:
        """Take one timer at the moment it was due, or now where the clock is past that."""
        self.clock.set(nanoseconds(timer.due))
        self.broker.advance(timer.due)
        self.core.step(timer, self.clock.now())
        if not self.broker.outside:
            self._act_at_once()

    def _act_at_once(self) -> None:
        """Carry out what was decided within the process, and what its answers lead to."""
        while self.recorder.effects:
            effects, self.recorder.effects = self.recorder.effects, []
            self._act(effects)

    def _act(self, effects: Sequence[Effect]) -> None:
        """Carry out effects in order.

        Raises:
            BrokerFailed: it raised. What was to be sent may have left, and counts as unanswered.
        """
        for effect in effects:
            # What was reported on the order before may be a reason not to send this one.
            self._take_reports()
            try:
                match effect:
                    case RiskApproved():
                        self._send(effect)
                    case Cancel(client_order_id):
                        self._cancel(client_order_id)
                    case CorporateActionApplied():
                        self.broker.corporate_action(effect)
                    case AskMargin(request_id, intents):
                        ask_margin(self.broker, request_id, intents)
                    case RefreshCalendars():
                        self.surroundings.renew_calendars(self.clock.now())
                    case LookAtBooks(name, why):
                        self.broker.report_books(name, why, utc_from_nanoseconds(self.clock.now()))
                    case _:
                        assert_never(effect)
            except Exception as error:
                if not self.broker.outside:
                    raise
                message = f"the broker raised {error!r} when asked for {effect}"
                raise BrokerFailed(message) from error

    def _send(self, approved: RiskApproved) -> None:
        """Send one order, after the last look at what may stop it."""
        why_not = self.why_not(approved.intent)
        if not why_not:
            if self.broker.outside:
                self.timing.order_leaves(approved.intent.client_order_id)
            self.broker.submit(approved)
            return
        self.report(OrderWithheld(approved.intent.client_order_id, why_not))
        self.surroundings.look_at_permit(self.clock)

    def why_not(self, intent: OrderIntended) -> str:
        """Say what has come between an order's approval and its sending, nothing if it may go."""
        if self.settings.dry_run:
            return DRY_RUN
        if self.journal.poisoned:
            return "the journal failed to write"
        if self.stop_reason and self.broker.outside:
            return f"stopped: {self.stop_reason}"
        return why_held(intent, self.core.state, self.switch)

    def _cancel(self, client_order_id: ClientOrderId) -> None:
        if not self._connected:
            return  # Whatever was asked for by then is asked for when it is.
        if client_order_id not in self.core.state.orders.open:
            return  # It was withheld in this very turn, or is over: nothing to cancel has left.
        # In a dry run nothing leaves, no cancel either: unanswered, it makes the order UNKNOWN.
        if not (self.settings.dry_run and self.broker.outside):
            self.broker.cancel(client_order_id)


async def _first(blocks: AsyncIterator[Block]) -> Block | None:
    return await anext(blocks, None)
