"""`traded cancel-all`: cancel every open order."""

from pathlib import Path

import click

from ops.told import stop_without_daemon, tell, telling


@click.command()
@click.option("--offline", is_flag=True, help="Without the daemon, and against one that is hung.")
@telling(why_needed=False)
def command(*, offline: bool, why: str, journal: Path, as_json: bool) -> None:
    """Ask for a cancel of every open order, wait until none is open, and say which still are.

    Strategies go on: `traded kill` stops them first. --offline works without the daemon.

    Example: traded cancel-all --why "the feed is wrong since noon"
    """
    if offline:
        stop_without_daemon(journal, "cancel-all", why, as_json=as_json)
    tell(journal, "cancel-all", {}, why, as_json=as_json)
