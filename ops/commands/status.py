"""`traded status`: how the daemon stands, now or at any past moment."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import click

from events import KILL_SWITCH, utc_from_nanoseconds
from ops.books import read_books
from ops.daemon_state import daemon_state
from ops.headroom import Headroom
from ops.moments import now_of, seq_of
from ops.opened import opened
from ops.options import at_option, journal_option, json_option
from ops.order_sentences import measure
from ops.render import (
    moment,
    one_line,
    percent,
    price,
    print_fields,
    print_json,
    print_table,
    say,
    span,
)
from ops.standing import DataAge, Status, status_of
from ops.status_lines import about_strategy, about_the_books, about_the_daemon, session_text
from ops.stops import breaker_text, kill_text

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
    print_fields([*about_the_daemon(status)])
    say(f"{KILL_SWITCH}: {kill_text(killed=status.kill_switch_engaged)}")
    say(f"circuit breaker: {breaker_text(status.circuit_breaker_trips)}")
    print_fields([*about_the_books(status)])
    if status.headroom:
        say("", "limits, with one more order:")
        _print_headroom(status)
    if status.data:
        say("")
        _print_data(status.data)
    further = [
        *[line for each in status.strategies for line in about_strategy(each)],
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
