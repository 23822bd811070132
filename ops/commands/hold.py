"""`traded hold`: stop the orders of everything, a strategy or a symbol."""

from pathlib import Path

import click

from ops.told import tell, telling


@click.command()
@click.argument("scope", type=click.Choice(["all", "strategy", "symbol"]))
@click.argument("target", required=False)
@click.option(
    "--level",
    type=click.Choice(["REDUCE", "HALT"]),
    default="HALT",
    show_default=True,
    help="REDUCE lets orders pass that only reduce a position.",
)
@click.option(
    "--working",
    type=click.Choice(["KEEP", "CANCEL_INCREASING", "CANCEL_ALL"]),
    default="KEEP",
    show_default=True,
    help="What becomes of orders that are working already.",
)
@telling()
def command(  # noqa: PLR0913 - one parameter an option
    *,
    scope: str,
    target: str | None,
    level: str,
    working: str,
    why: str,
    journal: Path,
    as_json: bool,
) -> None:
    """Place a hold on all, on `strategy NAME` or on `symbol SYMBOL`. Cancels always pass.

    Example: traded hold symbol AAPL --level REDUCE --why "earnings tonight"
    """
    if scope == "all" and target is not None:
        raise click.UsageError(f"`hold all` holds everything: {target} is too much")
    if scope != "all" and target is None:
        raise click.UsageError(f"say which {scope}: traded hold {scope} NAME")
    args = {"scope": scope, "target": target, "level": level, "working": working}
    tell(journal, "hold", args, why, as_json=as_json)
