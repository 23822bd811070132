"""`traded ready`: the checklist before a session."""

import sys
from pathlib import Path

import click

from daemon.exit_codes import ExitCode
from ops.options import journal_option, json_option
from ops.readiness import DRY_RUN, checklist
from ops.render import print_fields, print_json, print_table, say


@click.command()
@journal_option
@json_option
def command(*, journal: Path, as_json: bool) -> None:
    """Look at everything a session needs, point by point; exit 3 if any of it is missing.

    Journal, disk, clock, calendar, data, holds, permit, orders, strategies, daemon, broker, money,
    whether orders are sent at all (a dry run is ready, and says so), margin, and whether anybody is
    told.

    Example: traded ready && echo go
    """
    points = checklist(journal)
    ready = all(point.passed for point in points)
    dry_run = any(point.found == DRY_RUN for point in points)
    if as_json:
        print_json({"ready": ready, "dry_run": dry_run, "points": points})
    else:
        rows = [("pass" if each.passed else "FAIL", each.name, each.found) for each in points]
        print_table(("", "what", "found"), rows)
        missing = [(each.name, each.next) for each in points if not each.passed]
        if missing:
            say("", "next:")
            print_fields([(f"  {name}", what) for name, what in missing])
        say("", f"{'ready' if ready else 'NOT READY'}{f', {DRY_RUN}' if dry_run else ''}")
    sys.exit(ExitCode.OK if ready else ExitCode.FINDINGS)
