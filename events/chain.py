"""The hash chain: each row's hash covers the row and the hash before it."""

from hashlib import sha256
from typing import Final

GENESIS: Final = bytes(32)
"""What stands before the first row."""

Row = tuple[int, int, str, str | None, int | None, int | None, str, bytes]
"""seq, at, type, key, trace, cause, body, hash: a row of the journal as stored."""


def row_hash(  # noqa: PLR0913, PLR0917 - the columns of a row, in the row's order
    previous: bytes,
    seq: int,
    at: int,
    key: str | None,
    trace: int | None,
    cause: int | None,
    body: bytes,
) -> bytes:
    """Return the hash of a row after `previous`.

    The tag is covered as part of the body. A key comes with its length, and a body starts with a
    brace, so that no two rows read as the same text.
    """
    if key is None:
        row = b"%b%d|%d|%d|%d|%b" % (previous, seq, at, trace or 0, cause or 0, body)
    else:
        name = key.encode()
        row = b"%b%d|%d|%d|%d|%d|%b|%b" % (
            previous, seq, at, trace or 0, cause or 0, len(name), name, body
        )  # fmt: skip
    return sha256(row).digest()
