"""What is an alert and how much it matters: of events, and of what stands for too long."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from daemon.brokers.gateway.windows import Windows
from daemon.heartbeat import Heartbeat, Histogram
from events import (
    BreakKind,
    BreakOpened,
    BrokerConnected,
    BrokerDisconnected,
    BrokerUnparsed,
    BrokerUnreachable,
    ClientOrderId,
    Difference,
    DiskLow,
    HoldLifted,
    HoldLifts,
    OrderNumbersWentBack,
    OrderUnknown,
    PermitLost,
    SessionEnded,
    StrategyDeclined,
    StrategyFailed,
    StrategyPromoted,
    Symbol,
)
from events.codec import JournalEvent
from ops.daemon_state import DaemonState, Running
from ops.headroom import MarginUse
from ops.matters import NEWS
from ops.standing import status_of
from ops.watch.alerts.alert import Alert, Severity
from ops.watch.alerts.conditions import Conditions, Facts, Remembered
from ops.watch.alerts.rules import _TITLES, ALERTING, DOWN, Past, what_happened
from projections import State
from projections.broker import DISCONNECTED
from tests.alert_desk import LIVE, STARTED, a_hold
from tests.builders import a_bar, a_calendar, a_config, a_session, records, state_after, utc

NOW = utc("2024-01-02T15:30")
ORDER = ClientOrderId("A-20240102T150000-0123456789abcdef01234567")


def alerts_of(*events: JournalEvent, past: Past | None = None, sends: bool = True) -> list[Alert]:
    found = what_happened(state_after(*events), list(records(*events)), past or Past(), sends=sends)
    return list(found)


DIFFERENCE = Difference(BreakKind.FOREIGN_ORDER, Symbol("A"), "permId-7", None, Decimal(5))


@pytest.mark.parametrize(
    ("event", "severity", "words"),
    [
        (a_hold("kill switch"), Severity.STOP, "KILL SWITCH engaged"),
        (a_hold("DAILY_LOSS_EXCEEDED"), Severity.STOP, "circuit breaker tripped"),
        (a_hold("LIQUIDATION"), Severity.STOP, "LIQUIDATION"),
        (a_hold("over-fill", on=ORDER), Severity.STOP, "over-fill"),
        (a_hold("foreign fill", on="x"), Severity.STOP, "foreign fill"),
        (a_hold("DATA_STALE", lifts=HoldLifts.CONDITION), Severity.WARNING, "DATA_STALE"),
        (a_hold("operator"), Severity.WARNING, "operator"),
        (PermitLost("gone"), Severity.STOP, "permit"),
        (BreakOpened("b1", DIFFERENCE), Severity.CRITICAL, "books differ: A"),
        (OrderUnknown(ORDER, "no answer"), Severity.CRITICAL, "order UNKNOWN: A"),
        (BrokerUnparsed("raw", "a price of -1"), Severity.CRITICAL, "cannot be so"),
        (StrategyFailed("trend", "ZeroDivisionError"), Severity.CRITICAL, "a strategy failed"),
        (DiskLow(1, 2), Severity.CRITICAL, "the disk is low"),
        (StrategyPromoted("trend", "ann"), Severity.INFO, "sends from now on"),
        (SessionEnded("signal SIGTERM"), Severity.STOP, "the daemon ended: signal SIGTERM"),
        (STARTED, Severity.INFO, "the daemon runs"),
    ],
)
def test_each_event_is_told_as_loudly_as_it_matters(
    event: JournalEvent, severity: Severity, words: str
) -> None:
    (alert,) = alerts_of(event)
    assert alert.severity is severity
    assert words in alert.title
    assert alert.next


def test_an_end_of_a_daemon_that_sends_nothing_wakes_nobody() -> None:
    (alert,) = alerts_of(SessionEnded("signal SIGTERM"), sends=False)
    assert alert.severity is Severity.INFO


def test_all_that_matters_is_an_alert_by_itself_or_by_how_long_it_stands() -> None:
    told = {*_TITLES, *(type(each) for each in (STARTED, SessionEnded("x"), a_hold("x")))}
    link = {kind for kind in NEWS if kind.__module__ == "events.broker"}
    assert set(ALERTING) - told - link == {HoldLifted}
    assert OrderNumbersWentBack in told


def test_a_session_that_begins_behind_one_that_did_not_end_says_so() -> None:
    past = Past(session_open=True)
    (alert,) = alerts_of(STARTED, past=past)
    assert (alert.severity, alert.title) == (
        Severity.STOP,
        "the daemon was killed or crashed, and is back",
    )
    first, end, again = alerts_of(STARTED, SessionEnded("signal"), STARTED)
    assert [first.title, again.title] == ["the daemon runs"] * 2
    assert end.cause in again.clears


def test_a_lifted_hold_makes_the_next_of_its_kind_news() -> None:
    hold = a_hold("DAILY_LOSS_EXCEEDED", "h1")
    placed, lifted = alerts_of(hold, HoldLifted("h1", "ann", "looked"))
    assert lifted.clears == (placed.cause,)
    assert placed.clears == (lifted.cause,)
    assert lifted.title == "over: circuit breaker tripped: DAILY_LOSS_EXCEEDED"
    assert "nothing is held any more" in lifted.text


def test_a_lost_connection_is_left_to_its_grace() -> None:
    assert alerts_of(a_hold("BROKER_DISCONNECTED"), BrokerDisconnected("gone")) == []


class Stands:
    """What stands, from one look to the next."""

    def __init__(self, folder: Path, *events: JournalEvent, grace_s: int = 120) -> None:
        self._journal = folder / "j.db"
        self._memory = Remembered()
        windows = Windows(time(23, 30))
        self._conditions = Conditions(grace_s, windows)
        self.state = state_after(LIVE, *events)
        self.daemon = DaemonState(Running.ANSWERS, 7)
        self.beat: Heartbeat | None = None
        self.backup_at: datetime | None = NOW + timedelta(days=300)
        self.problem, self.gone, self.overdue = "", False, False
        self.chat = ""
        self.free_bytes = 10**12
        self.margin: MarginUse | None = None

    def at(self, now: datetime) -> Sequence[Alert]:
        status = status_of(self.state, self._journal, self.daemon, now)
        # The machine's own disk is no matter of these tests.
        room = msgspec.structs.replace(status.disk, free_bytes=self.free_bytes)
        status = msgspec.structs.replace(
            status, disk=room, reconcile_overdue=self.overdue, margin_use=self.margin
        )
        facts = Facts(
            *(now, self.state, status, self.problem),
            *(self.daemon, self.gone, self.beat, self.backup_at),
            chat=self.chat,
        )
        return list(self._conditions.look(facts, self._memory))

    def after(self, *seconds: float) -> list[str]:
        return [each.title for s in seconds for each in self.at(NOW + timedelta(seconds=s))]


UP = (STARTED, BrokerConnected("h:1", 1, 178, 1))
AWAY = BrokerDisconnected("connection reset")


def test_a_broker_that_is_away_is_told_behind_its_grace_and_once(tmp_path: Path) -> None:
    stands = Stands(tmp_path, *UP, AWAY)
    assert stands.after(0, 60, 119) == []
    assert stands.after(121, 200, 3_600) == ["the broker is away"]
    stands.state = state_after(LIVE, *UP)
    assert stands.after(3_700, 3_701) == ["over: the broker is away"]


def test_a_connection_that_is_back_in_its_grace_is_not_told(tmp_path: Path) -> None:
    stands = Stands(tmp_path, *UP, AWAY)
    assert stands.after(0, 60) == []
    stands.state = state_after(LIVE, *UP)
    assert stands.after(70, 300) == []


@pytest.mark.parametrize(
    "text",
    # 00:30 in New York on a Wednesday, 23:30 on a Friday, and the gateway's own restart at 23:30.
    ["2024-01-03T05:30", "2024-01-06T04:30", "2024-01-03T04:30"],
)
def test_in_the_known_windows_an_away_broker_is_no_news_but_a_login_is(
    text: str, tmp_path: Path
) -> None:
    stands, night = Stands(tmp_path, *UP, AWAY, grace_s=0), utc(text)
    assert stands.at(night) == []
    login = BrokerUnreachable(3, night, "nobody is logged in", login_needed=True)
    stands.state = state_after(LIVE, *UP, AWAY, login)
    (alert,) = stands.at(night)
    assert alert.title == "somebody has to log in at the gateway"
    assert alert.severity is Severity.CRITICAL


def test_a_daemon_that_hangs_is_told_and_its_old_heartbeat_is_not_told_beside(
    tmp_path: Path,
) -> None:
    stands = Stands(tmp_path, *UP)
    stands.daemon = DaemonState(Running.HUNG, 7, "no answer in 2 s")
    stands.beat = a_beat()
    assert stands.after(100, 114) == []
    assert stands.after(116) == ["the daemon hangs"]


def test_an_old_heartbeat_of_a_daemon_that_answers_is_told(tmp_path: Path) -> None:
    stands = Stands(tmp_path, *UP)
    stands.beat = a_beat()
    assert stands.after(14, 15, 15.5) == []
    assert stands.after(30) == ["the daemon's heartbeat is old"]


def test_a_daemon_that_is_gone_without_a_word_is_told_and_one_that_ended_is_not(
    tmp_path: Path,
) -> None:
    stands = Stands(tmp_path, *UP)
    stands.gone, stands.daemon = True, DaemonState(Running.STOPPED)
    (alert,) = stands.at(NOW)
    assert (alert.severity, alert.title) == (Severity.STOP, "the daemon was killed or crashed")
    ended = Stands(tmp_path, *UP, SessionEnded("signal SIGTERM"))
    ended.gone, ended.daemon = True, DaemonState(Running.STOPPED)
    assert ended.after(0, 4_000) == []


def test_a_daemon_that_does_not_run_in_an_open_session_is_told(tmp_path: Path) -> None:
    open_ = (a_config(), a_calendar(a_session("2024-01-02")))
    stands = Stands(tmp_path, *open_, STARTED, SessionEnded("signal SIGTERM"))
    stands.gone, stands.daemon = True, DaemonState(Running.STOPPED)
    assert stands.after(0, 299) == []
    assert stands.after(301) == ["the daemon does not run, and the session is open"]


def test_bars_without_decisions_are_told_and_decisions_without_bars_are_not(
    tmp_path: Path,
) -> None:
    stands = Stands(tmp_path, *UP, StrategyDeclined("trend", Symbol("A"), "warm-up", "few bars", 1))
    for second in range(0, 300, 10):  # Nothing comes at all: closed.
        stands.beat = a_beat(second, bars=5, decisions=5)
        assert stands.after(second) == []
    for second in range(300, 355, 10):
        stands.beat = a_beat(second, bars=second, decisions=5)
        assert stands.after(second) == ["bars come, and strategies do not decide"][: second == 300]
    stands.beat = a_beat(360, bars=370, decisions=6)
    assert stands.after(360) == ["over: bars come, and strategies do not decide"]


def test_bars_in_a_hurry_are_not_told_within_the_minute_that_decisions_may_take(
    tmp_path: Path,
) -> None:
    stands = Stands(tmp_path, *UP, StrategyDeclined("trend", Symbol("A"), "warm-up", "few bars", 1))
    stands.beat = a_beat(0, bars=5, decisions=5)
    assert stands.after(0) == []
    stands.beat = a_beat(59, bars=5_000, decisions=5)
    assert stands.after(59) == []
    stands.beat = a_beat(60, bars=5_001, decisions=5)
    assert stands.after(60) == ["bars come, and strategies do not decide"]


def test_the_counts_of_another_process_are_counted_from_its_own_beginning(tmp_path: Path) -> None:
    stands = Stands(tmp_path, *UP, StrategyDeclined("trend", Symbol("A"), "warm-up", "few bars", 1))
    stands.beat = a_beat(0, bars=5, decisions=5)
    assert stands.after(0) == []
    stands.beat = msgspec.structs.replace(a_beat(61, bars=50, decisions=5), pid=8)
    assert stands.after(61) == []


def test_a_backup_that_is_old_and_a_journal_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    stands = Stands(tmp_path, *UP)
    stands.backup_at = NOW - timedelta(hours=26)
    assert stands.after(0) == []
    assert stands.after(60, 121) == ["no backup of the last day"]
    stands.problem = "event 7 does not follow from event 6"
    stands.after(200)
    (alert,) = stands.at(NOW + timedelta(seconds=206))
    assert (alert.severity, alert.title) == (Severity.CRITICAL, "the journal cannot be read")
    assert alert.next == "`traded verify`"


def test_a_comparison_that_is_overdue_is_told_where_the_broker_can_be_asked(
    tmp_path: Path,
) -> None:
    stands = Stands(tmp_path, *UP, AWAY, grace_s=10_000)
    stands.overdue = True
    assert stands.after(0, 100) == []
    stands.state = state_after(LIVE, *UP)
    assert stands.after(101, 162) == ["a comparison with the broker is overdue"]


def test_of_a_journal_that_is_not_there_yet_nothing_is_told_but_that(tmp_path: Path) -> None:
    stands = Stands(tmp_path)
    stands.state, stands.problem = State(), "j.db does not exist"
    assert stands.after(0, 500) == []
    assert stands.after(601) == ["the journal cannot be read"]


def a_beat(seconds: float = 0, *, bars: int = 0, decisions: int = 0) -> Heartbeat:
    none = Histogram((), (0,), 0)
    at = NOW + timedelta(seconds=seconds)
    counts = {"bars": bars, "decisions": decisions, "orders": 0, "strategies": 1, "queued": 0}
    durations = dict.fromkeys(("loop_lag", "commit", "decision", "order"), none)
    end = a_bar().end
    told = {"version": 1, "pid": 7, "started_at": NOW, "at": at, "session": 1, "seq": 1}
    lasts = {"data_mode": "LIVE", "last_bar_at": end, "last_decision_at": None}
    return msgspec.convert(
        {**told, **counts, **durations, **lasts}, Heartbeat, from_attributes=True
    )


def test_a_chat_that_hears_nobody_is_told_after_two_minutes_and_when_it_hears_again(
    tmp_path: Path,
) -> None:
    stands = Stands(tmp_path, *UP)
    stands.chat = "code 401: the token is not known there"
    assert stands.after(0, 60, 119) == []
    (told,) = stands.at(NOW + timedelta(seconds=120))
    assert (told.severity, told.title) == (Severity.WARNING, "the chat hears nobody")
    assert "401" in told.text
    assert "traded-chat" in told.next
    assert stands.after(121, 900) == []
    stands.chat = ""
    assert stands.after(901) == ["over: the chat hears nobody"]


def test_a_broker_that_is_away_is_critical_only_where_orders_leave(tmp_path: Path) -> None:
    live = Stands(tmp_path, *UP, AWAY, grace_s=0)
    (alert,) = live.at(NOW)
    assert alert.severity is Severity.CRITICAL
    dry = Stands(tmp_path, *UP, AWAY, grace_s=0)
    dry.state = state_after(
        LIVE, msgspec.structs.replace(a_config(), config={"dry_run": True}), *UP, AWAY
    )
    (alert,) = dry.at(NOW)
    assert alert.severity is Severity.WARNING


def test_a_gateway_that_is_not_reached_asks_for_no_login_of_itself(tmp_path: Path) -> None:
    away = BrokerUnreachable(3, NOW, "connection refused")
    stands = Stands(tmp_path, *UP, AWAY, away)
    assert stands.after(0) == []


def test_a_condition_that_comes_back_waits_for_its_grace_anew(tmp_path: Path) -> None:
    stands = Stands(tmp_path, *UP, AWAY)
    assert stands.after(0, 100) == []
    stands.state = state_after(LIVE, *UP)
    assert stands.after(110) == []
    stands.state = state_after(LIVE, *UP, AWAY)
    assert stands.after(120, 200) == []
    assert stands.after(241) == ["the broker is away"]


def test_what_troubles_the_daemon_is_told(tmp_path: Path) -> None:
    stands = Stands(tmp_path, *UP)
    stands.daemon = DaemonState(Running.ANSWERS, 7, "", ("the calendar ends",))
    assert stands.after(0, 4) == []
    (alert,) = stands.at(NOW + timedelta(seconds=5))
    assert (alert.title, alert.text) == ("the daemon has troubles", "the calendar ends")


def test_a_comparison_that_is_overdue_is_told_of_a_daemon_that_could_make_one(
    tmp_path: Path,
) -> None:
    stands = Stands(tmp_path, *UP)
    stands.overdue, stands.daemon = True, DaemonState(Running.STOPPED)
    assert stands.after(0, 600) == []
    stands.daemon = DaemonState(Running.ANSWERS, 7)
    assert stands.after(601, 661) == ["a comparison with the broker is overdue"]


def test_a_strategy_that_failed_is_told_by_its_failure_and_not_by_its_hold_as_well() -> None:
    assert alerts_of(a_hold("strategy failed")) == []


def test_the_end_of_a_lost_connections_hold_is_no_news() -> None:
    hold = a_hold(DISCONNECTED, "h1")
    assert alerts_of(hold, HoldLifted("h1", "core", "connected")) == []


def test_a_hold_of_a_start_may_wait_for_the_morning() -> None:
    (alert,) = alerts_of(a_hold("start"))
    assert alert.severity is Severity.WARNING


def test_a_start_clears_what_was_told_of_a_daemon_that_was_down() -> None:
    (alert,) = alerts_of(STARTED)
    assert set(alert.clears) == {"session-ended:", DOWN}


def test_two_breaks_and_two_odd_reports_are_not_the_same_thing_again() -> None:
    other = msgspec.structs.replace(DIFFERENCE, subject="permId-8")
    first, second = alerts_of(BreakOpened("b1", DIFFERENCE), BreakOpened("b2", other))
    assert first.cause != second.cause
    price, size = alerts_of(BrokerUnparsed("raw", "a price"), BrokerUnparsed("raw", "a size"))
    assert price.cause != size.cause


def test_a_disk_is_critical_from_where_nothing_new_is_begun(tmp_path: Path) -> None:
    stands = Stands(tmp_path, *UP)
    disk = status_of(stands.state, tmp_path / "j.db", None, NOW).disk
    for free_bytes, severity in (
        (disk.warn_bytes - 1, Severity.WARNING),
        (disk.halt_bytes - 1, Severity.CRITICAL),
    ):
        stands = Stands(tmp_path, *UP)
        stands.free_bytes = free_bytes
        assert stands.after(0) == []
        (alert,) = stands.at(NOW + timedelta(seconds=5))
        assert (alert.title, alert.severity) == ("the disk is low", severity)


def test_a_daemon_that_sends_nothing_may_be_away_while_the_session_is_open(tmp_path: Path) -> None:
    config = msgspec.structs.replace(a_config(), config={"dry_run": True})
    open_ = (config, a_calendar(a_session("2024-01-02")))
    stands = Stands(tmp_path, *open_, STARTED, SessionEnded("signal SIGTERM"))
    stands.gone, stands.daemon = True, DaemonState(Running.STOPPED)
    assert stands.after(0, 600) == []


def test_margin_in_use_is_told_from_its_share_on(tmp_path: Path) -> None:
    stands = Stands(tmp_path, *UP)
    stands.margin = MarginUse(Decimal("0.59"), Decimal("0.60"))
    assert stands.after(0, 10) == []
    stands.margin = MarginUse(Decimal("0.60"), Decimal("0.60"))
    assert stands.after(11, 16) == ["much margin is in use"]
