"""The dead man's ping: sent while all is well and not otherwise, and its own failure is known."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.secrets.names import BadSecret
from events.lock import FileLock, lock_path
from ops.daemon_state import DaemonState, Running
from ops.watch.alerts.ping import Ping, checked_ping_url
from ops.watch.alerts.standing import AlertStanding
from ops.watch.app import Seen
from tests.alert_desk import STARTED, AlertDesk, a_hold
from tests.alert_sinks import WebSink
from tests.builders import state_after


@asynccontextmanager
async def pinging(url: str, *, well: bool = True) -> AsyncIterator[AlertStanding]:
    standing = AlertStanding([], pings=True)
    running = asyncio.create_task(Ping(url, 0.02, lambda: well, standing).run())
    try:
        yield standing
    finally:
        running.cancel()
        await asyncio.wait([running])


async def count(standing: AlertStanding, least: int) -> None:
    async with asyncio.timeout(60):
        while standing.pings_sent + standing.pings_failed < least:  # noqa: ASYNC110 - in a thread
            await asyncio.sleep(0.01)


async def test_while_all_is_well_it_asks_again_and_again() -> None:
    with WebSink() as web:
        async with pinging(f"http://127.0.0.1:{web.port}/planted-path") as standing:
            await count(standing, 3)
    assert web.asked[:3] == ["/planted-path"] * 3
    assert (standing.ping, standing.pings_failed) == ("", 0)


async def test_while_it_is_not_well_it_is_silent() -> None:
    with WebSink() as web:
        async with pinging(f"http://127.0.0.1:{web.port}/", well=False) as standing:
            await asyncio.sleep(0.3)
    assert (web.asked, standing.pings_sent, standing.pings_failed) == ([], 0, 0)


async def test_a_redirect_is_not_followed_and_counts_as_a_failure() -> None:
    with WebSink() as web, WebSink() as elsewhere:
        web.code, web.location = 302, f"http://127.0.0.1:{elsewhere.port}/"
        async with pinging(f"http://127.0.0.1:{web.port}/planted-path") as standing:
            await count(standing, 1)
    assert elsewhere.asked == []
    assert standing.ping == "code 302"
    assert "planted" not in "".join(standing.degraded)


async def test_nobody_there_is_a_failure_that_shows_no_address() -> None:
    with WebSink() as web:
        pass
    async with pinging(f"http://127.0.0.1:{web.port}/planted-path") as standing:
        await count(standing, 1)
    assert standing.pings_failed >= 1
    assert standing.degraded
    assert "planted" not in f"{standing}"


def test_what_is_no_web_address_is_refused_without_being_shown() -> None:
    for wrong in ("file:///planted", "planted", "http://", "http://[planted"):
        with pytest.raises(BadSecret) as refused:
            checked_ping_url(wrong)
        assert "planted" not in str(refused.value)


async def test_it_is_well_while_the_daemon_answers_and_somebody_can_be_told(
    tmp_path: Path,
) -> None:
    desk = AlertDesk(tmp_path, "json://127.0.0.1:1/")
    await desk.begins(STARTED, a_hold("DAILY_LOSS_EXCEEDED"))
    assert not desk.alerting.is_well(), "nobody holds the journal"
    seen = Seen(desk.journal, state_after(STARTED), "", DaemonState(Running.ANSWERS, 7), None)
    alerting = desk.alerting
    alerting.kept.remembered.told.clear()
    lock = FileLock(lock_path(desk.journal))
    alerting.listen(seen, ())
    assert alerting.is_well()
    seen.daemon = DaemonState(Running.HUNG, 7)
    assert not alerting.is_well()
    seen.daemon = DaemonState(Running.ANSWERS, 7)
    alerting.standing.failing["json"] = "refused"
    assert not alerting.is_well(), "its silence is the only alarm that is left"
    lock.release()
