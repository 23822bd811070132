"""Records as lines of a story: when, what, in words, and the event itself for machines."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from events import Record, Symbol, utc_from_nanoseconds
from events.codec import TAGS, JournalEvent
from events.journal import JournalReader
from ops.render import moment, one_line
from ops.sentences import sentence, symbol_of


class Line(msgspec.Struct, frozen=True):
    """One record of a story. `depth` says how many steps of cause and effect lie above it."""

    seq: int
    at: datetime
    type: str
    symbol: Symbol | None
    text: str
    event: JournalEvent
    depth: int = 0


def line_of(record: Record, depth: int = 0) -> Line:
    """Return `record` as a line."""
    event = record.event
    at, tag = utc_from_nanoseconds(record.at), TAGS[type(event)]
    return Line(record.seq, at, tag, symbol_of(event), sentence(event), event, depth)


def printed(line: Line) -> str:
    """Return the line as a person reads it."""
    about = f" {one_line(line.symbol)}" if line.symbol else ""
    return f"{'  ' * line.depth}{line.seq:>6}  {moment(line.at)}  {line.type}{about}: {line.text}"


def causes_of(reader: JournalReader, record: Record) -> list[Record]:
    """Return what led to `record`, the root first and the direct cause last."""
    causes: list[Record] = []
    cause = record.cause
    while cause is not None and (found := reader.record(cause)) is not None:
        causes.append(found)
        cause = found.cause
    return causes[::-1]


def followers_of(walk: Sequence[Record], record: Record) -> list[Line]:
    """Return what followed from `record` in its `walk`, each as deep as its chain of causes."""
    depths = {record.seq: 0}
    lines = []
    for each in walk:
        if each.cause in depths:
            depths[each.seq] = depths[each.cause] + 1
            lines.append(line_of(each, depths[each.seq]))
    return lines
