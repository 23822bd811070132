"""The watch at an engine on a live feed that has gone silent: time alone brings what is due."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from daemon.brokers.paper import PaperBroker
from daemon.clock import SystemClock
from events import (
    BarClosed,
    ConfigLoaded,
    FreshnessTerms,
    HoldPlaced,
    SessionHours,
    SessionStarted,
    Symbol,
    SymbolTerms,
    nanoseconds,
    utc_from_nanoseconds,
)
from events.journal import Journal
from tests.broker_desk import PLAIN
from tests.builders import a_calendar, a_session
from tests.core_desk import A, Scripted, kinds
from tests.engine_desk import works

HOUR = timedelta(hours=1)


class Silence:
    """A live feed that never gives a bar."""

    live = True
    bars_total = starts_at = ends_at = None

    async def blocks(
        self,
        newest: Mapping[Symbol, datetime],  # noqa: ARG002 - as every feed's
    ) -> AsyncIterator[Sequence[BarClosed]]:
        await asyncio.Event().wait()
        yield ()


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happens():  # noqa: ASYNC110 - what is waited for is in a file
            await asyncio.sleep(0.02)


async def test_in_silence_bars_go_missing_and_the_data_grows_stale_by_the_clock(
    journal: Journal,
) -> None:
    # Around the clock; a bar is owed every second, and a second after it the data is stale.
    terms = {A: SymbolTerms("24/7", enforce_hours=True, extended_hours=False, bar_every_s=1)}
    async with works(journal, PaperBroker(PLAIN), Scripted()) as at:
        at.engine.clock = SystemClock()
        now = utc_from_nanoseconds(at.engine.clock.now())
        hours = (now - HOUR, now + HOUR)
        further = a_session("2099-01-01")
        await at.engine.take(
            ConfigLoaded({}, terms, FreshnessTerms(max_age_s=1, grace_s=1)),
            a_calendar(SessionHours(now.date(), *hours, *hours), further, exchange="24/7"),
            SessionStarted("1", {}, {}, live_feed=True),
        )
        began = at.engine.clock.now()
        running = asyncio.create_task(at.take(Silence()))
        await until(lambda: {"bar.missing", "hold.placed"} <= set(kinds(at.written())))
        at.engine.request_stop("enough")
        await running
    held = next(record for record in at.written() if isinstance(record.event, HoldPlaced))
    assert held.at >= began
    assert nanoseconds(now) < held.at < nanoseconds(now) + 20 * 10**9
