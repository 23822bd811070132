"""`traded order`: one order by hand."""

import re
from itertools import pairwise
from pathlib import Path

import click

from ops.told import tell, telling

_NEGATIVE = re.compile(r"-[\d.]+")


class OrderCommand(click.Command):
    """A command to which -5 is a quantity that must not be, and no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words of the command line; see click."""
        for before, word in pairwise(["", *args]):
            if _NEGATIVE.fullmatch(word) and not before.startswith("--"):
                raise click.UsageError("QUANTITY is unsigned: say `sell` to sell", ctx)
        return super().parse_args(ctx, args)


@click.command(cls=OrderCommand)
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("quantity")
@click.argument("symbol")
@click.option("--limit", metavar="PRICE", help="Limit price, US dollars a share.")
@click.option("--stop", metavar="PRICE", help="Stop price, US dollars a share.")
@click.option("--outside-rth", is_flag=True, help="Also outside regular hours: limit orders only.")
@click.option(
    "--tif",
    type=click.Choice(["DAY", "GTC", "IOC", "OPG", "CLS"]),
    default="DAY",
    show_default=True,
    help="How long the order may live.",
)
@telling(confirmed=True)
def command(  # noqa: PLR0913 - one parameter an option
    *,
    side: str,
    quantity: str,
    symbol: str,
    limit: str | None,
    stop: str | None,
    outside_rth: bool,
    tif: str,
    why: str,
    confirm: str,
    journal: Path,
    as_json: bool,
) -> None:
    """Make an order by hand. It passes the same gate as any other, and may be refused there.

    Example: traded order buy 10 AAPL --limit 190.00 --why "the hedge of yesterday was short"
    """
    kinds = {(False, False): "MKT", (True, False): "LMT", (False, True): "STP"}
    args = {
        "symbol": symbol,
        "quantity": quantity if side == "buy" else f"-{quantity}",
        "type": kinds.get((limit is not None, stop is not None), "STP LMT"),
        "tif": tif,
        "limit_price": limit,
        "stop_price": stop,
        "outside_rth": outside_rth or None,
    }
    tell(journal, "order", args, why, as_json=as_json, confirm=confirm)
