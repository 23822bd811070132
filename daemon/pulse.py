"""The daemon's pulse: the heartbeat each second, and what systemd is told while it beats.

The trading loop does nothing for it but count; the file is written in a thread.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec

from daemon.clock import monotonic_s, read_clocks
from daemon.control.client import NoAnswer, NotRunning, call
from daemon.control.protocol import VERSION, Request
from daemon.engine import Engine
from daemon.heartbeat import EVERY_S, Heartbeat, heartbeat_path
from daemon.memory import SWEPT_EVERY_S, sweep
from daemon.systemd import Systemd
from events import utc_from_nanoseconds
from events.journal import Journal

FORM: Final = 1
"""The form of the heartbeat's file."""
LAG_EVERY_S: Final = 0.1
"""How often it is looked how late the loop is."""


class HeartbeatFile:
    """The file at `path`: always a whole heartbeat, and none any more once it is closed."""

    def __init__(self, path: Path | None) -> None:
        """Bind; the folder is the control socket's, there already. Without a path there is none."""
        self._path = path
        self._lock = Lock()

    def write(self, beat: Heartbeat) -> None:
        """Replace the file. A disk that does not take it is no reason to stop trading."""
        with self._lock, contextlib.suppress(OSError):
            if self._path is None:
                return
            beside = self._path.with_suffix(".new")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
                file.write(msgspec.json.encode(beat))
            beside.rename(self._path)

    def close(self) -> None:
        """Remove it: whoever finds one finds it of a daemon that is there, or was killed."""
        with self._lock, contextlib.suppress(OSError):
            path, self._path = self._path, None
            if path is not None:
                path.unlink(missing_ok=True)


class Pulse:
    """Counts from its construction; nothing is counted in the engine that it can read there."""

    def __init__(self, engine: Engine, session: int, file: HeartbeatFile, to: Systemd) -> None:
        """Begin with the books as they are; `session` is the event that opened the session."""
        self._engine = engine
        self._session = session
        self._file = file
        self._systemd = to
        self._started_at = _wall()
        self._bars = engine.core.state.market.bars
        self._orders = engine.core.state.orders.sent
        self._evaluated = self._first = _evaluations(engine)
        self._last_decision_at: datetime | None = None
        self._said = ""

    async def beat(self) -> None:
        """Beat until cancelled."""
        try:
            while True:
                await asyncio.to_thread(self._file.write, self._now())
                self._say()
                await self._wait()
        finally:
            self._file.close()

    async def _wait(self) -> None:
        """Let a second pass, and see by how much the loop is late each time."""
        for _ in range(round(EVERY_S / LAG_EVERY_S)):
            due_s = monotonic_s() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._engine.timing.loop_lag.add(max(monotonic_s() - due_s, 0.0))

    def _now(self) -> Heartbeat:
        engine, state, timing = self._engine, self._engine.core.state, self._engine.timing
        evaluated, at = _evaluations(engine), _wall()
        if evaluated > self._evaluated:
            self._last_decision_at = at
        self._evaluated = evaluated
        last = max((bar.end for bar in state.market.last.values()), default=None)
        return Heartbeat(
            version=FORM,
            pid=os.getpid(),
            started_at=self._started_at,
            at=at,
            session=self._session,
            seq=engine.journal.head.seq,
            data_mode=state.identity.data_mode or "",
            bars=state.market.bars - self._bars,
            decisions=evaluated - self._first,
            orders=state.orders.sent - self._orders,
            strategies=sum(not run.failed for run in engine.core.desk.runs.values()),
            last_bar_at=last,
            last_decision_at=self._last_decision_at,
            queued=engine.queued,
            loop_lag=timing.loop_lag.so_far(),
            commit=timing.commit.so_far(),
            decision=timing.decision.so_far(),
            order=timing.order.so_far(),
        )

    def _say(self) -> None:
        words = in_words(self._engine)
        if words != self._said:
            self._said = words
            self._systemd.status(words)


def in_words(engine: Engine) -> str:
    """Return in one line what the daemon does, what holds it, and the way to its broker."""
    state = engine.core.state
    if engine.stop_reason:
        return f"stopping: {engine.stop_reason}"
    holds = sorted({hold.cause for hold in state.holds.active.values()})
    parts = [f"held by {', '.join(holds)}" if holds else "trading"]
    if state.broker.since:
        parts.append("broker connected" if state.broker.connected else "broker NOT connected")
    if state.identity.is_dry_run:
        parts.append("DRY RUN")
    positions = sum(1 for each in state.positions.account.values() if each.quantity)
    parts.append(f"{positions} positions, {len(state.orders.open)} open orders")
    return "; ".join(parts)


async def feed(journal: Journal, to: Systemd) -> None:
    """Feed systemd's watchdog for as long as this loop turns and the journal's writer answers.

    Nothing else counts: a broker that is away is a hold and an alert, and never a restart.
    """
    while True:
        # It waits its turn behind whatever is being written; an append that hangs starves the dog.
        if await _writer_answers(journal):
            to.alive()
        await asyncio.sleep(to.feed_every_s)


async def _writer_answers(journal: Journal) -> bool:
    try:
        await journal.rows(0, 0, 1)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the dog is not fed
        return False
    return True


async def attend(
    engine: Engine, session: int, environment: Mapping[str, str], to: Systemd, *, listens: bool
) -> None:
    """Beat, sweep and tell systemd, until cancelled; event `session` opened the session.

    The heartbeat lies beside the control socket: a daemon that has none (`listens`) writes none.
    """
    journal = engine.journal.path
    file = HeartbeatFile(heartbeat_path(journal, environment) if listens else None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Pulse(engine, session, file, to).beat(), name="heartbeat")
        tasks.create_task(sweep(SWEPT_EVERY_S / engine.clock.speed), name="memory")
        if not to.address:
            return
        # Only a caller knows that the socket answers: so it is called.
        while listens and not await asyncio.to_thread(_answers, journal):  # noqa: ASYNC110 - nothing but asking tells
            await asyncio.sleep(LAG_EVERY_S)
        to.ready(in_words(engine))
        if to.feed_every_s:
            tasks.create_task(feed(engine.journal, to), name="watchdog")


def _answers(journal: Path) -> bool:
    try:
        return call(journal, Request(VERSION, "ping", "ready-look")).exit_code == 0
    except (NotRunning, NoAnswer):
        return False


def _evaluations(engine: Engine) -> int:
    """Return how often strategies were asked about a bar, ever, and answered."""
    return sum(sum(run.memory.bars_seen.values()) for run in engine.core.desk.runs.values())


def _wall() -> datetime:
    """Return the machine's time, whatever time the bars are of."""
    return utc_from_nanoseconds(read_clocks().wall)
