"""`traded lift`: end one hold."""

from pathlib import Path

import click

from ops.told import tell, telling


@click.command()
@click.argument("hold")
@telling(confirmed=True)
def command(
    *,
    hold: str,
    why: str,
    confirm: str,
    journal: Path,
    as_json: bool,
) -> None:
    """Lift the hold with this id (`traded holds` shows them), and no other.

    Example: traded lift DAILY_LOSS_EXCEEDED-4711 --why "the loss was a known split"
    """
    tell(journal, "lift", {"hold": hold}, why, as_json=as_json, confirm=confirm)
