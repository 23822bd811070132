"""`traded breaks`: where the broker's books and ours differ, and how earlier breaks ended."""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from daemon.exit_codes import ExitCode
from events import BreakKind, Difference, utc_from_nanoseconds
from ops.books import read_books
from ops.break_lines import BreakLine, breaks_of
from ops.moments import now_of
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.render import age, as_of, because, moment, money, one_line, print_json, quantity, say
from projections.differences import difference_text


@click.command()
@journal_option
@click.option("--history", type=click.IntRange(min=0), default=0, metavar="N", help="Past ones.")
@json_option
def command(*, journal: Path, history: int, as_json: bool) -> None:
    """Show the breaks that stand and, with --history N, the last N that are over.

    A break holds its symbol, or everything. It ends by agreement, or by an operator's
    `traded resolve`. Exit 3 while any stands.

    Example: traded breaks --history 10
    """
    with opened(journal) as reader:
        state, now = read_books(reader).state, now_of(reader)
    shown = breaks_of(state, history)
    standing, past = shown.open, shown.history
    if as_json:
        print_json(shown)
    else:
        say(as_of(state.seq, utc_from_nanoseconds(state.at), now), "")
        if not standing:
            say("no break is open")
        for each in standing:
            say(*_lines(each, now))
        if past:
            say("", "over:")
            for each in past:
                say(*_lines(each, now))
    sys.exit(ExitCode.FINDINGS if standing else ExitCode.OK)


def _delta(found: Difference) -> str:
    if found.kind is BreakKind.CASH:
        return f"{money(found.delta)} USD"
    return quantity(found.delta)


def _lines(line: BreakLine, now: datetime) -> Iterator[str]:
    """Yield a break as a person reads it: what differs, since when, and how it ended."""
    yield one_line(line.opened.break_id)
    yield f"  {one_line(difference_text(line.opened.difference))}"
    yield f"  what the broker has more: {_delta(line.opened.difference)}"
    yield f"  opened {moment(line.opened_at)} UTC ({age(line.opened_at, now)})"
    if line.resolved_at is not None:
        by = f"{moment(line.resolved_at)} UTC ({line.how}) by {one_line(line.by or '')}"
        yield f"  over since {because(by, line.why or '')}"
