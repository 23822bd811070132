"""The one connection that writes a journal: a turn is one hop to its thread, and one commit."""

import sqlite3
from itertools import chain as flatten
from typing import Any

from events.codec import decode, tags_of
from events.session import JournalContinued, JournalOpened, JournalRestored
from events.witness import Witness, WitnessFile

_ONE = "(?, ?, ?, nullif(?, ''), nullif(?, 0), nullif(?, 0), ?, ?)"
INSERT = f"INSERT INTO event VALUES {_ONE}"  # noqa: S608 - constants
_INSERTS = {
    rows: f"INSERT INTO event VALUES {', '.join([_ONE] * rows)}"  # noqa: S608 - constants
    for rows in (1 << power for power in range(10, 0, -1))
}
"""Many rows a statement, half as many for what is left, and so on: at the end of each the thread
waits until the interpreter lock is its own again, which may take as long as a hundred rows."""
ALWAYS_ROWS = 32
"""Larger statements are made for who writes as many rows turn after turn: they cost 2 kB a row for
as long as the connection lasts, which a live daemon would pay for one turn of a day."""
_BEGINS_EPOCH = JournalOpened | JournalContinued | JournalRestored


class TurnConnection(sqlite3.Connection):
    """A connection whose `executemany` is a whole turn: one hop to its thread, one commit."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - sqlite3's own
        witness: WitnessFile,
        **kwargs: Any,  # noqa: ANN401 - sqlite3's own
    ) -> None:
        """Connect as SQLite does; `witness` is written behind each turn."""
        super().__init__(*args, **kwargs)
        self._witness = witness
        self._identity: tuple[str, int] | None = None
        self._rows_before = 0

    def executemany(self, sql: str, rows: Any, /) -> sqlite3.Cursor:  # noqa: ANN401 - sqlite3's own
        """Insert `rows` in one transaction, then write the witness."""
        cursor = self.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        start, largest = 0, max(self._rows_before, ALWAYS_ROWS)
        self._rows_before = len(rows)
        for count, insert in _INSERTS.items():
            while count <= largest and len(rows) - start >= count:
                part = rows[start : start + count]
                cursor.execute(insert, list(flatten.from_iterable(part)))
                start += count
        cursor.executemany(sql, rows[start:])
        cursor.execute("COMMIT")
        journal_id, epoch = self._identity or self._read_identity()
        self._witness.write(Witness(journal_id, epoch, rows[-1][0], rows[-1][7].hex()))
        return cursor

    def close(self) -> None:
        """Close the witness with the connection, whose failed turn is undone now and not later."""
        self._witness.close()
        self.rollback()
        super().close()

    def _read_identity(self) -> tuple[str, int]:
        (body,) = self.execute("SELECT body FROM event ORDER BY seq LIMIT 1").fetchone()
        opened = decode(body)
        assert isinstance(opened, JournalOpened | JournalContinued), "it names the journal"
        tags = tags_of(JournalRestored)
        where = f"type IN ({', '.join('?' * len(tags))}) AND key IS NOT NULL"
        query = f"SELECT body FROM event WHERE {where} ORDER BY seq DESC LIMIT 1"  # noqa: S608 - constants
        found = self.execute(query, tags).fetchone()
        restored = decode(found[0]) if found else opened
        assert isinstance(restored, _BEGINS_EPOCH), "found by its tag"
        self._identity = (opened.journal_id, restored.epoch)
        return self._identity
