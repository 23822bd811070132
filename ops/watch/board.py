"""What all pages show of now, worked out once a second at most however many ask."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar, cast

from daemon.keeping.shelf import newest_at
from ops.moments import now_in
from ops.readiness import Point, points_of
from ops.standing import Status, status_of
from ops.watch.app import Seen
from ops.watch.health import Beside, Health, health_of

FOR_S: Final = 1.0
"""So old a view may be."""
BACKUPS_FOR_S: Final = 30.0
_Of = TypeVar("_Of")


class Board:
    """The views of what is seen. `backups` is the folder of the journal's backups."""

    def __init__(self, seen: Seen, backups: Path, beside: Beside) -> None:
        """Bind to what is `seen`; `beside` is filled by others as well."""
        self.seen, self.beside = seen, beside
        self._backups = backups
        self._kept: dict[str, tuple[float, int, object]] = {}

    def status(self) -> Status:
        """Return what `traded status` shows."""
        return self._view("status", self._status)

    def health(self) -> Health:
        """Return whether somebody has to look."""
        return self._view("health", self._health)

    def ready(self) -> list[Point]:
        """Return the points of `traded ready`."""
        return self._view("ready", self._ready)

    def now(self) -> datetime:
        """Return the time ages in the books count from."""
        return now_in(self.seen.state, datetime.now(UTC))

    def _status(self) -> Status:
        seen = self.seen
        return status_of(seen.state, seen.journal, seen.daemon, self.now())

    def _health(self) -> Health:
        self._view("backups", self._look_for_backups, BACKUPS_FOR_S)
        return health_of(self.seen, self.status(), self.beside, datetime.now(UTC))

    def _ready(self) -> list[Point]:
        seen = self.seen
        if seen.problem:
            return [Point("journal", False, seen.problem, "`traded verify`")]  # noqa: FBT003 - a Point
        return points_of(seen.journal, seen.state, self.now(), seen.daemon)

    def _look_for_backups(self) -> None:
        opened = self.seen.state.identity.opened
        self.beside.backup_at = newest_at(opened.journal_id, self._backups) if opened else None

    def _view(self, name: str, make: Callable[[], _Of], for_s: float = FOR_S) -> _Of:
        """Return the view of that name, made anew where it is too old or of another journal."""
        now, whose = monotonic(), id(self.seen.state)
        kept = self._kept.get(name)
        if kept is not None and kept[0] > now and kept[1] == whose:
            return cast("_Of", kept[2])
        made = make()
        self._kept[name] = (now + for_s, whose, made)
        return made
