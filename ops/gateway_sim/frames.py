"""Frames of the TWS wire: four bytes of length, then fields that each end with a NUL.

A client opens with `API` NUL and one frame that names the versions it speaks; from then on both
sides send frames of fields. TCP cuts where it likes: a frame may come byte by byte, or a hundred
of them in one segment.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

PREAMBLE: Final = b"API\0"
LENGTH_BYTES: Final = 4
FRAME_BYTES_MAX: Final = 0xFFFFFF
"""What the real clients refuse to read; a length beyond it is no length."""

_VERSIONS: Final = re.compile(r"v(\d{1,9})(?:\.\.(\d{1,9}))?(?: (.*))?", flags=re.DOTALL)


class BadFrame(Exception):
    """What came is not of this protocol, and nothing behind it can be found again."""


class Greeting(msgspec.Struct, frozen=True):
    """The versions a client speaks, both inclusive, and the options it asked for."""

    oldest: int
    newest: int
    options: str = ""


class FrameReader:
    """Cuts what TCP delivers into frames. The first one is the greeting, behind its preamble."""

    def __init__(self) -> None:
        """Begin before the preamble."""
        self._buffer = bytearray()
        self._greeted = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what each whole frame holds, in order; keep the rest until more comes.

        Raises:
            BadFrame: the preamble is another protocol's, or a length is absurd.
        """
        self._buffer += data
        while (body := self._next()) is not None:
            yield body

    def _next(self) -> bytes | None:
        start = 0 if self._greeted else len(PREAMBLE)
        known = bytes(self._buffer[:start])
        if known != PREAMBLE[: len(known)]:
            raise BadFrame(f"a client of this API begins with {PREAMBLE!r}, this one {known!r}")
        if len(self._buffer) < start + LENGTH_BYTES:
            return None
        length = int.from_bytes(self._buffer[start : start + LENGTH_BYTES], "big")
        if length > FRAME_BYTES_MAX:
            raise BadFrame(f"a frame of {length} bytes; at most {FRAME_BYTES_MAX} are read")
        end = start + LENGTH_BYTES + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[start + LENGTH_BYTES : end])
        del self._buffer[:end]
        self._greeted = True
        return body


def greeting(body: bytes) -> Greeting:
    """Return what the first frame says, such as `v157..178`.

    Raises:
        BadFrame: it says something else.
    """
    said = _VERSIONS.fullmatch(body.decode("ascii", errors="replace"))
    if said is None:
        raise BadFrame(f"the first frame names versions, such as v157..178; this one: {body!r}")
    oldest, newest, options = said.groups()
    return Greeting(int(oldest), int(newest or oldest), options or "")


def fields(body: bytes) -> tuple[str, ...]:
    """Return the fields of a frame.

    Raises:
        BadFrame: the last field has no end, or there is none.
    """
    if not body.endswith(b"\0"):
        raise BadFrame(f"the last field does not end with NUL: {body[-40:]!r}")
    return tuple(body[:-1].decode("utf-8", errors="backslashreplace").split("\0"))


def frame(values: Iterable[str]) -> bytes:
    """Return `values` as one frame, ready to be sent."""
    body = b"".join(value.encode() + b"\0" for value in values)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body
