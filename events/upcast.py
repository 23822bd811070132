"""Old forms of events to new ones, one small function each.

A changed event gets a new tag (`order.filled.v2`) and, here, under its old tag, the tag it got and
the function that turns the fields as stored into the fields as they became. Nothing released has
changed yet, so the table is empty.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Fields = dict[str, Any]


class Upcast(NamedTuple):
    """What an older form became: under which `tag`, and how its fields come to be those."""

    tag: str
    renew: Callable[[Fields], Fields]


UPCASTS: dict[str, Upcast] = {}
