"""How alerting itself stands: what arrives, what does not; for whoever looks, and for others."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from daemon.control.address import UnsafeFolder, make_folder, places, socket_path

EVERY_S: Final = 5.0
SIZE_MAX_BYTES: Final = 100_000
CHAT: Final = "the inbound chat"
"""Its name among the ways that fail, which is no target's."""


class AlertStanding(msgspec.Struct):
    """Messages by target: those that arrived, the attempts that failed, and how many wait.

    `failing` are the targets whose last attempt failed, with why; so are `failing_names`. `ping` is
    why the dead man's ping did not arrive when it was sent last, empty where it did; `trouble` is
    why what was told cannot be kept; `chat` is why the inbound chat hears nobody, where one is
    wanted.
    """

    targets: list[str]
    pings: bool
    sent: dict[str, int] = {}
    failed: dict[str, int] = {}
    waiting: dict[str, int] = {}
    failing: dict[str, str] = {}
    failing_names: set[str] = set()
    pings_sent: int = 0
    pings_failed: int = 0
    ping: str = ""
    trouble: str = ""
    chat: str = ""

    def hears(self, why: str) -> None:
        """Note why the chat hears nobody, or that it does, with ""."""
        self.chat = why
        if why:
            self.failing_names.add(CHAT)
        else:
            self.failing_names.discard(CHAT)

    def fails(self, name: str, why: str) -> None:
        """Note that a target does not take messages, with why, or does, with ""."""
        if why:
            self.failing[name] = why
            self.failing_names.add(name)
        else:
            self.failing.pop(name, None)
            self.failing_names.discard(name)

    @property
    def degraded(self) -> list[str]:
        """What is wrong with it, in words without an address."""
        found = [f"alerts to {name} do not arrive: {why}" for name, why in self.failing.items()]
        if self.ping:
            found.append(f"the dead man's ping does not arrive: {self.ping}")
        if self.chat:
            found.append(f"the chat hears nobody: {self.chat}")
        return [*found, self.trouble] if self.trouble else found


class WatchBeat(msgspec.Struct, frozen=True):
    """That a watch lived at `at`, as which process, and how its alerts stand."""

    version: int
    pid: int
    at: datetime
    alerts: AlertStanding


def beat_path(journal: Path, environment: Mapping[str, str]) -> Path:
    """Return where the watch of `journal` says that it lives: beside the daemon's heartbeat."""
    return socket_path(journal, environment).with_suffix(".watch.json")


def write_beat(journal: Path, environment: Mapping[str, str], beat: WatchBeat) -> str:
    """Replace the file, whole; return why that failed, empty where it did not."""
    path = beat_path(journal, environment)
    beside = path.with_suffix(".new")
    try:
        make_folder(path)
        beside.write_bytes(msgspec.json.encode(beat))
        beside.chmod(0o600)
        beside.replace(path)
    except UnsafeFolder as error:
        return str(error)
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    return ""


def read_beat(journal: Path, environment: Mapping[str, str]) -> WatchBeat | None:
    """Return the last sign of life of the watch of `journal`, None where there is none."""
    for place in places(journal, environment):
        try:
            with place.with_suffix(".watch.json").open("rb") as file:
                return msgspec.json.decode(file.read(SIZE_MAX_BYTES), type=WatchBeat)
        except (OSError, msgspec.MsgspecError):
            continue
    return None
