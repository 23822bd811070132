"""Pulling the kill switch from outside of the daemon: over its socket, else by its permit."""

from pathlib import Path
from typing import Final

import msgspec

from daemon.control.client import NoAnswer, NotRunning, call
from daemon.control.protocol import Answer, Request

KILL_ANSWER_S: Final = 1.0
"""How long the answer to a kill may take: the daemon gives it within one second, hung or not."""


class Pulled(msgspec.Struct, frozen=True):
    """What came of it: the daemon's answer; or why there is none, and what its permit came to."""

    answer: Answer | None
    error: NotRunning | NoAnswer | None = None
    permit: str = ""


def pull(journal: Path, request: Request) -> Pulled:
    """Tell the daemon to kill; where it does not say at once that it has, take its permit away."""
    try:
        return Pulled(call(journal, request, KILL_ANSWER_S))
    except (NotRunning, NoAnswer) as error:
        from daemon.stopping.offline import take_permit  # noqa: PLC0415 - only here

        return Pulled(None, error, take_permit(journal))
