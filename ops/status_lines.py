"""How the daemon stands, in the words of `traded status`, a line each."""

from collections.abc import Iterator
from datetime import datetime
from typing import assert_never

from ops.daemon_state import DaemonState, Running
from ops.render import (
    age,
    because,
    moment,
    money,
    one_line,
    percent,
    span,
)
from ops.sentences import hold_text
from ops.sessions_ahead import SessionStanding
from ops.standing import BrokerStanding, Status, StrategyStanding
from projections.broker import LinkState
from projections.calendar import ALWAYS_OPEN
from projections.differences import difference_text

SYMBOLS_NAMED = 8
"""More symbols than that with one answer are counted, not named."""


def about_the_daemon(status: Status) -> Iterator[tuple[str, str]]:
    """Yield what the process does, on which journal, in which mode: a name and a text each."""
    daemon = status.daemon
    yield "daemon", _daemon_text(status, daemon) if daemon else _past_text(status)
    for trouble in daemon.troubles if daemon else ():
        yield "trouble", one_line(trouble)
    mode = status.mode or "none yet: the journal is empty"
    dry = ", DRY RUN: nothing is sent" if status.dry_run else ""
    data = f", {status.data_mode}" if status.data_mode else ""
    account = f", account {one_line(status.account)}" if status.account else ""
    yield "mode", f"{mode}{data}{account}{dry}"
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


def about_the_books(status: Status) -> Iterator[tuple[str, str]]:
    """Yield what holds it, how the books stand, and what is not known."""
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
    yield "reconciled", reconciled_text(status)
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


def reconciled_text(status: Status) -> str:
    """Return when the books were compared with the broker's, and what that lacked."""
    overdue = ", OVERDUE: `traded reconcile --now`" if status.reconcile_overdue else ""
    if status.look_lacks:
        overdue += f", the last look LACKS {', '.join(status.look_lacks)}"
    if status.reconciled_at is None:
        return f"not yet{overdue}"
    at = moment(status.reconciled_at)
    return f"{at} UTC ({age(status.reconciled_at, status.now)}){overdue}"


def about_strategy(strategy: StrategyStanding) -> Iterator[tuple[str, str]]:
    """Yield what a strategy has asked for, and why it does not trade now."""
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
