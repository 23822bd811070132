"""The file in which the simulated gateway keeps its account across its own restarts."""

import os
from pathlib import Path

import msgspec

from ops.gateway_sim.ledger import Ledger


class BadState(Exception):
    """The file is not a state of this gateway, or is another account's."""


def encoded(ledger: Ledger) -> bytes:
    """Return `ledger` as it is written down."""
    return msgspec.json.format(msgspec.json.encode(ledger), indent=1)


def decoded(state: bytes) -> Ledger:
    """Return the ledger that was written down.

    Raises:
        BadState: `state` is no ledger.
    """
    try:
        return msgspec.json.decode(state, type=Ledger)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadState(f"this is no state of the simulated gateway: {error}") from error


def load(path: Path) -> Ledger | None:
    """Return the ledger in the file; None when there is no file yet.

    Raises:
        BadState: the file holds something else.
    """
    try:
        return decoded(path.read_bytes())
    except FileNotFoundError:
        return None
    except BadState as error:
        raise BadState(f"{path}: {error}") from error


def save(path: Path, state: bytes) -> None:
    """Put `state` into the file: all of it or, if the machine dies meanwhile, what was there."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(state)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
