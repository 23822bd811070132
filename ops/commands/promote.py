"""`traded promote`: let a strategy in shadow send its orders."""

from pathlib import Path

import click

from ops.told import tell, telling


@click.command()
@click.argument("strategy")
@telling(confirmed=True)
def command(
    *,
    strategy: str,
    why: str,
    confirm: str,
    journal: Path,
    as_json: bool,
) -> None:
    """Let STRATEGY out of its shadow, if it meets what `traded check-transition` asks.

    Example: traded promote trend --why "twenty sessions without a difference"
    """
    tell(journal, "promote", {"strategy": strategy}, why, as_json=as_json, confirm=confirm)
