"""How much room is left where the journal lies, and how much there should be."""

import shutil
from pathlib import Path
from typing import Final

WARN_MB: Final = 1_000
"""With less than that free the next months do not fit."""
HALT_MB: Final = 250
"""With less than that free nothing new is begun: there is still room to write down how it ends."""
BYTES_A_MB: Final = 1_000_000


def free_bytes(journal: Path) -> int:
    """Return the bytes free for `journal` on its file system; 0 where nobody can tell."""
    try:
        return shutil.disk_usage(journal.parent).free
    except OSError:
        return 0
