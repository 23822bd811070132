"""What alerting keeps over restarts: how far the journal was told, and what has not left yet.

One file beside the journal, replaced whole and durably. What it says was told is in it or was
delivered, so that an end at any moment repeats a message and never loses one.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from ops.watch.alerts.alert import RANKS
from ops.watch.alerts.conditions import Remembered
from ops.watch.alerts.messages import Message
from ops.watch.alerts.routing import Routes
from ops.watch.alerts.rules import Past

VERSION: Final = 1
OUTBOX_MAX: Final = 50
"""So many messages wait for a target that does not answer."""
SIZE_MAX_BYTES: Final = 20_000_000
NEVER: Final = -1


class Kept(msgspec.Struct):
    """All of it. `seq` is the newest event whose alerts were taken, NEVER before the first look.

    `outbox` has the messages for each target, oldest first, `given_up` how many it had no room for.
    `alive_on` is the last day on which the watch said that it is alive.
    """

    version: int = VERSION
    journal_id: str = ""
    epoch: int = 0
    seq: int = NEVER
    past: Past = msgspec.field(default_factory=Past)
    remembered: Remembered = msgspec.field(default_factory=Remembered)
    routes: Routes = msgspec.field(default_factory=Routes)
    outbox: dict[str, list[Message]] = {}
    given_up: dict[str, int] = {}
    alive_on: str = ""

    def post(self, target: str, message: Message) -> None:
        """Put a message into the outbox; the least of the oldest makes room."""
        queue = self.outbox.setdefault(target, [])
        queue.append(message)
        if len(queue) > OUTBOX_MAX:
            queue.remove(min(queue, key=lambda each: RANKS[each.severity]))
            self.given_up[target] = self.given_up.get(target, 0) + 1


def kept_path(journal: Path) -> Path:
    """Return where it is kept for `journal`."""
    return journal.with_name(f"{journal.name}.alerts.json")


def read_kept(path: Path) -> tuple[Kept, str]:
    """Return what was kept, and why that is nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            kept = msgspec.json.decode(file.read(SIZE_MAX_BYTES), type=Kept)
    except FileNotFoundError:
        return Kept(), ""
    except (OSError, msgspec.MsgspecError) as error:
        return Kept(), f"{path} cannot be read, alerts begin with now: {error}"
    if kept.version != VERSION:
        return Kept(), f"{path} is of another version, alerts begin with now"
    return kept, ""


def write_kept(path: Path, kept: Kept) -> None:
    """Replace the file, whole and durably, for this user alone.

    Raises:
        OSError: it cannot be written.
    """
    beside = path.with_name(f"{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(kept))
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)
