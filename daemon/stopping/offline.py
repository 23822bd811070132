"""Stopping without the daemon's help: takes the permit, then the journal, by force where it must.

It never waits for anybody who does not answer. The permit goes first: from there no order leaves,
whatever else can still be done.
"""

import os
import pwd
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from daemon.clock import monotonic_s, pause
from daemon.control.client import NoAnswer, NotRunning, call
from daemon.control.protocol import VERSION, Request
from daemon.stopping.permit import Permit, permit_path
from daemon.stopping.reason import kept_reason
from daemon.stopping.side_file import Offline, write_aside
from events import CancelSending, OperatorCancelAsked, OperatorKilled
from events.errors import JournalError, JournalMissing
from events.lock import holder, lock_path

LOCK_S: Final = 1.0
"""How long the lock's holder has to answer or let go, and the lock to be free of a dead one."""
_STEP_S: Final = 0.05


def stop_offline(journal: Path, verb: str, why: str) -> Iterator[str]:
    """Carry out `verb`, kill or cancel-all, and say each step as it is done.

    Raises:
        JournalMissing: there is no such journal, so nothing that trades has been stopped.
        OSError: neither the permit could be taken nor the command kept anywhere.
    """
    if verb == "kill":
        yield take_permit(journal)
    if not journal.exists():
        message = f"{journal} does not exist: no daemon that writes it was found"
        raise JournalMissing(message, "give the journal of the daemon that is to stop")
    ends, pid = monotonic_s() + LOCK_S, holder(lock_path(journal))
    if pid is not None:
        answered = _ask(journal, verb, why)
        if answered:
            yield from answered
            return
        pid = _holder_until(journal, ends)
    if pid is not None:
        yield _end(pid, journal)
        pid = _holder_until(journal, monotonic_s() + LOCK_S)
    command = command_of_user(verb, why)
    if pid is None:
        # What takes long to load is loaded when nothing leaves any more.
        from daemon.stopping.offline_record import record  # noqa: PLC0415 - see above

        try:
            records = record(journal, command)
        except Exception as error:  # noqa: BLE001 - whatever it is, the command must not be lost
            found = error.args[0] if isinstance(error, JournalError) else error
            yield f"the journal cannot be written: {found}"
        else:
            asked = sum(isinstance(record.event, CancelSending) for record in records)
            yield f"recorded at {records[0].seq}; {asked} cancels leave at the next start"
            return
    write_aside(journal, command)
    yield "kept in the side file; the next start adopts it before anything else"


def take_permit(journal: Path) -> str:
    """Take the permit of `journal` away, and say what came of it."""
    permit = Permit(permit_path(journal))
    was_there = permit.granted
    try:
        permit.revoke()
    except OSError as error:
        return f"the permit cannot be taken away: {error}"
    if was_there:
        return "the permit is gone: no order leaves any more"
    return f"there was no permit any more: {permit.path}"


def command_of_user(verb: str, why: str) -> Offline:
    """Return the command as the user of this process gives it."""
    uid, name = os.getuid(), user_name()
    command_id, why = f"offline-{secrets.token_hex(8)}", kept_reason(why)
    if verb == "kill":
        return OperatorKilled(command_id, name, uid, why)
    return OperatorCancelAsked(command_id, name, uid, why)


def user_name() -> str:
    """Return what the user of this process is called, by number where by no name."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _holder_until(journal: Path, ends: float) -> int | None:
    """Return who holds the journal's lock, None as soon as it is free, and no later than `ends`."""
    while (pid := holder(lock_path(journal))) is not None and monotonic_s() < ends:
        pause(_STEP_S)
    return pid


def _ask(journal: Path, verb: str, why: str) -> tuple[str, ...]:
    """Return what the daemon answers; nothing where its trading loop is not there at once."""
    command_id = f"offline-{secrets.token_hex(8)}"
    try:
        if call(journal, Request(VERSION, "ping", command_id), wait_s=LOCK_S).exit_code:
            return ()
        answer = call(journal, Request(VERSION, verb, command_id, kept_reason(why)))
    except (NotRunning, NoAnswer):
        return ()
    # Without the number of its record it has not got as far as the journal.
    return answer.lines if answer.seq else ()


def _end(pid: int, journal: Path) -> str:
    """Kill the holder, if it is really the process that has the lock file open."""
    if not pid or not _has_open(pid, lock_path(journal)):
        return f"process {pid or '?'} is said to hold the journal and cannot be made sure of"
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        return f"process {pid} holds the journal, does not answer and is not this user's to kill"
    except ProcessLookupError:
        return f"process {pid} held the journal and has ended meanwhile"
    return f"process {pid} held the journal and did not answer: killed"


def _has_open(pid: int, path: Path) -> bool:
    try:
        wanted = path.stat()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found = link.stat()
            except OSError:
                continue  # Closed meanwhile.
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    except OSError:
        return False
    return False
