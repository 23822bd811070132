"""`traded cancel`: cancel one order."""

from pathlib import Path

import click

from ops.told import tell, telling


@click.command()
@click.argument("order")
@telling(why_needed=False)
def command(
    *,
    order: str,
    why: str,
    journal: Path,
    as_json: bool,
) -> None:
    """Ask the broker to cancel the open ORDER with this client order id, or its beginning.

    Example: traded cancel AAPL-20261120T150000-3f2a
    """
    tell(journal, "cancel", {"order": order}, why, as_json=as_json)
