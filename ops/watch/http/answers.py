"""How everything is answered: JSON, with what it is as of, and no markup whatever is in it."""

from datetime import datetime
from typing import Final

import msgspec
from aiohttp import web

from events import utc_from_nanoseconds
from ops.render import versioned
from ops.watch.app import Seen

JSON: Final = "application/json"
_ESCAPES: Final = {
    b"<": b"\\u003c",
    b">": b"\\u003e",
    b"&": b"\\u0026",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}
"""In JSON they stand in texts alone, and their escapes mean the same."""


class AsOf(msgspec.Struct, frozen=True):
    """The last event behind what is shown."""

    seq: int
    at: datetime


def encoded(fields: object) -> bytes:
    """Return `fields` as `--json` has them, in bytes no browser takes for anything but data."""
    text = versioned(fields)
    for mark, escape in _ESCAPES.items():
        if mark in text:
            text = text.replace(mark, escape)
    return text


def answered(seen: Seen, fields: object, status: int = 200) -> web.Response:
    """Answer with `fields` (a dict or a Struct) behind what they are as of, and why not of now."""
    found: dict[str, object] = msgspec.to_builtins(fields, str_keys=True)
    return plainly({**as_of(seen), **found}, status)


def plainly(fields: object, status: int = 200) -> web.Response:
    """Answer with `fields` and nothing else."""
    return web.Response(status=status, body=encoded(fields), content_type=JSON)


def refused(why: str, status: int) -> web.Response:
    """Answer that something is not to be had, and why: in words of ours alone."""
    return plainly({"error": why}, status)


def as_of(seen: Seen) -> dict[str, object]:
    """Return what every answer begins with."""
    state = seen.state
    at = AsOf(state.seq, utc_from_nanoseconds(state.at))
    return {"as_of": msgspec.to_builtins(at), "problem": seen.problem}
