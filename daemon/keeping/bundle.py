"""A backup: one compressed tar file that holds a journal, its witness, and what it ran under.

    manifest.json        whose journal it is, where it ends, and the size and hash of every file
    journal.db           the journal, row by row as it was
    journal.db.segments/ its sealed part, where there is one
    journal.db.witness   that it ends there
    config/  units/      the configuration and the systemd units, where there were any

It opens with `tar` alone. It is believed only after it was read back: files against the manifest,
then the journal against its chain, its witness, SQLite's own check, and the count of its events.
"""

import os
import platform
import tarfile
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from hashlib import file_digest
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import IO, Final

import msgspec

from daemon.history.code_hash import code_version
from events import JournalOpened, Mode
from events.errors import JournalDamaged, JournalError
from events.journal import Head, JournalReader
from events.journal_file import SQLITE_VERSION
from events.segments import segment_files, segments_path
from events.witness import (
    Witness,
    WitnessFile,
    check_witness,
    fsync_folder,
    read_witness,
    witness_path,
)

FORM: Final = 1
MANIFEST: Final = "manifest.json"
JOURNAL: Final = "journal.db"
_WITNESS: Final = witness_path(Path(JOURNAL)).name
_SEGMENTS: Final = segments_path(Path(JOURNAL)).name
_COMPRESSION: Final = 1
"""The fastest: the text of events shrinks to a sixth with it, and to an eighth with the slowest."""
_LIBRARIES: Final = ("traded", "msgspec", "aiosqlite", "exchange_calendars")


class BackupDamaged(JournalError):
    """The backup does not hold what it says."""

    hint = "take another backup: this one restores nothing"


class Sealed(msgspec.Struct, frozen=True):
    """Size and SHA-256 of one file."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What is in a backup, and by what it was made. `first_at` and `last_at` are ns UTC."""

    form: int
    made_at: datetime
    journal_id: str
    mode: Mode
    account: str
    epoch: int
    events: int
    head_hash: str
    first_at: int
    last_at: int
    versions: dict[str, str]
    files: dict[str, Sealed]

    @property
    def witness(self) -> Witness:
        """What the witness of the journal in it says."""
        return Witness(self.journal_id, self.epoch, self.events, self.head_hash)


def pack(  # noqa: PLR0913, PLR0917 - all that goes into a backup
    copy: Path,
    segments: Path,
    seen: Witness | None,
    beside: Mapping[str, Path],
    made_at: datetime,
    target: Path,
) -> Manifest:
    """Write a backup of the journal's `copy` to `target`, durably, and return what is in it.

    `segments` is the folder of its sealed part, `seen` what the journal's own witness said before
    the copy was begun; `beside` are the files that go with it, by their names in the backup.

    Raises:
        JournalError: the copy is not the history that its witness remembers.
    """
    with JournalReader(copy, segments) as reader:
        head = reader.head()
        check_witness(copy, seen, head, reader.hash_at)
        first, last = reader.record(1), reader.record(head.seq)
        epoch = reader.epoch()
    if first is None or last is None or not isinstance(first.event, JournalOpened):
        raise JournalDamaged(f"{copy} does not begin with a journal's name")
    opened = first.event
    witness = witness_path(copy)
    witness.unlink(missing_ok=True)
    file = WitnessFile(witness)
    file.write(Witness(opened.journal_id, epoch, head.seq, head.hash.hex()))
    file.close()
    sealed = {f"{_SEGMENTS}/{path.name}": path for path in segment_files(segments)}
    parts = {JOURNAL: copy, **sealed, _WITNESS: witness, **beside}
    manifest = Manifest(
        form=FORM,
        made_at=made_at,
        journal_id=opened.journal_id,
        mode=opened.mode,
        account=opened.account,
        epoch=epoch,
        events=head.seq,
        head_hash=head.hash.hex(),
        first_at=first.at,
        last_at=last.at,
        versions={
            "code": code_version(),
            "python": platform.python_version(),
            "sqlite": SQLITE_VERSION,
            **{name: metadata.version(name) for name in _LIBRARIES},
        },
        files={name: _sealed(path) for name, path in parts.items()},
    )
    _write(manifest, parts, target)
    witness.unlink()
    return manifest


def unpack(bundle: Path, folder: Path) -> Manifest:
    """Put what is in `bundle` into `folder`, each file against its seal; return what it says.

    Raises:
        BackupDamaged: it is no backup, or not whole.
    """
    try:
        with tarfile.open(bundle, "r|gz") as archive:
            members = iter(archive)
            manifest = _manifest_in(archive, next(members, None))
            found = set(_unpacked(archive, members, manifest, folder))
    except (tarfile.TarError, EOFError, OSError, ValueError, msgspec.DecodeError) as error:
        raise BackupDamaged(f"{bundle} cannot be read: {error}") from error
    missing = sorted(manifest.files.keys() - found)
    if missing:
        raise BackupDamaged(f"{bundle} is not whole: {', '.join(missing)} is missing")
    return manifest


def read_manifest(bundle: Path) -> Manifest:
    """Return what `bundle` says is in it; nothing else of it is read, or proved.

    Raises:
        BackupDamaged: it is no backup.
    """
    try:
        with tarfile.open(bundle, "r|gz") as archive:
            return _manifest_in(archive, archive.next())
    except (tarfile.TarError, EOFError, OSError, ValueError, msgspec.DecodeError) as error:
        raise BackupDamaged(f"{bundle} cannot be read: {error}") from error


def prove(
    folder: Path, manifest: Manifest, reached: Callable[[int], None] = lambda _: None
) -> None:
    """Read the whole journal that was unpacked into `folder` against all there is to hold it to.

    `reached` is told how many events were read.

    Raises:
        BackupDamaged: something of it is not as it was.
    """
    journal = folder / JOURNAL
    try:
        with JournalReader(journal) as reader:
            findings = [finding.what for finding in reader.check(reached)]
            head = reader.head()
            witness = read_witness(witness_path(journal))
    except JournalError as error:
        raise BackupDamaged(str(error.args[0])) from error
    if head != Head(manifest.events, bytes.fromhex(manifest.head_hash)):
        findings.append(f"it ends at event {head.seq}, the manifest says {manifest.events}")
    if witness != manifest.witness:
        findings.append("its witness is another one than the manifest's")
    if findings:
        raise BackupDamaged(f"the journal in the backup is not sound: {'; '.join(findings)}")


def _write(manifest: Manifest, parts: Mapping[str, Path], target: Path) -> None:
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    with target.open("xb") as file:
        target.chmod(0o600)
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=_COMPRESSION) as archive:
            archive.addfile(_member(MANIFEST, len(text), manifest), BytesIO(text))
            for name, path in parts.items():
                with path.open("rb") as part:
                    archive.addfile(_member(name, manifest.files[name].size, manifest), part)
        file.flush()
        os.fsync(file.fileno())
    fsync_folder(target.parent)


def _member(name: str, size: int, manifest: Manifest) -> tarfile.TarInfo:
    """Return a tar header that says nothing of the machine: neither user nor mode of the file."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(manifest.made_at.timestamp())
    return member


def _manifest_in(archive: tarfile.TarFile, member: tarfile.TarInfo | None) -> Manifest:
    if member is None or member.name != MANIFEST:
        raise ValueError(f"it does not begin with {MANIFEST}: it is no backup of traded's")
    text = _content(archive, member).read()
    form = msgspec.json.decode(text, type=_Form).form
    if form != FORM:
        raise ValueError(f"it has form {form}, this traded knows {FORM}: use a newer one")
    return msgspec.json.decode(text, type=Manifest)


class _Form(msgspec.Struct):
    form: int


def _unpacked(
    archive: tarfile.TarFile, members: Iterator[tarfile.TarInfo], manifest: Manifest, folder: Path
) -> Iterator[str]:
    """Write the files that the manifest names, and no other, below `folder`; yield their names."""
    for member in members:
        seal = manifest.files.get(member.name)
        target = (folder / member.name).resolve()
        if seal is None or not member.isfile() or not target.is_relative_to(folder.resolve()):
            raise ValueError(f"{member.name!r} is nothing the manifest names")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = _content(archive, member)
        with target.open("xb") as file:
            target.chmod(0o600)
            while block := content.read(1 << 20):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        if _sealed(target) != seal:
            raise ValueError(f"{member.name} is not what the manifest says")
        yield member.name


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    found = archive.extractfile(member)
    if found is None:
        raise ValueError(f"{member.name!r} is no file")
    return found


def _sealed(path: Path) -> Sealed:
    with path.open("rb") as file:
        return Sealed(path.stat().st_size, file_digest(file, "sha256").hexdigest())
