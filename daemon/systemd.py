"""What systemd is told of the daemon: ready, alive, stopping, and in words what it does.

Nothing is said where nobody listens (no $NOTIFY_SOCKET), and a failure to say it stops nothing.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec

from daemon.clock import read_clocks

MORE_TIME_S: Final = 60
"""How much longer a start may take from now on, each time it asks."""
_FEEDS_A_PERIOD: Final = 4
_MICROSECONDS: Final = 10**6


class Systemd(msgspec.Struct, frozen=True):
    """`address` is systemd's socket, empty for none.

    `feed_every_s` is how often it wants to hear that the daemon is alive, 0 for never.
    """

    address: str = ""
    feed_every_s: float = 0.0

    def ready(self, words: str) -> None:
        """Say that the journal is verified, the lock held and the control socket answers."""
        self._say(f"READY=1\nSTATUS={words}")

    def status(self, words: str) -> None:
        """Say in one line what the daemon does."""
        self._say(f"STATUS={words}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._say("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that a changed configuration is being taken; `reloaded` ends that."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={read_clocks().awake // 1000}")

    def reloaded(self) -> None:
        """Say that the configuration in force is the one it goes on with."""
        self._say("READY=1")

    def stopping(self, why: str) -> None:
        """Say that the stop has begun."""
        self._say(f"STOPPING=1\nSTATUS=stopping: {why}")

    def more_time(self) -> None:
        """Ask for patience with a start that gets on."""
        self._say(f"EXTEND_TIMEOUT_USEC={MORE_TIME_S * _MICROSECONDS}")

    def _say(self, text: str) -> None:
        if not self.address:
            return
        # An @ stands for the zero byte of a name that lies in no folder.
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.setblocking(False)  # noqa: FBT003 - socket's way
            to.sendto(text.encode(), address)


def systemd(environment: Mapping[str, str], pid: int) -> Systemd:
    """Return who listens to process `pid` by `environment`."""
    for_us = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
    period = environment.get("WATCHDOG_USEC", "0") if for_us else "0"
    every_s = int(period) / _MICROSECONDS / _FEEDS_A_PERIOD if period.isdecimal() else 0.0
    return Systemd(environment.get("NOTIFY_SOCKET", ""), every_s)
