"""An alert: one thing a person should know, before anybody asks whom to tell and how."""

from enum import StrEnum
from typing import Final

import msgspec


class Severity(StrEnum):
    """How much it matters; nothing silences the last two, and `stop` goes to everybody."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    STOP = "stop"


RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}
"""The severities, least first."""
URGENT: Final = frozenset({Severity.CRITICAL, Severity.STOP})
"""What does not wait for the end of the quiet hours."""


class Alert(msgspec.Struct, frozen=True):
    """What happened, as of when (ns UTC), and the one command to run next.

    Alerts of one `cause` are the same thing again. What ends something `clears` the cause of that,
    so that its next beginning is told at once. `title` is a few words for a subject. `avoids` is
    the target that is not told, being what it is about.
    """

    cause: str
    severity: Severity
    title: str
    text: str
    next: str
    at: int
    clears: tuple[str, ...] = ()
    avoids: str = ""

    @property
    def kind(self) -> str:
        """What it is counted under: the cause, without what it is about."""
        return self.cause.partition(":")[0]
