"""The write-ahead log as a file: given its working size before it is written to."""

import os
from pathlib import Path

WAL_BYTES = 8 * 2**20
"""The size of the write-ahead log from the start: growing it doubles a commit (measured)."""


def grow_log(journal: Path) -> None:
    """Fill the write-ahead log of `journal` with zeros up to its working size.

    SQLite ends its log at the first frame that does not carry the log's own salt, so zeros behind
    it are nothing. The log is not the file that carries SQLite's locks, so opening it is safe.
    """
    with journal.with_name(journal.name + "-wal").open("ab") as log:
        missing = WAL_BYTES - log.tell()
        if missing > 0:
            log.write(bytes(missing))
            log.flush()
            os.fsync(log.fileno())
