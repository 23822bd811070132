"""`traded verify`: is every event of the journal still what it was when it was recorded."""

import shlex
import sys
from pathlib import Path
from time import perf_counter

import click
import msgspec

from daemon.exit_codes import ExitCode
from daemon.history.snapshots import SnapshotFolder
from events.errors import JournalDamaged, JournalError, JournalMissing, JournalOutOfReach
from events.journal import Finding, Head, JournalReader
from events.witness import Witness, read_witness, witness_path
from ops.options import journal_option, json_option
from ops.render import print_fields, print_json, progress, say


class Snapshots(msgspec.Struct, frozen=True):
    """The seqs of the snapshots that may stand in for the journal, and why others may not."""

    usable: list[int]
    unusable: list[str]


class Verdict(msgspec.Struct, frozen=True):
    """What was read of the journal, and what is wrong with it: no finding, nothing wrong."""

    journal: str
    sound: bool
    findings: list[Finding]
    events: int
    seconds: float
    events_per_s: int
    head_seq: int
    head_hash: str
    witness: Witness | None
    snapshots: Snapshots


@click.command()
@journal_option
@json_option
def command(*, journal: Path, as_json: bool) -> None:
    """Read the whole journal against its hash chain, its witness and SQLite's own check.

    Exit code 0: sound. 7: damaged, and what is wrong is listed. Nothing is ever repaired here.

    Example: traded verify --journal var/demo/journal.db
    """
    try:
        with JournalReader(journal) as reader:
            verdict = _verdict(reader)
    except (JournalMissing, JournalOutOfReach):
        raise
    except JournalError as error:
        verdict = _unreadable(journal, error)
    if as_json:
        print_json(verdict)
    else:
        _print(verdict)
    if not verdict.sound:
        for step in _next_steps(verdict):
            say(f"next: {step}", err=True)
        sys.exit(ExitCode.JOURNAL_DAMAGED)


def _verdict(reader: JournalReader) -> Verdict:
    """Read everything there is of the journal behind `reader`."""
    began = perf_counter()
    with progress("events verified", reader.head().seq) as show:
        events = 0

        def reached(seq: int) -> None:
            nonlocal events
            events = seq
            show(seq)

        findings = reader.check(reached)
    seconds = perf_counter() - began
    try:
        head, witness = reader.head(), read_witness(witness_path(reader.path))
        snapshots = _snapshots(reader)
    except JournalError:
        # What stands in the way is among the findings already.
        head, witness, snapshots = Head(), None, Snapshots([], [])
    return Verdict(
        journal=str(reader.path),
        sound=not findings,
        findings=findings,
        events=events,
        seconds=round(seconds, 3),
        events_per_s=round(events / seconds),
        head_seq=head.seq,
        head_hash=head.hash.hex(),
        witness=witness,
        snapshots=snapshots,
    )


def _unreadable(journal: Path, error: JournalError) -> Verdict:
    """Return the verdict on a file that cannot even be opened as a journal."""
    return Verdict(
        journal=str(journal),
        sound=False,
        findings=[Finding(0, error.args[0], error.hint)],
        events=0,
        seconds=0,
        events_per_s=0,
        head_seq=0,
        head_hash="",
        witness=None,
        snapshots=Snapshots([], []),
    )


def _snapshots(reader: JournalReader) -> Snapshots:
    """Judge every snapshot beside the journal; a bad one costs time and nothing else."""
    folder, usable, unusable = SnapshotFolder(reader.path), [], []
    upto: int | None = None
    while (found := folder.newest(reader, upto)) is not None:
        usable.append(found.seq)
        unusable += folder.skipped
        upto = found.seq - 1
    return Snapshots(usable, unusable + folder.skipped)


def _print(verdict: Verdict) -> None:
    witness = "none" if verdict.witness is None else f"at event {verdict.witness.seq:,}"
    usable = ", ".join(f"{seq:,}" for seq in verdict.snapshots.usable) or "none"
    print_fields(
        [
            ("journal", verdict.journal),
            ("read", f"{verdict.events:,} events in {verdict.seconds:,.2f} s"),
            ("speed", f"{verdict.events_per_s:,} events/s"),
            ("head", f"event {verdict.head_seq:,}, hash {verdict.head_hash or 'not known'}"),
            ("witness", witness),
            ("snapshots", f"usable: {usable}"),
            *(
                ("snapshots", f"not usable, will be skipped: {each}")
                for each in verdict.snapshots.unusable
            ),
            *(("DAMAGED", finding.what) for finding in verdict.findings),
        ]
    )
    say("sound" if verdict.sound else "DAMAGED: do not start the daemon on this journal")


def _next_steps(verdict: Verdict) -> list[str]:
    """Return what to do about the findings: the findings' own advice, else the cautious way."""
    own = dict.fromkeys(each.hint for each in verdict.findings if each.hint != JournalDamaged.hint)
    folder = str(Path(verdict.journal).resolve().parent)
    copy = shlex.join(["cp", "-a", folder, f"{folder}.damaged"])
    look = shlex.join(["traded", "tail", "--journal", verdict.journal])
    return list(own) or [
        f"{copy}, before anything else",
        f"{look} shows what is readable; then restore a backup",
    ]
