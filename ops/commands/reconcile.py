"""`traded reconcile`: what the last comparison with the broker's books came to, or a new one."""

import sys
from pathlib import Path

import click

from daemon.control.answers import compared_lines
from daemon.exit_codes import ExitCode
from events import utc_from_nanoseconds
from ops.books import read_books
from ops.opened import opened
from ops.render import moment, one_line, print_json, say
from ops.told import tell, telling


@click.command()
@click.option("--now", is_flag=True, help="Have the running daemon compare now.")
@telling(why_needed=False)
def command(*, now: bool, why: str, journal: Path, as_json: bool) -> None:
    """Show the last comparison of the books with the broker's; --now makes one and waits for it.

    Exit 3 where anything differs. Without --now it reads the journal, also of a daemon that is not
    running.

    Example: traded reconcile --now
    """
    if now:
        tell(journal, "reconcile", {}, why, as_json=as_json)
    with opened(journal) as reader:
        book = read_books(reader).state.reconciliation
    found = book.completed is not None and (book.completed.differing or book.open)
    if as_json:
        print_json(
            {
                "compared_at": utc_from_nanoseconds(book.looked_at) if book.completed else None,
                "completed": book.completed,
                "breaks": list(book.open.values()),
            }
        )
    elif book.completed is None:
        say("the books have not been compared with the broker's yet")
    else:
        at = moment(utc_from_nanoseconds(book.looked_at))
        say(f"compared at {at} UTC ({book.completed.why})")
        say(*(one_line(line) for line in compared_lines(book)))
    sys.exit(ExitCode.FINDINGS if found else ExitCode.OK)
