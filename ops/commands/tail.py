"""`traded tail`: what happened, one line an event."""

import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from events import Record, nanoseconds, utc_from_nanoseconds
from events.codec import TAGS, JournalEvent
from events.journal import JournalReader
from ops.moments import SEQ_MAX, now_of, parse_time
from ops.opened import opened
from ops.options import count_option, journal_option, json_option
from ops.render import moment, one_line, print_json_line, say
from ops.sentences import order_id_of, sentence
from ops.symbols_told import Symbols

POLL_MS = 200
"""How often `-f` looks for more."""
_KINDS = {tag: kind for kind, tag in TAGS.items()}
_TAG_WIDTH = max(map(len, _KINDS))


class Filter(msgspec.Struct, frozen=True):
    """Which events to show; None means any. `trace` is the seq of a root."""

    kind: type[JournalEvent] | None
    symbol: str | None
    trace: int | None
    after: int


@click.command()
@journal_option
@count_option("How many events.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--type", "tag", metavar="T", help="Only events of this type, such as order.filled.")
@click.option("--symbol", metavar="S", help="Only events about this symbol and its orders.")
@click.option(
    "--trace", type=click.IntRange(1), metavar="SEQ", help="Only the event's walk, root to last."
)
@click.option("--since", metavar="T", help="Only from then on: an ISO time, or an age like 2h.")
@json_option
def command(  # noqa: PLR0913 - one parameter an option
    *,
    journal: Path,
    count: int,
    follow: bool,
    tag: str | None,
    symbol: str | None,
    trace: int | None,
    since: str | None,
    as_json: bool,
) -> None:
    """Show the last N events that pass all filters, oldest first.

    It reads the journal of a running or a dead daemon and never stands in its way.

    Example: traded tail -f --type order.filled
    """
    with opened(journal) as reader:
        root = None if trace is None else _root(reader, trace)
        after = 0 if since is None else _last_before(reader, since)
        kind = None if tag is None else _kind(tag)
        wanted = Filter(kind, symbol, root, after if root is None else max(after, root - 1))
        symbols = Symbols(reader)
        head = reader.head().seq
        newest = list(_newest(reader, wanted, symbols, count, head))
        try:
            for record in reversed(newest):
                _print(record, symbols, as_json=as_json)
            if not newest and count and not follow:
                say("no event passes all filters", err=True)
            if follow:
                _follow(reader, head, wanted, symbols, as_json=as_json)
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:
            # Whoever read this has seen enough. Python would flush into the broken pipe at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _kind(tag: str) -> type[JournalEvent]:
    if tag not in _KINDS:
        known = "\n  ".join(sorted(_KINDS))
        raise click.UsageError(f"--type {tag!r}: there is no such event. The types are\n  {known}")
    return _KINDS[tag]


def _root(reader: JournalReader, seq: int) -> int:
    """Return the root of the walk that the event at `seq` belongs to."""
    found = reader.record(seq) if seq <= SEQ_MAX else None
    if found is None:
        raise click.UsageError(f"--trace {seq}: the journal ends at {reader.head().seq}")
    return found.trace or seq


def _last_before(reader: JournalReader, since: str) -> int:
    """Return the seq of the last event before the time `since` means."""
    return reader.seq_at(nanoseconds(parse_time(since, now_of(reader), "--since")) - 1)


def _newest(
    reader: JournalReader, wanted: Filter, symbols: Symbols, count: int, upto: int
) -> Iterator[Record]:
    """Yield the newest `count` records that are wanted, newest first."""
    left, kinds = count, [wanted.kind] if wanted.kind else []
    for record in reader.records_back(upto, after=wanted.after, kinds=kinds):
        if left == 0:
            return
        if _passes(record, wanted, symbols):
            left -= 1
            yield record


def _follow(
    reader: JournalReader, after: int, wanted: Filter, symbols: Symbols, *, as_json: bool
) -> None:
    """Print wanted records after `after` as they come, until nobody reads any more."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)

    def wait() -> bool:
        # Nothing but an error is asked for: the reading end is closed. Else this is the pause.
        return not output.poll(POLL_MS)

    for record in reader.follow(after, wait):
        if _passes(record, wanted, symbols):
            _print(record, symbols, as_json=as_json)


def _passes(record: Record, wanted: Filter, symbols: Symbols) -> bool:
    return (
        (wanted.kind is None or type(record.event) is wanted.kind)
        and (wanted.trace is None or wanted.trace in {record.seq, record.trace})
        and (wanted.symbol is None or symbols.of(record.event) == wanted.symbol)
    )


def _print(record: Record, symbols: Symbols, *, as_json: bool) -> None:
    if as_json:
        print_json_line(as_fields(record))
        return
    event = record.event
    time = moment(utc_from_nanoseconds(record.at))
    tag = TAGS[type(event)]
    symbol, order_id = one_line(symbols.of(event) or ""), one_line(order_id_of(event) or "")
    line = f"{record.seq:>6}  {time}  {tag:<{_TAG_WIDTH}}  {symbol:<6}  {sentence(event)}"
    say(f"{line}  {order_id}".rstrip())


def as_fields(record: Record) -> dict[str, object]:
    """Return one record in the form machines get it in."""
    return {
        "seq": record.seq,
        "at": utc_from_nanoseconds(record.at),
        "type": TAGS[type(record.event)],
        "trace": record.trace,
        "cause": record.cause,
        "event": record.event,
    }
