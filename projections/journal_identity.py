"""Whose journal this is, under which configuration, and whether a session is under way."""

from typing import assert_never

import msgspec

from events import (
    ConfigLoaded,
    DataMode,
    JournalOpened,
    JournalRestored,
    SessionEnded,
    SessionStarted,
)
from projections.data_modes import data_mode_of

IdentityEvent = JournalOpened | JournalRestored | SessionStarted | SessionEnded | ConfigLoaded


class JournalIdentity(msgspec.Struct):
    """`opened` is event 1, recorded at `opened_at` (ns UTC).

    `ended` is the last session's reason to end, empty while it runs. `epoch` counts restores.
    """

    opened: JournalOpened | None = None
    opened_at: int = 0
    started: SessionStarted | None = None
    config: dict[str, object] = {}
    config_seq: int = 0
    sessions: int = 0
    ended: str = ""
    epoch: int = 1

    @property
    def is_dry_run(self) -> bool:
        """Say whether all is decided and recorded, and nothing sent."""
        return self.config.get("dry_run") is True

    @property
    def data_mode(self) -> DataMode | None:
        """What the newest session decides on and where its orders go, None before the first one."""
        if self.opened is None or self.started is None:
            return None
        return data_mode_of(self.opened, self.started)

    def apply(self, event: IdentityEvent, seq: int, at: int) -> None:
        """Take one event about the journal or the daemon itself."""
        match event:
            case JournalOpened():
                self.opened = event
                self.opened_at = at
                self.epoch = event.epoch
            case JournalRestored():
                self.epoch = event.epoch
            case SessionStarted():
                self.started = event
                self.sessions += 1
                self.ended = ""
            case SessionEnded():
                self.ended = event.reason
            case ConfigLoaded():
                self.config = event.config
                self.config_seq = seq
            case _:
                assert_never(event)
