"""`traded reload`: take changed limits without a restart."""

from pathlib import Path

import click

from ops.told import tell, telling


@click.command()
@telling(confirmed=True)
@click.option("--yes", is_flag=True, help="Confirm what is shown: for `systemctl reload`.")
def command(*, why: str, confirm: str, yes: bool, journal: Path, as_json: bool) -> None:
    """Read the configuration again; what is wrong with it is listed, and the old one stays.

    Limits and the promotion rule change at once, each change named and confirmed. Anything else
    needs a restart, and says so.

    Example: traded reload --why "smaller orders until Friday"
    """
    tell(journal, "reload", {}, why, as_json=as_json, confirm=confirm, sure=yes)
