"""Old forms of events to new ones, one small function each.

A changed event gets a new tag (`order.filled.v2`) and, here, under its old tag, the function that
turns the fields as stored into the fields as they are now, `type` included. Nothing released has
changed yet, so the table is empty.
"""

from collections.abc import Callable
from typing import Any

Fields = dict[str, Any]
Upcast = Callable[[Fields], Fields]

UPCASTS: dict[str, Upcast] = {}
