"""Follows a journal as it grows: the books behind its newest event, and the events as they come.

The journal may not be there yet, may be replaced by a restored or an archived one, and may be
damaged: whoever watches goes on watching, and says so. What is folded is proved first, row by row.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from daemon.history.snapshots import SnapshotFolder
from events import Record
from events.errors import JournalError, JournalMissing
from events.journal import Head, JournalReader
from projections import State

PAGE: Final = 200
"""So many events are folded at once; then others have their turn."""
PAUSE_MAX: Final = 40
"""So many looks are left out at most behind one that failed: trying again may read a lot."""


class Follower:
    """The books of the journal at `path`. `problem` says why they are not those of now.

    `behind` counts the events that are there and not folded yet.
    """

    def __init__(self, path: Path) -> None:
        """Bind; nothing is read before the first look."""
        self.path = path
        self.state = State()
        self.problem = "not looked at yet"
        self.behind = 0
        self._reader: JournalReader | None = None
        self._file: tuple[int, int] | None = None
        self._head = Head()
        self._coming: State | None = State()
        self._unread: Iterator[Record] | None = None
        self._pause = self._failed = 0

    def look(self) -> Sequence[Record]:
        """Fold what is new, a page of it at most, and return it.

        What a journal had in it when it was first seen is folded and not returned: it was there
        before. `state` is then another one, and only once all of it is folded.
        """
        if self._pause:
            self._pause -= 1
            return ()
        try:
            return self._go_on(self._opened())
        except (JournalError, OSError) as error:
            self._give_up(error)
        return ()

    def close(self) -> None:
        """Let go of the file."""
        self._unread = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _opened(self) -> JournalReader:
        """Return a reader of the file that is there now; another file may be the same journal."""
        found = self.path.stat() if self.path.exists() else None
        file = None if found is None else (found.st_dev, found.st_ino)
        if self._reader is None or file != self._file:
            self.close()
            self._reader, self._file = JournalReader(self.path), file
        return self._reader

    def _go_on(self, reader: JournalReader) -> Sequence[Record]:
        reader.assert_witnessed()
        if reader.hash_at(self._head.seq) != self._head.hash or not self._head.seq:
            self._begin(reader)
        end = reader.head()
        state = self.state if self._coming is None else self._coming
        records: list[Record] = []
        damage: JournalError | None = None
        # Kept from page to page: a sealed block is proved whole before its first event.
        self._unread = self._unread or reader.verified_records(self._head)
        try:
            for record in islice(self._unread, PAGE):
                state.apply(record)
                records.append(record)
        except JournalError as error:
            damage = error
        if len(records) < PAGE:
            self._unread = None
        if records:
            self._head = Head(state.seq, reader.hash_at(state.seq) or b"")
        return self._taken(records, end.seq, damage)

    def _taken(
        self, records: Sequence[Record], end: int, damage: JournalError | None
    ) -> Sequence[Record]:
        """Say how far the books are behind the `end`, and return what is new to whoever listens."""
        was_there = self._coming is not None
        self.behind, self.problem = max(end - self._head.seq, 0), ""
        if self._coming is not None:
            if self.behind and damage is None:
                self.problem = f"reading the journal: event {self._head.seq:,} of {end:,}"
            else:
                self.state, self._coming = self._coming, None
        if damage is None:
            self._failed = 0
        else:
            self._give_up(damage)
        return () if was_there else records

    def _begin(self, reader: JournalReader) -> None:
        """Take up a history that was not seen before, from its newest snapshot on."""
        snapshot = SnapshotFolder(self.path).newest(reader)
        self._coming = snapshot.state if snapshot else State()
        seq = self._coming.seq
        self._head = Head(seq, reader.hash_at(seq) or b"")

    def _give_up(self, error: JournalError | OSError) -> None:
        """Say why the books are old; later looks try again."""
        self.problem = str(error.args[0] if isinstance(error, JournalError) else error)
        self.behind = 0
        self.close()
        if not isinstance(error, JournalMissing):
            self._failed += 1
            self._pause = min(2**self._failed, PAUSE_MAX)
