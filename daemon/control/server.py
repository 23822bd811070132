"""The control socket: accepts, checks who calls, reads one line, answers, closes.

It lives in threads of its own, so that a busy or hung trading loop cannot keep a caller from being
heard. What a command means is not its business.
"""

import contextlib
import os
import pwd
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from daemon.clock import monotonic_s, pause
from daemon.control.access import let_connect
from daemon.control.address import make_folder
from daemon.control.protocol import (
    LINE_MAX,
    TIMEOUT_S,
    VERSION,
    Answer,
    BadRequest,
    Request,
    decode_request,
    encode_line,
)
from daemon.exit_codes import ExitCode

CONNECTIONS_MAX: Final = 16
"""Callers heard at the same time; another is turned away."""
WAITING_MAX: Final = 128
"""Callers who may stand in line while the machine is too busy to turn them away."""
_CREDENTIALS: Final = struct.Struct("3i")


class Caller(msgspec.Struct, frozen=True):
    """Who is at the other end, as the kernel says."""

    uid: int
    name: str


Take = Callable[[Request, Caller], Answer]


class ControlServer:
    """Serves `path` from construction until `close`; `take` is called in a connection's thread."""

    def __init__(self, path: Path, allowed_uids: frozenset[int], take: Take) -> None:
        """Bind and listen. Whoever holds the journal's lock may replace a socket left behind.

        Raises:
            OSError, UnsafeFolder, OutOfReach: the socket cannot be made there.
        """
        guests = allowed_uids - own_and_root()
        make_folder(path, guests)
        path.unlink(missing_ok=True)
        self.path = path
        self._allowed = allowed_uids
        self._take = take
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The folder keeps others out from the start; the mode says so once more.
        self._listener.bind(str(path))
        path.chmod(0o600)
        if guests:
            let_connect(path, guests)
        self._listener.listen(WAITING_MAX)
        self._inode = path.stat().st_ino
        self._closing = False
        threading.Thread(target=self._accept, name="control socket", daemon=True).start()

    def close(self) -> None:
        """Stop listening; who is being answered still is."""
        self._closing = True
        # Closing alone would not wake the thread that waits for a caller.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                # Out of descriptors, or closed: the first passes, the second ends the loop.
                pause(0.05)
                continue
            if not self._places.acquire(blocking=False):
                self._turn_away(connection)
                continue
            thread = threading.Thread(
                target=self._serve, args=(connection,), name="control caller", daemon=True
            )
            thread.start()

    def _turn_away(self, connection: socket.socket) -> None:
        """Answer without reading: whoever floods the socket costs one line each."""
        with contextlib.suppress(OSError), connection:
            connection.setblocking(False)  # noqa: FBT003 - socket's way
            full = f"{CONNECTIONS_MAX} callers are being answered: try again, or kill --offline"
            connection.send(encode_line(_answer(ExitCode.REFUSED, full)))

    def _serve(self, connection: socket.socket) -> None:
        try:
            # A caller who has gone has no use for an answer.
            with contextlib.suppress(OSError), connection:
                connection.sendall(encode_line(self._answer_to(connection)))
        finally:
            self._places.release()

    def _answer_to(self, connection: socket.socket) -> Answer:
        caller = _caller(connection)
        if caller.uid not in self._allowed:
            return _answer(ExitCode.REFUSED, f"user {caller.name} ({caller.uid}) may not do this")
        try:
            request = decode_request(_line(connection))
        except BadRequest as error:
            return _answer(ExitCode.USAGE, str(error))
        if request.verb != "kill" and _has_gone(connection):
            # Nothing but a kill is carried out for who has given up waiting for it.
            return _answer(ExitCode.REFUSED, "the caller has gone")
        try:
            return self._take(request, caller)
        except BadRequest as error:
            return _answer(ExitCode.USAGE, str(error))
        except Exception as error:  # noqa: BLE001 - a command may fail, the daemon not
            return _answer(ExitCode.FAILURE, f"the command failed: {type(error).__name__}: {error}")


def _line(connection: socket.socket) -> bytes:
    """Return the caller's line, without its end.

    Raises:
        BadRequest: it is too long, too slow, or broken off.
    """
    ends = monotonic_s() + TIMEOUT_S
    found = b""
    while b"\n" not in found:
        left = ends - monotonic_s()
        if left <= 0:
            raise BadRequest(f"no whole line came within {TIMEOUT_S:.0f} s")
        connection.settimeout(left)
        try:
            more = connection.recv(LINE_MAX)
        except TimeoutError:
            continue
        if not more:
            raise BadRequest("the line broke off")
        found += more
        if len(found) > LINE_MAX:
            raise BadRequest(f"the line has more than {LINE_MAX} bytes")
    line, _, rest = found.partition(b"\n")
    if rest:
        raise BadRequest("one command a connection")
    return line


def _has_gone(connection: socket.socket) -> bool:
    connection.setblocking(False)  # noqa: FBT003 - socket's way
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(TIMEOUT_S)


def _caller(connection: socket.socket) -> Caller:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return Caller(uid, name)


def _answer(exit_code: int, line: str) -> Answer:
    return Answer(VERSION, exit_code, (line,))


def own_and_root() -> frozenset[int]:
    """Return who may command when the configuration names nobody else."""
    return frozenset({0, os.geteuid()})
