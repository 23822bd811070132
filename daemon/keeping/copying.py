"""A copy of the journal, row by row: through the writer's own connection, or from outside.

Rows never change, so whatever is appended meanwhile, those up to the head at the beginning are the
journal as it was then. Each page is one short hop to the journal's thread; a commit waits for one
at most. SQLite's own backup would keep that thread to its end: Python gives it no single step.
"""

import asyncio
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

from events.journal import Head, Journal, JournalReader
from events.journal_file import RowFile

PAGE_ROWS: Final = 1_000
"""Rows read at a time: a millisecond or two of the journal's thread."""


def copy_path(journal: Path) -> Path:
    """Return where a copy of `journal` lies: beside it, for a daemon may write nowhere else."""
    return journal.with_name(journal.name + ".copy")


def remove_copy(journal: Path) -> None:
    """Remove the copy of `journal`, and what readers of it have left beside it."""
    copy = copy_path(journal)
    for end in ("-shm", "-wal", ""):
        copy.with_name(copy.name + end).unlink(missing_ok=True)


async def copy_live(journal: Journal, reached: Callable[[int], None]) -> Head:
    """Copy the journal as it stands now to its `copy_path`; return where the copy ends."""
    head, after = journal.head, 0
    file = RowFile(_unfinished(journal.path))
    try:
        while after < head.seq:
            rows = await journal.rows(after, head.seq, PAGE_ROWS)
            await asyncio.to_thread(file.write, rows)
            after = rows[-1][0]
            reached(after)
        await asyncio.to_thread(file.finish)
    except Exception:
        file.give_up()
        raise
    _unfinished(journal.path).replace(copy_path(journal.path))
    return head


def copy_from_outside(journal: Path, reached: Callable[[int], None]) -> Head:
    """Do what `copy_live` does where no daemon can be asked, in as short transactions.

    It takes no lock: a daemon that starts meanwhile is not turned away.

    Raises:
        JournalError: the journal cannot be read, or does not end where its witness says.
    """
    with JournalReader(journal) as reader:
        reader.assert_witnessed()
        head, file = reader.head(), RowFile(_unfinished(journal))
        try:
            rows = reader.file_rows(upto=head.seq)
            while page := list(islice(rows, PAGE_ROWS)):
                file.write(page)
                reached(page[-1][0])
            file.finish()
        except BaseException:
            file.give_up()
            raise
    _unfinished(journal).replace(copy_path(journal))
    return head


def _unfinished(journal: Path) -> Path:
    return journal.with_name(journal.name + ".copy.new")
