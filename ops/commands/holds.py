"""`traded holds`: what stops orders, since when, by whom, and what ends it."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from events import KILL_SWITCH, utc_from_nanoseconds
from ops.books import read_books
from ops.hold_lines import HoldLine, holds_of
from ops.moments import now_of
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.render import age, as_of, because, moment, one_line, print_json, say
from ops.sentences import hold_text
from ops.stops import breaker_text, kill_text


@click.command()
@journal_option
@click.option("--history", type=click.IntRange(min=0), default=0, metavar="N", help="Lifted ones.")
@json_option
def command(*, journal: Path, history: int, as_json: bool) -> None:
    """Show the holds in force and, with --history N, the last N that were lifted.

    A hold ends as it says: by an operator (`traded lift`, `traded resume`), by its condition, or at
    the next session. Lifting one never lifts another.

    Example: traded holds --history 10
    """
    with opened(journal) as reader:
        state, now = read_books(reader).state, now_of(reader)
    shown = holds_of(state, history)
    if as_json:
        print_json(shown)
        return
    active, past = shown.active, shown.history
    trips, killed = shown.circuit_breaker_trips, shown.kill_switch_engaged
    say(as_of(state.seq, utc_from_nanoseconds(state.at), now), "")
    say(f"{KILL_SWITCH}: {kill_text(killed=killed)}", f"circuit breaker: {breaker_text(trips)}", "")
    if not active:
        say("nothing is held")
    for each in active:
        say(*_lines(each, now))
    if past:
        say("", "lifted:")
        for each in past:
            say(*_lines(each, now))


def _lines(line: HoldLine, now: datetime) -> Iterator[str]:
    """Yield a hold as a person reads it: its name, what it does, when it came and went."""
    yield one_line(line.hold.hold_id)
    yield f"  {hold_text(line.hold)}"
    yield f"  placed {moment(line.placed_at)} UTC ({age(line.placed_at, now)})"
    if line.lifted_at is not None:
        lifted = f"lifted {moment(line.lifted_at)} UTC by {one_line(line.lifted_by or '')}"
        yield f"  {because(lifted, line.lifted_why or '')}"
