"""The sweep: circles of objects go within an hour of the daemon's time."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.memory import SWEPT_EVERY_S, sweep
from daemon.pulse import attend
from daemon.systemd import Systemd
from events.journal import Journal
from tests.engine_desk import works
from tests.unit.test_engine_live import Quiet

PATIENCE_S = 60


class _Circle:
    def __init__(self) -> None:
        self.itself = self


@contextmanager
def left_to_itself() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def gone(seen: "weakref.ref[_Circle]") -> None:
    async with asyncio.timeout(PATIENCE_S):
        while seen() is not None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


async def test_a_circle_that_nobody_reaches_is_swept_up() -> None:
    with left_to_itself():
        seen = weakref.ref(_Circle())
        assert seen() is not None
        sweeping = asyncio.create_task(sweep(every_s=0.001))
        await gone(seen)
        sweeping.cancel()


async def test_a_running_daemon_sweeps_every_hour_of_its_time(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    try:
        async with works(journal, Quiet()) as at:
            at.engine.clock.speed = SWEPT_EVERY_S * 100  # An hour is over in 10 ms.
            with left_to_itself():
                seen = weakref.ref(_Circle())
                attending = asyncio.create_task(attend(at.engine, 3, {}, Systemd(), listens=False))
                await gone(seen)
                attending.cancel()
    finally:
        await journal.close()
