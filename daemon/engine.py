"""The engine: hands inputs to the core, makes the records durable, and only then acts outside.

It drains what is there into one turn and one commit. A broker inside the process has no effect
outside it, so its bars share a commit with their fills; for any other broker nothing is sent
before the record of the sending is durable.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import assert_never

import msgspec

from daemon.brokers import Broker
from daemon.clock import Clock
from daemon.code_hash import fold_code_hash
from daemon.core import Core
from daemon.feeds import Feed
from daemon.gate import RiskApproved
from daemon.recorder import Cancel
from daemon.snapshots import SnapshotFolder
from events import (
    BarClosed,
    CorporateActionApplied,
    OrderWithheld,
    Record,
    TimerFired,
    nanoseconds,
    utc_from_nanoseconds,
)
from events.codec import Input
from events.journal import Journal
from projections.snapshot import Snapshot, StrategyPart

Block = Sequence[BarClosed]

WAIT_MAX_S = 60.0
"""How long the engine sleeps at most: the wall clock may have been set meanwhile."""
_LATE_S = 0.001
_SECOND_NS = 1_000_000_000


class EngineSettings(msgspec.Struct, frozen=True):
    """What the engine takes from the configuration."""

    dry_run: bool
    snapshot_every_events: int
    snapshots_kept: int


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
    ) -> None:
        """Bind the parts; nothing happens before `take` or `run`."""
        self.core = core
        self.recorder = core.recorder
        self.journal = journal
        self.broker = broker
        self.clock = clock
        self.snapshots = snapshots
        self.settings = settings
        self.stop_reason = ""
        self.snapshot_problem = ""
        self.recorded: Callable[[Sequence[Record]], None] | None = None
        self._snapshot_seq = core.state.seq
        self._last_end: datetime | None = None
        self._writing: asyncio.Task[None] | None = None
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

    def report(self, event: Input) -> None:
        """Take one report of the broker: its inbox."""
        self.core.step(event, self.clock.now())
        if self.broker.outside:
            self._woken.set()

    async def connect_broker(self) -> None:
        """Let the broker take up the open orders of the books."""
        self.broker.connect(self.core.state, self.report)
        await self.commit()

    async def run(self, feed: Feed, progress: Callable[[int], None], *, once: bool = False) -> None:
        """Take bars until the feed ends, a stop is asked for, or (`once`, live) one block is done.

        `progress` is told how many bars were taken after each commit.
        """
        blocks = feed.blocks(self.core.state.market.newest_end)
        while not self.stop_reason:
            block = await self._next_block(blocks, live=feed.live)
            if block is None:
                self.request_stop("the feed ended")
                return
            for bar in block:
                self.take_bar(bar)
                if self.broker.outside:
                    await self.commit()
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
                if live:
                    self._fire_timers(utc_from_nanoseconds(self.clock.now()))
                await self.commit()
            return coming.result()
        finally:
            coming.cancel()
            await asyncio.wait({coming})

    async def _done(self, coming: asyncio.Task[Block | None], seconds: float | None) -> bool:
        """Wait until bars are there, something else has happened, or `seconds` are over."""
        woken = asyncio.create_task(self._woken.wait(), name="engine waits")
        await asyncio.wait({coming, woken}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
        self._woken.clear()
        return coming.done()

    def _seconds_to_due(self) -> float:
        now = utc_from_nanoseconds(self.clock.now())
        seconds = (self.core.deadlines.next_due - now).total_seconds()
        return min(max(seconds, 0.0) + _LATE_S, WAIT_MAX_S)

    def take_bar(self, bar: BarClosed) -> None:
        """Take one bar: what came due before it, what it did to resting orders, the bar itself."""
        end = bar.end
        if self.core.deadlines.next_due < end:
            self._fire_timers(end)
        if end is not self._last_end:
            self._last_end = end
            at = nanoseconds(end)
            # What ended by itself before the bar is dated no later than its start.
            self.clock.set(at - bar.span_s * _SECOND_NS)
            self.broker.advance(bar.start)
            self.clock.set(at)
        self.broker.observe(bar)
        self.core.step(bar, self.clock.now())
        if self.recorder.effects and not self.broker.outside:
            self._act()

    async def commit(self) -> None:
        """Make the records so far durable, then carry out what they decided outside."""
        await self._written()
        while self.recorder.records or self.recorder.effects:
            records, self.recorder.records = self.recorder.records, []
            if records:
                await self._append(records)
            self._act()
        await self._tidy_up()

    async def _commit_block(self) -> None:
        """Commit a block of recorded bars; with nothing to do outside, compute the next meanwhile.

        One write is under way at most. The journal's thread works while this one goes on.
        """
        if self.broker.outside or self.recorder.effects:
            await self.commit()
            return
        await self._written()
        records, self.recorder.records = self.recorder.records, []
        if records:
            self._writing = asyncio.create_task(self._append(records), name="journal append")
        if self.core.state.seq - self._snapshot_seq >= self.settings.snapshot_every_events:
            await self._written()
        await self._tidy_up()

    async def _append(self, records: Sequence[Record]) -> None:
        await self.journal.append(records)
        if self.recorded is not None:
            self.recorded(records)

    async def _written(self) -> None:
        """Wait for the write under way, and fail where it failed."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def _tidy_up(self) -> None:
        """Snapshot and fold the write-ahead log back where it is time and no write is under way."""
        if self._writing is not None:
            return
        if self.core.state.seq - self._snapshot_seq >= self.settings.snapshot_every_events:
            await self.write_snapshot()
        if self.journal.checkpoint_due:
            await self.journal.checkpoint()

    async def write_snapshot(self) -> None:
        """Snapshot the books as of the last durable row."""
        state = self.core.state
        head = self.journal.head
        if state.seq != head.seq or head.seq == self._snapshot_seq or state.identity.opened is None:
            return
        self._snapshot_seq = head.seq
        made = Snapshot(
            journal_id=state.identity.opened.journal_id,
            seq=head.seq,
            row_hash=head.hash.hex(),
            fold_code=fold_code_hash(),
            state=state,
            strategies={
                run.name: StrategyPart(run.code_hash, msgspec.Raw(run.fields()))
                for run in self.core.desk.runs.values()
            },
        )
        try:
            self.snapshots.write(made, self.settings.snapshots_kept)
        except OSError as error:
            # A snapshot only saves time at the next start: the run goes on, and says so.
            self.snapshot_problem = f"the snapshot at {head.seq} was not written: {error}"
        else:
            self.snapshot_problem = ""

    def _fire_timers(self, before: datetime) -> None:
        while (timer := self.core.deadlines.take_due(before)) is not None:
            self.fire(timer)

    def fire(self, timer: TimerFired) -> None:
        """Take one timer at the moment it was due, or now where the clock is past that."""
        self.clock.set(nanoseconds(timer.due))
        self.broker.advance(timer.due)
        self.core.step(timer, self.clock.now())
        if not self.broker.outside:
            self._act()

    def _act(self) -> None:
        """Carry out effects in order; what a report in between leads to may need more of them.

        Those are next within the process; outside it they wait for their records.
        """
        while self.recorder.effects:
            effects, self.recorder.effects = self.recorder.effects, []
            for effect in effects:
                match effect:
                    case RiskApproved():
                        self._send(effect)
                    case Cancel(client_order_id):
                        self.broker.cancel(client_order_id)
                    case CorporateActionApplied():
                        self.broker.corporate_action(effect)
                    case _:
                        assert_never(effect)
            if self.broker.outside:
                return

    def _send(self, approved: RiskApproved) -> None:
        """Send one order, after the last look at what may stop it."""
        order_id = approved.intent.client_order_id
        if self.settings.dry_run:
            self.report(OrderWithheld(order_id, "dry run"))
        elif self.journal.poisoned:
            self.report(OrderWithheld(order_id, "the journal failed to write"))
        else:
            self.broker.submit(approved)


async def _first(blocks: AsyncIterator[Block]) -> Block | None:
    return await anext(blocks, None)
