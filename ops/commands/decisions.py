"""`traded decisions`: the trace of what was decided, by strategies and by the gate, in counts."""

from datetime import date
from itertools import islice
from pathlib import Path

import click

from events import (
    DataMode,
)
from ops.decision_counts import (
    Counts,
    Decision,
    counted,
)
from ops.decision_trace import fields_of, mode_of, newest_decisions
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.render import NOTHING, print_json, print_table, say


@click.command()
@journal_option
@click.option(
    "--last", "count", type=click.IntRange(min=1), default=500, show_default=True, metavar="N",
    help="The last N decisions that pass all filters.",
)  # fmt: skip
@click.option(
    "--top", type=click.IntRange(min=1), default=3, show_default=True, metavar="N",
    help="What stood in the way most often.",
)  # fmt: skip
@click.option(
    "--by", "grouping", type=click.Choice(["day", "strategy", "symbol", "data-mode"]),
    default="strategy", show_default=True, help="One line for each.",
)  # fmt: skip
@click.option("--day", metavar="DATE", help="Only of this day, UTC.")
@click.option("--strategy", metavar="NAME", help="Only of this strategy.")
@click.option("--symbol", metavar="S", help="Only about this symbol.")
@click.option(
    "--data-mode", type=click.Choice([each.value for each in DataMode], case_sensitive=False),
    help="Only of sessions of this data mode.",
)  # fmt: skip
@json_option
def command(  # noqa: PLR0913 - one parameter an option
    *,
    journal: Path,
    count: int,
    top: int,
    grouping: str,
    day: str | None,
    strategy: str | None,
    symbol: str | None,
    data_mode: str | None,
    as_json: bool,
) -> None:
    """Show how often strategies declined and the gate refused, and the top reasons why.

    A decision is an answer of a strategy not to trade, or the gate's answer to an intent; an
    answer that was given again and again is one decision of many evaluations. Decisions in shadow
    are counted apart; approved is there what would have been sent. The data mode says what was
    decided on and where orders went: recorded bars (BACKTEST, REPLAY), or live ones with orders
    inside the process (PAPER_LIVE), at a paper account (PAPER) or with real money (LIVE).

    Example: traded decisions --last 500 --top 3
    """
    only = None if day is None else _date(day)

    def is_wanted(decision: Decision) -> bool:
        return (
            only in {None, decision.day}
            and strategy in {None, decision.strategy}
            and symbol in {None, decision.symbol}
            and data_mode in {None, decision.data_mode}
        )

    with opened(journal) as reader:
        mode = mode_of(reader)
        decisions = list(islice(filter(is_wanted, newest_decisions(reader)), count))
    if as_json:
        print_json(fields_of(mode, decisions, top))
    elif decisions:
        _print(decisions, counted(decisions, "data", top), grouping.replace("-", "_"), mode)
    else:
        say("no such decision was made")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--day {text!r} is no date: write 2024-07-03") from None


def _print(decisions: list[Decision], data: list[Counts], grouping: str, mode: str) -> None:
    oldest, newest = min(each.day for each in decisions), max(each.day for each in decisions)
    say(f"the last {len(decisions):,} decisions, {oldest} to {newest}, mode {mode}")
    for counts in data:
        of_these = [each for each in decisions if each.shadow == (counts.group == "shadow")]
        say("", f"{counts.group}: {_summary(counts)}")
        _print_blockers(counts)
        say("")
        _print_groups(counted(of_these, grouping, 1), grouping)


def _summary(counts: Counts) -> str:
    return (
        f"{counts.evaluations:,} evaluations: {counts.declined:,} declined by strategies, "
        f"{counts.refused:,} refused by the gate, {counts.approved:,} approved"
    )


def _print_blockers(counts: Counts) -> None:
    if not counts.blockers:
        say("nothing stood in the way")
        return
    titles = ("what stood in the way", "by", "evaluations", "share", "last event")
    rows = [
        (each.name, each.source, f"{each.evaluations:,}", f"{each.share:.1%}", str(each.seq))
        for each in counts.blockers
    ]
    print_table(titles, rows, ("evaluations", "share", "last event"))


def _print_groups(groups: list[Counts], grouping: str) -> None:
    numbers = ("evaluations", "declined", "refused", "approved")
    shows_modes = grouping != "data_mode"
    rows = [
        (
            each.group,
            *([", ".join(each.data_modes)] if shows_modes else []),
            f"{each.evaluations:,}",
            f"{each.declined:,}",
            f"{each.refused:,}",
            f"{each.approved:,}",
            each.blockers[0].name if each.blockers else NOTHING,
        )
        for each in groups
    ]
    titles = (grouping.replace("_", " "), *(["data mode"] if shows_modes else []))
    print_table((*titles, *numbers, "most often"), rows, numbers)
