"""A journal on disk and the alerting of its watch: events in, messages out, a clock that is set."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon.config.options import AlertsConfig, Config, WatchConfig
from events import (
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    JournalOpened,
    Mode,
    SessionStarted,
)
from events.codec import JournalEvent
from ops.failures import Failure
from ops.log.lines import Level
from ops.log.redaction import Redaction
from ops.watch.alerts.alerting import Alerting
from ops.watch.alerts.assembly import deliveries_in
from ops.watch.alerts.messages import Writer
from ops.watch.alerts.sending import Pace
from ops.watch.app import Watch
from tests.builders import utc
from tests.journals import write

NOON = utc("2024-01-02T17:00")
PATIENCE_S = 60.0
QUICK = Pace(deadline_s=10.0, attempts=1, wait_max_s=0.01, again_s=0.02)
LIVE = JournalOpened("4d1a7a0c9f32b6e5", Mode.BROKER_PAPER, "mine")
STARTED = SessionStarted("0.1.0", {"trend": "abc"}, {}, live_feed=True)


def a_hold(
    cause: str,
    name: str = "",
    *,
    lifts: HoldLifts = HoldLifts.OPERATOR,
    why: str = "so",
    on: str = "",
) -> HoldPlaced:
    """Return a HALT on everything."""
    name = name or f"{cause}-1"
    return HoldPlaced(name, HoldScope.ALL, HoldLevel.HALT, cause, "core", why, lifts, subject=on)


class Lines:
    """Keeps what is logged."""

    for_people = True

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str, level: Level = Level.INFO, **fields: object) -> None:
        self.lines.append(f"{level.name} {text} {fields}")

    def fail(self, failure: Failure) -> None:
        raise AssertionError(failure)


class AlertDesk:
    """Alerting in `folder` that goes to `targets`; another one there goes on where it ended."""

    def __init__(
        self,
        folder: Path,
        *targets: str,
        alerts: AlertsConfig | None = None,
        pace: Pace = QUICK,
        ping_url: str = "",
        now: datetime = NOON,
    ) -> None:
        self.now, self.log = now, Lines()
        self.journal = folder / "j.db"
        self.variables = {
            "TRADED_ALERT_URLS": " ".join(targets),
            "XDG_RUNTIME_DIR": str(folder),
            "HOME": str(folder),
        }
        config = Config(watch=WatchConfig(alerts=alerts or AlertsConfig()))
        self.alerting = Alerting(
            self.journal,
            config,
            deliveries_in(self.variables),
            Writer("host", Redaction(["secret-of-mine"])),
            self.log,
            backups=folder / "backups",
            ping_url=ping_url,
            environment=self.variables,
            clock=lambda: self.now,
            pace=pace,
        )
        # A day's sign of life is a test of its own.
        self.alerting.kept.alive_on = self.alerting.kept.alive_on or "2024-01-02"
        self._watch = Watch(self.journal, config.watch)
        self._watch.listeners.append(self.alerting.listen)
        self._running: asyncio.Task[None] | None = None

    async def begins(self, *events: JournalEvent) -> None:
        """Write the journal's first events, and look at it: they are no news."""
        await write(self.journal)
        if events:
            await write(self.journal, *events)
        self.looks()

    async def happens(self, *events: JournalEvent) -> None:
        """Write events, look, and tell."""
        await write(self.journal, *events)
        self.looks()

    async def happens_unseen(self, *events: JournalEvent) -> None:
        """Write events while nobody looks."""
        await write(self.journal, *events)

    def looks(self) -> None:
        """Look until nothing is new, and tell."""
        seq = -1
        while seq != self._watch.seen.state.seq:
            seq = self._watch.seen.state.seq
            self._watch.look()
        self._watch.look()
        self.alerting.turn()

    def after(self, seconds: float) -> None:
        """Let time pass, and look."""
        self.now += timedelta(seconds=seconds)
        self.looks()

    async def until(self, happens: Callable[[], object], what: str) -> None:
        """Wait for something that comes over the network."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not happens():  # noqa: ASYNC110 - it happens in another thread
                    await asyncio.sleep(0.01)
        assert happens(), f"waited in vain for {what}: {self.log.lines}"

    async def is_sent(self) -> None:
        """Wait until nothing is left to send."""
        outbox = self.alerting.kept.outbox
        await self.until(lambda: not any(outbox.values()), "an empty outbox")

    @property
    def waiting(self) -> Sequence[str]:
        """The subjects of what waits in the outbox."""
        return [each.subject for queue in self.alerting.kept.outbox.values() for each in queue]

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.alerting.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._running is not None
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running
