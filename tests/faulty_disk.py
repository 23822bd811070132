"""A disk that fails a process from outside of it: at the n-th call, at the n-th byte, or when full.

What strace, a C compiler or root would be needed for and is not there is said by `why_not_*`.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

TRACER_ENDS_S = 20.0
_INJECTED = re.compile(r"^\d+ +(\d+\.\d+) .*\(INJECTED\)", re.MULTILINE)
SHORT_WRITES = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The n-th write at a place, or each from there on, writes the first half and says so. */
static ssize_t some(const char *name, int fd, const void *from, size_t bytes, off64_t at) {
    static int calls = 0;
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, name);
    int nth = atoi(getenv("SHORT_AT")), call = __sync_add_and_fetch(&calls, 1);
    if (bytes > 1 && (call == nth || (call > nth && getenv("SHORT_FOR_EVER")))) {
        int log = open(getenv("SHORT_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (write(log, ".", 1) == 1) bytes /= 2;
        close(log);
    }
    return real(fd, from, bytes, at);
}
ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at) {
    return some("pwrite", fd, from, bytes, at);
}
ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t at) {
    return some("pwrite64", fd, from, bytes, at);
}
"""


class Fault(NamedTuple):
    """What becomes of the `nth` of some `calls` of each thread, and `for_ever` of those behind."""

    calls: str
    error: str
    nth: int
    for_ever: bool
    paths: tuple[Path, ...] = ()
    """Only calls on these files, where some are given."""

    def __str__(self) -> str:
        """Return it as a person says it."""
        return f"{self.error} at {self.calls} {self.nth}{' and for ever' if self.for_ever else ''}"

    def words(self, log: Path) -> list[str]:
        """Return what to put before a command, so that it is its disk; `log` says what happened.

        The command stays the child that was started: strace runs beside it.
        """
        when = f"{self.nth}{'+' if self.for_ever else ''}"
        inject = f"inject={self.calls}:error={self.error}:when={when}"
        quiet = ["-qq", "--seccomp-bpf", "-e", "signal=none"]
        traced = ["-e", f"trace={self.calls}", "-e", inject]
        traced += [word for path in self.paths for word in ("-P", str(path))]
        return ["strace", "-D", "-f", "-ttt", *quiet, *traced, "-o", str(log)]


def injected(log: Path) -> list[float]:
    """Return when calls failed, in seconds of the monotonic clock, by strace's `log`."""
    if not log.exists():
        return []
    since = time.time() - time.monotonic()
    found = _INJECTED.findall(log.read_text(encoding="utf-8", errors="replace"))
    return [float(each) - since for each in found]


def wait_for_tracer(log: Path) -> None:
    """Wait until strace, which ends behind what it traces, has written all of `log`."""
    size, ends = -1, time.monotonic() + TRACER_ENDS_S
    while log.stat().st_size != size and time.monotonic() < ends:
        size = log.stat().st_size
        time.sleep(0.1)


def why_not_traced(folder: Path) -> str:
    """Return why no call can be made to fail here; nothing where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    log = folder / "probe.log"
    words = [*Fault("fsync", "EIO", 1, for_ever=True).words(log), sys.executable, "-c"]
    code = "import os; os.fsync(os.open('.', 0))"
    subprocess.run([*words, code], cwd=folder, check=False, capture_output=True)
    ends = time.monotonic() + TRACER_ENDS_S
    while not injected(log):
        if time.monotonic() > ends:
            return "strace may not trace here"
        time.sleep(0.02)
    return ""


def short_writes(folder: Path) -> Path | None:
    """Return the library that makes writes short, None where no C compiler makes it."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    source, library = folder / "short.c", folder / "short.so"
    source.write_text(SHORT_WRITES, encoding="utf-8")
    words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    done = subprocess.run(words, check=False, capture_output=True)
    return library if done.returncode == 0 else None


def fill(folder: Path, leave_bytes: int = 0) -> Path:
    """Take the room of the file system at `folder` up to so many bytes; return what took it."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        while (free := shutil.disk_usage(folder).free - leave_bytes) > 0:
            try:
                file.write(bytes(min(free, 2**20)))
            except OSError:
                break  # It may be full before it says so.
    return filler
