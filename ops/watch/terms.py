"""How old a sign of life, a decision and a backup may be before somebody has to know."""

from datetime import datetime, timedelta
from typing import Final

from daemon.config.options import OUTSIDE
from events import Mode

HEARTBEAT_MAX: Final = timedelta(seconds=15)
"""A trading loop that has said nothing for so long hangs, or its process is gone."""
DECISION_MAX: Final = timedelta(seconds=60)
"""So far behind the newest bar the newest decision may lie."""
BACKUP_MAX: Final = timedelta(hours=26)
"""Backups are made nightly."""


def is_backup_late(mode: Mode | None, backup_at: datetime | None, now: datetime) -> bool:
    """Say whether a journal of `mode` should have a newer backup than that of `backup_at`.

    One that can be made again, of no broker outside, needs none.
    """
    return mode in OUTSIDE and (backup_at is None or now - backup_at > BACKUP_MAX)
