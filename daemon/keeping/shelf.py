"""The folder of backups: what is there, named after whose it is and when; the oldest make room.

A backup bears its name only once it was read back and proved: whatever bears one is one.
"""

import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from daemon.keeping.bundle import Manifest
from events.witness import fsync_folder

_NAME: Final = re.compile(r".+-(?P<id>[0-9a-f]{16})-(?P<at>\d{8}T\d{6}Z)-(?P<seq>\d{12})\.tar\.gz")


def backup_name(manifest: Manifest) -> str:
    """Return the name of that backup; names sort by time."""
    whose = f"{manifest.account}-{manifest.mode}-{manifest.journal_id}".replace(" ", "_")
    return f"{whose}-{manifest.made_at:%Y%m%dT%H%M%SZ}-{manifest.events:012}.tar.gz"


def unfinished_path(journal: Path, folder: Path) -> Path:
    """Return where a backup of `journal` is written before it is proved: under no backup's name.

    It is the same each time, so that what a broken-off backup has left is not left for long.
    """
    digest = sha256(os.fsencode(journal.resolve())).hexdigest()[:16]
    return folder / f".unfinished-{digest}"


def backups_of(journal_id: str, folder: Path) -> list[Path]:
    """Return the backups of that journal in `folder`, oldest first."""
    if not folder.is_dir():
        return []
    named = ((_NAME.fullmatch(file.name), file) for file in folder.iterdir())
    own = [(found["at"], found["seq"], file) for found, file in named if found]
    return [file for _, _, file in sorted(own) if f"-{journal_id}-" in file.name]


def newest_at(journal_id: str, folder: Path) -> datetime | None:
    """Return when the newest backup of that journal was written, None where there is none."""
    written = []
    for file in backups_of(journal_id, folder):
        with suppress(FileNotFoundError):  # It has had to make room meanwhile.
            written.append(file.stat().st_mtime)
    return datetime.fromtimestamp(max(written), UTC) if written else None


def put_up(unfinished: Path, manifest: Manifest) -> Path:
    """Give a proved backup its name, at once and for good."""
    target = unfinished.with_name(backup_name(manifest))
    unfinished.rename(target)
    fsync_folder(target.parent)
    return target


def make_room(journal_id: str, folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest `keep` backups of that journal; return those removed."""
    needless = backups_of(journal_id, folder)[:-keep]
    for file in needless:
        file.unlink()
    return needless
