"""Builds every object and runs the daemon from start to stop. Nothing else builds.

A start is: lock, verify, newest good snapshot, fold the tail, take the configuration, connect the
broker, go on. A stop is: finish the turn, record why, snapshot, release.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import (
    ExitStack,
    asynccontextmanager,
    nullcontext,
)
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from daemon.brokers import AnswersMargin, Broker
from daemon.brokers.faults import with_faults
from daemon.brokers.gateway.account_lock import holding_account
from daemon.brokers.paper import PaperBroker
from daemon.clock import Clock, FeedClock, SystemClock
from daemon.commits import SnapshotTerms
from daemon.config.corporate_actions_file import read_corporate_actions
from daemon.config.file import ConfigError, to_event
from daemon.config.loading import LoadError, build_plugged_in, look_in
from daemon.config.options import OUTSIDE, PAPER, Config
from daemon.core.core import Core
from daemon.core.recorder import LookAtBooks
from daemon.disk import BYTES_A_MB
from daemon.engine import Engine, EngineSettings
from daemon.feeds import Feed
from daemon.feeds.border import CheckedFeed
from daemon.feeds.file import FileFeed
from daemon.history.journal_doubts import journal_doubts
from daemon.history.recovery import Recovered, Recovery
from daemon.history.snapshots import SnapshotFolder
from daemon.machine import Machine, make_socket_folder
from daemon.run_time_limit import RunTimeLimit
from daemon.session import Opening, in_simulated_time, live_calendars, opening
from daemon.simulated_time import SimulatedClock
from daemon.stopping.kill_switch import KillSwitch
from daemon.stopping.last_word import cancel_unrecorded
from daemon.stopping.open_orders import Parting, part
from daemon.stopping.permit import Permit, permit_path
from daemon.stopping.side_file import Offline, drop_aside, keep_room, read_aside
from daemon.surroundings import DiskTerms
from daemon.systemd import systemd
from events import (
    CorporateActionAnnounced,
    LookWhy,
    Mode,
    PermitLost,
    Record,
    SessionEnded,
    SessionStarted,
    nanoseconds,
    utc_from_nanoseconds,
)
from events.errors import JournalOfAnotherAccount, JournalWriteFailed
from events.journal import Journal, JournalReader
from projections import State
from projections.canonical import state_hash

if TYPE_CHECKING:
    from daemon.brokers.gateway.assembly import GatewayParts

SWITCH_INTERVAL_S = 0.0001


def _nobody(_text: str) -> None:
    pass


class Prepared(msgspec.Struct):
    """What a run starts from, known before the first bar: for the operator to see.

    `notices` are what is odd about it, `live` says that its bars are not recorded ones.
    """

    journal: Path
    is_new: bool
    recovered: Recovered
    bars_total: int | None
    notices: tuple[str, ...]
    live: bool


class Outcome(msgspec.Struct):
    """What a run came to. `snapshot_problem` is why the last snapshot could not be written.

    `feed_lost` says that a live feed ended, which no live feed should. `parting` is what became of
    the orders at a broker outside.
    """

    state: State
    state_hash: str
    reason: str
    events: int
    repeats_dropped: int
    snapshot_problem: str
    feed_lost: bool
    parting: Parting | None


_THIS_MACHINE = Machine()


async def run(  # noqa: PLR0913 - what a run is made of, and who is told
    config: Config,
    base: Path,
    journal_path: Path,
    *,
    started: Callable[[Prepared], None],
    progress: Callable[[int], None],
    reread: Callable[[], Config] | None = None,
    once: bool = False,
    wait: bool = True,
    wall: Clock | None = None,
    recorded: Callable[[Sequence[Record]], None] | None = None,
    told: Callable[[str], None] = _nobody,
    limit: RunTimeLimit | None = None,
    machine: Machine = _THIS_MACHINE,
) -> Outcome:
    """Run the daemon until its feed ends or a signal stops it.

    Paths in `config` are relative to `base`. `started` is told what was recovered before the first
    bar is taken, `progress` how many bars each commit brought, `recorded` what went into the
    journal, `told` what the broker outside is up to. `reread` reads the configuration anew. Without
    `wait` a broker that is not there ends the run, as `limit` does when it is over. `wall` is the
    clock of live bars, `machine` what else there is of the machine.

    Raises:
        JournalError, ConfigError, BadBars, LoadError, NoAnswer, OutOfReach: it cannot start, or
            (JournalWriteFailed) not go on.
    """
    look_in(base)
    to = systemd(os.environ, os.getpid())
    wall = wall or SystemClock()
    gateway = machine.gateway(config, wall)
    broker = build_broker(config, gateway)
    feed = build_feed(config, base, wall, gateway)
    assert_mode(config, broker, feed)
    actions = read_actions(config, base)
    make_socket_folder(config, journal_path)
    async with _opened(journal_path, gateway, machine) as (journal, reader):
        is_new = journal.head.seq == 0
        snapshots = SnapshotFolder(journal_path)
        recovery = Recovery(reader, snapshots, gets_on=to.more_time)
        recovered = recovery.recover()
        _assert_same_account(recovered.state, config, wall, journal_path)
        runs, settings = recovery.renew(to_event(config), recovered.runs, recovered.state.seq)
        reader.close()
        clock = build_clock(feed, recovered.state, wall)
        now = utc_from_nanoseconds(clock.now())
        aside = read_aside(journal_path)
        doubts = journal_doubts(recovered, journal_path, aside)
        draw = machine.draw_id
        opens = opening(config, broker, feed, actions, recovered, runs, now, doubts, draw)
        opens = in_simulated_time(opens, now) if isinstance(wall, SimulatedClock) else opens
        notices = _notices(opens, feed, gateway)
        started(Prepared(journal_path, is_new, recovered, feed.bars_total, notices, feed.live))
        core = Core(recovered.state, runs, settings)
        switch = _kill_switch(journal_path, is_new=is_new)
        engine = Engine(core, journal, broker, clock, snapshots, engine_settings(config), switch)
        engine.commits.snapshot_seq = recovered.snapshot_seq
        engine.recorded = recorded
        engine.surroundings.calendars = partial(live_calendars, config)
        session = await _open_session(engine, opens, aside, journal_path)
        _stop_when_told(engine, limit)
        with machine.listen(engine, journal_path, config, reread or (lambda: config)):
            beat = machine.beat(engine, session, config)
            live = connected(engine, gateway, told, beat, wait=wait)
            async with live, _last_word(engine, told):
                await _run(engine, feed, progress, once=once)
                to.stopping(engine.stop_reason)
                parting = await part(engine, config.daemon.on_stop)
            return await _end_session(engine, recovered, parting)


@asynccontextmanager
async def _opened(
    path: Path, gateway: "GatewayParts | None", machine: Machine
) -> AsyncIterator[tuple[Journal, JournalReader]]:
    """Hold the account and the journal meanwhile: of each there is one daemon."""
    sends = gateway is not None and gateway.broker is not None
    with holding_account(gateway.session.settings) if gateway and sends else nullcontext():
        journal = await machine.open_journal(path)
        with ExitStack() as last:
            try:
                # The last connection that goes folds the log into the file, unless it only reads: a
                # journal that recovery refuses is left as it was found.
                yield journal, last.enter_context(JournalReader(path))
            finally:
                await journal.close()


def _notices(opens: Opening, feed: Feed, gateway: "GatewayParts | None") -> tuple[str, ...]:
    """Return what an operator should know before the first bar is taken."""
    of_feed = feed.notices if isinstance(feed, FileFeed) else ()
    return (*opens.notices, *of_feed, *(gateway.notices if gateway is not None else ()))


@asynccontextmanager
async def _last_word(engine: Engine, told: Callable[[str], None]) -> AsyncIterator[None]:
    """Cancel what may still do harm where the journal fails meanwhile."""
    try:
        yield
    except JournalWriteFailed:
        await cancel_unrecorded(engine, told)
        raise


async def _run(engine: Engine, feed: Feed, progress: Callable[[int], None], *, once: bool) -> None:
    """Run the engine to its end."""
    if not feed.live:
        # The journal's thread gets its turns fifty times as often, so that it keeps up while this
        # one computes the next block.
        sys.setswitchinterval(SWITCH_INTERVAL_S)
    await engine.run(feed, progress, once=once)
    await engine.commit()


@asynccontextmanager
async def connected(
    engine: Engine,
    gateway: "GatewayParts | None",
    told: Callable[[str], None],
    beat: Coroutine[None, None, None],
    *,
    wait: bool,
) -> AsyncIterator[None]:
    """Run meanwhile what shows that the daemon is there, and what talks to the gateway.

    A stop may have to cancel orders, so the gateway is there until that is done.
    """
    async with asyncio.TaskGroup() as tasks:
        beside = [tasks.create_task(beat, name="pulse")]
        if gateway is not None:
            session = gateway.session
            session.told = told
            if gateway.broker is None:
                session.report = engine.hear
                gateway.contracts.know(engine.core.state)
            beside.append(tasks.create_task(session.run(wait=wait), name="gateway session"))
            if gateway.feed is not None:
                beside.append(tasks.create_task(gateway.feed.run(), name="bars of the gateway"))
        yield
        for task in beside:
            task.cancel()


def assert_mode(config: Config, broker: Broker, feed: Feed) -> None:
    """Refuse to send anything outside in a mode that is not for that, or on bars of the past.

    Raises:
        ConfigError: mode, broker and feed do not go together, or the broker cannot be asked what it
            is to be asked.
    """
    if config.limits.margin.ask and not isinstance(broker, AnswersMargin):
        cannot = f"{config.broker.kind} cannot say what margin orders need"
        raise ConfigError([f"limits.margin.ask: {cannot}; leave it out"])
    if not broker.outside or config.is_dry_run:
        return
    if config.mode not in OUTSIDE:
        modes = f"{Mode.BROKER_PAPER.value!r} or {Mode.LIVE.value!r}"
        raise ConfigError([f"mode: {config.mode.value!r} sends nothing outside; make it {modes}"])
    if not feed.live:
        raise ConfigError(["feed.kind: orders that leave the process need a live feed"])


def engine_settings(config: Config) -> EngineSettings:
    """Return what the engine needs of `config`."""
    journal = config.journal
    return EngineSettings(
        config.is_dry_run,
        SnapshotTerms(journal.snapshot_every_events, journal.snapshots_kept),
        DiskTerms(journal.disk_halt_mb * BYTES_A_MB, journal.disk_look_s),
    )


def build_feed(
    config: Config, base: Path, wall: Clock, gateway: "GatewayParts | None" = None
) -> Feed:
    """Return the configured feed; a file feed has validated its files by then."""
    if gateway is not None and gateway.feed is not None:
        return CheckedFeed(gateway.feed, wall)
    if config.feed.kind != "file":
        found = build_plugged_in(config.feed.kind, config.feed.params, Feed, "feed")
        return CheckedFeed(cast("Feed", found), wall)
    paths = [base / path for path in config.feed.paths]
    return FileFeed(
        paths,
        config.symbols,
        config.sessions,
        now=utc_from_nanoseconds(wall.now()),
        bar_seconds=config.feed.bar_seconds,
    )


def build_broker(config: Config, gateway: "GatewayParts | None" = None) -> Broker:
    """Return the configured broker, not yet connected."""
    if gateway is not None and gateway.broker is not None:
        return gateway.broker
    if config.broker.kind == PAPER:
        try:
            return with_faults(PaperBroker(config.broker), config.broker.params)
        except ValueError as error:
            raise LoadError(str(error)) from error
    broker = build_plugged_in(config.broker.kind, config.broker.params, Broker, "broker")
    return cast("Broker", broker)


def read_actions(config: Config, base: Path) -> Sequence[CorporateActionAnnounced]:
    """Return the operator's corporate actions, none without a file."""
    if not config.corporate_actions.path:
        return ()
    return read_corporate_actions(base / config.corporate_actions.path)


def build_clock(feed: Feed, state: State, wall: Clock) -> Clock:
    """Return the clock the run goes by: the bars' own for recorded ones, else `wall`."""
    if feed.live or feed.starts_at is None:
        return wall
    return FeedClock(max(state.at, nanoseconds(feed.starts_at)))


def _assert_same_account(state: State, config: Config, wall: Clock, path: Path) -> None:
    """Refuse a journal of another account, mode or time.

    Raises:
        JournalOfAnotherAccount: it is one.
    """
    opened, simulated = state.identity.opened, isinstance(wall, SimulatedClock)
    if opened is None:
        return
    if (opened.mode, opened.account) != (config.mode, config.account):
        message = (
            f"{path} is the journal of {opened.account} in mode {opened.mode}, "
            f"the configuration says {config.account} in mode {config.mode}"
        )
        raise JournalOfAnotherAccount(message)
    if opened.simulated_time != simulated:
        its, said = ("the machine's", "with") if simulated else ("a simulated gateway's", "without")
        message = f"{path} lives in {its} time, and is run {said} --gateway-time"
        raise JournalOfAnotherAccount(message, "set journal.path to another file for that")


def _kill_switch(journal: Path, *, is_new: bool) -> KillSwitch:
    """Return the switch of a journal; a new one is permitted to trade, an old one as it is."""
    switch = KillSwitch(Permit(permit_path(journal)))
    if is_new:
        switch.permit.grant()
    return switch


def _stop_when_told(engine: Engine, limit: RunTimeLimit | None) -> None:
    """Let signals stop the engine, and `limit`, if there is one, from its own thread."""
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, engine.request_stop, f"signal {each.name}")

    def stop(why: str) -> None:
        loop.call_soon_threadsafe(engine.request_stop, why)

    if limit is not None:
        limit.ask_with(stop)


async def _open_session(
    engine: Engine, opens: Opening, aside: Sequence[Offline], journal: Path
) -> int:
    """Record what the session starts with, what was asked for meanwhile, and take up the orders.

    Returns the number of the event that opened it.
    """
    if opens.identity is not None:
        # Alone in its commit: a journal of one event needs no witness yet.
        await engine.take(opens.identity)
    kinds = [type(event) for event in opens.events]
    session = engine.core.state.seq + 1 + kinds.index(SessionStarted)
    await engine.take(*opens.events, *aside)
    drop_aside(journal)
    keep_room(journal)
    permit = engine.switch.permit
    if not permit.granted:
        await engine.take(PermitLost(f"{permit.path} was gone at the start"))
    await engine.connect_broker()
    await _look(engine, LookWhy.START)
    return session


async def _look(engine: Engine, why: LookWhy) -> None:
    """Have the broker's books compared with ours."""
    engine.recorder.effects.append(LookAtBooks(f"{why}-{engine.core.state.seq}", why))
    await engine.commit()


async def _end_session(engine: Engine, recovered: Recovered, parting: Parting | None) -> Outcome:
    core = engine.core
    if not engine.broker.outside:
        # One outside has its next look at the next start: a stop does not wait for it.
        await _look(engine, LookWhy.STOP)
    await engine.take(SessionEnded(engine.stop_reason, parting.left if parting else ()))
    engine.commits.snapshot()
    fields = {run.name: run.fields() for run in core.desk.runs.values()}
    return Outcome(
        state=core.state,
        state_hash=state_hash(core.state, fields),
        reason=engine.stop_reason,
        events=core.state.seq - recovered.head.seq,
        repeats_dropped=core.recorder.repeats_dropped,
        snapshot_problem=engine.commits.snapshot_problem,
        feed_lost=engine.feed_lost,
        parting=parting,
    )
