"""Where the control socket of a journal lies: in a folder only its user and guests can enter."""

import os
import stat
from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from daemon.control.access import let_pass, passing

_BY_SYSTEMD: Final = {"RUNTIME_DIRECTORY": "/run/traded"}


class UnsafeFolder(Exception):
    """The folder of the socket is not this user's own; the text says what it is."""


def socket_path(journal: Path, environment: Mapping[str, str]) -> Path:
    """Return the path of the socket: short, since the kernel takes 107 bytes, and the journal's.

    It is in systemd's or the session's runtime folder, without either in /tmp.
    """
    digest = sha256(os.fsencode(journal.resolve())).hexdigest()[:16]
    return _folder(environment) / f"{digest}.sock"


def make_folder(path: Path, guests: Collection[int] = ()) -> None:
    """Make the folder of the socket at `path`, for this user and the users `guests` alone.

    Daemons may share it: whoever may pass through it for another one still may.

    Raises:
        UnsafeFolder: somebody else's, or open to others.
        OutOfReach: one of the guests cannot be let in.
    """
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise UnsafeFolder(
            f"{folder} is not a folder of this user's: remove it, or ask who made it"
        )
    if stat.S_IMODE(found.st_mode) & 0o077 and not passing(folder):
        folder.chmod(0o700)
    if guests:
        let_pass(folder, guests)


def places(journal: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where the socket of `journal` may be for a caller, likely places first.

    A guest's own places are not the daemon's: that one's are systemd's folder, and the one in /tmp
    of the user the journal belongs to.
    """
    found = [socket_path(journal, environment), socket_path(journal, _BY_SYSTEMD)]
    try:
        owner = journal.stat().st_uid
        folder = _in_tmp(owner)
        is_owners = owner != os.geteuid() and folder.lstat().st_uid == owner
        if is_owners and os.access(folder, os.X_OK):
            found.append(socket_path(journal, {"RUNTIME_DIRECTORY": str(folder)}))
    except OSError:
        pass  # No such journal, none of this user's to see, or no such folder.
    return tuple(found)


def _folder(environment: Mapping[str, str]) -> Path:
    if runtime := environment.get("RUNTIME_DIRECTORY"):
        return Path(runtime.split(":")[0])
    if session := environment.get("XDG_RUNTIME_DIR"):
        return Path(session) / "traded"
    return _in_tmp(os.geteuid())


def _in_tmp(uid: int) -> Path:
    return Path("/tmp") / f"traded-{uid}"  # noqa: S108 - checked to be that user's own
