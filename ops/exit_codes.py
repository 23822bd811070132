"""What each exit code means, and which error ends with which. Documented, stable, never reused."""

from typing import Final

from daemon.exit_codes import ExitCode

MEANINGS: Final[dict[ExitCode, str]] = {
    ExitCode.OK: "ok",
    ExitCode.FAILURE: "failure",
    ExitCode.USAGE: "wrong usage",
    ExitCode.FINDINGS: "findings: something differs",
    ExitCode.DAEMON_NOT_RUNNING: "the daemon is not running",
    ExitCode.REFUSED: "refused",
    ExitCode.BROKER_UNREACHABLE: "the broker cannot be reached",
    ExitCode.JOURNAL_DAMAGED: "the journal is damaged",
    ExitCode.OVERRAN: "--max-runtime was over",
    ExitCode.JOURNAL_WRITE_FAILED: "writing the journal failed",
    ExitCode.ALREADY_RUNNING: "another process has the journal",
    ExitCode.BAD_CONFIG: "bad configuration",
}

NEXT: Final[dict[ExitCode, str]] = {
    ExitCode.OK: "Nothing to do.",
    ExitCode.FAILURE: "Read the last lines: what failed and what next stand there.",
    ExitCode.USAGE: "Type it as `--help` of the command says; nothing was done.",
    ExitCode.FINDINGS: "Read what was found: it is listed, and nothing was changed.",
    ExitCode.DAEMON_NOT_RUNNING: "Start it, or use what works without it: `traded kill --offline`.",
    ExitCode.REFUSED: "Read why; nothing was done.",
    ExitCode.BROKER_UNREACHABLE: "See that the gateway runs, is logged in, and listens there.",
    ExitCode.JOURNAL_DAMAGED: "Touch nothing: copy the folder, `traded verify`, then a backup.",
    ExitCode.OVERRAN: "Look why it took so long: `traded status`; a longer --max-runtime, or none.",
    ExitCode.JOURNAL_WRITE_FAILED: "Make room on the disk, or see what ails it; then start again.",
    ExitCode.ALREADY_RUNNING: "One daemon is enough: the message has its process.",
    ExitCode.BAD_CONFIG: "Mend what is listed: `traded check-config` has all of it at once.",
}
"""What to do about each, in a sentence."""

_BY_ERROR: Final = {
    "JournalLocked": ExitCode.ALREADY_RUNNING,
    "JournalWriteFailed": ExitCode.JOURNAL_WRITE_FAILED,
    "BrokerFailed": ExitCode.BROKER_UNREACHABLE,
    "NoAnswer": ExitCode.BROKER_UNREACHABLE,
    "JournalMissing": ExitCode.FAILURE,
    "JournalOfAnotherAccount": ExitCode.BAD_CONFIG,
    "RestoreRefused": ExitCode.REFUSED,
    "NothingToSeal": ExitCode.REFUSED,
    "JournalShared": ExitCode.BAD_CONFIG,
    "JournalOutOfReach": ExitCode.FAILURE,
    "JournalDiskFailed": ExitCode.JOURNAL_WRITE_FAILED,
    "JournalError": ExitCode.JOURNAL_DAMAGED,
    "BadLogFormat": ExitCode.USAGE,
    "BadSecret": ExitCode.BAD_CONFIG,
    "ConfigError": ExitCode.BAD_CONFIG,
    "PortTaken": ExitCode.BAD_CONFIG,
    "LoadError": ExitCode.BAD_CONFIG,
    "BadCorporateActions": ExitCode.BAD_CONFIG,
    "BadBars": ExitCode.FAILURE,
    "BadState": ExitCode.FAILURE,
    "SideFileDamaged": ExitCode.REFUSED,
    "OutOfReach": ExitCode.BAD_CONFIG,
    "UnsafeFolder": ExitCode.REFUSED,
    "OSError": ExitCode.FAILURE,
}
"""By class name, nearest class first, so that naming an error loads no module of the daemon."""


def code_for(error: BaseException) -> ExitCode | None:
    """Return the exit code of an error we expect, None for one that is a bug."""
    for kind in type(error).__mro__:
        if kind.__name__ in _BY_ERROR:
            return _BY_ERROR[kind.__name__]
    return None
