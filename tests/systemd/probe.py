"""What a process in the daemon's sandbox can do: a line for each attempt."""

import ctypes
import errno
import mmap
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LISTENER = socket.create_server(("", 0))
PORT = LISTENER.getsockname()[1]


def see(folder: str) -> None:
    """Look into a folder; an empty one stands for one that is hidden."""
    if not os.listdir(folder):  # noqa: PTH208 - names are enough
        raise OSError("nothing is there")


def see_others() -> None:
    """Find the first process of the machine."""
    Path("/proc/1/cmdline").read_bytes()


def namespace() -> None:
    """Try to leave into a namespace of its own."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):
        raise OSError(ctypes.get_errno(), "refused")


def setuid() -> None:
    """Make a file that others would run as this user."""
    file = Path(os.environ["STATE_DIRECTORY"]) / "probe"
    file.touch()
    try:
        file.chmod(0o4755)
    finally:
        file.unlink()


ATTEMPTS: dict[str, Callable[[], Any]] = {
    "write the journal's folder": (Path(os.environ["STATE_DIRECTORY"]) / "p").touch,
    "write /etc": lambda: Path("/etc/traded/probe").touch(),
    "write the code": lambda: Path("/opt/traded/bin/probe").touch(),
    "see /home": lambda: see("/home"),
    "see /root": lambda: see("/root"),
    "see other processes": see_others,
    "read other credentials": lambda: see("/etc/traded/credentials"),
    "open AF_PACKET": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "open AF_NETLINK": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "reach another host": lambda: socket.create_connection(("192.0.2.1", PORT), 5),
    "reach this host": lambda: socket.create_connection(("127.0.0.1", PORT), 5),
    "map code it wrote": lambda: mmap.mmap(-1, 4096, prot=7),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time() + 3600),
    "make a namespace": namespace,
    "make a setuid file": setuid,
}

for what, attempt in ATTEMPTS.items():
    try:
        attempt()
    except OSError as error:
        why = errno.errorcode.get(error.errno or 0, str(error))
        print(f"probe {what}: {why}")  # noqa: T201 - its log is read
    else:
        print(f"probe {what}: yes")  # noqa: T201 - as above
