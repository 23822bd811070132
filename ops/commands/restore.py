"""`traded restore`: a journal out of a backup, on HALT."""

from datetime import UTC, datetime
from pathlib import Path

import click

from daemon.keeping.restoring import Restored, restore
from daemon.stopping.offline import user_name
from events import utc_from_nanoseconds
from ops.options import journal_option, json_option
from ops.render import moment, print_fields, print_json, progress, say

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("backup", type=_FILE, metavar="FILE")
@click.option("--accept-loss", is_flag=True, help="Restore although newer events are known of.")
@click.option("--why", default="", metavar="TEXT", help="Why, for the record.")
@journal_option
@json_option
def command(*, backup: Path, accept_loss: bool, why: str, journal: Path, as_json: bool) -> None:
    """Put the journal in the backup FILE where the journal belongs, and hold everything.

    The backup is read and proved whole first. It is refused while a daemon runs, and where the
    journal or the witness at the place knows of events behind it (exit 5): those are lost then,
    and with them what was done outside. What lies at the place stays, under another name.

    The restored journal begins an epoch of its own on HALT: start the daemon, compare with the
    broker, `traded resume`. The configuration is in FILE: `tar -xzf FILE config units`.

    Example: traded restore /mnt/backup/traded/mine-live-....tar.gz --why "new disk"
    """
    now = datetime.now(UTC)
    done = restore(
        backup,
        journal,
        by=user_name(),
        why=why,
        accept_loss=accept_loss,
        now=now,
        show=progress,
    )
    if as_json:
        print_json({"restored": done})
    else:
        _print(done, journal)


def _print(done: Restored, journal: Path) -> None:
    manifest = done.manifest
    last = moment(utc_from_nanoseconds(manifest.last_at))
    lost = [("LOST", f"{done.lost:,} events that were recorded behind it")] if done.lost else []
    print_fields(
        [
            ("restored", str(journal)),
            ("holds", f"{manifest.events:,} events, the last of {last} UTC"),
            *lost,
            ("epoch", f"{done.epoch}, begun at event {done.seq - 1:,}: on HALT"),
            ("kept", done.kept or "nothing was there"),
        ]
    )
    say(
        "next: start the daemon; nothing leaves. `traded reconcile --now` says what the broker has",
        "      that the books have not; `traded resume` when they agree",
    )
