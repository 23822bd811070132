"""The heartbeat: what only the trading process knows of itself, in a file for whoever watches it.

It is replaced whole, lies beside the control socket, and is not fsynced: behind a power cut nobody
needs it.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from daemon.control.address import places, socket_path

EVERY_S: Final = 1.0
"""How often it is written while the trading loop turns."""
SIZE_MAX_BYTES: Final = 100_000


class Histogram(msgspec.Struct, frozen=True):
    """How many durations were at most `bounds_s[i]` seconds (not cumulative), the last one beyond.

    `counts` is one longer than `bounds_s`.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


class Heartbeat(msgspec.Struct, frozen=True):
    """What the daemon says of itself at `at`, since its start at `started_at`.

    `session` is the number of the event that opened the session, `seq` that of the newest durable
    one. Of the counts `queued` are the reports and commands that wait for a turn.
    """

    version: int
    pid: int
    started_at: datetime
    at: datetime
    session: int
    seq: int
    data_mode: str
    bars: int
    decisions: int
    orders: int
    last_bar_at: datetime | None
    last_decision_at: datetime | None
    queued: int
    loop_lag: Histogram
    commit: Histogram
    decision: Histogram
    order: Histogram


def heartbeat_path(journal: Path, environment: Mapping[str, str]) -> Path:
    """Return where the daemon of `journal` writes its heartbeat."""
    return socket_path(journal, environment).with_suffix(".heartbeat.json")


def read_heartbeat(journal: Path, environment: Mapping[str, str]) -> Heartbeat | None:
    """Return the last heartbeat of the daemon of `journal`, None where there is none to be read."""
    for place in places(journal, environment):
        try:
            with place.with_suffix(".heartbeat.json").open("rb") as file:
                return msgspec.json.decode(file.read(SIZE_MAX_BYTES), type=Heartbeat)
        except (OSError, msgspec.MsgspecError):
            continue
    return None
