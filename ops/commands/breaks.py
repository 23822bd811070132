"""`traded breaks`: where the broker's books and ours differ, and how earlier breaks ended."""

import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import click
import msgspec

from daemon.exit_codes import ExitCode
from events import BreakOpened, Resolution, utc_from_nanoseconds
from ops.books import read_books
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.render import moment, print_json, print_table, quantity, say

_TITLES = ("break", "what", "on", "here", "broker", "delta", "likely", "note", "opened")


class BreakLine(msgspec.Struct, frozen=True):
    """One break as it stands; the last four are None while it does."""

    opened: BreakOpened
    opened_at: datetime
    resolved_at: datetime | None = None
    how: Resolution | None = None
    by: str | None = None
    why: str | None = None


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
        book = read_books(reader).state.reconciliation
    standing = [
        BreakLine(each, utc_from_nanoseconds(book.opened_at.get(each.break_id, 0)))
        for each in book.open.values()
    ]
    past = [
        BreakLine(
            each.opened,
            utc_from_nanoseconds(each.opened_at),
            utc_from_nanoseconds(each.resolved_at),
            each.resolved.how,
            each.resolved.by,
            each.resolved.why,
        )
        for each in book.history[len(book.history) - history :]
    ]
    if as_json:
        print_json({"open": standing, "history": past})
    else:
        if standing:
            print_table(_TITLES, [_row(each) for each in standing])
        else:
            say("no break is open")
        if past:
            say("", "over:")
            rows = [
                (
                    *_row(each),
                    moment(each.resolved_at),
                    each.how or "",
                    each.by or "",
                    each.why or "",
                )
                for each in past
            ]
            print_table((*_TITLES, "over", "how", "by whom", "because"), rows)
    sys.exit(ExitCode.FINDINGS if standing else ExitCode.OK)


def _row(line: BreakLine) -> tuple[str, ...]:
    found = line.opened.difference
    return (
        line.opened.break_id,
        f"{found.kind} {found.subject}".rstrip(),
        found.symbol or "account",
        _number(found.internal),
        _number(found.broker),
        _number(found.delta),
        found.likely_cause,
        found.note,
        moment(line.opened_at),
    )


def _number(number: Decimal | None) -> str:
    return "none" if number is None else quantity(number)
