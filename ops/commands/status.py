"""`traded status`: how the daemon stands, now or at any past moment."""

from collections.abc import Iterator
from pathlib import Path

import click

from events import utc_from_nanoseconds
from events.lock import holder, lock_path
from ops.books import read_books
from ops.moments import now_of, seq_of
from ops.opened import opened
from ops.options import at_option, journal_option, json_option
from ops.render import (
    age,
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
from ops.standing import KILL_SWITCH, SessionStanding, Status, StrategyStanding, status_of
from projections.calendar import ALWAYS_OPEN
from projections.differences import difference_text

SYMBOLS_NAMED = 8
"""More symbols than that with one answer are counted, not named."""


@click.command()
@journal_option
@at_option
@json_option
def command(*, journal: Path, at: str | None, as_json: bool) -> None:
    """Show how the daemon stands: running or not, money, orders, holds, data, strategies.

    It reads the journal, so it works on a dead daemon too; with --at it shows any past moment.

    Example: traded status --at 2013-02-28T21:00
    """
    with opened(journal) as reader:
        upto = None if at is None else seq_of(reader, at)
        state = read_books(reader, upto).state
        now = now_of(reader) if at is None else utc_from_nanoseconds(state.at)
    status = status_of(state, journal, holder(lock_path(journal)), now)
    if as_json:
        print_json(status)
        return
    print_fields([*_about_the_daemon(status, is_past=at is not None)])
    say(f"{KILL_SWITCH}: {'ENGAGED' if status.kill_switch_engaged else 'off'}")
    say(f"circuit breaker: {_circuit_breaker_text(status)}")
    print_fields([*_about_the_books(status)])
    if status.data:
        say("")
        rows = [
            (
                each.symbol,
                price(each.close),
                moment(each.bar_end),
                "no bar yet" if each.age_s is None else span(each.age_s),
            )
            for each in status.data
        ]
        print_table(("symbol", "close", "last bar", "age"), rows, numbers={"close", "age"})
    further = [
        *[line for each in status.strategies for line in _about_strategy(each)],
        *[(f"session {each.exchange}", _session_text(each)) for each in status.sessions],
    ]
    if further:
        say("")
        print_fields(further)


def _about_the_daemon(status: Status, *, is_past: bool) -> Iterator[tuple[str, str]]:
    yield "daemon", _past_text(status) if is_past else _daemon_text(status)
    mode = status.mode or "none yet: the journal is empty"
    yield "mode", f"{mode}, account {one_line(status.account)}"
    yield "journal", status.journal
    then = "" if is_past else f" ({age(status.at, status.now)})"
    yield "last event", f"{status.seq:,} at {moment(status.at)} UTC{then}"


def _circuit_breaker_text(status: Status) -> str:
    if not status.circuit_breaker_tripped:
        return "ok"
    return f"TRIPPED ({'; '.join(map(one_line, status.circuit_breaker_reasons))})"


def _daemon_text(status: Status) -> str:
    if status.running:
        return f"running (process {status.pid})" if status.pid else "running"
    if status.ended:
        return f"not running: {one_line(status.ended)}"
    return "not running: it did not say why it stopped, so it was killed or crashed"


def _past_text(status: Status) -> str:
    return f"not running then: {one_line(status.ended)}" if status.ended else "running then"


def _about_the_books(status: Status) -> Iterator[tuple[str, str]]:
    for hold in status.holds:
        yield "hold", hold_text(hold)
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


def _reconciled_text(status: Status) -> str:
    overdue = ", OVERDUE: `traded reconcile --now`" if status.reconcile_overdue else ""
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


def _session_text(session: SessionStanding) -> str:
    if session.exchange == ALWAYS_OPEN:
        return "always open"
    if session.opens is None:
        return "none known: the calendar in the journal ends before"
    if session.is_open:
        return f"open until {moment(session.closes)} UTC"
    return f"opens {moment(session.opens)} UTC, closes {moment(session.closes)} UTC"
