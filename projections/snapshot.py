"""Snapshots of all books as bytes: a saving of time, never trusted over the journal.

A snapshot says which journal and row it belongs to, which code folded it, and its own hash. Any of
them not matching makes it unusable, which costs a longer replay and nothing else.
"""

from hashlib import sha256

import msgspec

from projections.state import State

FORM = 1


class SnapshotUnusable(Exception):
    """The snapshot cannot stand in for the journal; the text says why."""


class SnapshotOutdated(SnapshotUnusable):
    """It is whole, and other code made it: an upgrade leaves such."""


class StrategyPart(msgspec.Struct, frozen=True):
    """One strategy's memory, and the hash of the code that made it."""

    code_hash: str
    fields: msgspec.Raw


class Snapshot(msgspec.Struct, frozen=True):
    """The books as they were after row `seq`, whose hash is `row_hash` (hex)."""

    journal_id: str
    seq: int
    row_hash: str
    fold_code: str
    state: State
    strategies: dict[str, StrategyPart] = {}


class _Header(msgspec.Struct, frozen=True):
    form: int
    fold_code: str
    sha256: str


def encode(snapshot: Snapshot) -> bytes:
    """Return the snapshot as a header line and a body, both JSON."""
    body = msgspec.json.encode(snapshot)
    header = _Header(FORM, snapshot.fold_code, sha256(body).hexdigest())
    return msgspec.json.encode(header) + b"\n" + body


def decode(content: bytes, fold_code: str) -> Snapshot:
    """Return the snapshot `content` holds, made by the code whose hash is `fold_code`.

    Raises:
        SnapshotUnusable: it is damaged, or made by other code.
    """
    first, _, body = content.partition(b"\n")
    try:
        header = msgspec.json.decode(first, type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"its header cannot be read ({error})"
        raise SnapshotUnusable(message) from error
    if header.form != FORM or header.fold_code != fold_code:
        message = "other code made it"
        raise SnapshotOutdated(message)
    if sha256(body).hexdigest() != header.sha256:
        message = "its content does not have the hash it should have"
        raise SnapshotUnusable(message)
    try:
        return msgspec.json.decode(body, type=Snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # Whole, and still no books: who wrote it had in them what JSON does not give back.
        message = f"its content cannot be read ({error})"
        raise SnapshotUnusable(message) from error
