"""The pulse: what the heartbeat says, that a hanging loop shows in it, and who feeds the dog."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from daemon.heartbeat import Heartbeat, heartbeat_path, read_heartbeat
from daemon.pulse import HeartbeatFile, Pulse, feed, in_words
from daemon.systemd import Systemd
from events import OperatorKilled, OrderAcknowledged
from events.journal import Journal
from tests.core_desk import Scripted, buy
from tests.engine_desk import Works, minutes, works
from tests.unit.test_engine_live import Quiet, Silent, until

PATIENCE_S = 60.0


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


def pulse(at: Works, folder: Path) -> Pulse:
    file = HeartbeatFile(heartbeat_path(at.engine.journal.path, environment(folder)))
    return Pulse(at.engine, 3, file, Systemd())


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def heartbeats(folder: Path) -> list[Path]:
    return list(folder.glob("*heartbeat*"))


def environment(folder: Path) -> dict[str, str]:
    return {"RUNTIME_DIRECTORY": str(folder)}


async def beat_when(at: Works, folder: Path, there: Any) -> Heartbeat:  # noqa: ANN401 - a question
    """Return the first heartbeat of which `there` is so."""
    ends = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        found = read_heartbeat(at.engine.journal.path, environment(folder))
        if found is not None and there(found):
            return found
        assert asyncio.get_running_loop().time() < ends, found
        await asyncio.sleep(0.02)


async def test_it_counts_bars_decisions_and_orders_since_its_start(
    journal: Journal, tmp_path: Path
) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")])) as at:
        await at.take(Silent(*minutes(0, 0)), once=True)
        beating = asyncio.create_task(pulse(at, tmp_path).beat())
        first = await beat_when(at, tmp_path, lambda _: True)
        # What was before does not count, and nothing was decided yet.
        assert (first.bars, first.decisions, first.orders) == (0, 0, 0)
        assert first.last_decision_at is None
        await at.take(Silent(*minutes(1, 2)), once=True)
        found = await beat_when(at, tmp_path, lambda beat: beat.bars)
        assert (found.bars, found.decisions, found.orders) == (2, 2, 0)
        assert (found.session, found.strategies) == (3, 1)
        assert found.seq == journal.head.seq
        assert found.last_bar_at == minutes(2, 2)[0].end
        assert found.last_decision_at == found.at
        assert sum(found.commit.counts) > 0
        assert sum(found.decision.counts) > 0
        beating.cancel()


async def test_an_order_is_timed_from_its_sending_to_the_brokers_first_word(
    journal: Journal,
) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")])) as at:
        running = asyncio.create_task(at.take(Silent(*minutes(0, 0))))
        await until(lambda: len(broker.submitted) == 1)
        assert sum(at.engine.timing.order.so_far().counts) == 0
        await asyncio.sleep(0.3)
        broker.report(OrderAcknowledged(broker.submitted[0]))
        broker.report(OrderAcknowledged(broker.submitted[0]))  # Its second word is no answer.
        found = at.engine.timing.order.so_far()
        assert sum(found.counts) == 1
        assert found.sum_s >= 0.3
        at.engine.request_stop("enough")
        await running


async def test_a_gap_of_the_loop_is_seen_as_lag(journal: Journal, tmp_path: Path) -> None:
    async with works(journal, Quiet()) as at:
        beating = asyncio.create_task(pulse(at, tmp_path).beat())
        await beat_when(at, tmp_path, lambda _: True)
        time.sleep(1.2)  # noqa: ASYNC251 - the loop is to stand still
        found = await beat_when(at, tmp_path, lambda beat: beat.loop_lag.sum_s >= 1)
        late = [
            count
            for bound, count in zip(found.loop_lag.bounds_s, found.loop_lag.counts, strict=False)
            if bound > 1
        ]
        assert sum(late) >= 1
        beating.cancel()


async def test_the_file_is_its_users_alone_whole_and_gone_after_the_end(
    journal: Journal, tmp_path: Path
) -> None:
    path = heartbeat_path(journal.path, environment(tmp_path))
    async with works(journal, Quiet()) as at:
        beating = asyncio.create_task(pulse(at, tmp_path).beat())
        await beat_when(at, tmp_path, lambda _: True)
        assert mode_of(path) == 0o600
        beating.cancel()
        await asyncio.wait({beating})
    assert heartbeats(tmp_path) == []


async def test_a_folder_that_takes_no_file_stops_nothing(journal: Journal, tmp_path: Path) -> None:
    async with works(journal, Quiet()) as at:
        beating = asyncio.create_task(pulse(at, tmp_path / "gone").beat())
        await asyncio.sleep(0.3)
        assert not beating.done()
        beating.cancel()


async def test_a_late_write_does_not_bring_a_closed_heartbeat_back(
    journal: Journal, tmp_path: Path
) -> None:
    async with works(journal, Quiet()) as at:
        beating = asyncio.create_task(pulse(at, tmp_path).beat())
        beat = await beat_when(at, tmp_path, lambda _: True)
        beating.cancel()
    path = tmp_path / "x.heartbeat.json"
    file = HeartbeatFile(path)
    file.write(beat)
    assert msgspec.json.decode(path.read_bytes(), type=Heartbeat) == beat
    file.close()
    file.write(beat)
    assert not path.exists()


async def test_the_status_says_what_it_does_and_what_holds_it(journal: Journal) -> None:
    async with works(journal, Quiet()) as at:
        assert in_words(at.engine) == "trading; 0 positions, 0 open orders"
        await at.engine.take(OperatorKilled("kill-00001", "ann", 1000, "enough"))
        assert in_words(at.engine).startswith("held by kill switch; ")
        at.engine.request_stop("signal SIGTERM")
        assert in_words(at.engine) == "stopping: signal SIGTERM"


class Hanging:
    """A journal's writer; while it `hangs` nothing asked of it comes back."""

    def __init__(self) -> None:
        self.hangs = False
        self.fails = False

    async def rows(self, _after: int, _upto: int, _limit: int) -> Sequence[object]:
        if self.fails:
            raise OSError("the disk is gone")
        while self.hangs:  # noqa: ASYNC110 - it comes to itself without a word
            await asyncio.sleep(0.01)
        return []


async def test_a_writer_that_hangs_or_fails_starves_the_dog_though_the_loop_turns(
    tmp_path: Path,
) -> None:
    writer, turns = Hanging(), 0
    name = f"\0{tmp_path}-dog"[:100]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        listener.setblocking(False)  # noqa: FBT003 - socket's way
        feeding = asyncio.create_task(
            feed(cast("Journal", writer), Systemd(f"@{name[1:]}", feed_every_s=0.01))
        )
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE_S):
            assert await loop.sock_recv(listener, 100) == b"WATCHDOG=1"
        for trouble in ("hangs", "fails"):
            setattr(writer, trouble, True)
            await asyncio.sleep(0.1)
            while _is_fed(listener):
                pass
            for _ in range(20):
                await asyncio.sleep(0.01)
                turns += 1
            assert not _is_fed(listener)
            setattr(writer, trouble, False)
            async with asyncio.timeout(PATIENCE_S):
                assert await loop.sock_recv(listener, 100) == b"WATCHDOG=1"
        assert turns == 40
        feeding.cancel()


def _is_fed(listener: socket.socket) -> bool:
    try:
        return listener.recv(100) == b"WATCHDOG=1"
    except BlockingIOError:
        return False
