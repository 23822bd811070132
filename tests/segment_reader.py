"""What anybody needs to read a segment who has nothing but gzip and JSON."""

import json
from collections.abc import Iterator
from typing import Any


def events_of(line: str | bytes) -> Iterator[tuple[Any, ...]]:
    """Yield seq, at, key, trace, cause and body of the events in one line of a segment."""
    part = json.loads(line)
    columns = part["body"] | {name: part[name] for name in ("at", "key", "trace", "cause")}
    count = len(part["seq"])

    def values(column: Any) -> list[Any]:  # noqa: ANN401 - a column, whatever is in it
        if isinstance(column, list):
            return column * (count if len(column) == 1 else 1)
        if column["column"] == "aligned":
            return [list(places) for places in zip(*map(values, column["each"]), strict=True)]
        of = columns[column["like"]]["of"] if "like" in column else column["of"]
        return [of[place] for place in column["is"]]

    rows = {name: values(column) for name, column in columns.items()}
    for n, seq in enumerate(part["seq"]):
        body = {"type": part["type"]} | {name: rows[name][n] for name in part["body"]}
        yield (seq, *(rows[name][n] for name in ("at", "key", "trace", "cause")), body)
