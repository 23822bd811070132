"""The permit file: no permit, no order. Taking it away needs neither the daemon nor free disk.

It is looked at before every order. Whoever can remove a file can stop the sending, with the daemon
hung or its disk full.
"""

import os
from contextlib import suppress
from pathlib import Path

TEXT = "Remove this file and no order leaves any more, until an operator resumes.\n"


class Permit:
    """The permit of one journal, beside it."""

    def __init__(self, path: Path) -> None:
        """Look at `path` from here on."""
        self.path = path
        self._name = str(path)

    @property
    def granted(self) -> bool:
        """Say whether orders may leave; what cannot be looked at is not granted."""
        try:
            os.stat(self._name)  # noqa: PTH116 - before every order, and Path.stat() costs twice as much
        except OSError:
            return False
        return True

    def grant(self) -> None:
        """Put the permit there, whole or not at all: an empty one would let orders leave as well.

        Raises:
            OSError: it cannot be written, so nothing may be sent.
        """
        aside = self.path.with_name(self.path.name + ".new")
        try:
            aside.write_text(TEXT, encoding="utf-8")
            aside.chmod(0o600)
            aside.replace(self.path)
        except OSError:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise

    def revoke(self) -> None:
        """Take the permit away; it may be gone already."""
        self.path.unlink(missing_ok=True)


def permit_path(journal: Path) -> Path:
    """Return where the permit of `journal` lies."""
    return journal.with_name(journal.name + ".permit")
