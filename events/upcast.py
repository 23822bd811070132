"""Old forms of events to new ones, one small function each.

A changed event gets a new tag (`order.filled.v2`) and, here, under its old tag, the function that
turns the fields as stored into the fields as they are now, `type` included. Nothing released has
changed yet, so the table is empty. Replay reads older forms by it; `JournalReader`'s questions by
kind (`find`, `of_kind`, `records_back`) ask for the present tag alone: who enters the first form
here has them ask for its old tag, too.
"""

from collections.abc import Callable
from typing import Any

Fields = dict[str, Any]
Upcast = Callable[[Fields], Fields]

UPCASTS: dict[str, Upcast] = {}
