"""The guard of a run that is to end by itself: when its time is over, it ends all the same.

First it is asked to, as by a signal, so that the journal has the reason; where it does not end
then, because it hangs, the process is ended from a thread of its own.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from daemon.exit_codes import ExitCode

GRACE_S: Final = 30.0
"""How long a run that was asked to end may take for that."""


class RunTimeLimit:
    """Runs for `seconds` while it is entered; `is_over` says that they are."""

    def __init__(
        self, seconds: float, told: Callable[[str], None], grace_s: float = GRACE_S
    ) -> None:
        """Tell a person with `told` what is done; `grace_s` is for tests."""
        self.is_over = False
        self._ask: Callable[[str], object] = _not_yet
        self._seconds = seconds
        self._why = f"--max-runtime: {seconds:g} s are over"
        self._told = told
        self._grace_s = grace_s
        self._done = Event()

    def __enter__(self) -> Self:
        """Begin."""
        Thread(target=self._watch, name="run-time limit", daemon=True).start()
        return self

    def ask_with(self, ask: Callable[[str], object]) -> None:
        """Say how the run is asked to end, from any thread; it is at once where it is time."""
        self._ask = ask
        if self.is_over:
            ask(self._why)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End: the run is over."""
        self._done.set()

    def _watch(self) -> None:
        if self._done.wait(self._seconds):
            return
        self.is_over = True
        self._told(f"{self._why}; it is asked to end")
        with suppress(RuntimeError):  # The loop may have ended by itself just now.
            self._ask(self._why)
        if not self._done.wait(self._grace_s):
            self._told(f"it has not ended within {self._grace_s:g} s: the process is ended")
            os._exit(ExitCode.OVERRAN)


def _not_yet(_why: str) -> None:
    """Nothing trades yet; who begins to is asked then."""
