"""What takes long is shown while it goes on, by whoever has something to show it on."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Show = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Begins to show a step, of so much in all, and gives what is to be told how far it has come."""


def in_silence(_what: str, _total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show nothing."""
    return nullcontext(lambda _reached: None)
