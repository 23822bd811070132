"""Follows a journal as it grows: the books behind its newest event, and the events as they come.

The journal may not be there yet, may be replaced by a restored or an archived one, and may be
damaged: whoever watches goes on watching, and says so.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from events import Record
from events.errors import JournalError
from events.journal import JournalReader
from ops.books import read_books
from projections import State

PAGE: Final = 2_000
"""So many events are folded at once; then others have their turn."""


class Follower:
    """The books of the journal at `path`. `problem` says why they are not those of now."""

    def __init__(self, path: Path) -> None:
        """Bind; nothing is read before the first look."""
        self.path = path
        self.state = State()
        self.problem = "not looked at yet"
        self.behind = 0
        self._reader: JournalReader | None = None
        self._file: tuple[int, int] | None = None

    def look(self) -> Sequence[Record]:
        """Fold what is new, a page of it at most, and return it; `behind` says how much is left.

        The first look at a journal returns nothing: what is in it then was there before.
        """
        try:
            found = self.path.stat()
            if self._reader is None or self._file != (found.st_dev, found.st_ino):
                self._begin((found.st_dev, found.st_ino))
                return ()
            return self._go_on(self._reader)
        except FileNotFoundError:
            self._give_up(f"{self.path} does not exist")
        except (JournalError, OSError) as error:
            what = error.args[0] if isinstance(error, JournalError) else error
            self._give_up(str(what))
        return ()

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _begin(self, file: tuple[int, int]) -> None:
        """Take the books of a journal that was not seen before."""
        self.close()
        reader = JournalReader(self.path)
        try:
            reader.assert_witnessed()
            self.state = read_books(reader).state
        except BaseException:
            reader.close()
            raise
        self._reader, self._file, self.problem = reader, file, ""

    def _go_on(self, reader: JournalReader) -> Sequence[Record]:
        records = list(islice(reader.records(self.state.seq), PAGE))
        for record in records:
            self.state.apply(record)
        self.behind = reader.head().seq - self.state.seq if len(records) == PAGE else 0
        self.problem = ""
        return records

    def _give_up(self, why: str) -> None:
        """Say why the books are old; the next look begins anew."""
        self.problem = why
        self.close()
