"""`traded drill crash`: a crash behind every turn of a journal, and what a start makes of it."""

import asyncio
import shlex
import sys
import tempfile
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import click
import msgspec

from daemon.config.loading import look_in
from daemon.exit_codes import ExitCode
from daemon.history.code_hash import fold_code_hash
from daemon.history.recovery import Recovered, Recovery
from daemon.history.snapshots import SnapshotFolder
from daemon.stopping.permit import Permit, permit_path
from events import (
    ClientOrderId,
    MarginReported,
    MarginRequested,
    OrderSending,
    Record,
    SessionStarted,
)
from events.codec import INPUTS
from events.journal import JournalReader
from ops.drills.rehearsal import Rehearsal, unanswered
from ops.drills.script import Script, Step, Variant, ends_the_market, step_of
from ops.options import journal_option, json_option
from ops.render import print_fields, print_json, progress, say
from projections import State, snapshot
from projections.canonical import state_hash
from projections.differences import AT_BROKER
from projections.snapshot import Snapshot

LAST_EVENTS = 2_000
"""How far back the drill goes where nobody says."""
_AHEAD = 20
"""Steps of the market that a recovered daemon is shown."""
_SNAPSHOT_EVERY = 25
"""Prefixes between two snapshots: the drill recovers from them as a start does."""
_SHOWN = 10
_PROMISES = (
    "no order is sent a second time, none before its sending is recorded",
    "an order without an answer is UNKNOWN and stays reserved, or over by evidence",
    "nothing is filled beyond what was ordered",
    "the books come back by hash, and end as the broker's account: shares and cash",
)


class CrashFinding(msgspec.Struct, frozen=True):
    """A promise broken by a crash behind event `seq`; `repeat` is the command that shows it."""

    seq: int
    variant: Variant
    what: str
    repeat: str


class CrashDrill(msgspec.Struct):
    """What the drill came to: crashes behind events `first` to `last`, starts by variant.

    `in_doubt` counts the orders that a crash left without an answer, `reports` what the broker had
    still to say, `sent` the orders that a start went on to send.
    """

    journal: str
    first: int
    last: int
    seed: int
    prefixes: int = 0
    starts: Counter[str] = msgspec.field(default_factory=Counter)
    in_doubt: int = 0
    reports: int = 0
    sent: int = 0
    seconds: float = 0.0
    findings: list[CrashFinding] = []


class Tail:
    """What came in behind the first prefix: where turns end, and what a broker has to say."""

    def __init__(self, reader: JournalReader, first: int, last: int) -> None:
        """Read it: turns that end within `first` and `last`, and everything behind them."""
        self.cuts: list[int] = []
        self._market: list[Step] = []
        self._walls: list[int] = []
        self._sent: list[tuple[int, ClientOrderId]] = []
        self._reports: dict[ClientOrderId, list[Step]] = {}
        self._asked: dict[str, ClientOrderId] = {}
        self._margins: dict[ClientOrderId, MarginReported] = {}
        has_begun, previous = False, 0
        for record in reader.records():
            if type(record.event) in INPUTS:
                self._note_cut(previous, first, last, has_begun=has_begun)
            has_begun = has_begun or isinstance(record.event, SessionStarted)
            previous = record.seq
            if previous >= first:
                self._note(record)
        self._note_cut(previous, first, last, has_begun=has_begun)

    def _note_cut(self, seq: int, first: int, last: int, *, has_begun: bool) -> None:
        if has_begun and first <= seq <= last:
            self.cuts.append(seq)

    def _note(self, record: Record) -> None:
        step = step_of(record)
        if step is not None and step.order_id is not None:
            self._reports.setdefault(step.order_id, []).append(step)
        elif step is not None:
            self._market.append(step)
        elif isinstance(record.event, OrderSending):
            self._sent.append((record.seq, record.event.client_order_id))
        elif isinstance(record.event, MarginRequested):
            self._asked[record.event.request_id] = record.event.orders[0]
        elif isinstance(record.event, MarginReported):
            self._note_margin(record.event)
        elif type(record.event) in INPUTS and ends_the_market(record):
            self._walls.append(record.seq)

    def _note_margin(self, answer: MarginReported) -> None:
        if answer.request_id in self._asked:
            self._margins[self._asked[answer.request_id]] = answer

    def behind(self, cut: int, state: State) -> Script:
        """Return the market for a while, and all there is to say of the orders of that time."""
        begin = bisect_right(self._market, cut, key=lambda step: step.seq)
        wall = bisect_right(self._walls, cut)
        end = self._walls[wall] if wall < len(self._walls) else sys.maxsize
        market = [step for step in self._market[begin : begin + _AHEAD] if step.seq < end]
        until = market[-1].seq if market else cut
        sent = self._sent[
            bisect_right(self._sent, (cut, "")) : bisect_left(self._sent, (until, ""))
        ]
        there = [o.client_order_id for o in state.orders.open.values() if o.state in AT_BROKER]
        # One that is over may have a fill, a charge or a correction to come.
        over = [order_id for order_id in state.orders.closed if order_id in self._reports]
        orders = dict.fromkeys((*there, *over, *(order_id for _, order_id in sent)))
        told = (step for each in orders for step in self._reports.get(each, ()) if step.seq > cut)
        return Script(sorted((*market, *told), key=lambda step: step.seq), self._margins)


class CrashDriller:
    """Crashes the daemon of one journal behind one turn after the other."""

    def __init__(self, reader: JournalReader, place: Path, drill: CrashDrill) -> None:
        """Recover from `reader`; snapshots and a permit are made in `place`, nothing else is."""
        self._reader = reader
        self._place = place
        self._drill = drill
        self._snapshots = SnapshotFolder(place / "journal.db")
        self._tail = Tail(reader, drill.first, drill.last)
        self._plain = State()
        self._records = reader.records()
        Permit(permit_path(place / "journal.db")).grant()

    async def run(self) -> None:
        """Do them all, showing how far it has come."""
        cuts = self._tail.cuts
        with progress("prefixes", len(cuts)) as reached:
            for number, cut in enumerate(cuts):
                if number % _SNAPSHOT_EVERY == 0:
                    self._write_snapshot(self._recovered(cut))
                await self._crash_behind(cut)
                reached(number + 1)

    async def _crash_behind(self, cut: int) -> None:
        drill = self._drill
        drill.prefixes += 1
        while self._plain.seq < cut:
            self._plain.apply(next(self._records))
        script = self._tail.behind(cut, self._plain)
        reports = sum(1 for step in script.steps if step.order_id)
        in_doubt = len(unanswered(self._plain, ()))
        drill.reports += reports
        drill.in_doubt += in_doubt
        for variant in _variants(reports, in_doubt):
            recovered = self._recovered(cut)
            if state_hash(recovered.state, {}) != state_hash(self._plain, {}):
                self._found(cut, variant, "the recovered books are not those of the journal")
            rehearsal = Rehearsal(recovered, script, variant, drill.seed, self._place)
            drill.starts[variant] += 1
            for what in await rehearsal.run():
                self._found(cut, variant, what)
            drill.sent += len(rehearsal.broker.sent)

    def _recovered(self, cut: int) -> Recovered:
        return Recovery(self._reader, self._snapshots).recover(cut)

    def _write_snapshot(self, recovered: Recovered) -> None:
        opened = recovered.state.identity.opened
        assert opened is not None, "the first event names the journal"
        parts = {run.name: run.snapshot_part() for run in recovered.runs}
        made = Snapshot(
            journal_id=opened.journal_id,
            seq=recovered.head.seq,
            row_hash=recovered.head.hash.hex(),
            fold_code=fold_code_hash(),
            state=recovered.state,
            strategies={name: part for name, part in parts.items() if part is not None},
        )
        self._snapshots.write(made.seq, snapshot.encode(made), 1)

    def _found(self, seq: int, variant: Variant, what: str) -> None:
        words = ["traded", "drill", "crash", "--journal", self._drill.journal]
        words += ["--from", str(seq), "--to", str(seq), "--seed", str(self._drill.seed)]
        self._drill.findings.append(CrashFinding(seq, variant, what, shlex.join(words)))


def _variants(reports: int, in_doubt: int) -> Iterator[Variant]:
    """Yield the ways in which the broker's word may come, where it has any to say."""
    yield Variant.AS_RECORDED
    if reports:
        yield from (Variant.UNACKNOWLEDGED, Variant.TWICE, Variant.REORDERED)
    if in_doubt:
        yield Variant.UNANSWERED


@click.command()
@journal_option
@click.option("--from", "first", type=click.IntRange(min=1), metavar="SEQ", help="First event.")
@click.option("--to", "last", type=click.IntRange(min=1), metavar="SEQ", help="Last event.")
@click.option("--seed", default=1, show_default=True, help="Which order out of order is.")
@json_option
def crash(*, journal: Path, first: int | None, last: int | None, seed: int, as_json: bool) -> None:
    """Crash behind every turn of the journal, start from what is left, and see what comes of it.

    The broker is played: what it really reported behind that point is reported again, once as it
    came, then with lost acknowledgements, everything twice, and out of order; where an order was
    without an answer, also as if it had never arrived. Without --from the last 2,000 events are
    drilled. The journal is only read, nothing is sent anywhere. Exit 3 where a promise is broken.

    Example: traded drill crash --from 1 --to 500
    """
    look_in(Path.cwd())
    look_in(journal.resolve().parent)
    with JournalReader(journal) as reader:
        end = reader.head().seq
        last = min(last or end, end)
        first = first or max(1, last - LAST_EVENTS + 1)
        if first > last:
            raise click.UsageError(f"--from {first} is behind --to {last}: nothing to drill")
        drill = CrashDrill(str(journal), first, last, seed)
        began = perf_counter()
        with tempfile.TemporaryDirectory(prefix="traded-drill-") as scratch:
            asyncio.run(CrashDriller(reader, Path(scratch), drill).run())
        drill.seconds = round(perf_counter() - began, 3)
    if as_json:
        print_json(drill)
    else:
        _print(drill)
    if drill.findings:
        sys.exit(ExitCode.FINDINGS)


def _print(drill: CrashDrill) -> None:
    starts = ", ".join(f"{count:,} {name}" for name, count in drill.starts.items())
    print_fields(
        [
            ("journal", drill.journal),
            ("crashes", f"{drill.prefixes:,} in events {drill.first:,} to {drill.last:,}"),
            ("starts", f"{drill.starts.total():,} in {drill.seconds:,.1f} s: {starts or 'none'}"),
            ("in doubt", f"{drill.in_doubt:,} orders sent and not answered when it crashed"),
            ("reports", f"{drill.reports:,} that the broker still had to make"),
            ("sent", f"{drill.sent:,} orders that the starts went on to send, to nobody"),
            *(("promised", each) for each in _PROMISES),
            *(
                (
                    "BROKEN",
                    f"behind event {each.seq:,}, {each.variant}: {each.what}\n  {each.repeat}",
                )
                for each in drill.findings[:_SHOWN]
            ),
        ]
    )
    more = len(drill.findings) - _SHOWN
    if more > 0:
        say(f"and {more:,} more: --json has them all")
    if drill.findings:
        say(f"{len(drill.findings):,} promises are broken: do not restart on this version")
    elif drill.prefixes:
        say("every promise was kept")
    else:
        say("nothing was drilled: no turn behind a session's start ends there")
