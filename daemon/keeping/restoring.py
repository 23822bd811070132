"""A journal from a backup: proved, given an epoch of its own on HALT, and only then put in place.

What was there stays, under another name. At every moment in between there is either a whole journal
at the place, or a witness without one, on which no daemon starts.
"""

import os
import shutil
from datetime import datetime
from glob import escape
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from daemon.keeping.bundle import JOURNAL, Manifest, prove, unpack
from daemon.keeping.steps import Show, in_silence
from daemon.stopping.offline_record import record
from events import JournalRestored
from events.errors import JournalError
from events.journal import JournalReader
from events.lock import FileLock, lock_path
from events.segments import segment_files, segments_path
from events.witness import Witness, fsync_folder, read_witness, witness_path

_BESIDE: Final = ("-wal", "-shm", ".snapshots", ".segments")
"""What belongs to a journal, besides its witness, and means nothing to another one."""


class RestoreRefused(JournalError):
    """Restoring would lose what is known to have been recorded, or replace another journal."""

    hint = "look for a newer backup; `--accept-loss` restores this one all the same"


class Restored(msgspec.Struct, frozen=True):
    """What came of a restore: how many events were `lost`, and where what was there is `kept`.

    `seq` is the journal's new end, behind the event that begins its `epoch`.
    """

    manifest: Manifest
    epoch: int
    seq: int
    lost: int
    kept: str


class _Loss(msgspec.Struct, frozen=True):
    """What is known to have been recorded and is not in the backup: so many events, and `why`.

    Nothing is lost where there is no `why`.
    """

    events: int = 0
    why: str = ""


def restore(  # noqa: PLR0913 - what is restored where, by whom, and how sure he is
    bundle: Path,
    journal: Path,
    *,
    by: str,
    why: str,
    accept_loss: bool,
    now: datetime,
    show: Show = in_silence,
) -> Restored:
    """Put the journal in `bundle` at `journal`, where no daemon runs; `show` what takes long of it.

    Raises:
        JournalLocked: one runs.
        BackupDamaged: the backup does not hold what it says.
        RestoreRefused: events would be lost and that was not accepted, or it is another's journal.
    """
    lock = FileLock(lock_path(journal))
    scratch = journal.with_name(journal.name + ".restoring")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        manifest = unpack(bundle, scratch)
        with show("events proved", manifest.events) as reached:
            prove(scratch, manifest, reached)
        witness, doubt = _witness_there(journal)
        _assert_same_journal(journal, witness, manifest)
        loss = _loss(journal, witness, scratch / JOURNAL, manifest) or _Loss(0, doubt)
        if loss.why and not accept_loss:
            raise RestoreRefused(loss.why)
        epoch = max(manifest.epoch, witness.epoch if witness else 0) + 1
        began = JournalRestored(epoch, bundle.name, loss.events, by, why)
        seq = record(scratch / JOURNAL, began)[-1].seq
        kept = _put_in_place(scratch / JOURNAL, journal, now)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        lock.release()
    return Restored(manifest, epoch, seq, loss.events, kept)


def _witness_there(journal: Path) -> tuple[Witness | None, str]:
    """Return what the witness at the place says, and why it says nothing where it should."""
    try:
        return read_witness(witness_path(journal)), ""
    except JournalError as error:
        return None, f"{error.args[0]}: what would be lost cannot be known"


def _assert_same_journal(journal: Path, witness: Witness | None, manifest: Manifest) -> None:
    if witness is not None and witness.journal_id not in {"", manifest.journal_id}:
        raise RestoreRefused(
            f"at {journal} lies journal {witness.journal_id}, the backup is of "
            f"{manifest.journal_id} ({manifest.account}, {manifest.mode})",
            "restore it to a place of its own: --journal FILE",
        )


def _loss(
    journal: Path, witness: Witness | None, restored: Path, manifest: Manifest
) -> _Loss | None:
    """Return what the journal at the place, or its witness, has that the backup has not."""
    known = [] if witness is None else [("the witness of", witness.seq, witness.hash)]
    try:
        with JournalReader(journal) as reader:
            head = reader.head()
            known.append(("", head.seq, head.hash.hex()))
    except JournalError:
        pass  # It is why a backup is wanted.
    with JournalReader(restored) as reader:
        for whose, seq, row_hash in sorted(known, key=lambda end: -end[1]):
            name = f"{whose} {journal}".strip()
            if seq > manifest.events:
                lost = seq - manifest.events
                what = f"{lost:,} events would be lost"
                return _Loss(lost, f"{name} ends at {seq}, the backup at {manifest.events}: {what}")
            found = reader.hash_at(seq)
            if found is None or found.hex() != row_hash:
                return _Loss(0, f"{name} has another history at event {seq} than the backup")
    return None


def _put_in_place(made: Path, journal: Path, now: datetime) -> str:
    """Put the journal that was made, and its witness, where they belong; return what was there."""
    kept = _free_name(journal.with_name(f"{journal.name}.before-restore-{now:%Y%m%dT%H%M%SZ}"))
    witness, was_there = witness_path(journal), False
    # The journal first: a witness alone is refused at every start.
    for end in ("", *_BESIDE):
        there = journal.with_name(journal.name + end)
        if there.exists():
            there.rename(kept.with_name(kept.name + end))
            was_there = True
    if witness.exists():
        os.link(witness, witness_path(kept))
        was_there = True
    fsync_folder(journal.parent)
    if segments_path(made).exists():
        segments_path(made).rename(segments_path(journal))
    witness_path(made).replace(witness)
    fsync_folder(journal.parent)
    made.rename(journal)
    fsync_folder(journal.parent)
    sealed = segments_path(journal)
    own = (sealed, *segment_files(sealed)) if sealed.exists() else ()
    _give_to_owner_of(journal.parent, journal, witness, lock_path(journal), *own)
    return str(kept) if was_there else ""


def _free_name(wanted: Path) -> Path:
    """Return `wanted`, or with a number behind it where something has that name already."""
    names = (wanted.with_name(f"{wanted.name}{f'-{n}' if n else ''}") for n in count())
    return next(name for name in names if not any(name.parent.glob(f"{escape(name.name)}*")))


def _give_to_owner_of(folder: Path, *files: Path) -> None:
    """Let the daemon's own user have what root has restored for it."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid:
        for file in files:
            os.chown(file, owner.st_uid, owner.st_gid)
