"""A writer of a journal in a process of its own, and what it has said by the time it is struck."""

import asyncio
import os
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.power.writer import write

TURNS = 4_000
"""More than a writer takes before it is struck."""


class Writer:
    """A child that writes the journal at `path` until it is killed, at the end of the context."""

    def __init__(self, path: Path, seed: int, synchronous: str) -> None:
        """Start it."""
        self._heard = b""
        self._hears, says = os.pipe()
        self._child = os.fork()
        if not self._child:
            # It ends here whatever happens: what the disk does to it is not the parent's to hear.
            with Path(os.devnull).open("w") as nobody:
                os.dup2(nobody.fileno(), 2)
            try:
                asyncio.run(write(path, seed, TURNS, synchronous, says))
            finally:
                os._exit(0)
        os.close(says)

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Kill it."""
        self.kill()
        os.close(self._hears)

    def work(self, seconds: float) -> None:
        """Let it work so long, from its first word on: that the journal is made is not tried."""
        self._heard += os.read(self._hears, 2**16)
        time.sleep(seconds)

    def kill(self) -> None:
        """End it as no process can hinder."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = 0

    @property
    def said(self) -> int:
        """The last event that it has said by now was durable, 0 where it has said nothing."""
        os.set_blocking(self._hears, False)
        while more := self._read():
            self._heard += more
        whole = self._heard[: self._heard.rfind(b"\n") + 1].splitlines()
        return int(whole[-1].split()[1]) if whole else 0

    def _read(self) -> bytes:
        try:
            return os.read(self._hears, 2**16)
        except BlockingIOError:
            return b""
