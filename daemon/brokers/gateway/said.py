"""What the gateway has said already: lists and new connections say it again, many times."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

REMEMBERED: Final = 20_000
"""Orders and executions of which the last word is remembered: those of days."""
_DIGEST_BYTES: Final = 16


class Said:
    """Remembers the last message of each kind about each order, a few hundred bytes of memory each.

    Only its digest is kept: an order as it is listed has some hundred and fifty fields.
    """

    def __init__(self) -> None:
        """Remember nothing."""
        self._last: dict[bytes, bytes] = {}

    def is_news(self, kind: int, name: str, fields: Sequence[str]) -> bool:
        """Say whether the last message of `kind` about `name` was another one; remember this one.

        `name` is what it is about, for ever.
        """
        about, said = _digest((str(kind), name)), _digest(fields)
        last = self._last
        if last.get(about) == said:
            return False
        if about not in last and len(last) >= REMEMBERED:
            del last[next(iter(last))]
        last[about] = said
        return True


def _digest(fields: Sequence[str]) -> bytes:
    # No field has a NUL in it: it is what ends one on the wire.
    return blake2b("\0".join(fields).encode(), digest_size=_DIGEST_BYTES).digest()
