"""Small journals for tests: a short story written to a file, and that file without its guards."""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

from events import JournalOpened, Mode, Record
from events.codec import JournalEvent
from events.journal import Journal, JournalReader
from tests.builders import a_bar, a_deposit, records

OPENED = JournalOpened("4d1a7a0c9f32b6e5", Mode.PAPER, "test")
Raw = tuple[int, int, str, str | None, int | None, int | None, str, bytes]
"""A row as it lies in the file: seq, at, type, key, trace, cause, body, hash."""


@asynccontextmanager
async def writing(path: Path) -> AsyncIterator[Journal]:
    """Open the journal at `path` for writing; it is closed whatever happens."""
    journal = await Journal.open(path)
    try:
        yield journal
    finally:
        await journal.close()


async def write(path: Path, *events: JournalEvent) -> None:
    """Write a journal of `events`, or go on with one; an empty one begins with its name alone."""
    async with writing(path) as journal:
        if not journal.head.seq:
            await journal.append(list(records(OPENED)))
        if events:
            await journal.append(list(records(*events, first=journal.head.seq + 1)))


def a_story(bars: int = 3) -> list[JournalEvent]:
    """Return a deposit and some bars."""
    return [a_deposit(), *(a_bar(str(100 + number)) for number in range(bars))]


def read(path: Path) -> list[Record]:
    with JournalReader(path) as reader:
        return list(reader.records())


def raw_rows(path: Path) -> list[Raw]:
    """Return the rows as they lie in the file; nothing of ours reads them."""
    return ask(path, "SELECT * FROM event ORDER BY seq")


def ask(path: Path, query: str, *values: object) -> list[Any]:
    """Return what SQLite answers, asked without anything of ours."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def changed(path: Path, *statements: str) -> None:
    """Change the file with SQLite's own means, past the triggers that forbid it."""
    with unprotected(path) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def unprotected(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file without its triggers; they are put back, as one would who hides a change."""
    with closing(sqlite3.connect(path)) as connection, connection:
        triggers: Sequence[tuple[str, str]] = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, statement in triggers:
            connection.execute(statement)
