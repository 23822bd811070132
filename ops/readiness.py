"""The checklist before a session: each point looked at by itself, none taken for granted."""

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from daemon.control.client import NoAnswer, NotRunning, call
from daemon.control.protocol import VERSION, Request
from daemon.looks import is_overdue
from daemon.permit import Permit, permit_path
from events import Mode, utc_from_nanoseconds
from events.errors import JournalError
from events.journal import JournalReader
from events.lock import holder, lock_path
from ops.books import read_books
from ops.recorded_config import recorded_config
from ops.render import money, span
from projections import State
from projections.calendar import ALWAYS_OPEN
from projections.order_states import OrderState

DISK_MIN_BYTES: Final = 1_000_000_000
HORIZON_MIN: Final = timedelta(days=30)
DATA_AGE_MAX: Final = timedelta(minutes=30)
AHEAD_MAX: Final = timedelta(seconds=2)
ANSWER_S: Final = 5.0


class Point(msgspec.Struct, frozen=True):
    """One point of the checklist: what was found, and what to do where it is not ready."""

    name: str
    passed: bool
    found: str
    next: str = ""


def checklist(journal: Path, now: datetime) -> list[Point]:
    """Return every point for `journal`; where it cannot be read, that is the only one."""
    try:
        with JournalReader(journal) as reader:
            reader.assert_witnessed()
            state = read_books(reader).state
    except JournalError as error:
        return [Point("journal", False, str(error.args[0]), error.hint)]  # noqa: FBT003 - a Point
    found = f"{state.seq:,} events, its end is where the witness says"
    points = [Point("journal", True, found)]  # noqa: FBT003 - as above
    for look in _LOOKS:
        points += look(journal, state, now)
    return points


def _disk(journal: Path, _state: State, _now: datetime) -> Iterator[Point]:
    free = shutil.disk_usage(journal.parent).free
    yield Point(
        "disk",
        free >= DISK_MIN_BYTES,
        f"{free / 1e9:.1f} GB free",
        "make room: below 1 GB the next months do not fit",
    )


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
    causes = ", ".join(sorted({hold.cause for hold in state.holds.active.values()}))
    yield Point("holds", not causes, causes or "none", "`traded holds`, then `traded lift`")
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


def _daemon(journal: Path, _state: State, _now: datetime) -> Iterator[Point]:
    pid = holder(lock_path(journal))
    hint = "start it: `traded run`"
    yield Point("daemon", pid is not None, f"process {pid}" if pid else "not running", hint)
    if pid is None:
        return
    try:
        answer = call(journal, Request(VERSION, "ping", "ready-check"), ANSWER_S)
    except (NotRunning, NoAnswer) as error:
        yield Point("control socket", False, str(error), "`traded kill --offline` if it hangs")  # noqa: FBT003 - a Point
    else:
        yield Point("control socket", answer.exit_code == 0, ", ".join(answer.lines))


def _broker(_journal: Path, state: State, _now: datetime) -> Iterator[Point]:
    opened = state.identity.opened
    mode = opened.mode if opened else None
    inside = mode in {Mode.BACKTEST, Mode.PAPER}
    yield Point(
        "broker",
        inside,
        "the paper broker, inside the process" if inside else "nothing is known of its connection",
        "see the daemon's log",
    )
    equity = state.pnl.equity
    yield Point(
        "buying power",
        equity > Decimal(0),
        f"equity {money(equity)} USD, cash {money(state.cash.balance)} USD",
        "nothing can be bought without equity",
    )


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_LOOKS: Final[tuple[Callable[[Path, State, datetime], Iterator[Point]], ...]] = (
    _disk,
    _clock,
    _calendar,
    _data,
    _holds,
    _orders,
    _reconciliation,
    _daemon,
    _broker,
)
