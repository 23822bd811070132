"""Whether the daemon of a journal runs, and whether its trading loop answers."""

from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from daemon.control.client import NoAnswer, NotRunning, call
from daemon.control.protocol import VERSION, Request
from events.lock import holder, lock_path

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
    """What the daemon does, as which process, what it says, and what troubles it."""

    running: Running
    pid: int | None = None
    said: str = ""
    troubles: tuple[str, ...] = ()


def daemon_state(journal: Path, wait_s: float = ANSWER_S) -> DaemonState:
    """Return what the daemon of `journal` does, having asked it."""
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
