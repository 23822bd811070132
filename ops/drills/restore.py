"""`traded drill restore`: the newest backup restored in a scratch folder, timed and compared."""

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import click
import msgspec

from daemon.config.file import backup_of
from daemon.config.options import BackupConfig
from daemon.exit_codes import ExitCode
from daemon.history.recovery import open_recovery
from daemon.keeping.bundle import JOURNAL, BackupDamaged, Manifest, read_manifest
from daemon.keeping.restoring import restore as restore_journal
from daemon.keeping.shelf import backups_of
from daemon.stopping.offline import user_name
from events import HoldLevel, JournalOpened, utc_from_nanoseconds
from events.journal import JournalReader
from ops.backups import backup_folder
from ops.books import read_books
from ops.options import json_option, kept, kept_option
from ops.render import moment, print_fields, print_json, say, span
from projections.canonical import state_hash

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Drill(msgspec.Struct, frozen=True):
    """What a rehearsal came to. `problems` are why it would not have helped; none: it would.

    `rto_s` is from the file to books a daemon goes on with; `rpo_s` and `rpo_events` are what the
    journal has now and the backup has not.
    """

    backup: str
    manifest: Manifest
    restored_s: float
    recovered_s: float
    rto_s: float
    rpo_s: float
    rpo_events: int
    books_hash: str
    problems: list[str]


@click.command()
@click.argument("backup", type=_FILE, metavar="[FILE]", required=False)
@kept_option
@json_option
def restore(
    *, backup: Path | None, config_file: Path | None, journal: Path | None, as_json: bool
) -> None:
    """Restore FILE, or the newest backup, into a scratch folder, and recover the books from it.

    Says how long that took (RTO), how much would be lost if the journal were gone now (RPO), and
    whether the books are those of the journal itself at that event. Exit 3 where they are not.
    The journal is only read; the scratch folder is removed.

    Example: traded drill restore --json
    """
    journal, config_file = kept(journal, config_file)
    config = BackupConfig() if config_file is None else backup_of(config_file, os.environ)
    found = backup or _newest(journal, backup_folder(journal, config_file, config))
    with tempfile.TemporaryDirectory(prefix="traded-drill-") as scratch:
        drill = _rehearse(found, journal, Path(scratch))
    if as_json:
        print_json(drill)
    else:
        _print(drill)
    if drill.problems:
        sys.exit(ExitCode.FINDINGS)


def _newest(journal: Path, folder: Path) -> Path:
    """Return the newest backup of `journal`.

    Raises:
        BackupDamaged: there is none.
    """
    with JournalReader(journal) as reader:
        first = reader.record(1)
    opened = first.event if first else None
    backups = backups_of(opened.journal_id, folder) if isinstance(opened, JournalOpened) else []
    if not backups:
        message = f"there is no backup of {journal} in {folder}"
        raise BackupDamaged(message, "make one with `traded backup`, or name a FILE")
    return backups[-1]


def _rehearse(backup: Path, journal: Path, scratch: Path) -> Drill:
    began, place = perf_counter(), scratch / JOURNAL
    why, now = "a drill", datetime.now(UTC)
    done = restore_journal(backup, place, by=user_name(), why=why, accept_loss=False, now=now)
    restored_s = perf_counter() - began
    with JournalReader(place) as reader:
        recovered = open_recovery(place, reader).recover()
    rto_s = perf_counter() - began
    manifest = read_manifest(backup)
    levels = {hold.level for hold in recovered.state.holds.active.values()}
    problems = [] if HoldLevel.HALT in levels else ["the restored journal is not on HALT"]
    problems += [f"at {each.seq} it decides otherwise" for each in recovered.differences[:5]]
    with JournalReader(place) as reader:
        books = state_hash(read_books(reader, manifest.events).state, {})
    with JournalReader(journal) as reader:
        head = reader.head()
        last = reader.record(head.seq)
        row_hash = reader.hash_at(manifest.events)
        if row_hash is None or row_hash.hex() != manifest.head_hash:
            problems.append(f"the backup is not a part of {journal}")
        elif state_hash(read_books(reader, manifest.events).state, {}) != books:
            problems.append(f"the books differ from those of {journal} at that event")
    return Drill(
        backup=str(backup),
        manifest=done.manifest,
        restored_s=round(restored_s, 3),
        recovered_s=round(rto_s - restored_s, 3),
        rto_s=round(rto_s, 3),
        rpo_s=max(0, (last.at if last else 0) - manifest.last_at) / 1e9,
        rpo_events=max(0, head.seq - manifest.events),
        books_hash=books,
        problems=problems,
    )


def _print(drill: Drill) -> None:
    manifest = drill.manifest
    made, last = moment(manifest.made_at), moment(utc_from_nanoseconds(manifest.last_at))
    behind = f"{drill.rpo_events:,} events over {span(drill.rpo_s)}"
    print_fields(
        [
            ("backup", drill.backup),
            ("made", f"{made} UTC; {manifest.events:,} events, the last of {last} UTC"),
            ("restored", f"in {drill.restored_s:.2f} s: unpacked, proved, on HALT in a new epoch"),
            ("recovered", f"in {drill.recovered_s:.2f} s: every decision made again"),
            ("books", f"{drill.books_hash[:16]}"),
            ("RTO", f"{drill.rto_s:.2f} s from the file to books to go on with"),
            ("RPO", f"{behind} are in the journal and not in the backup"),
            *(("PROBLEM", each) for each in drill.problems),
        ]
    )
    say("this backup would have helped" if not drill.problems else "DO NOT COUNT ON THIS BACKUP")
