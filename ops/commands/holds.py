"""`traded holds`: what stops orders, since when, by whom, and what ends it."""

from datetime import datetime
from pathlib import Path

import click
import msgspec

from events import KILL_SWITCH, HoldPlaced, utc_from_nanoseconds
from ops.books import read_books
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.render import moment, print_json, print_table, say
from ops.stops import breaker_text, is_killed, kill_text, trips_of

_TITLES = ("hold", "on", "level", "cause", "by", "why", "lifts", "placed")


class HoldLine(msgspec.Struct, frozen=True):
    """One hold; the last three are None while it stands."""

    hold: HoldPlaced
    placed_at: datetime
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lifted_why: str | None = None


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
        state = read_books(reader).state
    books, trips, killed = state.holds, trips_of(state), is_killed(state)
    active = [
        HoldLine(hold, utc_from_nanoseconds(books.placed_at.get(hold.hold_id, 0)))
        for hold in books.active.values()
    ]
    past = [
        HoldLine(
            each.placed,
            utc_from_nanoseconds(each.placed_at),
            utc_from_nanoseconds(each.lifted_at),
            each.lifted.by,
            each.lifted.why,
        )
        for each in books.history[len(books.history) - history :]
    ]
    if as_json:
        words = {"kill_switch_engaged": killed, "circuit_breaker_trips": trips}
        print_json({**words, "active": active, "history": past})
        return
    say(f"{KILL_SWITCH}: {kill_text(killed=killed)}", f"circuit breaker: {breaker_text(trips)}", "")
    if active:
        print_table(_TITLES, [_row(each) for each in active])
    else:
        say("nothing is held")
    if past:
        say("", "lifted:")
        titles = (*_TITLES, "lifted", "by whom", "because")
        print_table(
            titles,
            [
                (*_row(each), moment(each.lifted_at), each.lifted_by or "", each.lifted_why or "")
                for each in past
            ],
        )


def _row(line: HoldLine) -> tuple[str, ...]:
    hold = line.hold
    return (
        hold.hold_id,
        hold.target or hold.scope,
        hold.level,
        hold.cause,
        hold.by,
        hold.why,
        hold.lifts,
        moment(line.placed_at),
    )
