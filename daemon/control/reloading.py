"""A new configuration for a running daemon: read whole first, then what differs, key by key."""

from collections.abc import Iterator, Mapping
from typing import Final

from daemon.config.file import to_event
from daemon.config.options import Config

RELOADED: Final = ("limits.", "promotion.")
"""What may change while the daemon runs; the rest needs a restart, which is safe."""


def changes(old: Config, new: Config) -> dict[str, tuple[str, str]]:
    """Return every key that differs, with its old and its new value as text."""
    before, after = (dict(_leaves(to_event(each).config, "")) for each in (old, new))
    return {
        key: (before.get(key, "not set"), after.get(key, "not set"))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    }


def needs_restart(changed: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the changed keys that a running daemon does not take."""
    return [key for key in changed if not key.startswith(RELOADED)]


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}" if path else str(name))
    else:
        yield path, "not set" if value in (None, {}) else str(value)
