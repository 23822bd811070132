"""Hashes of source code: what made a snapshot, and which code a strategy ran."""

from functools import cache
from hashlib import sha256
from importlib import resources


@cache
def fold_code_hash() -> str:
    """Return the hash of all source in `events/` and `projections/`: what folds the journal."""
    digest = sha256()
    for package in ("events", "projections"):
        files = [file for file in resources.files(package).iterdir() if file.name.endswith(".py")]
        for file in sorted(files, key=lambda file: file.name):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
