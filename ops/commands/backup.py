"""`traded backup`: the journal and what it ran under, in one file that was read back."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from daemon.config.file import backup_of
from daemon.config.options import BackupConfig
from daemon.exit_codes import ExitCode
from ops.backups import Backup, backup_folder, make_backup
from ops.options import json_option, kept, kept_option
from ops.render import print_fields, print_json, progress, say

_COUNT = click.IntRange(min=1)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--to", type=_FOLDER, metavar="DIR", help="The folder. [default: [backup] to]")
@click.option("--keep", type=_COUNT, metavar="N", help="How many stay. [default: [backup] keep]")
@kept_option
@json_option
def command(
    *,
    to: Path | None,
    keep: int | None,
    config_file: Path | None,
    journal: Path | None,
    as_json: bool,
) -> None:
    """Put the journal, its witness, the configuration and the systemd units into one file.

    A running daemon copies its journal itself and trades on meanwhile. The file bears its name
    only when it was read back: every event against the hash chain, their count, the last one
    against the witness. Only then the oldest make room, and `backup.after` takes it elsewhere;
    where that fails the backup is kept, and the exit code is 1. A backup on the journal's own disk
    is lost with it.

    Example: traded backup --to /mnt/backup/traded --keep 30
    """
    journal, config_file = kept(journal, config_file)
    config = BackupConfig() if config_file is None else backup_of(config_file, os.environ)
    to = to or backup_folder(journal, config_file, config)
    made = make_backup(journal, config_file, to, keep or config.keep, progress)
    problem = _take_away(config.after, made.file)
    if as_json:
        print_json({"backup": made, "after": problem or ("done" if config.after else "none")})
    else:
        _print(made, has_config=config_file is not None)
    if problem:
        say(
            f"traded: the backup is good, and is nowhere else: {problem}",
            f"  next: take {made.file} away by hand, and see what is wrong with backup.after",
            err=True,
        )
        sys.exit(ExitCode.FAILURE)
    if config.after and not as_json:
        say(f"taken away by {config.after[0]}")


def _take_away(after: Sequence[str], file: str) -> str:
    """Run the operator's command with the backup; say what went wrong, nothing if nothing did."""
    if not after:
        return ""
    words = [word.replace("{file}", file) for word in after]
    try:
        # The operator's own command, from his own file; its words go to it as they are.
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603 - see above
    except OSError as error:
        return f"{words[0]}: {error.strerror}"
    if not done.returncode:
        return ""
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
    return f"{words[0]} ended with exit code {done.returncode}: {' '.join(said) or 'no word'}"


def _print(made: Backup, *, has_config: bool) -> None:
    manifest = made.manifest
    with_it = sorted({name.split("/")[0] for name in manifest.files if "/" in name})
    an_event = made.size / manifest.events
    if made.from_outside:
        say(
            f"note: the daemon made no copy, it was read from outside: {made.from_outside}",
            err=True,
        )
    if not has_config:
        say("note: no configuration of this journal was found: none is in the backup", err=True)
    print_fields(
        [
            ("backup", made.file),
            ("holds", f"{manifest.events:,} events, epoch {manifest.epoch}; witness"),
            ("with it", ", ".join(with_it) or "nothing"),
            (
                "size",
                f"{made.size / 1e6:,.1f} MB, {an_event:.0f} bytes an event",
            ),
            ("proved", "chain, count, head and witness, read back from the file"),
            *(("removed", file) for file in made.removed),
        ]
    )
