"""What is told when systemd gives up on a unit: which, how it ended, and how things stand.

How it ended stands in the environment of what OnFailure= starts: systemd's $MONITOR_* variables.
"""

import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from daemon.config.options import Config
from daemon.config.places import SYSTEM_CONFIG, journal_path
from daemon.exit_codes import ExitCode
from daemon.heartbeat import read_heartbeat
from events import nanoseconds
from events.errors import JournalError
from ops.books import read_books
from ops.daemon_state import Running, daemon_state
from ops.exit_codes import MEANINGS, NEXT
from ops.moments import now_in
from ops.opened import opened
from ops.standing import status_of
from ops.watch.alerts.alert import Alert, Severity
from ops.watch.alerts.conditions import Facts
from ops.watch.alerts.messages import story

CANNOT_WRITE: Final = "-cannot-write"
"""What stands behind the name of a daemon that ended with 74, and that systemd starts again."""
LOOK_MAX_S: Final = 20.0
"""How long the journal may take to be read: its disk may be why the unit has failed."""
_DAEMON: Final = "traded"
_RESULTS: Final = {
    "watchdog": "it hung, and the watchdog ended it",
    "timeout": "it took too long to start or to stop",
    "start-limit-hit": "it failed again and again, and is not started any more",
    "oom-kill": "the machine had no memory left for it",
    "resources": "something it needs could not be had, such as a credential",
    "protocol": "it ended without a word of being ready",
}


class FailedUnit(msgspec.Struct, frozen=True):
    """A unit, and how it ended in systemd's words: a result, an exit code or a signal's name."""

    name: str
    result: str = ""
    status: str = ""

    @property
    def cannot_write(self) -> bool:
        """Whether it is a daemon whose disk takes nothing: that one is tried again."""
        return self.name.endswith(CANNOT_WRITE)

    @property
    def service(self) -> str:
        """The unit as systemd calls it."""
        daemon = self.name.removesuffix(CANNOT_WRITE)
        return f"{daemon}.service" if self.cannot_write else self.name

    @property
    def config_file(self) -> Path:
        """The configuration it runs by."""
        _, _, account = self.service.removesuffix(".service").partition("@")
        return SYSTEM_CONFIG.with_name(f"{account}.toml") if account else SYSTEM_CONFIG

    @property
    def code(self) -> ExitCode | None:
        """What it ended with, None where that was no exit code of ours."""
        if self.cannot_write:
            return ExitCode.JOURNAL_WRITE_FAILED
        try:
            return ExitCode(int(self.status)) if self.result == "exit-code" else None
        except ValueError:
            return None


def failed_unit(name: str, environment: Mapping[str, str]) -> FailedUnit:
    """Return the unit of that name with what systemd says of it."""
    result = environment.get("MONITOR_SERVICE_RESULT", "")
    return FailedUnit(name, result, environment.get("MONITOR_EXIT_STATUS", ""))


def alert_of(unit: FailedUnit, now: datetime) -> Alert:
    """Return what is told of it: whatever ends the trading, or doubts the journal, stops."""
    is_daemon = unit.service.removesuffix(".service").partition("@")[0] == _DAEMON
    stops = is_daemon or unit.code is ExitCode.JOURNAL_DAMAGED
    severity = Severity.STOP if stops else Severity.CRITICAL
    log = f"`journalctl -u {unit.service} -n 50`"
    if unit.cannot_write:
        title = f"{unit.service} cannot write its journal"
        text = "exit code 74; systemd starts it again every minute or so, until it can"
    else:
        title = f"{unit.service} has failed: {_how(unit)}"
        text = f"systemd does not start it again by itself; {log} has its last words"
    then = log if unit.code is None else f"{NEXT[unit.code]} {log}"
    return Alert(f"unit:{unit.name}", severity, title, text, then, nanoseconds(now))


def _how(unit: FailedUnit) -> str:
    if unit.code is not None:
        return f"{MEANINGS[unit.code]} (exit code {unit.code:d})"
    if unit.result in {"signal", "core-dump"}:
        return f"it was ended by signal {unit.status}"
    if unit.result == "exit-code":
        return f"exit code {unit.status}"
    return _RESULTS.get(unit.result, unit.result or "systemd does not say how")


def how_things_stand(path: Path, config: Config | None, now: datetime) -> list[str]:
    """Return what a message says of books, orders and positions, or why it cannot, in lines."""
    if config is None:
        return _unknown(f"{path} cannot be used")
    journal = journal_path(config, path, os.environ)
    found: list[list[str]] = []

    def look() -> None:
        try:
            found.append(list(story(_facts(journal, now))))
        except (JournalError, OSError) as error:
            found.append(_unknown(str(error)))

    # Nobody waits for it at the end of the process.
    looking = threading.Thread(target=look, name="look", daemon=True)
    looking.start()
    looking.join(LOOK_MAX_S)
    return found[0] if found else _unknown(f"the journal is not read within {LOOK_MAX_S:g} s")


def _facts(journal: Path, now: datetime) -> Facts:
    with opened(journal) as reader:
        state = read_books(reader).state
    daemon = daemon_state(journal)
    status = status_of(state, journal, daemon, now_in(state, now))
    is_gone = daemon.running is Running.STOPPED
    beat = read_heartbeat(journal, os.environ)
    return Facts(now, state, status, "", daemon, is_gone, beat, None)


def _unknown(why: str) -> list[str]:
    return [f"Not known: open orders, positions and all else ({why})."]


def is_told(unit: FailedUnit, repeat_s: float, environment: Mapping[str, str]) -> bool:
    """Say whether the same was told lately, of a unit that fails every minute or so."""
    note = _note(unit, environment)
    try:
        told_at = note.stat().st_mtime if note else 0.0
    except OSError:
        return False
    return 0 <= datetime.now(UTC).timestamp() - told_at < repeat_s


def keep_told(unit: FailedUnit, environment: Mapping[str, str]) -> None:
    """Note that it was told now, where the memory is: the disk may be full.

    Raises:
        OSError: it cannot be noted.
    """
    if note := _note(unit, environment):
        note.touch(mode=0o600)


def _note(unit: FailedUnit, environment: Mapping[str, str]) -> Path | None:
    folder = environment.get("RUNTIME_DIRECTORY")
    return Path(folder) / f"{unit.name}.told" if folder and unit.cannot_write else None
