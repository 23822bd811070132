"""`traded kill`: stop every order at once."""

from pathlib import Path

import click

from ops.told import kill_now, stop_without_daemon, telling


@click.command()
@click.option(
    "--working",
    type=click.Choice(["KEEP", "CANCEL_INCREASING", "CANCEL_ALL"]),
    default="CANCEL_INCREASING",
    show_default=True,
    help="What becomes of orders that are working: protective stops stay by default.",
)
@click.option("--offline", is_flag=True, help="Without the daemon, and against one that is hung.")
@telling(why_needed=False)
def command(*, working: str, offline: bool, why: str, journal: Path, as_json: bool) -> None:
    """Let no order leave from here on, until `traded resume`. It asks nothing and waits for nobody.

    --offline takes the permit file away, ends a daemon that does not answer within a second, and
    records the kill itself. Removing the permit file by hand (JOURNAL.permit) stops orders, too.

    Example: traded kill --why "fills I do not understand"
    """
    if offline:
        stop_without_daemon(journal, "kill", why, as_json=as_json)
    kill_now(journal, {"working": working}, why, as_json=as_json)
