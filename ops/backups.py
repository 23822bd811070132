"""Making one backup: a copy of the journal, packed, read back, proved, and only then named.

A daemon copies its own journal, into the one folder it may write to; all that takes long happens
here, in another process than the one that trades.
"""

import secrets
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from daemon.config.options import BackupConfig
from daemon.control.client import NoAnswer, NotRunning, call
from daemon.control.protocol import VERSION, Request
from daemon.keeping.bundle import Manifest, pack, prove, unpack
from daemon.keeping.copying import copy_from_outside, copy_path, remove_copy
from daemon.keeping.shelf import make_room, put_up, unfinished_path
from daemon.keeping.steps import Show
from events.errors import JournalError
from events.lock import FileLock, holder, lock_path
from events.segments import segments_path
from events.witness import read_witness, witness_path

UNITS: Final = Path("/etc/systemd/system")


class BackupFailed(JournalError):
    """There is no backup of now; earlier ones are as they were."""

    hint = "look with `traded status`; a backup also works while no daemon runs"


class Backup(msgspec.Struct, frozen=True):
    """One backup that was made and proved; `removed` had to make room for it.

    `from_outside` is why a daemon that runs has not made the copy itself.
    """

    file: str
    manifest: Manifest
    size: int
    removed: list[str]
    from_outside: str


def make_backup(journal: Path, config_file: Path | None, to: Path, keep: int, show: Show) -> Backup:
    """Make one backup of `journal` in the folder `to`, with its configuration where there is one.

    What takes long of it is shown by `show`.

    Raises:
        JournalLocked: another backup of it is under way.
        JournalError: there is none to be had; the text says why.
    """
    lock = FileLock(journal.with_name(journal.name + ".backup.lock"))
    try:
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = read_witness(witness_path(journal))
        copy, unfinished = copy_path(journal), unfinished_path(journal, to)
        unfinished.unlink(missing_ok=True)
        try:
            with show("events copied", seen.seq if seen else 0) as reached:
                from_outside = _copy(journal, reached)
            segments = segments_path(journal)
            beside = dict(files_beside(config_file, UNITS))
            manifest = pack(copy, segments, seen, beside, datetime.now(UTC), unfinished)
        finally:
            remove_copy(journal)
        with tempfile.TemporaryDirectory(prefix=".proving-", dir=to) as scratch:
            unpacked = unpack(unfinished, Path(scratch))
            with show("events proved", unpacked.events) as reached:
                prove(Path(scratch), unpacked, reached)
        file = put_up(unfinished, manifest)
        removed = make_room(manifest.journal_id, to, keep)
    finally:
        lock.release()
    size, gone = file.stat().st_size, [str(each) for each in removed]
    return Backup(str(file), manifest, size, gone, from_outside)


def backup_folder(journal: Path, config_file: Path | None, config: BackupConfig) -> Path:
    """Return where backups of `journal` go by its configuration."""
    if not config.to:
        return journal.parent / "backups"
    return (config_file.parent if config_file else Path()) / config.to


def files_beside(config_file: Path | None, units: Path) -> Iterator[tuple[str, Path]]:
    """Yield what a fresh host needs besides the journal, by its name in the backup.

    That is the configuration, the corporate actions it names, and our systemd units.
    """
    if config_file is not None:
        yield f"config/{config_file.name}", config_file
        actions = _corporate_actions(config_file)
        if actions is not None:
            yield f"config/{actions.name}", actions
    if units.is_dir():
        for file in sorted(units.glob("traded*")):
            for each in sorted(file.iterdir()) if file.is_dir() else [file]:
                if each.is_file():
                    yield f"units/{each.relative_to(units)}", each


def _corporate_actions(config_file: Path) -> Path | None:
    """Return the file of corporate actions, whatever else the configuration says."""
    table = tomllib.loads(config_file.read_text(encoding="utf-8")).get("corporate_actions", {})
    named = table.get("path") if isinstance(table, dict) else None
    path = config_file.parent / named if isinstance(named, str) and named else None
    return path if path is not None and path.is_file() else None


def _copy(journal: Path, reached: Callable[[int], None]) -> str:
    """Have the daemon that runs make a copy, else make it; return why the daemon did not."""
    if holder(lock_path(journal)) is None:
        copy_from_outside(journal, reached)
        return ""
    try:
        _copy_by_daemon(journal, reached)
    except (NotRunning, NoAnswer) as error:
        copy_from_outside(journal, reached)
        return str(error)
    return ""


def _copy_by_daemon(journal: Path, reached: Callable[[int], None]) -> None:
    """Ask the daemon for a copy until it is there.

    Raises:
        NotRunning, NoAnswer: it is not to be asked.
        BackupFailed: it has none to give.
    """
    request = Request(VERSION, "copy", f"copy-{secrets.token_hex(8)}")
    copied = 0
    while not copied:
        answer = call(journal, request)
        if answer.exit_code:
            raise BackupFailed("; ".join(answer.lines))
        copied = answer.seq
    reached(copied)
