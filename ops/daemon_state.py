"""Whether the daemon of a journal runs, and whether its trading loop answers."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from daemon.control.client import NoAnswer, NotRunning, call
from daemon.control.protocol import VERSION, Request
from daemon.heartbeat import Heartbeat, read_heartbeat
from events.lock import holder, lock_path
from ops.render import span

HEARTBEAT_OLD_S: Final = 10.0
"""A heartbeat older than that is one that has stopped: a busy machine may be seconds late."""
ANSWER_S: Final = 2.0
"""How long the trading loop may take before it counts as hung."""


NO_SOCKET: Final = "its control socket is off, another user's, or not there yet"


class Running(StrEnum):
    """What the daemon does. UNHEARD: it runs, and cannot be asked whether it answers."""

    STOPPED = "stopped"
    ANSWERS = "running"
    HUNG = "hung"
    UNHEARD = "unheard"


class DaemonState(msgspec.Struct, frozen=True):
    """What the daemon does, as which process, what it says, and what troubles it.

    What its heartbeat says otherwise than its lock is a trouble, too.
    """

    running: Running
    pid: int | None = None
    said: str = ""
    troubles: tuple[str, ...] = ()


def daemon_state(journal: Path, wait_s: float = ANSWER_S) -> DaemonState:
    """Return what the daemon of `journal` does, having asked it."""
    found = _asked(journal, wait_s)
    beat = read_heartbeat(journal, os.environ)
    return msgspec.structs.replace(found, troubles=(*found.troubles, *_contradictions(found, beat)))


def _contradictions(found: DaemonState, beat: Heartbeat | None) -> Iterator[str]:
    """Say where the lock and the heartbeat are not of one living process."""
    if beat is None:
        return
    age_s = (datetime.now(UTC) - beat.at).total_seconds()
    heard = f"the last heartbeat is of process {beat.pid}, {span(max(age_s, 0.0))} ago"
    if found.running is Running.STOPPED:
        yield f"{heard}, and nobody has the lock: that one was killed or crashed"
    elif found.pid is not None and found.pid != beat.pid:
        yield f"{heard}, and process {found.pid} has the lock"
    elif age_s > HEARTBEAT_OLD_S:
        yield f"{heard}: its trading loop has stood still since, or writes it no more"


def _asked(journal: Path, wait_s: float) -> DaemonState:
    pid = holder(lock_path(journal))
    if pid is None:
        return DaemonState(Running.STOPPED)
    process = pid or None
    try:
        answer = call(journal, Request(VERSION, "ping", "state-look"), wait_s)
    except NotRunning:
        return DaemonState(Running.UNHEARD, process, NO_SOCKET)
    except NoAnswer as error:
        return DaemonState(Running.HUNG, process, str(error))
    said, *troubles = answer.lines
    if answer.exit_code == 0:
        return DaemonState(Running.ANSWERS, process, said, tuple(troubles))
    return DaemonState(Running.UNHEARD, process, said)
