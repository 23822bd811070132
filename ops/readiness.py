"""The checklist before a session: each point looked at by itself, none taken for granted."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from daemon.core.looks import is_overdue
from daemon.stopping.permit import Permit, permit_path
from events import KILL_SWITCH, Mode, utc_from_nanoseconds
from events.errors import JournalError
from events.journal import JournalReader
from events.journal_file import SQLITE_VERSION
from events.lock import holder, lock_path
from events.second_checkpointer import checkpointer_of, has_wal_reset_bug
from ops.books import read_books
from ops.daemon_state import DaemonState, Running, daemon_state
from ops.headroom import headrooms, limits_of, margin_use
from ops.moments import now_of
from ops.recorded_config import recorded_config
from ops.render import because, money, percent, span
from ops.room import disk_room
from ops.standing import is_dry_run
from ops.stops import breaker_text, is_kill, is_killed, is_trip, kill_text, trips_of
from ops.watch.alerts.standing import read_beat
from projections import State
from projections.calendar import ALWAYS_OPEN
from projections.closing import closing_terms
from projections.hours_doubts import hours_doubts
from projections.order_states import OrderState

HORIZON_MIN: Final = timedelta(days=30)
DATA_AGE_MAX: Final = timedelta(minutes=30)
AHEAD_MAX: Final = timedelta(seconds=2)
ANSWER_S: Final = 5.0
WATCH_AGE_MAX: Final = timedelta(seconds=30)
DRY_RUN: Final = "DRY RUN: nothing is sent"


class Point(msgspec.Struct, frozen=True):
    """One point of the checklist: what was found, and what to do where it is not ready."""

    name: str
    passed: bool
    found: str
    next: str = ""


def checklist(journal: Path) -> list[Point]:
    """Return every point for `journal`; where it cannot be read, that is the only one."""
    try:
        with JournalReader(journal) as reader:
            reader.assert_witnessed()
            state, now = read_books(reader).state, now_of(reader)
    except JournalError as error:
        return [Point("journal", False, str(error.args[0]), error.hint)]  # noqa: FBT003 - a Point
    return points_of(journal, state, now, daemon_state(journal, ANSWER_S))


def points_of(journal: Path, state: State, now: datetime, daemon: DaemonState) -> list[Point]:
    """Return every point for a `journal` that was read, beside what the `daemon` does."""
    found = f"{state.seq:,} events, its end is where the witness says"
    points = [Point("journal", True, found)]  # noqa: FBT003 - a Point
    for look in _BOOKS:
        points += look(journal, state, now)
    points += _daemon(daemon)
    for look in _OUTSIDE:
        points += look(journal, state, now)
    return points


def _disk(journal: Path, state: State, _now: datetime) -> Iterator[Point]:
    room = disk_room(state, journal)
    yield Point("disk", not room.is_low, room.text, "make room")


def _sqlite(journal: Path, _state: State, _now: datetime) -> Iterator[Point]:
    with JournalReader(journal) as reader:
        beside = checkpointer_of(journal, reader.tables())
    found, bears = SQLITE_VERSION, not has_wal_reset_bug(SQLITE_VERSION)
    if beside:
        found = f"{found}, and Litestream beside it"
    if not bears:
        found = f"{found}: one connection is safe with it, a second program that writes is not"
    hint = "stop Litestream, or run traded on SQLite 3.51.3 or newer"
    yield Point("sqlite", bears or not beside, found, hint)


def _clock(_journal: Path, state: State, now: datetime) -> Iterator[Point]:
    ahead = timedelta(microseconds=state.at // 1000) - (now - _EPOCH)
    yield Point(
        "clock",
        ahead <= AHEAD_MAX,
        "not behind the last event"
        if ahead <= AHEAD_MAX
        else f"the last event is {span(ahead / timedelta(seconds=1))} ahead",
        "set the clock; see `timedatectl`",
    )


def _calendar(_journal: Path, state: State, now: datetime) -> Iterator[Point]:
    for exchange in sorted({terms.exchange for terms in state.symbols.values()} - {ALWAYS_OPEN}):
        sessions = state.calendar.exchanges.get(exchange)
        after = sessions.first_ending_after(now + HORIZON_MIN) if sessions else None
        coming = sessions.first_ending_after(now) if sessions else None
        yield Point(
            f"calendar {exchange}",
            after is not None,
            "no session is known" if coming is None else f"next session {coming.day}",
            "restart the daemon, which loads the sessions ahead",
        )


def _hours(_journal: Path, state: State, now: datetime) -> Iterator[Point]:
    """Compare the calendar with the hours the broker has told, where it has told any."""
    doubts = hours_doubts(state, now)
    known = state.instruments.hours
    told = {terms.exchange for symbol, terms in state.symbols.items() if symbol in known}
    for exchange in sorted(told):
        wrong = [each.text for each in doubts if each.exchange == exchange]
        yield Point(
            f"hours {exchange}",
            not wrong,
            "; ".join(wrong) or "as the broker has them",
            "look which is right: sessions.extra_closures and extra_early_closes, or the broker",
        )


def _data(_journal: Path, state: State, now: datetime) -> Iterator[Point]:
    for symbol, terms in sorted(state.symbols.items()):
        bar = state.market.last.get(symbol)
        hint = "look at the feed"
        if bar is None:
            yield Point(f"data {symbol}", False, "no bar yet", hint)  # noqa: FBT003 - a Point
            continue
        needed = _needed_since(state, terms.exchange, now)
        yield Point(
            f"data {symbol}",
            bar.end >= needed,
            f"last bar {span((now - bar.end) / timedelta(seconds=1))} ago",
            hint,
        )


def _needed_since(state: State, exchange: str, now: datetime) -> datetime:
    """Return how new the last bar must be: in a session by its age, else of the last session."""
    sessions = state.calendar.exchanges.get(exchange)
    if sessions is None or exchange == ALWAYS_OPEN:
        return now - DATA_AGE_MAX
    coming = sessions.first_ending_after(now)
    if coming is not None and coming.open <= now:
        return max(now - DATA_AGE_MAX, coming.open)
    over = [each for each in sessions.hours if each.close <= now]
    return over[-1].close - DATA_AGE_MAX if over else now - DATA_AGE_MAX


def _holds(journal: Path, state: State, _now: datetime) -> Iterator[Point]:
    killed = is_killed(state)
    yield Point(KILL_SWITCH, not killed, kill_text(killed=killed), "`traded resume`")
    trips = trips_of(state)
    hint = "`traded holds` says why; what only an operator lifts: `traded lift`"
    yield Point("circuit breaker", not trips, breaker_text(trips), hint)
    others = [each for each in state.holds.active.values() if not (is_kill(each) or is_trip(each))]
    causes = ", ".join(sorted({hold.cause for hold in others}))
    yield Point("other holds", not causes, causes or "none", "`traded holds`, then `traded lift`")
    granted = Permit(permit_path(journal)).granted
    yield Point("permit", granted, "there" if granted else "gone", "`traded resume`")


def _orders(_journal: Path, state: State, _now: datetime) -> Iterator[Point]:
    lost = [each for each in state.orders.open.values() if each.state is OrderState.UNKNOWN]
    yield Point(
        "unknown orders",
        not lost,
        ", ".join(each.client_order_id for each in lost) or "none",
        "look at the broker what became of them",
    )
    failed = [name for name, each in state.strategies.answers.items() if each.failed]
    yield Point("strategies", not failed, ", ".join(failed) or "none failed", "`traded status`")


def _positions(_journal: Path, state: State, _now: datetime) -> Iterator[Point]:
    lost = {
        symbol: f"{each.quantity} {symbol}"
        for symbol, each in sorted(state.positions.account.items())
        if each.quantity and symbol not in state.symbols
    }
    closable = all(closing_terms(state, symbol) for symbol in lost)
    passes = "only a flatten passes" if closable else "not even a flatten passes"
    yield Point(
        "positions",
        not lost,
        f"{', '.join(lost.values())} held and not under [symbols]: {passes}" if lost else "known",
        "add [symbols.NAME] and restart, or close them: `traded flatten NAME` where it passes, "
        "else at the broker",
    )


def _reconciliation(_journal: Path, state: State, now: datetime) -> Iterator[Point]:
    book = state.reconciliation
    overdue = is_overdue(state, recorded_config(state.identity.config).reconciliation, now)
    compared = "never compared with the broker's books"
    if book.compared_at:
        ago = (now - utc_from_nanoseconds(book.compared_at)) / timedelta(seconds=1)
        compared = f"compared {span(ago)} ago"
    hint = "`traded reconcile --now`"
    yield Point("reconciliation", not overdue, compared, hint)
    breaks = ", ".join(book.open) or "none"
    yield Point("breaks", not book.open, breaks, "`traded breaks`, then `traded resolve`")


def _daemon(daemon: DaemonState) -> Iterator[Point]:
    runs, answers = daemon.running is not Running.STOPPED, daemon.running is Running.ANSWERS
    hint = "start it: `traded run`"
    yield Point("daemon", runs, f"process {daemon.pid or '?'}" if runs else "not running", hint)
    if runs:
        yield Point("control socket", answers, daemon.said, "`traded kill --offline` if it hangs")
    for trouble in daemon.troubles:
        yield Point("daemon", False, trouble, "it goes on; see the daemon's log")  # noqa: FBT003 - a Point


def _sending(_journal: Path, state: State, now: datetime) -> Iterator[Point]:
    """Say whether orders leave at all; and how much margin is in use."""
    yield Point("sending", True, DRY_RUN if is_dry_run(state) else "orders leave")  # noqa: FBT003 - a Point
    limits = limits_of(state)
    use = margin_use(headrooms(state, limits, now), limits)
    if use is not None:
        alert = percent(use.alert_share)
        found = f"{percent(use.share)} of what there is, alert at {alert}"
        yield Point("margin use", not use.is_high, found, "make room, or expect refusals")


def _link(journal: Path, state: State) -> tuple[bool, str]:
    """Return whether the broker outside is there, and how that is known."""
    link = state.broker
    if state.identity.ended:
        # An orderly stop closes the connection without a word of its own.
        return False, "not connected: the daemon has ended"
    if holder(lock_path(journal)) is None:
        return False, "not connected: the daemon does not run"
    if not link.connected and link.since:
        return False, f"not connected: {link.reason}"
    if not link.since:
        return state.identity.opened is not None, "it says nothing of a connection"
    return True, because("connected", link.trouble and f"degraded: {link.trouble}")


def _broker(journal: Path, state: State, _now: datetime) -> Iterator[Point]:
    opened = state.identity.opened
    inside = opened is not None and opened.mode in {Mode.BACKTEST, Mode.PAPER}
    connected, outside = _link(journal, state)
    yield Point(
        "broker",
        inside or connected,
        "the paper broker, inside the process" if inside else outside,
        "see that the gateway runs and is logged in",
    )
    if inside and recorded_config(state.identity.config).feed.kind == "ibkr":
        hint = "see that the gateway runs, is logged in and has market data"
        yield Point("live data", connected, outside, hint)
    equity = state.pnl.equity
    yield Point(
        "buying power",
        equity > Decimal(0),
        f"equity {money(equity)} USD, cash {money(state.cash.balance)} USD",
        "nothing can be bought without equity",
    )


def _alerts(journal: Path, state: State, _now: datetime) -> Iterator[Point]:
    """Say whether somebody would be told: only where orders leave does it have to be so."""
    opened = state.identity.opened
    inside = opened is None or opened.mode in {Mode.BACKTEST, Mode.PAPER} or is_dry_run(state)
    beat = read_beat(journal, os.environ)
    age = None if beat is None else datetime.now(UTC) - beat.at
    if beat is None or age is None or age > WATCH_AGE_MAX:
        last = "" if age is None else f", its last sign of life is {_seconds(age)} old"
        yield Point("alerts", inside, f"no watch runs{last}", "start it: `traded watch`")
        return
    who, wrong = f"the watch runs as process {beat.pid}", beat.alerts.degraded
    if not beat.alerts.targets:
        found = f"{who}, and no alert goes anywhere"
        yield Point("alerts", inside, found, "set the secret traded_alert_urls, then restart it")
        return
    found = f"{who}, alerts go to {', '.join(beat.alerts.targets)}"
    yield Point("alerts", not wrong, "; ".join([found, *wrong]), "`traded alert --test`")


def _seconds(age: timedelta) -> str:
    return span(age / timedelta(seconds=1))


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_Looks = tuple[Callable[[Path, State, datetime], Iterator[Point]], ...]
_BOOKS: Final[_Looks] = (
    _disk,
    _sqlite,
    _clock,
    _calendar,
    _hours,
    _data,
    _holds,
    _orders,
    _positions,
    _reconciliation,
)
_OUTSIDE: Final[_Looks] = (_broker, _sending, _alerts)
