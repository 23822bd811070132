"""What has to be read in the journal's file: in a thread, two at once, each kept for a moment."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar, cast

from events.errors import JournalError
from events.journal import JournalReader

AT_ONCE: Final = 2
WAIT_S: Final = 20.0
FOR_S: Final = 2.0
KEPT_MAX: Final = 32
_Of = TypeVar("_Of")


class Unread(Exception):
    """The journal could not be read, or not in time."""


class Readings:
    """Reads the journal at `path` for whoever asks; the same question is read once in a moment."""

    def __init__(self, path: Path) -> None:
        """Bind to the journal."""
        self._path = path
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._kept: dict[object, tuple[float, object]] = {}

    async def read(self, question: object, ask: Callable[[JournalReader], _Of]) -> _Of:
        """Return what `ask` finds; `question` names it.

        Raises:
            Unread: the journal cannot be read, or too many wait for it.
        """
        try:
            async with asyncio.timeout(WAIT_S), self._turns:
                kept = self._kept.get(question)
                if kept is not None and kept[0] > monotonic():
                    return cast("_Of", kept[1])
                found = await asyncio.to_thread(self._read, ask)
        except TimeoutError:
            raise Unread("reading the journal takes too long; try again") from None
        except (JournalError, OSError):
            raise Unread("the journal cannot be read: see `traded verify`") from None
        while len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[question] = (monotonic() + FOR_S, found)
        return found

    def _read(self, ask: Callable[[JournalReader], _Of]) -> _Of:
        with JournalReader(self._path) as reader:
            return ask(reader)
