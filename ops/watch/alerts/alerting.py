"""Alerting as part of a watch: what is seen becomes alerts, these are kept, and then sent."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from daemon.brokers.gateway.windows import Windows
from daemon.config.options import OUTSIDE, Config
from daemon.keeping.shelf import newest_at
from events import Record, nanoseconds
from events.errors import JournalError
from events.journal import JournalReader
from events.lock import holder, lock_path
from ops.chat.standing import chat_problem
from ops.daemon_state import DaemonState, Running
from ops.log.lines import Level, Log
from ops.moments import now_in
from ops.standing import status_of
from ops.watch.alerts.alert import Alert, Severity
from ops.watch.alerts.conditions import Conditions, Facts
from ops.watch.alerts.delivery import Delivery
from ops.watch.alerts.kept import NEVER, kept_path, read_kept, write_kept
from ops.watch.alerts.messages import Writer, figures
from ops.watch.alerts.ping import Ping
from ops.watch.alerts.routing import Router
from ops.watch.alerts.rules import ALERTING, DOWN, what_happened
from ops.watch.alerts.sending import PACE, Pace, Sending
from ops.watch.alerts.standing import EVERY_S, AlertStanding, WatchBeat, write_beat
from ops.watch.app import Seen

LOOK_S: Final = 1.0
"""How often is looked at what stands, where nothing happens."""
SAVE_S: Final = 10.0
"""How often is kept how far the journal was told, where nothing was told."""
BACKUPS_S: Final = 30.0
MISSED_MAX: Final = 5_000
"""So many events are looked up that came while no watch ran; of more, the newest."""
_NOT_WELL: Final = frozenset({DOWN, "hung", "heartbeat", "journal", "deciding", "daemon-absent"})
"""The conditions in which the dead man's ping stays away."""


class Alerting:
    """Listens to a watch of `journal`, and tells people; its own file is where `environment` says.

    Times are of `clock`, the machine's.
    """

    def __init__(  # noqa: PLR0913 - everything that is outside of it
        self,
        journal: Path,
        config: Config,
        deliveries: Sequence[Delivery],
        writer: Writer,
        log: Log,
        *,
        backups: Path,
        ping_url: str = "",
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pace: Pace = PACE,
    ) -> None:
        """Take up what was kept."""
        self._journal, self._log, self._clock = journal, log, clock
        self._environment, self._backups, self._writer = environment, backups, writer
        alerts = config.watch.alerts
        self._has_chat = bool(config.watch.chat.allowed)
        names = {each.target.name: each.target.tag for each in deliveries}
        self.standing = AlertStanding(list(names), bool(ping_url))
        self.kept, problem = read_kept(kept_path(journal))
        if problem:
            log.line(problem, Level.WARNING)
        for gone in set(self.kept.outbox) - set(names):
            del self.kept.outbox[gone]
        windows = Windows(config.gateway.restart, config.gateway.restart_zone)
        self._conditions = Conditions(alerts.disconnect_grace_s, windows)
        self._router = Router(alerts, names, self.kept.routes)
        self._senders = {
            each.target.name: Sending(
                each, self.kept, self.standing, self._became, self.save, pace=pace
            )
            for each in deliveries
        }
        self._ping = (
            Ping(ping_url, alerts.ping_every_s, self.is_well, self.standing) if ping_url else None
        )
        self._seen: Seen | None = None
        self._fresh: list[Alert] = []
        self._woken = asyncio.Event()
        self._free = self._gone = False
        self._saved_at = self._beat_at = self._backups_at = float("-inf")
        self._backup_at: datetime | None = None

    def listen(self, seen: Seen, records: Sequence[Record]) -> None:
        """Take what a look has seen: a listener of the watch."""
        was_free, self._free = self._free, holder(lock_path(self._journal)) is None
        self._gone = was_free and self._free and not seen.behind
        self._seen = seen
        if seen.problem:
            if self.kept.seq == NEVER and not self._journal.exists():
                self.kept.seq = 0  # Whatever will be in it will be news.
            return
        if seen.state.identity.opened is None:
            return  # What is there is not folded yet, or there is nothing.
        self._assert_same(seen)
        state = seen.state
        start = records[0].seq - 1 if records else state.seq
        if self.kept.seq < start:
            records = [*self._missed(self.kept.seq, start), *records]
        new = [record for record in records if record.seq > self.kept.seq]
        opened = state.identity.opened
        sends = opened is not None and opened.mode in OUTSIDE and not state.identity.is_dry_run
        self._fresh += what_happened(state, new, self.kept.past, sends=sends)
        self.kept.seq = state.seq
        if self._fresh:
            self._woken.set()

    async def run(self) -> None:
        """Tell until cancelled: a companion of the watch."""
        async with asyncio.TaskGroup() as tasks:
            for name, sender in self._senders.items():
                tasks.create_task(sender.run(), name=f"alerts to {name}")
            if self._ping is not None:
                tasks.create_task(self._ping.run(), name="ping")
            tasks.create_task(self._look(), name="alerts")

    def is_well(self) -> bool:
        """Say whether the daemon does what it should, and at least one target takes alerts."""
        seen = self._seen
        if seen is None or seen.problem or self._gone:
            return False
        unheard = seen.daemon.running is Running.UNHEARD and seen.heartbeat is not None
        if seen.daemon.running is not Running.ANSWERS and not unheard:
            return False
        targets = self.standing.targets
        if targets and all(name in self.standing.failing for name in targets):
            return False
        return not _NOT_WELL & self.kept.remembered.told.keys()

    def turn(self) -> None:
        """Look once at what stands, route what is new, and keep what shall leave."""
        seen, now = self._seen, self._clock()
        if seen is None or seen.behind:
            return
        facts = self._facts(seen, now)
        alerts, self._fresh = self._fresh, []
        alerts += self._conditions.look(facts, self.kept.remembered)
        day = self._router.alive_due(self.kept.alive_on, now)
        if day and seen.state.seq:
            self.kept.alive_on = day
            alerts.append(self._alive(day, facts))
        self._router.take(alerts, now)
        posted = set()
        for parcel in self._router.leave(now):
            posted.add(parcel.target)
            message = self._writer.message(parcel, facts, nanoseconds(now))
            self.kept.post(parcel.target, message)
        for alert in alerts:
            self._log_alert(alert)
        at = nanoseconds(now) / 1e9
        if alerts or posted or not 0 <= at - self._saved_at < SAVE_S:
            self.save()
        for name in posted:
            self._senders[name].posted()
        if not 0 <= at - self._beat_at < EVERY_S:
            self._beat_at = at
            beat = WatchBeat(1, os.getpid(), now, self.standing)
            problem = write_beat(self._journal, self._environment, beat)
            if problem and problem != self.standing.trouble:
                self._log.line(problem, Level.WARNING)

    def save(self) -> None:
        """Keep it all; where that fails it goes on from memory, and says so."""
        self._saved_at = nanoseconds(self._clock()) / 1e9
        if self.kept.seq <= 0:
            return  # There is no journal to keep it beside.
        path = kept_path(self._journal)
        try:
            write_kept(path, self.kept)
        except OSError as error:
            was, text = self.standing.trouble, f"{path} cannot be written: {error.strerror}"
            self.standing.trouble = text
            if was != text:
                self._log.line(f"what was told is not kept: {text}", Level.ERROR)
        else:
            self.standing.trouble = ""

    async def _look(self) -> None:
        while True:
            self.turn()
            self._woken.clear()
            # Not `wait_for`: before Python 3.12 that may swallow the end of the watch.
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._woken.wait()

    def _assert_same(self, seen: Seen) -> None:
        """Begin anew where this is another journal, or one that was restored to before."""
        kept, identity = self.kept, seen.state.identity
        assert identity.opened is not None, "asked before"
        whose = (identity.opened.journal_id, identity.epoch)
        known = (kept.journal_id, kept.epoch)
        if kept.seq != NEVER and kept.journal_id in {"", whose[0]} and kept.seq <= seen.state.seq:
            kept.journal_id, kept.epoch = whose
            return
        if kept.journal_id:
            text = f"the journal of before was {known[0]}, epoch {known[1]}; now {whose[0]}, epoch "
            self._fresh.append(
                Alert(
                    f"journal-other:{whose}",
                    Severity.WARNING,
                    "another journal is in its place",
                    f"{text}{whose[1]}",
                    "`traded ready`",
                    nanoseconds(self._clock()),
                )
            )
        kept.journal_id, kept.epoch = whose
        kept.seq = seen.state.seq
        kept.past.session_open = identity.started is not None and not identity.ended

    def _missed(self, after: int, upto: int) -> list[Record]:
        """Return the events that matter of those that came while nobody watched."""
        found: list[Record] = []
        try:
            with JournalReader(self._journal) as reader:
                for record in reader.records_back(upto, after=after, kinds=ALERTING):
                    found.append(record)
                    if len(found) >= MISSED_MAX:
                        break
        except (JournalError, OSError) as error:
            self._log.line(f"events {after + 1} to {upto} were not looked at: {error}")
        return found[::-1]

    def _facts(self, seen: Seen, now: datetime) -> Facts:
        state = seen.state
        daemon = DaemonState(Running.STOPPED) if self._gone else seen.daemon
        status = status_of(state, seen.journal, daemon, now_in(state, now))
        at = nanoseconds(now) / 1e9
        if not 0 <= at - self._backups_at < BACKUPS_S:
            self._backups_at = at
            opened = state.identity.opened
            self._backup_at = newest_at(opened.journal_id, self._backups) if opened else None
        if self._has_chat:
            self.standing.hears(chat_problem(self._journal, self._environment, now))
        return Facts(
            now,
            state,
            status,
            seen.problem,
            daemon,
            self._gone,
            seen.heartbeat,
            self._backup_at,
            self.standing.chat,
        )

    def _alive(self, day: str, facts: Facts) -> Alert:
        standing = self.kept.remembered.told.values()
        stands = "; ".join(each.title for each in standing) or "nothing stands that was told"
        sent = sum(self.standing.sent.values())
        text = f"{figures(facts)}; {stands}; {sent} messages since this watch began"
        next_ = "nothing; where this message stays away one day, look"
        title = f"the watch is alive, {day}"
        at = nanoseconds(facts.now)
        return Alert(f"alive:{day}", Severity.INFO, title, text, next_, at)

    def _became(self, name: str, why: str) -> None:
        """Tell the others of a target that does not take messages, and all when it does again."""
        at, cause = nanoseconds(self._clock()), f"target:{name}"
        if why:
            text = f"{why}; messages for it wait, {len(self.standing.failing)} targets fail"
            title, then = f"alerts to {name} do not arrive", "`traded alert --test`"
            alert = Alert(cause, Severity.CRITICAL, title, text, then, at, (f"over-{cause}",), name)
        else:
            title, then = f"over: alerts to {name} arrive again", "`traded alert --list`"
            alert = Alert(f"over-{cause}", Severity.INFO, title, "it answers", then, at, (cause,))
        self._fresh.append(alert)
        self._woken.set()

    def _log_alert(self, alert: Alert) -> None:
        levels = {Severity.INFO: Level.INFO, Severity.WARNING: Level.WARNING}
        level = levels.get(alert.severity, Level.ERROR)
        self._log.line(f"alert, {alert.severity}: {alert.title}", level, cause=alert.cause)
