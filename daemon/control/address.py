"""Where the control socket of a journal lies: in a folder only its user can enter."""

import os
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path


class UnsafeFolder(Exception):
    """The folder of the socket is not this user's own; the text says what it is."""


def socket_path(journal: Path, environment: Mapping[str, str]) -> Path:
    """Return the path of the socket: short, since the kernel takes 107 bytes, and the journal's.

    It is in systemd's or the session's runtime folder, without either in /tmp.
    """
    digest = sha256(os.fsencode(journal.resolve())).hexdigest()[:16]
    return _folder(environment) / f"{digest}.sock"


def make_folder(path: Path) -> None:
    """Make the folder of the socket at `path`, for this user alone.

    Raises:
        UnsafeFolder: somebody else's, or open to others.
    """
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise UnsafeFolder(
            f"{folder} is not a folder of this user's: remove it, or ask who made it"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def _folder(environment: Mapping[str, str]) -> Path:
    if runtime := environment.get("RUNTIME_DIRECTORY"):
        return Path(runtime.split(":")[0])
    if session := environment.get("XDG_RUNTIME_DIR"):
        return Path(session) / "traded"
    return Path("/tmp") / f"traded-{os.geteuid()}"  # noqa: S108 - checked to be this user's own
