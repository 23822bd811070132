"""What a power cut left of a journal: judged by its rows, and by whether ours would start on it."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum, auto
from pathlib import Path

from events.errors import JournalError
from events.journal import JournalReader


class Left(StrEnum):
    """What is left of a journal that said that so many events are durable."""

    WHOLE = auto()
    """All of them, as they were."""
    LOST = auto()
    """Some are gone."""
    UNREADABLE = auto()
    """SQLite itself cannot read it, or a row is not the one that was written."""


@dataclass
class Tally:
    """What so many cuts left, and how many harmful ones our own reader did not notice."""

    left: Counter[Left] = field(default_factory=Counter)
    events_said: int = 0
    most_lost: int = 0
    unnoticed: int = 0

    @property
    def cuts(self) -> int:
        return self.left.total()

    @property
    def harmed(self) -> int:
        return self.cuts - self.left[Left.WHOLE]

    def gone(self, said: int) -> None:
        """Count a cut that left no journal at all: nobody would go on with that unnoticed."""
        self.left[Left.UNREADABLE] += 1
        self.events_said += said

    def judge(self, journal: Path, said: int, written: dict[int, bytes]) -> None:
        """Judge what is left at `journal`: `said` events were durable, of those ever `written`."""
        rows = _rows(journal)
        if rows is None or any(written.get(seq) != row_hash for seq, row_hash in rows):
            left = Left.UNREADABLE
        else:
            left = Left.WHOLE if len(rows) >= said else Left.LOST
            self.most_lost = max(self.most_lost, said - len(rows))
        self.left[left] += 1
        self.events_said += said
        if left is not Left.WHOLE and _is_believed(journal):
            self.unnoticed += 1

    def __str__(self) -> str:
        """Return the tally as one line."""
        parts = [f"{self.cuts} times, {self.events_said} events said to be durable"]
        parts += [f"{count} {left}" for left, count in sorted(self.left.items())]
        if self.harmed:
            parts.append(f"at most {self.most_lost} events lost, {self.unnoticed} unnoticed")
        return ", ".join(parts)


def written_in(journal: Path) -> dict[int, bytes]:
    """Return the hash of every event in `journal`, read with SQLite alone."""
    rows = _rows(journal)
    assert rows is not None, f"{journal} cannot be read"
    return dict(rows)


def _rows(journal: Path) -> list[tuple[int, bytes]] | None:
    try:
        with closing(sqlite3.connect(journal)) as connection:
            return connection.execute("SELECT seq, hash FROM event ORDER BY seq").fetchall()
    except sqlite3.DatabaseError:
        return None


def _is_believed(journal: Path) -> bool:
    """Say whether ours would go on with it: what a start reads, and the whole chain."""
    try:
        with JournalReader(journal) as reader:
            return not reader.check()
    except JournalError:
        return False
