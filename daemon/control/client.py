"""The caller's side of the control socket: one request, one answer."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from daemon.clock import monotonic_s, pause
from daemon.control.address import places
from daemon.control.protocol import Answer, BadRequest, Request, decode_answer, encode_line

ANSWER_S: Final = 15.0
"""How long an answer may take: longer than the daemon waits for its own loop."""
PATIENCE_S: Final = 1.5
"""How long an answer may take before whoever waits is told."""
AGAIN_S: Final = 5.0
"""How long until he is told once more."""
_STEP_S: Final = 0.01

StillWaiting = Callable[[float], None]
"""Is told for how many seconds the answer will be waited for from here."""


class NotRunning(Exception):
    """No daemon listens for this journal."""


class NoAnswer(Exception):
    """The daemon took the command, or not: it has not said."""


def _in_silence(_left_s: float) -> None:
    pass


def call(
    journal: Path,
    request: Request,
    wait_s: float = ANSWER_S,
    still_waiting: StillWaiting = _in_silence,
) -> Answer:
    """Return the answer of the daemon of `journal`, and say meanwhile that it takes its time.

    Raises:
        NotRunning: nobody listens; the request went nowhere.
        NoAnswer: it was said, and no answer came in time. The same request may be made again.
    """
    path = _listening(journal)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(wait_s)
        try:
            _connect(connection, str(path), wait_s)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(_nobody_for(journal)) from error
        except PermissionError as error:
            raise NotRunning(f"{path} is not this user's: {error}") from error
        except OSError as error:
            raise NoAnswer(f"the daemon of {journal} takes no call: {error}") from error
        try:
            line = _ask(connection, encode_line(request), monotonic_s() + wait_s, still_waiting)
        except TimeoutError as error:
            why = f"the daemon of {journal} has not answered within {wait_s:g} s"
            raise NoAnswer(why) from error
        except OSError as error:
            raise NoAnswer(f"the daemon of {journal} does not answer: {error}") from error
    if not line:
        raise NoAnswer(f"the daemon of {journal} ended without an answer")
    try:
        return decode_answer(line)
    except BadRequest as error:
        raise NoAnswer(str(error)) from error


def _connect(connection: socket.socket, path: str, wait_s: float) -> None:
    ends = monotonic_s() + wait_s
    while True:
        try:
            connection.connect(path)
        except BlockingIOError:
            # Others stand in line, and the line is full: this socket's way to say so.
            if monotonic_s() > ends:
                raise
            pause(_STEP_S)
        else:
            return


def _ask(
    connection: socket.socket, asked: bytes, ends: float, still_waiting: StillWaiting
) -> bytes:
    # Who is turned away unheard is answered all the same.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(asked)
    line, patience_s = b"", PATIENCE_S
    while not line.endswith(b"\n"):
        connection.settimeout(max(min(ends - monotonic_s(), patience_s), _STEP_S))
        try:
            more = connection.recv(65_536)
        except TimeoutError:
            left_s = ends - monotonic_s()
            if left_s <= 0:
                raise
            still_waiting(left_s)
            patience_s = AGAIN_S
            continue
        if not more:
            break
        line += more
    return line


def _listening(journal: Path) -> Path:
    """Return the socket of `journal`: the first place where one is, or may be for all we see."""
    found = places(journal, os.environ)
    for path in found:
        try:
            if path.exists():
                return path
        except PermissionError:
            return path  # To be told so when it is called.
    return found[0]


def _nobody_for(journal: Path) -> str:
    """Say that nobody listens, and for whom one might: each user has a socket of his own."""
    try:
        owner = journal.stat().st_uid
    except OSError:
        owner = os.geteuid()
    if owner == os.geteuid():
        return f"no daemon runs for {journal}"
    return f"no daemon of this user's runs for {journal}, which is user {owner}'s"
