"""`traded archive`: older events into a segment, so that the file stays small."""

from pathlib import Path

import click

from daemon.keeping.archiving import archive
from ops.options import journal_option, json_option
from ops.render import print_fields, print_json, progress


@click.command()
@journal_option
@json_option
def command(*, journal: Path, as_json: bool) -> None:
    """Seal what the journal's file has, and go on with a small one. No daemon may run meanwhile.

    The events go into a compressed, read-only segment in JOURNAL.segments (`zcat` shows them),
    which is read back, each event against the file's own, before the file gives them up. Every
    command sees the whole history as before; backups have all of it. Make one first.

    Example: traded archive
    """
    done = archive(journal, progress)
    if as_json:
        print_json({"archived": done})
        return
    count = done.last - done.first + 1
    size = f"{done.packed / 1e6:,.1f} MB, {done.packed / count:.0f} bytes an event"
    print_fields(
        [
            ("sealed", f"events {done.first:,} to {done.last:,}, read back one by one"),
            ("segment", done.segment),
            ("size", f"{size}; the file had {done.size_before / 1e6:,.1f} MB"),
        ]
    )
