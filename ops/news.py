"""What an operator must know of a running daemon, as it happens, in a line each: `traded run`.

The connection, what is held and what differs; all else is in the journal, for `traded tail -f`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from events import (
    BarClosed,
    BrokerDisconnected,
    HoldLifted,
    HoldPlaced,
    Record,
    StrategyFailed,
    utc_from_nanoseconds,
)
from events.codec import TAGS, JournalEvent
from ops.matters import NEWS, NEXT_OF_FAILURE, next_of_hold
from ops.render import moment, one_line
from ops.sentences import hold_text, sentence, symbol_of
from projections.broker import DISCONNECTED

ALIKE_MAX: Final = 5
"""So many events of one type are told of one commit; the rest is counted."""


class News:
    """Picks the lines out of what is recorded. It remembers what is held, and that bars came."""

    def __init__(self, holds: Iterable[HoldPlaced] = ()) -> None:
        """Begin where `holds` are in force."""
        self._held = {hold.hold_id: hold for hold in holds}
        self._past_bars = 0
        self._bars_came = False

    def at_start(self) -> Iterator[str]:
        """Say what is held from before."""
        for hold in self._held.values():
            yield f"still held: {hold_text(hold)}"
            yield from next_of_hold(hold)

    def of(self, records: Sequence[Record]) -> Iterator[str]:
        """Say what is new in `records`."""
        counts: Counter[type[JournalEvent]] = Counter()
        # The hold for a lost connection says why itself.
        is_held = any(_is_for_connection(record.event) for record in records)
        for record in records:
            event = record.event
            if not self._bars_came and isinstance(event, BarClosed):
                yield from self._first_bars(event)
            if not isinstance(event, NEWS) or (is_held and isinstance(event, BrokerDisconnected)):
                continue
            counts[type(event)] += 1
            if counts[type(event)] <= ALIKE_MAX:
                yield from _lines(record)
            yield from self._note(event)
        for kind, count in counts.items():
            if count > ALIKE_MAX:
                yield f"and {count - ALIKE_MAX} more like it ({TAGS[kind]}): `traded tail`"

    def _first_bars(self, bar: BarClosed) -> Iterator[str]:
        if bar.past:
            self._past_bars += 1
            return
        self._bars_came = True
        before = f", {self._past_bars} out of history before it" if self._past_bars else ""
        yield f"bars come: the first is of {one_line(bar.symbol)}, {moment(bar.end)}{before}"

    def _note(self, event: JournalEvent) -> Iterator[str]:
        """Keep count of what is held, and say when nothing is any more."""
        if isinstance(event, HoldPlaced):
            self._held[event.hold_id] = event
        elif isinstance(event, HoldLifted):
            lifted = self._held.pop(event.hold_id, None)
            if lifted is not None and not self._held:
                yield "nothing is held any more: strategies may trade"


def _lines(record: Record) -> Iterator[str]:
    event = record.event
    symbol = symbol_of(event)
    about = f"{one_line(symbol)}: " if symbol and not isinstance(event, HoldPlaced) else ""
    yield f"{moment(utc_from_nanoseconds(record.at))}  {about}{sentence(event)}"
    if isinstance(event, HoldPlaced):
        yield from next_of_hold(event)
    elif isinstance(event, StrategyFailed):
        yield f"  next: {NEXT_OF_FAILURE}"


def _is_for_connection(event: JournalEvent) -> bool:
    return isinstance(event, HoldPlaced) and event.cause == DISCONNECTED
