"""Hashes of source code: what made a snapshot, and which code a session decided by."""

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib import metadata, resources
from importlib.resources.abc import Traversable


@cache
def fold_code_hash() -> str:
    """Return the hash of all source in `events/` and `projections/`: what folds the journal."""
    return _hash_of("events", "projections")


@cache
def code_version() -> str:
    """Return the version and, behind a plus, what tells any two forms of the code apart.

    It covers all that decides, so that decisions of other code are known as that.
    """
    return f"{metadata.version('traded')}+{_hash_of('events', 'projections', 'daemon')[:12]}"


def _hash_of(*packages: str) -> str:
    digest = sha256()
    for package in packages:
        for name, file in sorted(_sources(resources.files(package), package)):
            digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    for each in folder.iterdir():
        path = f"{name}/{each.name}"
        if each.is_dir():
            yield from _sources(each, path)
        elif each.name.endswith(".py"):
            yield path, each
