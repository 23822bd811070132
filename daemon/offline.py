"""Stopping without the daemon's help: takes the permit, then the journal, by force where it must.

It never waits for anybody who does not answer. The permit goes first: from there no order leaves,
whatever else can still be done.
"""

import asyncio
import os
import pwd
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from daemon.clock import SystemClock, monotonic_s, pause
from daemon.control.client import NoAnswer, NotRunning, call
from daemon.control.protocol import VERSION, Request
from daemon.core import Core
from daemon.permit import Permit, permit_path
from daemon.recovery import Recovery
from daemon.side_file import Offline, write_aside
from daemon.snapshots import SnapshotFolder
from events import CancelSending, OperatorCancelAsked, OperatorKilled, Record
from events.errors import JournalError, JournalWriteFailed
from events.journal import Journal, JournalReader
from events.lock import holder, lock_path

LOCK_S: Final = 1.0
"""How long the lock is tried for, before and after its holder is killed."""
_STEP_S: Final = 0.05


def stop_offline(journal: Path, verb: str, why: str) -> Iterator[str]:
    """Carry out `verb`, kill or cancel-all, and say each step as it is done.

    Raises:
        OSError: neither the permit could be taken nor the command kept anywhere.
    """
    if verb == "kill":
        Permit(permit_path(journal)).revoke()
        yield "the permit is gone: no order leaves any more"
    pid = _holder_after(journal, LOCK_S)
    if pid is not None:
        answered = _ask(journal, verb, why)
        if answered:
            yield from answered
            return
        yield _end(pid, journal)
        pid = _holder_after(journal, LOCK_S)
    command = command_of_user(verb, why)
    if pid is None:
        try:
            records = asyncio.run(_record(journal, command))
        except (JournalError, JournalWriteFailed, OSError) as error:
            yield f"the journal cannot be written: {error}"
        else:
            asked = sum(isinstance(record.event, CancelSending) for record in records)
            yield f"recorded at {records[0].seq}; {asked} cancels leave at the next start"
            return
    write_aside(journal, command)
    yield "kept in the side file; the next start adopts it before anything else"


def command_of_user(verb: str, why: str) -> Offline:
    """Return the command as the user of this process gives it."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    command_id = f"offline-{secrets.token_hex(8)}"
    if verb == "kill":
        return OperatorKilled(command_id, name, uid, why)
    return OperatorCancelAsked(command_id, name, uid, why)


def _holder_after(journal: Path, wait_s: float) -> int | None:
    """Return who holds the journal's lock after at most `wait_s`; None when it is free."""
    ends = monotonic_s() + wait_s
    while (pid := holder(lock_path(journal))) is not None and monotonic_s() < ends:
        pause(_STEP_S)
    return pid


def _ask(journal: Path, verb: str, why: str) -> tuple[str, ...]:
    """Return what the daemon answers at once; nothing where it does not."""
    request = Request(VERSION, verb, f"offline-{secrets.token_hex(8)}", why)
    try:
        answer = call(journal, request, wait_s=LOCK_S)
    except (NotRunning, NoAnswer):
        return ()
    # Without the number of its record it has not got as far as the journal.
    return answer.lines if answer.seq else ()


def _end(pid: int, journal: Path) -> str:
    """Kill the holder, if it is really the process that has the lock file open."""
    if not pid or not _has_open(pid, lock_path(journal)):
        return f"process {pid or '?'} is said to hold the journal and cannot be made sure of"
    os.kill(pid, signal.SIGKILL)
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


async def _record(journal: Path, command: Offline) -> list[Record]:
    """Put the command, and what it leads to, into the journal that nobody holds."""
    opened = await Journal.open(journal)
    try:
        with JournalReader(journal) as reader:
            recovered = Recovery(reader, SnapshotFolder(journal)).recover()
        core = Core(recovered.state, recovered.runs, recovered.settings)
        core.step(command, SystemClock().now())
        records = core.recorder.records
        await opened.append(records)
    finally:
        await opened.close()
    return records
