"""`traded resolve`: end a break by an operator's word."""

from pathlib import Path

import click

from ops.told import tell, telling


@click.command()
@click.argument("break_id", metavar="[BREAK]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every open break, all or none of them.")
@click.option("--adopt", is_flag=True, help="Take what the broker has into the books.")
@click.option("--adjust", metavar="NUMBER", help="Change the books by so many shares or dollars.")
@click.option("--price", metavar="PRICE", help="What the adjusted shares cost, dollars a share.")
@telling(confirmed=True)
def command(  # noqa: PLR0913 - one parameter an option
    *,
    break_id: str | None,
    everything: bool,
    adopt: bool,
    adjust: str | None,
    price: str | None,
    why: str,
    confirm: str,
    journal: Path,
    as_json: bool,
) -> None:
    """Resolve BREAK (`traded breaks` shows them), or --all, and lift the holds behind it.

    The daemon answers with what it would book and wants that confirmed. What is booked is nobody's
    trade: it is no profit or loss of the day, and shares that come in are the operator's, whom
    `traded flatten` closes like any other. On a first day, or after a lost journal, `--all --adopt`
    books the opening balance.

    Example: traded resolve --all --adopt --reason "opening balance, seen in TWS"
    """
    if everything == (break_id is not None):
        raise click.UsageError("name one BREAK, or say --all")
    if adopt == (adjust is not None):
        raise click.UsageError("say --adopt, or --adjust by how much")
    if price is not None and adjust is None:
        raise click.UsageError("--price goes with --adjust")
    args = {
        "break": break_id,
        "all": everything,
        "adopt": adopt,
        "adjust": adjust,
        "price": price,
    }
    tell(journal, "resolve", args, why, as_json=as_json, confirm=confirm)
