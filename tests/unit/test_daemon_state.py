"""Whether a daemon runs and answers, asked over its socket; what troubles it comes with that."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from daemon.brokers.paper import PaperBroker
from daemon.clock import pause
from daemon.config.options import Config
from daemon.control.address import socket_path
from daemon.control.dispatch import Dispatch
from daemon.control.protocol import VERSION, Answer, Request
from daemon.control.server import Caller, ControlServer, Take, own_and_root
from daemon.heartbeat import Heartbeat, Histogram, heartbeat_path
from events.journal import Journal
from ops.daemon_state import NO_SOCKET, DaemonState, Running, daemon_state
from tests.broker_desk import PLAIN
from tests.core_desk import Scripted
from tests.engine_desk import works
from tests.journals import writing

PING = Request(VERSION, "ping", "test-1234")
CALLER = Caller(0, "root")


@pytest.fixture
async def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Journal]:
    """Open a journal, which this process holds then; its sockets have a short path."""
    with TemporaryDirectory(prefix="t-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        async with writing(tmp_path / "j.db") as opened:
            yield opened


@contextmanager
def listening(journal: Journal, take: Take) -> Iterator[None]:
    server = ControlServer(socket_path(journal.path, os.environ), own_and_root(), take)
    try:
        yield
    finally:
        server.close()


async def asked(journal: Journal) -> DaemonState:
    return await asyncio.to_thread(daemon_state, journal.path, 0.3)


async def test_what_the_daemon_says_is_told(journal: Journal) -> None:
    with listening(journal, lambda _request, _caller: Answer(VERSION, 0, ("fine", "but", "so"))):
        found = await asked(journal)
    assert (found.running, found.said) == (Running.ANSWERS, "fine")
    assert found.troubles == ("but", "so")
    assert found.pid is not None


async def test_one_that_does_not_answer_in_time_is_hung(journal: Journal) -> None:
    def slow(_request: Request, _caller: Caller) -> Answer:
        pause(1)
        return Answer(VERSION, 0, ("late",))

    with listening(journal, slow):
        assert (await asked(journal)).running is Running.HUNG


async def test_one_that_does_not_let_us_ask_runs_all_the_same(journal: Journal) -> None:
    with listening(journal, lambda _request, _caller: Answer(VERSION, 5, ("not you",))):
        found = await asked(journal)
    assert (found.running, found.said) == (Running.UNHEARD, "not you")
    found = await asked(journal)
    assert (found.running, found.said) == (Running.UNHEARD, NO_SOCKET)


def a_beat(pid: int, ago: timedelta = timedelta(0)) -> Heartbeat:
    now, none = datetime.now(UTC), Histogram((), (0,), 0.0)
    return Heartbeat(
        version=1,
        pid=pid,
        started_at=now - ago,
        at=now - ago,
        session=3,
        seq=7,
        data_mode="PAPER",
        bars=0,
        decisions=0,
        orders=0,
        strategies=1,
        last_bar_at=None,
        last_decision_at=None,
        queued=0,
        loop_lag=none,
        commit=none,
        decision=none,
        order=none,
    )


@pytest.mark.parametrize(
    ("pid", "ago", "said"),
    [
        (os.getpid(), timedelta(0), ""),
        (os.getpid(), timedelta(minutes=2), "2 min ago: its trading loop has stood still since"),
        (1, timedelta(0), f"is of process 1, 0 s ago, and process {os.getpid()} has the lock"),
    ],
    ids=["its own and young", "its own and old", "another's"],
)
async def test_a_heartbeat_that_is_old_or_anothers_is_told(
    journal: Journal, pid: int, ago: timedelta, said: str
) -> None:
    path = heartbeat_path(journal.path, os.environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(a_beat(pid, ago)))
    try:
        troubles = (await asked(journal)).troubles
    finally:
        path.unlink()
    assert (len(troubles), said in "".join(troubles)) == (bool(said), True)


async def test_a_heartbeat_of_one_that_is_gone_says_that_it_was_killed(tmp_path: Path) -> None:
    async with writing(tmp_path / "killed.db") as opened:
        path = opened.path
    beat = heartbeat_path(path, os.environ)
    beat.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beat.write_bytes(msgspec.json.encode(a_beat(7)))
    try:
        found = daemon_state(path)
    finally:
        beat.unlink()
    assert found.running is Running.STOPPED
    (trouble,) = found.troubles
    assert "process 7, 0" in trouble
    assert trouble.endswith("nobody has the lock: that one was killed or crashed")


async def test_nobody_holds_the_journal_nobody_runs(tmp_path: Path) -> None:
    async with writing(tmp_path / "other.db") as opened:
        path = opened.path
    assert daemon_state(path) == DaemonState(Running.STOPPED)


async def test_a_calendar_that_could_not_be_made_anew_is_a_trouble(journal: Journal) -> None:
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        dispatch = Dispatch(at.engine, asyncio.get_running_loop(), Config(), Config)
        answer = await asyncio.to_thread(dispatch, PING, CALLER)
        assert [line.partition(",")[0] for line in answer.lines] == ["the trading loop answers"]
        at.engine.surroundings.calendar_problem = (
            "the calendars were not made anew: the library failed"
        )
        at.engine.commits.snapshot_problem = "the snapshot at 7 was not written: no space"
        answer = await asyncio.to_thread(dispatch, PING, CALLER)
        assert answer.lines[1:] == (
            at.engine.surroundings.calendar_problem,
            at.engine.commits.snapshot_problem,
        )
