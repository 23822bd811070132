"""One writer a journal: a lock on a file beside it, which also names the holder."""

import fcntl
import os
from pathlib import Path

from events.errors import JournalLocked
from events.failed_write import cannot_write


class FileLock:
    """Holds `path` locked from construction to `release` (or the end of the process).

    Raises:
        JournalLocked: another process holds it; its pid is in the error.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock at `path`, creating the file if needed; never waits."""
        self.path = path
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = self._take()

    def _take(self) -> int:
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if not _is_held(fd):
                    # Somebody only asked, with a lock that others may share: he is gone at once.
                    os.close(fd)
                    continue
                pid = _read_pid(fd)
                os.close(fd)
                message = f"{self.path} is held by {f'process {pid}' if pid else 'another process'}"
                raise JournalLocked(message, pid) from error
            if self._is_the_file(fd):
                self._write_pid(fd)
                return fd
            # Somebody unlinked the file between our open and our lock: lock the one that counts.
            os.close(fd)

    def _write_pid(self, fd: int) -> None:
        try:
            with cannot_write(f"{self.path} could not be taken"):
                os.ftruncate(fd, 0)
                os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(fd)
            raise

    def _is_the_file(self, fd: int) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        held = os.fstat(fd)
        return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)

    def assert_held(self) -> None:
        """Refuse to go on where the file that is locked is not the one at `path` any more.

        Raises:
            OSError: another process may have locked the one that counts now.
        """
        if not self._is_the_file(self._fd):
            message = f"{self.path} was replaced or removed: another process may be writing"
            raise OSError(message)

    def release(self) -> None:
        """Give the lock back. The file stays: unlinking it would let two holders in."""
        os.close(self._fd)


def lock_path(journal: Path) -> Path:
    """Return where the lock of the writer of `journal` lies."""
    return journal.with_name(journal.name + ".lock")


def holder(path: Path) -> int | None:
    """Return the pid of the process that holds `path` locked, None when nobody does.

    0 is a holder whose pid could not be read. Asking makes no file and no `FileLock` fail.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return (_read_pid(fd) or 0) if _is_held(fd) else None
    finally:
        os.close(fd)


def _is_held(fd: int) -> bool:
    """Say whether the open file is locked against sharing: as a holder does, and no asker."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _read_pid(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None
