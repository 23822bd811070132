"""`traded replay`: the state again from the journal alone, or every decision made again."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from time import perf_counter

import click
import msgspec

from daemon.config.loading import look_in
from daemon.exit_codes import ExitCode
from daemon.history.recovery import Recovered, Recovery, Uncompared
from daemon.history.snapshots import SnapshotFolder
from events import Record, Symbol, utc_from_nanoseconds
from events.codec import INPUTS
from events.journal import Head, JournalReader
from ops.divergence import Divergence, Side, different, first_divergence
from ops.moments import seq_of
from ops.options import at_option, journal_option, json_option
from ops.render import (
    NOTHING,
    moment,
    money,
    one_line,
    price,
    print_fields,
    print_json,
    progress,
    quantity,
    say,
)
from projections.canonical import state_hash

_TICK = 5_000
"""Events between two moves of the progress bar."""


class Held(msgspec.Struct, frozen=True):
    """One position of the rebuilt books."""

    quantity: Decimal
    average_entry_price: Decimal | None
    realised_usd: Decimal


class Replayed(msgspec.Struct, frozen=True):
    """The state after event `seq`, rebuilt from the journal, and how long that took.

    `decisions`, `different` and `not_compared`, by strategy, are None where decisions were not to
    be made again.
    """

    journal: str
    seq: int
    at: datetime
    from_snapshot_at: int
    events: int
    seconds: float
    events_per_s: int
    state_hash: str
    equity_usd: Decimal
    positions: dict[Symbol, Held]
    decisions: int | None
    different: int | None
    not_compared: dict[str, Uncompared] | None
    first_divergence: Divergence | None


class WatchedReader(JournalReader):
    """A reader that tells how far the proving has come."""

    reached: Callable[[int], None] = staticmethod(lambda _seq: None)

    def verified_records(self, start: Head, upto: int | None = None) -> Iterator[Record]:
        """Yield the proved records, telling `reached` about some of them."""
        for record in super().verified_records(start, upto):
            if not record.seq % _TICK:
                self.reached(record.seq)
            yield record


@click.command()
@journal_option
@click.option("--from-snapshot", is_flag=True, help="Start from the newest usable snapshot.")
@at_option
@click.option("--redecide", is_flag=True, help="Make every recorded decision again and compare.")
@json_option
def command(
    *, journal: Path, from_snapshot: bool, at: str | None, redecide: bool, as_json: bool
) -> None:
    """Rebuild the state from the journal, every event proved by the hash chain on the way.

    With --redecide the recorded inputs go through today's code under the recorded configuration,
    and every decision is compared with the recorded one; exit code 3 when any differs, or is of a
    strategy that cannot be built any more. A strategy's own module is looked for in the working
    folder and beside the journal, too.

    Example: traded replay --journal var/demo/journal.db --redecide
    """
    if redecide and from_snapshot:
        raise click.UsageError("--redecide starts from the first event: leave --from-snapshot out")
    look_in(Path.cwd())
    look_in(journal.resolve().parent)
    with WatchedReader(journal) as reader:
        upto = None if at is None else seq_of(reader, at)
        if redecide and upto is not None:
            upto = _end_of_turn(reader, upto)
        recovery = Recovery(reader, SnapshotFolder(journal), compare_all=redecide)
        began = perf_counter()
        with _shown(reader, upto):
            recovered = recovery.recover(upto, from_snapshot=from_snapshot)
        replayed = _replayed(reader, recovered, perf_counter() - began, redecide=redecide)
    say(*(f"note: {notice}" for notice in recovered.notices), err=True)
    say(*(f"snapshot skipped: {skipped}" for skipped in recovered.snapshots_skipped), err=True)
    if as_json:
        print_json(replayed)
    else:
        _print(replayed)
    if replayed.different or replayed.not_compared:
        sys.exit(ExitCode.FINDINGS)


def _end_of_turn(reader: JournalReader, seq: int) -> int:
    """Return the seq of the last decision on the input that `seq` is, or belongs to."""
    last = seq
    for record in reader.records(after=seq):
        if type(record.event) in INPUTS:
            break
        last = record.seq
    if last != seq:
        say(f"event {seq} is inside a turn: replayed to its end, event {last}", err=True)
    return last


@contextmanager
def _shown(reader: WatchedReader, upto: int | None) -> Iterator[None]:
    with progress("events replayed", upto or reader.head().seq) as reader.reached:
        yield


def _replayed(
    reader: JournalReader, recovered: Recovered, seconds: float, *, redecide: bool
) -> Replayed:
    state, differences = recovered.state, recovered.differences
    return Replayed(
        journal=str(reader.path),
        seq=state.seq,
        at=utc_from_nanoseconds(state.at),
        from_snapshot_at=recovered.snapshot_seq,
        events=recovered.events_folded,
        seconds=round(seconds, 3),
        events_per_s=round(recovered.events_folded / seconds),
        state_hash=state_hash(state, {run.name: run.fields() for run in recovered.runs}),
        equity_usd=state.pnl.equity,
        positions={
            symbol: Held(position.quantity, position.average_entry_price, position.realised_pnl)
            for symbol, position in sorted(state.positions.account.items())
            if position.quantity
        },
        decisions=recovered.decisions if redecide else None,
        different=different(differences) if redecide else None,
        not_compared=recovered.uncompared if redecide else None,
        first_divergence=first_divergence(reader, differences)
        if redecide and differences
        else None,
    )


def _print(replayed: Replayed) -> None:
    start = replayed.from_snapshot_at
    fields = [
        ("journal", replayed.journal),
        ("events", f"{replayed.events:,} in {replayed.seconds:,.2f} s"),
        ("events/s", f"{replayed.events_per_s:,}"),
        ("from", f"the snapshot at event {start:,}" if start else "the first event"),
        ("to", f"event {replayed.seq:,} at {moment(replayed.at)} UTC"),
        ("state_hash", replayed.state_hash),
        ("equity", f"{money(replayed.equity_usd)} USD"),
    ]
    for symbol, held in replayed.positions.items():
        average = price(held.average_entry_price)
        fields.append(("positions", f"{one_line(symbol)} {quantity(held.quantity)} at {average}"))
    if replayed.decisions is not None:
        fields.append(("decisions", f"{replayed.decisions:,}"))
        fields.append(("different", f"{replayed.different:,}"))
    for name, uncompared in (replayed.not_compared or {}).items():
        why = f"{one_line(name)}: {one_line(uncompared.why)}"
        fields.append(("not compared", f"{uncompared.decisions:,} of {why}"))
    print_fields(fields)
    if replayed.first_divergence:
        _print_divergence(replayed.first_divergence)


def _print_divergence(divergence: Divergence) -> None:
    cause = divergence.input
    whose = f" of {one_line(divergence.strategy)}" if divergence.strategy else ""
    say("", f"first difference{whose}, on {_side_text(cause)}")
    say(f"  recorded  {_side_text(divergence.recorded)}")
    say(f"  decided   {_side_text(divergence.decided)}")
    for field in divergence.fields:
        sides = dict.fromkeys((field.recorded or NOTHING, field.decided or NOTHING))
        say(f"    {one_line(field.field)}: {' -> '.join(map(one_line, sides))}")


def _side_text(side: Side | None) -> str:
    if side is None:
        return "nothing"
    seq = "" if side.seq is None else f"{side.seq} "
    symbol = f" {one_line(side.symbol)}" if side.symbol else ""
    return f"{seq}{side.type}{symbol}: {side.text}"
