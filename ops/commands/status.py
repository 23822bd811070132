"""`traded status`: how the daemon stands, now or at any past moment."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import assert_never

import click

from events import KILL_SWITCH, utc_from_nanoseconds
from ops.books import read_books
from ops.daemon_state import DaemonState, Running, daemon_state
from ops.headroom import Headroom
from ops.moments import now_of, seq_of
from ops.opened import opened
from ops.options import at_option, journal_option, json_option
from ops.order_sentences import measure
from ops.render import (
    age,
    because,
    moment,
    money,
    one_line,
    percent,
    price,
    print_fields,
    print_json,
    print_table,
    say,
    span,
)
from ops.sentences import hold_text
from ops.sessions_ahead import SessionStanding
from ops.standing import BrokerStanding, DataAge, Status, StrategyStanding, status_of
from ops.stops import breaker_text, kill_text
from projections.broker import LinkState
from projections.calendar import ALWAYS_OPEN
from projections.differences import difference_text

SYMBOLS_NAMED = 8
"""More symbols than that with one answer are counted, not named."""
AGES_SHOWN = 20
"""Of more symbols than that, those with the freshest data are counted, not shown."""
_STEP = Decimal("0.0001")


@click.command()
@journal_option
@at_option
@json_option
def command(*, journal: Path, at: str | None, as_json: bool) -> None:
    """Show how the daemon stands: running or not, money, orders, holds, limits, data, strategies.

    It reads the journal, so it works on a dead daemon too, and asks a running one whether it
    answers; with --at it shows any past moment. `traded limits` has the history of each limit.

    Example: traded status --at 2013-02-28T21:00
    """
    with opened(journal) as reader:
        upto = None if at is None else seq_of(reader, at)
        state = read_books(reader, upto).state
        now = now_of(reader) if at is None else utc_from_nanoseconds(state.at)
    # Of a past moment nobody asks what the daemon does today.
    daemon = daemon_state(journal) if at is None else None
    status = status_of(state, journal, daemon, now)
    if as_json:
        print_json(status)
        return
    print_fields([*_about_the_daemon(status)])
    say(f"{KILL_SWITCH}: {kill_text(killed=status.kill_switch_engaged)}")
    say(f"circuit breaker: {breaker_text(status.circuit_breaker_trips)}")
    print_fields([*_about_the_books(status)])
    if status.headroom:
        say("", "limits, with one more order:")
        _print_headroom(status)
    if status.data:
        say("")
        _print_data(status.data)
    further = [
        *[line for each in status.strategies for line in _about_strategy(each)],
        *[(f"session {each.exchange}", session_text(each)) for each in status.sessions],
        *[(f"HOURS {each.exchange}", one_line(each.text)) for each in status.hours_doubts],
    ]
    if further:
        say("")
        print_fields(further)


def _print_headroom(status: Status) -> None:
    titles = ("limit", "of", "now", "at most", "left", "used")
    rows = [
        (
            each.limit_name,
            each.of or "the account",
            *(_measured(each, number) for number in (each.value, each.limit, each.headroom)),
            percent(each.share),
        )
        for each in status.headroom
    ]
    print_table(titles, rows, {"now", "at most", "left", "used"})


def _measured(headroom: Headroom, number: Decimal) -> str:
    return measure(headroom.limit_name, number.quantize(_STEP))


def _print_data(data: Sequence[DataAge]) -> None:
    rows = [
        (
            each.symbol,
            price(each.close),
            moment(each.bar_end),
            "no bar yet" if each.age_s is None else span(each.age_s),
        )
        for each in data[:AGES_SHOWN]
    ]
    print_table(("symbol", "close", "last bar", "age"), rows, numbers={"close", "age"})
    if len(data) > AGES_SHOWN:
        say(f"and {len(data) - AGES_SHOWN:,} symbols with fresher data")


def _about_the_daemon(status: Status) -> Iterator[tuple[str, str]]:
    daemon = status.daemon
    yield "daemon", _daemon_text(status, daemon) if daemon else _past_text(status)
    for trouble in daemon.troubles if daemon else ():
        yield "trouble", one_line(trouble)
    mode = status.mode or "none yet: the journal is empty"
    dry = ", DRY RUN: nothing is sent" if status.dry_run else ""
    data = f", {status.data_mode}" if status.data_mode else ""
    yield "mode", f"{mode}{data}, account {one_line(status.account)}{dry}"
    yield "journal", status.journal
    then = "" if daemon is None else f" ({age(status.at, status.now)})"
    if not status.seq:
        yield "last event", "none yet"
        return
    yield "last event", f"{status.seq:,} at {moment(status.at)} UTC{then}"


def _daemon_text(status: Status, daemon: DaemonState) -> str:
    process = f" (process {daemon.pid})" if daemon.pid else ""
    match daemon.running:
        case Running.ANSWERS:
            return f"running{process}"
        case Running.UNHEARD:
            return f"running{process}, and cannot be asked: {one_line(daemon.said)}"
        case Running.HUNG:
            return (
                f"HUNG{process}: its trading loop does not answer; `traded kill --offline` stops it"
            )
        case Running.STOPPED:
            return _stopped_text(status)
        case _:
            assert_never(daemon.running)


def _stopped_text(status: Status) -> str:
    if not status.seq:
        return "not running, and it never was"
    if status.ended:
        return f"not running: {one_line(status.ended)}"
    return "not running: it did not say why it stopped, so it was killed or crashed"


def _past_text(status: Status) -> str:
    return f"not running then: {one_line(status.ended)}" if status.ended else "running then"


def _about_the_books(status: Status) -> Iterator[tuple[str, str]]:
    for hold in status.holds:
        yield "hold", hold_text(hold)
    if status.permit_lost:
        yield "permit", "GONE, so no order leaves: `traded resume` gives it again"
    if status.broker is not None:
        yield "broker", broker_text(status.broker, status.now)
    if status.disk.is_low:
        yield "disk", status.disk.text
    yield "equity", f"{money(status.equity_usd)} USD, the day's P&L {money(status.day_pnl_usd)}"
    drawdown, worst = percent(status.drawdown), percent(status.drawdown_max)
    yield "drawdown", f"{drawdown} below the peak, {worst} at worst"
    yield "bars", f"{status.bars:,}, {status.bars_off_session:,} of them off session"
    yield "positions", f"{status.positions:,}"
    yield "open orders", f"{status.open_orders:,}, {len(status.unknown_orders):,} of them UNKNOWN"
    yield "reconciled", _reconciled_text(status)
    for each in status.breaks:
        on = f"{each.difference.symbol} " if each.difference.symbol else ""
        yield "BREAK", one_line(f"{each.break_id}: {on}{difference_text(each.difference)}")
    for order in status.unknown_orders:
        yield "UNKNOWN", f"{one_line(order.client_order_id)}: {one_line(order.reason)}"
    if status.margin_use is not None:
        use, alert = percent(status.margin_use.share), percent(status.margin_use.alert_share)
        high = f", ABOVE {alert}" if status.margin_use.is_high else ""
        yield "margin", f"{use} of what there is{high}"
    if status.seq and status.limits_not_set:
        yield "limits", f"NOT SET, so no order passes: {', '.join(status.limits_not_set)}"


def broker_text(broker: BrokerStanding, now: datetime) -> str:
    """Return how the way to the broker is, since when, and what is wrong with it."""
    since = "" if broker.since is None else f" since {moment(broker.since)} UTC"
    if not broker.connected:
        return because(f"NOT CONNECTED{since}", broker.reason)
    ago = "" if broker.since is None else f" ({age(broker.since, now)})"
    word = "DEGRADED: connected" if broker.state is LinkState.DEGRADED else "connected"
    return because(f"{word}{since}{ago}", broker.reason)


def _reconciled_text(status: Status) -> str:
    overdue = ", OVERDUE: `traded reconcile --now`" if status.reconcile_overdue else ""
    if status.look_lacks:
        overdue += f", the last look LACKS {', '.join(status.look_lacks)}"
    if status.reconciled_at is None:
        return f"not yet{overdue}"
    at = moment(status.reconciled_at)
    return f"{at} UTC ({age(status.reconciled_at, status.now)}){overdue}"


def _about_strategy(strategy: StrategyStanding) -> Iterator[tuple[str, str]]:
    name = f"strategy {strategy.name}"
    shadow = ", in shadow" if strategy.shadow else ""
    asked = f"{strategy.intended:,} orders intended"
    yield name, f"{asked}, {strategy.approved:,} approved, {strategy.refused:,} refused{shadow}"
    if strategy.failed:
        yield name, f"FAILED: {one_line(strategy.failed)}"
    for standing in strategy.declined:
        named = one_line(", ".join(standing.symbols))
        if len(standing.symbols) > SYMBOLS_NAMED:
            named = f"{len(standing.symbols)} symbols"
        why = f"{one_line(standing.stage)}: {one_line(standing.reason)}"
        yield name, f"no trade in {named}: {why}"


def session_text(session: SessionStanding) -> str:
    """Return how a session stands, and what changes that when."""
    if session.exchange == ALWAYS_OPEN:
        return "always open"
    if session.changes_in_s is None:
        return "none known: the calendar in the journal ends before"
    half = ", a half day" if session.is_half_day else ""
    if session.is_open:
        return f"open{half}, closes in {span(session.changes_in_s)}, {moment(session.closes)} UTC"
    opens = f"opens in {span(session.changes_in_s)}, {moment(session.opens)} UTC{half}"
    closed = "".join(
        f"; {each.day} is closed{f' ({each.name})' if each.name else ''}"
        for each in session.closed_days
    )
    return f"{opens}, closes {moment(session.closes)} UTC{closed}"
