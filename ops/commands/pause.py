"""`traded pause`: stop one strategy's orders."""

from pathlib import Path

import click

from ops.told import tell, telling


@click.command()
@click.argument("strategy")
@telling(why_needed=False)
def command(
    *,
    strategy: str,
    why: str,
    journal: Path,
    as_json: bool,
) -> None:
    """Put one strategy on HALT until `traded resume STRATEGY`; it is still asked and recorded.

    Example: traded pause trend --why "new version tomorrow"
    """
    tell(journal, "hold", {"scope": "strategy", "target": strategy}, why, as_json=as_json)
