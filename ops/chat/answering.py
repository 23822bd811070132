"""What the chat's two commands do and how it is answered: the status, short, and a kill."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from daemon.control.protocol import VERSION, Request
from daemon.exit_codes import ExitCode
from daemon.stopping.offline import take_permit
from daemon.stopping.reason import kept_reason
from events import KILL_SWITCH
from ops.books import read_books
from ops.daemon_state import daemon_state
from ops.moments import now_of
from ops.opened import opened
from ops.pulling import pull
from ops.render import one_line
from ops.standing import status_of
from ops.status_lines import about_the_books, about_the_daemon
from ops.stops import breaker_text, kill_text

LINE_LONGEST: Final = 300
TEXT_LONGEST: Final = 3_500
"""Telegram takes 4,096 characters."""


def status_told(journal: Path) -> Iterator[str]:
    """Yield how the daemon stands, in the words of `traded status`, its tables left out.

    Raises:
        JournalError: the journal cannot be read.
    """
    with opened(journal) as reader:
        state, now = read_books(reader).state, now_of(reader)
    status = status_of(state, journal, daemon_state(journal), now)
    for name, text in about_the_daemon(status):
        yield f"{name}: {text}"
    yield f"{KILL_SWITCH}: {kill_text(killed=status.kill_switch_engaged)}"
    yield f"circuit breaker: {breaker_text(status.circuit_breaker_trips)}"
    for name, text in about_the_books(status):
        yield f"{name}: {text}"


def killed(journal: Path, chat_id: int, why: str) -> Iterator[str]:
    """Stop every order as `traded kill` does, in the name of a chat, and yield what came of it.

    Whatever else the daemon answers than that it has, its permit is taken away.
    """
    command_id, by = f"chat-{secrets.token_hex(8)}", f"chat:{chat_id}"
    pulled = pull(journal, Request(VERSION, "kill", command_id, kept_reason(why), by=by))
    if pulled.answer is not None and pulled.answer.exit_code == ExitCode.OK:
        yield from pulled.answer.lines
        yield "Orders leave again by `traded resume`, where the daemon runs, and by nothing else."
        return
    yield "The daemon has not said that it is killed."
    yield from pulled.answer.lines if pulled.answer is not None else (f"{pulled.error}",)
    yield pulled.permit or take_permit(journal)
    yield "Next, where it runs: `traded kill --offline`, which records it; then `traded status`."


def bounded(lines: Iterator[str]) -> str:
    """Return `lines` as one text that can be sent, whatever is in them."""
    text = "\n".join(one_line(line, LINE_LONGEST) for line in lines)
    return text if len(text) <= TEXT_LONGEST else f"{text[:TEXT_LONGEST]}\n..."
