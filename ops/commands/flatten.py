"""`traded flatten`: close what is held."""

from pathlib import Path

import click

from ops.told import tell, telling


@click.command()
@click.argument("symbol")
@click.option("--trust-broker", is_flag=True, help="Go on in spite of UNKNOWN orders.")
@telling(confirmed=True)
def command(  # noqa: PLR0913 - one parameter an option
    *,
    symbol: str,
    trust_broker: bool,
    why: str,
    confirm: str,
    journal: Path,
    as_json: bool,
) -> None:
    """Cancel the orders in SYMBOL (or `all`), wait until they are over, then close the position.

    It passes holds, the kill switch included, and never a missing permit file. The daemon answers
    with what it would close and wants that confirmed.

    Example: traded flatten all --why "leaving for the weekend"
    """
    is_all = symbol == "all"
    args = {"symbol": None if is_all else symbol, "all": is_all, "trust_broker": trust_broker}
    tell(journal, "flatten", args, why, as_json=as_json, confirm=confirm)
