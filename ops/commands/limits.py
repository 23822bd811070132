"""`traded limits`: each limit, how much of it is used, and how close it ever came."""

from decimal import Decimal
from heapq import merge
from pathlib import Path

import click

from events import IntentApproved, IntentRefused, utc_from_nanoseconds
from ops.limit_use import Approach, limit_uses
from ops.moments import now_of
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.order_sentences import measure
from ops.render import NOTHING, as_of, moment, percent, print_json, print_table, say

_STEP = Decimal("0.0001")


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
        now = now_of(reader)
        uses = limit_uses(decisions, now.date())
        head = reader.head().seq
        last = reader.record(head)
    if as_json:
        print_json({"limits": uses})
        return
    if last is not None:
        say(as_of(head, utc_from_nanoseconds(last.at), now), "")
    if not uses:
        say("the gate was never asked")
        return
    titles = ("limit", "is", "last", "used", "today", "ever", "when", "asked", "refused")
    rows = [
        (
            use.name,
            measured(use.name, use.last.limit),
            measured(use.name, use.last.value),
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


def measured(name: str, value: Decimal) -> str:
    """Return a value in its limit's own unit, as `traded status` shows it."""
    return measure(name, value.quantize(_STEP))


def _share(approach: Approach | None) -> str:
    return NOTHING if approach is None else percent(approach.share)
