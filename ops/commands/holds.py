"""`traded holds`: what stops orders, since when, by whom, and what ends it."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click
import msgspec

from events import KILL_SWITCH, HoldPlaced, utc_from_nanoseconds
from ops.books import read_books
from ops.moments import now_of
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.render import age, as_of, because, moment, one_line, print_json, say
from ops.sentences import hold_text
from ops.stops import Tripped, breaker_text, is_killed, kill_text, trips_of
from projections import State


class HoldLine(msgspec.Struct, frozen=True):
    """One hold; the last three are None while it stands."""

    hold: HoldPlaced
    placed_at: datetime
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lifted_why: str | None = None


class ShownHolds(msgspec.Struct, frozen=True):
    """What is held, and what was, newest last."""

    kill_switch_engaged: bool
    circuit_breaker_trips: list[Tripped]
    active: list[HoldLine]
    history: list[HoldLine]


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


def holds_of(state: State, history: int) -> ShownHolds:
    """Return the holds in force, and the last `history` that were lifted."""
    books = state.holds
    return ShownHolds(
        kill_switch_engaged=is_killed(state),
        circuit_breaker_trips=trips_of(state),
        active=[
            HoldLine(hold, utc_from_nanoseconds(books.placed_at.get(hold.hold_id, 0)))
            for hold in books.active.values()
        ],
        history=[
            HoldLine(
                each.placed,
                utc_from_nanoseconds(each.placed_at),
                utc_from_nanoseconds(each.lifted_at),
                each.lifted.by,
                each.lifted.why,
            )
            for each in books.history[len(books.history) - history :]
        ],
    )


def _lines(line: HoldLine, now: datetime) -> Iterator[str]:
    """Yield a hold as a person reads it: its name, what it does, when it came and went."""
    yield one_line(line.hold.hold_id)
    yield f"  {hold_text(line.hold)}"
    yield f"  placed {moment(line.placed_at)} UTC ({age(line.placed_at, now)})"
    if line.lifted_at is not None:
        lifted = f"lifted {moment(line.lifted_at)} UTC by {one_line(line.lifted_by or '')}"
        yield f"  {because(lifted, line.lifted_why or '')}"
