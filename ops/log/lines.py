"""The log of a process that stays: on a terminal as people read it, elsewhere as lines of JSON.

What other libraries log goes the same way. There are no files and no rotation: stderr is for
whoever started the process, such as systemd's journal.
"""

import logging
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Final, Protocol

import click
import structlog

from ops.failures import Failure, failure_of
from ops.log.redaction import Redaction
from ops.render import LINE_LONGEST, one_line, say, write_log

FORMAT: Final = "TRADED_LOG"
"""The variable that says "human" or "json" where the terminal should not decide."""


class Level(IntEnum):
    """How much a line matters, by its priority in systemd's journal."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


_NAMES: Final = {
    Level.ERROR: "error",
    Level.WARNING: "warning",
    Level.NOTICE: "notice",
    Level.INFO: "info",
}


class Log(Protocol):
    """Takes lines. `for_people` says that they are read as they come, so that few are enough."""

    for_people: bool

    def line(self, text: str, level: Level = Level.INFO, **fields: object) -> None:
        """Say `text`; `fields` are what a machine should find it by."""
        ...

    def fail(self, failure: Failure) -> None:
        """Say what has ended the process."""
        ...


class BadLogFormat(Exception):
    """The variable asks for a form there is not."""


class HumanLog:
    """Lines as people read them: the text alone."""

    for_people = True

    def __init__(self, redaction: Redaction) -> None:
        """Redact what is said."""
        self._redaction = redaction

    def line(self, text: str, level: Level = Level.INFO, **fields: object) -> None:  # noqa: ARG002 - as `Log`
        """Say `text` on stderr."""
        say(self._redaction.text(text), err=True)

    def fail(self, failure: Failure) -> None:
        """Say all there is to say, a line each."""
        say(*map(self._redaction.text, failure.lines), err=True)


class JsonLog:
    """A line of JSON each, behind its priority where systemd's journal reads it."""

    for_people = False

    def __init__(self, redaction: Redaction, *, priorities: bool) -> None:
        """Redact what is said."""
        self._redaction = redaction
        self._priorities = priorities
        self._logger = structlog.wrap_logger(
            self,
            wrapper_class=structlog.BoundLogger,
            processors=[
                structlog.processors.TimeStamper(fmt="iso", key="time"),
                self._redacted,
                structlog.processors.JSONRenderer(ensure_ascii=True),
            ],
        )
        self._level = Level.INFO

    def line(self, text: str, level: Level = Level.INFO, **fields: object) -> None:
        """Write `text` as `event`, its level and the `fields` that have a value."""
        self._level = level
        given = {name: value for name, value in fields.items() if value not in (None, "", [])}
        self._logger.msg(one_line(text, LINE_LONGEST), level=_NAMES[level], **given)

    def fail(self, failure: Failure) -> None:
        """Write one line with everything, the exit code included."""
        first, *more = failure.lines
        self.line(first, Level.ERROR, more=more, exit_code=int(failure.code))

    def msg(self, line: str) -> None:
        """Write what structlog has made; nobody stops trading because nobody reads."""
        write_log(f"<{self._level:d}>{line}" if self._priorities else line)

    def _redacted(
        self, _logger: object, _method: str, fields: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        redacted = self._redaction.value(fields)
        assert isinstance(redacted, dict), "a mapping stays one"
        return redacted


class _Elsewhere(logging.Handler):
    """Takes what other libraries log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a traceback goes into it."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {record.exc_info[1]!r}"
        level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING
        self._log.line(text, level, logger=record.name)


def open_log(environment: Mapping[str, str], redaction: Redaction) -> Log:
    """Return the log of this process, and take over what libraries log from now on.

    Raises:
        BadLogFormat: the variable asks for a form there is not.
    """
    asked = environment.get(FORMAT, "") or ("human" if sys.stderr.isatty() else "json")
    if asked not in {"human", "json"}:
        raise BadLogFormat(f"{FORMAT}: {asked!r} is neither 'human' nor 'json'")
    log: Log
    if asked == "human":
        log = HumanLog(redaction)
    else:
        log = JsonLog(redaction, priorities=_is_read_by_systemd(environment))
    root = logging.getLogger()
    root.handlers = [_Elsewhere(log)]
    return log


@contextmanager
def told_by(log: Log) -> Iterator[None]:
    """Let an error that ends the process be said by `log`, with the exit code of that error."""
    try:
        yield
    except click.ClickException:
        raise
    except Exception as error:  # noqa: BLE001 - also a bug is logged as the rest is
        failure = failure_of(error)
        log.fail(failure)
        sys.exit(failure.code)


def _is_read_by_systemd(environment: Mapping[str, str]) -> bool:
    """Say whether stderr is the very stream that systemd says it has connected to its journal."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(sys.stderr.fileno())
    except OSError:
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))
