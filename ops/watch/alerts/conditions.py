"""What should not be so for long: conditions, each told once it has stood for its time. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from daemon.brokers.gateway.windows import Windows
from daemon.config.options import OUTSIDE
from daemon.heartbeat import Heartbeat
from events import nanoseconds
from ops.daemon_state import DaemonState, Running
from ops.render import moment, one_line, percent, span
from ops.standing import Status
from ops.watch.alerts.alert import Alert, Severity
from ops.watch.alerts.rules import DOWN
from ops.watch.terms import DECISION_MAX, HEARTBEAT_MAX, is_backup_late
from projections import State

BARS_UNHEARD: Final = 3
"""So many bars without a decision in `DECISION_MAX` say that strategies are not asked."""


class Facts(msgspec.Struct):
    """What is known at `now`. `problem` says why the books are not of now.

    `gone` says that nobody has held the journal since before the books were read. `backup_at` is
    when the newest backup was made, None where there is none; `chat` why the inbound chat hears
    nobody, empty where it does or none is wanted.
    """

    now: datetime
    state: State
    status: Status
    problem: str
    daemon: DaemonState
    gone: bool
    heartbeat: Heartbeat | None
    backup_at: datetime | None
    chat: str = ""

    @property
    def sends(self) -> bool:
        """Whether orders leave the process."""
        return self.status.mode in OUTSIDE and not self.status.dry_run

    @property
    def has_crashed(self) -> bool:
        """Whether the last daemon ended without having said why."""
        identity = self.state.identity
        return self.gone and identity.started is not None and not identity.ended


class Bars(msgspec.Struct):
    """The bars of a daemon when its number of decisions last changed, and since when that is."""

    pid: int
    bars: int
    decisions: int
    since: datetime


class Remembered(msgspec.Struct):
    """Since when each condition stands (ns UTC); those that were told; and the bars."""

    since: dict[str, int] = {}
    told: dict[str, Alert] = {}
    bars: Bars | None = None


class _Condition(msgspec.Struct):
    """One condition that stands; it is told after `grace_s`."""

    cause: str
    severity: Severity
    title: str
    text: str
    next: str
    grace_s: float = 0


class Conditions:
    """Tells what stands, and what does not any more."""

    def __init__(self, disconnect_grace_s: int, windows: Windows) -> None:
        """Let the broker be away so long, and longer in its `windows`."""
        self._grace_s = disconnect_grace_s
        self._windows = windows

    def look(self, facts: Facts, memory: Remembered) -> Iterator[Alert]:
        """Yield what is to be told at `facts.now`."""
        now = nanoseconds(facts.now)
        found = {each.cause: each for each in self._found(facts, memory)}
        for cause in [cause for cause in memory.since if cause not in found]:
            del memory.since[cause]
            if (told := memory.told.pop(cause, None)) is not None:
                yield _over(told, now)
        for cause, each in found.items():
            since = memory.since.setdefault(cause, now)
            if cause not in memory.told and now - since >= each.grace_s * 1e9:
                alert = Alert(
                    cause, each.severity, each.title, each.text, each.next, now, (f"over-{cause}",)
                )
                memory.told[cause] = alert
                yield alert

    def _found(self, facts: Facts, memory: Remembered) -> Iterator[_Condition]:
        if facts.problem:
            known = bool(facts.state.seq)
            yield _Condition(
                "journal",
                Severity.CRITICAL if known else Severity.WARNING,
                "the journal cannot be read",
                one_line(facts.problem),
                "`traded verify`",
                5 if known else 600,
            )
        if facts.chat:
            title, text = "the chat hears nobody", f"no status and no kill from there: {facts.chat}"
            then = "`systemctl status traded-chat`; or start it: `traded chat`"
            yield _Condition("chat", Severity.WARNING, title, text, then, 120)
        if not facts.state.seq:
            return
        yield from _process(facts)
        yield from _deciding(facts, memory)
        yield from self._broker(facts)
        yield from _room(facts)

    def _broker(self, facts: Facts) -> Iterator[_Condition]:
        link, found = facts.state.broker, facts.status.broker
        if found is None or found.connected or facts.daemon.running is Running.STOPPED:
            return
        if link.unreachable is not None and link.unreachable.login_needed:
            yield _Condition(
                "login",
                Severity.CRITICAL,
                "somebody has to log in at the gateway",
                f"the broker is not reached: {one_line(link.unreachable.reason)}",
                "log in at the gateway; `traded status` then says that it is connected",
            )
        if self._windows.closed(facts.status.now):
            return
        since = f" since {moment(found.since)}" if found.since else ""
        yield _Condition(
            "broker",
            Severity.CRITICAL if facts.sends else Severity.WARNING,
            "the broker is away",
            f"no connection{since}: {one_line(found.reason)}",
            "`traded status`; see that the gateway runs and is logged in",
            self._grace_s,
        )


def _over(told: Alert, now: int) -> Alert:
    begun = f"it was told at {moment(_utc(told.at))} UTC: {told.text}"
    title, cause = f"over: {told.title}", f"over-{told.cause}"
    return Alert(cause, Severity.INFO, title, begun, "`traded status`", now, (told.cause,))


def _utc(at: int) -> datetime:
    return datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(microseconds=at // 1000)


def _process(facts: Facts) -> Iterator[_Condition]:
    """Yield what is wrong with the process: each state of it once, in its worst word."""
    daemon, beat = facts.daemon, facts.heartbeat
    who = f"process {daemon.pid}" if daemon.pid else "the daemon"
    if facts.has_crashed:
        last = "" if beat is None else f"; its last heartbeat is of {moment(beat.at)} UTC"
        text = f"nobody holds the journal, and no event says why the session ended{last}"
        then = "start it again: `traded run`; then `traded breaks`"
        title = "the daemon was killed or crashed"
        yield _Condition(DOWN, Severity.STOP, title, text, then)
        return
    if facts.gone:
        if facts.sends and any(each.is_open for each in facts.status.sessions):
            title = "the daemon does not run, and the session is open"
            text = f"it ended: {one_line(facts.status.ended) or 'it never ran'}"
            then = "start it: `traded run`"
            yield _Condition("daemon-absent", Severity.CRITICAL, title, text, then, 300)
        return
    if daemon.running is Running.HUNG:
        text = f"{who} holds the journal and does not answer: {one_line(daemon.said)}"
        then = "`traded status`; where it stays so: `traded kill --offline`"
        yield _Condition("hung", Severity.CRITICAL, "the daemon hangs", text, then, 15)
    elif daemon.running is not Running.STOPPED and beat is not None:
        age = facts.now - beat.at
        if age > HEARTBEAT_MAX:
            old = span(age / timedelta(seconds=1))
            text = f"the last heartbeat of {who} is {old} old, and it answers otherwise"
            title = "the daemon's heartbeat is old"
            yield _Condition("heartbeat", Severity.WARNING, title, text, "`traded status`", 5)
    if daemon.troubles:
        said = "; ".join(map(one_line, daemon.troubles[:5]))
        title = "the daemon has troubles"
        yield _Condition("troubles", Severity.WARNING, title, said, "`traded status`", 5)


def _deciding(facts: Facts, memory: Remembered) -> Iterator[_Condition]:
    """Yield that bars come and strategies are not asked, by the daemon's own counts of both."""
    beat = facts.heartbeat
    asked = [each.name for each in facts.status.strategies if not each.failed]
    if beat is None or not asked or facts.gone:
        memory.bars = None
        return
    was = memory.bars
    if was is None or (was.pid, was.decisions) != (beat.pid, beat.decisions):
        memory.bars = Bars(beat.pid, beat.bars, beat.decisions, facts.now)
        return
    more, waited = beat.bars - was.bars, facts.now - was.since
    if more >= BARS_UNHEARD and waited >= DECISION_MAX:
        last = moment(beat.last_decision_at) if beat.last_decision_at else "none since its start"
        text = f"{more} bars came since the last decision ({last}), of {len(asked)} strategies"
        title = "bars come, and strategies do not decide"
        yield _Condition("deciding", Severity.CRITICAL, title, text, "`traded decisions`")


def _room(facts: Facts) -> Iterator[_Condition]:
    """Yield what runs out: room, margin, and the time in which something should have been done."""
    status = facts.status
    if status.disk.is_low:
        severity = Severity.WARNING
        if status.disk.free_bytes < status.disk.halt_bytes:
            severity = Severity.CRITICAL
        title, then = "the disk is low", "make room, then `traded status`"
        yield _Condition("disk", severity, title, status.disk.text, then, 5)
    margin = status.margin_use
    if margin is not None and margin.is_high:
        text = f"{percent(margin.share)} of it, alert at {percent(margin.alert_share)}"
        title, then = "much margin is in use", "`traded limits`"
        yield _Condition("margin", Severity.WARNING, title, text, then, 5)
    can_be_asked = status.running and (status.broker is None or status.broker.connected)
    if status.reconcile_overdue and can_be_asked:
        at = moment(status.reconciled_at) if status.reconciled_at else "never"
        text = f"last compared with the broker's books: {at}"
        title, then = "a comparison with the broker is overdue", "`traded reconcile --now`"
        yield _Condition("reconcile", Severity.WARNING, title, text, then, 60)
    if is_backup_late(status.mode, facts.backup_at, facts.now):
        at = f"the newest is of {moment(facts.backup_at)} UTC" if facts.backup_at else "none there"
        title, then = "no backup of the last day", "`traded backup`"
        yield _Condition("backup", Severity.WARNING, title, at, then, 60)
