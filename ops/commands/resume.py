"""`traded resume`: let orders leave again."""

from pathlib import Path

import click

from ops.told import tell, telling


@click.command()
@click.argument("strategy", required=False)
@telling(confirmed=True)
def command(
    *,
    strategy: str | None,
    why: str,
    confirm: str,
    journal: Path,
    as_json: bool,
) -> None:
    """Lift the kill switch, and what a start has placed; or what holds one STRATEGY.

    The daemon answers with what is still unresolved and wants that confirmed. Other holds stay:
    `traded holds` lists them, `traded lift` lifts one.

    Example: traded resume --why "looked at the fills, all of them are ours"
    """
    tell(journal, "resume", {"strategy": strategy}, why, as_json=as_json, confirm=confirm)
