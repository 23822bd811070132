"""File systems mounted for a trial alone: nobody else sees them, and none outlives the process."""

import ctypes
import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOUNT, UNMOUNT = "/bin/mount", "/bin/umount"
UNMOUNT_WAITS_S = (0.05, 0.1, 0.5, 2, 5)
CLONE_NEWNS = 0x20000
PRIVATE = 1 << 18 | 1 << 14


def in_a_namespace_of_its_own() -> str:
    """Keep what is mounted here from everybody else; return why that cannot be, or nothing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "mounting takes root on Linux"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, PRIVATE, None):
        return f"no mount namespace of its own: {os.strerror(ctypes.get_errno())}"
    return ""


@contextmanager
def mounted(at: Path, *words: str) -> Iterator[Path]:
    """Mount what the `words` say at `at` meanwhile."""
    at.mkdir(exist_ok=True)
    subprocess.run([MOUNT, *words, str(at)], check=True, capture_output=True)
    try:
        yield at
    finally:
        unmount(at)


def unmount(at: Path) -> None:
    for wait_s in UNMOUNT_WAITS_S:
        if subprocess.run([UNMOUNT, at], check=False, capture_output=True).returncode == 0:
            return
        time.sleep(wait_s)
    raise OSError(errno.EBUSY, f"{at} stays busy")
