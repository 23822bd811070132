"""The files of a journal: whether they are there, and whether what was made is still that."""

import re
from importlib import resources
from pathlib import Path

from events.errors import JournalDamaged, JournalForeign, JournalMissing, JournalTailLost
from events.witness import witness_path


def assert_there(journal: Path) -> None:
    """Refuse to read where there is no file, or nothing in it.

    Raises:
        JournalMissing, JournalTailLost, JournalForeign, JournalDamaged: there is nothing to read.
    """
    # Looked for first: a journal that is being made meanwhile is neither missing nor lost.
    left = _left_of(journal)
    if not journal.exists():
        _refuse(journal, left)
        message = f"there is no journal at {journal}"
        raise JournalMissing(message)
    if not journal.is_file():
        message = f"{journal} is not a file"
        raise JournalForeign(message)
    if not journal.stat().st_size:
        message = f"{journal} is empty: not even an SQLite file"
        raise JournalDamaged(message)


def assert_nothing_left(journal: Path) -> None:
    """Refuse to take a journal that is missing for one that never was.

    Raises:
        JournalTailLost: what belongs to a journal is there, and the journal is not.
    """
    _refuse(journal, _left_of(journal))


def _left_of(journal: Path) -> list[str]:
    beside = (journal.with_name(journal.name + "-wal"), witness_path(journal))
    return [path.name for path in beside if path.exists()]


def _refuse(journal: Path, left: list[str]) -> None:
    if left:
        message = f"{journal} is missing, and {left[-1]} of an earlier journal is still there"
        raise JournalTailLost(message, "put the journal back, or move what is left elsewhere")


def schema() -> str:
    """Return what SQLite is told to make when a journal is made."""
    return resources.files("events").joinpath("schema.sql").read_text(encoding="utf-8")


def statements(*texts: str) -> set[str]:
    """Return the statements in `texts`, comments and spacing left out; each starts with CREATE."""
    bare = re.sub(r"--[^\n]*", "", ";\n".join(texts))
    return {" ".join(each.split()).rstrip("; ") for each in re.split(r";\s*(?=CREATE )", bare)}
