"""`traded shadow`: let a strategy decide without sending."""

from pathlib import Path

import click

from ops.told import tell, telling


@click.command()
@click.argument("strategy")
@telling()
def command(
    *,
    strategy: str,
    why: str,
    journal: Path,
    as_json: bool,
) -> None:
    """Put STRATEGY in shadow: it decides and is recorded, and sends nothing until promoted.

    Example: traded shadow trend --why "first weeks"
    """
    tell(journal, "shadow", {"strategy": strategy}, why, as_json=as_json)
