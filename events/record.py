"""The journal's envelope: an event, and where in the journal it stands."""

import msgspec

from events.codec import JournalEvent


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event with its place in the journal.

    `seq` alone orders the journal; `at` is the wall clock as read, in nanoseconds UTC, and may go
    back. `cause` is the seq of the event that led to this one and `trace` the seq of the root of
    that walk; both are None for a root, such as a bar.
    """

    seq: int
    at: int
    event: JournalEvent
    trace: int | None = None
    cause: int | None = None
