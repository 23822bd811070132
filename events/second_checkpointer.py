"""A second program that checkpoints the journal, such as Litestream, and whether SQLite bears one.

Versions 3.7.0 to 3.51.2 can lose committed rows when two connections write and checkpoint at the
same moment ("WAL-reset bug"). The daemon's connection alone, which does both, meets no second one.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from events.errors import JournalShared

LITESTREAM_TABLES: Final = frozenset({"_litestream_seq", "_litestream_lock"})
"""What Litestream puts into the file; nothing of it is the journal's."""
_FIRST, _FIXED = (3, 7, 0), (3, 51, 3)
_BACKPORTS: Final = {(3, 44): 6, (3, 50): 7}


def has_wal_reset_bug(version: str) -> bool:
    """Say whether that version of SQLite can lose rows to two checkpointing connections."""
    major, minor, patch = (int(each) for each in version.split(".")[:3])
    if not _FIRST <= (major, minor, patch) < _FIXED:
        return False
    fixed_from = _BACKPORTS.get((major, minor))
    return fixed_from is None or patch < fixed_from


def checkpointer_of(journal: Path, tables: Collection[str]) -> str:
    """Return what shows that Litestream is at work on `journal`, which has `tables`; "" if none."""
    folder = journal.with_name(f".{journal.name}-litestream")
    if folder.exists():
        return f"its folder {folder}"
    found = sorted(LITESTREAM_TABLES & set(tables))
    return f"its tables {', '.join(found)} in {journal}" if found else ""


def assert_no_second_checkpointer(journal: Path, tables: Collection[str], version: str) -> None:
    """Refuse to write beside Litestream with a version of SQLite that does not bear it.

    Raises:
        JournalShared: both are so.
    """
    found = checkpointer_of(journal, tables)
    if found and has_wal_reset_bug(version):
        raise JournalShared(
            f"Litestream works on this journal ({found}), and with SQLite {version} two programs "
            "that checkpoint one file can lose committed events"
        )
