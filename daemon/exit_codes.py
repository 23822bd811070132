"""Exit codes, the one table: what a command ends with, and a daemon's answer to one."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a finished command says to a script. An unknown code must be treated as a failure."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    FINDINGS = 3
    DAEMON_NOT_RUNNING = 4
    REFUSED = 5
    BROKER_UNREACHABLE = 6
    JOURNAL_DAMAGED = 7
    OVERRAN = 8
    JOURNAL_WRITE_FAILED = 74
    ALREADY_RUNNING = 75
    BAD_CONFIG = 78
