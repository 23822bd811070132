"""`traded limits`: each limit, how much of it is used, and how close it ever came."""

from decimal import Decimal
from heapq import merge
from pathlib import Path

import click

from events import IntentApproved, IntentRefused
from ops.limit_use import Approach, limit_uses
from ops.moments import now_of
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.render import NOTHING, moment, percent, print_json, print_table, quantity, say

_FINE, _COARSE = Decimal("0.0001"), Decimal("0.01")


@click.command()
@journal_option
@json_option
def command(*, journal: Path, as_json: bool) -> None:
    """Show what the gate measured against each limit: last, today at most, and ever at most.

    The figures are those recorded with every decision, so they can be looked up with
    `traded explain ORDER`. A limit nothing was held against yet is not shown.

    Example: traded limits
    """
    with opened(journal) as reader:
        kinds = (reader.of_kind(IntentApproved), reader.of_kind(IntentRefused))
        decisions = merge(*kinds, key=lambda record: record.seq)
        uses = limit_uses(decisions, now_of(reader).date())
    if as_json:
        print_json({"limits": uses})
        return
    if not uses:
        say("the gate was never asked")
        return
    titles = ("limit", "is", "last", "used", "today", "ever", "when", "asked", "refused")
    rows = [
        (
            use.name,
            quantity(use.last.limit),
            measured(use.last.value),
            percent(use.last.share),
            _share(use.closest_today),
            _share(use.closest),
            moment(use.closest.at),
            f"{use.asked:,}",
            f"{use.refused:,}",
        )
        for use in uses
    ]
    print_table(titles, rows, {"is", "last", "used", "today", "ever", "asked", "refused"})


def measured(value: Decimal) -> str:
    """Return a value of any unit: four places below one, two from there."""
    return quantity(value.quantize(_FINE if abs(value) < 1 else _COARSE))


def _share(approach: Approach | None) -> str:
    return NOTHING if approach is None else percent(approach.share)
