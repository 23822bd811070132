"""Numbers, times and tables as people read them, and the one form in which machines get them.

Data goes to stdout, everything said about it to stderr. `rich` is loaded on a terminal only: a
pipe gets plain aligned text, and so does a terminal that asks for no colour. Nothing else in `ops`
prints, so that no text of somebody else's reaches a terminal as it is.
"""

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import click
import msgspec

SCHEMA_VERSION = 1
"""The form of what `--json` prints; a field that changes its meaning makes it 2."""
NOTHING = "-"
PRICE_PLACES_MAX = 8
"""Markets quote no finer than that; what is finer is the result of a division."""
TEXT_LONGEST = 400
"""Characters shown of a text that is not ours; `--json` has all of it."""
CELL_LONGEST = 80
"""Characters shown in a table's cell; an order's id has 61 at most."""
LINE_LONGEST = 4_000
"""Characters of a line: many texts, each within its own length, are still one line."""

_CENT = Decimal("0.01")
_AVERAGE_STEP = Decimal("0.0001")
_BASIS_POINT_OF_ONE = Decimal("0.0001")
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def money(amount: Decimal | None) -> str:
    """Return US dollars with cents and thousands: `-1,234.50`."""
    if amount is None or not amount.is_finite():
        return _nameless(amount)
    return f"{amount.quantize(_CENT) + 0:,}"


def price(dollars: Decimal | None) -> str:
    """Return dollars a share as given, with cents at least; an average to the hundredth cent."""
    if dollars is None or not dollars.is_finite():
        return _nameless(dollars)
    places = -int(dollars.normalize().as_tuple().exponent)
    step = _AVERAGE_STEP if places > PRICE_PLACES_MAX else Decimal(1).scaleb(-max(places, 2))
    return f"{dollars.quantize(step):,}"


def quantity(shares: Decimal | None) -> str:
    """Return a number of shares (or coins) without trailing zeros: `1,200`, `0.025`."""
    if shares is None or not shares.is_finite():
        return _nameless(shares)
    return f"{shares.normalize() + 0:,f}"


def percent(share: Decimal | None) -> str:
    """Return a share of one as a percentage: `12.34 %`."""
    if share is None or not share.is_finite():
        return _nameless(share)
    return f"{share.quantize(_BASIS_POINT_OF_ONE) * 100 + 0:,.2f} %"


def multiple(number: Decimal | None) -> str:
    """Return how many times over something is, to a thousandth: `1.404x`."""
    if number is None or not number.is_finite():
        return _nameless(number)
    return f"{number:,.3f}x"


def moment(time: datetime | None) -> str:
    """Return a time as UTC to the second: `2013-02-28 21:00:00`."""
    return NOTHING if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def span(seconds: float) -> str:
    """Return how long something takes in the largest unit that fits: `6.5 h`, `1 min`, `30 s`."""
    for unit_s, name in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if abs(seconds) >= unit_s:
            return f"{round(seconds / unit_s, 1):g} {name}"
    return f"{round(seconds, 1):g} s"


def age(time: datetime, now: datetime) -> str:
    """Return how long before `now` a time was: `6.5 h ago`."""
    if time > now:
        return f"{span((time - now) / timedelta(seconds=1))} ahead"
    return f"{span((now - time) / timedelta(seconds=1))} ago"


def as_of(seq: int, at: datetime, now: datetime) -> str:
    """Return what the figures below are of, and what they are in."""
    if not seq:
        return "the journal is empty"
    when = f"{moment(at)} UTC ({age(at, now)})"
    return f"as of event {seq:,}, {when}; amounts in USD, times in UTC"


def one_line(text: str, longest: int = TEXT_LONGEST) -> str:
    r"""Return `text` as one line of at most `longest` characters that shows all it has in it.

    What would move the cursor, colour, hide, break the line or turn its direction is shown as its
    escape (`\n`, `\x1b`, `\u202e`); what is cut ends in `...`. So a strategy, a broker or a file
    can put words on the operator's screen, and nothing else.
    """
    if len(text) <= longest and text.isprintable():
        return text
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text[: longest + 1]
    )
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."


def say(*lines: str, err: bool = False) -> None:
    """Print each of `lines` as one line, on stdout or (`err`) on stderr."""
    stream = sys.stderr if err else sys.stdout
    # Who read the messages may have gone: that is no reason to stop trading. Data is another thing.
    with suppress(OSError) if err else nullcontext():
        stream.writelines(f"{one_line(line, LINE_LONGEST)}\n" for line in lines)
        stream.flush()


def write_log(line: str) -> None:
    """Write one line of a log on stderr as it is, which its maker has kept to ASCII."""
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def print_text(text: str) -> None:
    """Print a document of many lines, each within no length, as what it is."""
    click.echo(text, nl=False)


def can_say(text: str) -> bool:
    """Return whether stdout has all characters of `text`."""
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def print_json(fields: object) -> None:
    """Print one JSON object: `fields` (a dict or a Struct) behind the version of its form."""
    click.echo(msgspec.json.format(versioned(fields), indent=2))


def print_json_line(fields: object) -> None:
    """Print what `print_json` prints, on one line: one object of many."""
    click.echo(versioned(fields))


def versioned(fields: object) -> bytes:
    """Return `fields` (a dict or a Struct) behind the version of its form, as UTF-8 JSON."""
    found = {"schema_version": SCHEMA_VERSION, **msgspec.to_builtins(fields, str_keys=True)}
    try:
        return msgspec.json.encode(found)
    except UnicodeEncodeError:
        return msgspec.json.encode(_in_unicode(found))


def _in_unicode(value: object) -> object:
    """Return `value` with what no JSON can hold, such as a file name's stray bytes, escaped."""
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case Mapping():
            return {_in_unicode(key): _in_unicode(each) for key, each in value.items()}
        case list() | tuple():
            return [_in_unicode(each) for each in value]
        case _:
            return value


def print_table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str] = ()
) -> None:
    """Print `rows` under `titles`; the columns in `numbers` are aligned to the right."""
    shown = [[one_line(cell, CELL_LONGEST) for cell in row] for row in rows]
    if _in_colour():
        _print_rich_table(titles, shown, numbers)
    else:
        say(*_table_lines(titles, shown, numbers))


def _table_lines(
    titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str]
) -> Iterator[str]:
    """Yield the table as plain text, its columns two spaces apart."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = [
            cell.rjust(width) if title in numbers else cell.ljust(width)
            for title, cell, width in zip(titles, row, widths, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print names and values under each other; the name is left out where it repeats."""
    shown = [(one_line(name, CELL_LONGEST), value) for name, value in fields]
    width = max(len(name) for name, _ in shown)
    before = ""
    for name, value in shown:
        say(f"{'' if name == before else name:<{width}}  {value}".rstrip())
        before = name


class Reached(Protocol):
    """Takes how far something has come, and of how many where that is only known now."""

    def __call__(self, count: int, total: int | None = None) -> None: ...  # noqa: D102 - the class


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Reached]:
    """Show a bar on a terminal, moved by telling how far `what` has come; elsewhere say nothing."""
    if not sys.stderr.isatty():
        yield lambda count, total=None: None  # noqa: ARG005 - as `Reached`
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count, total=None: bar.update(task, completed=count, total=total)


def _nameless(number: Decimal | None) -> str:
    """Return how no number, or one that a strategy got wrong (NaN), reads."""
    return NOTHING if number is None else str(number)


def _in_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _print_rich_table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str]
) -> None:
    from rich import box  # noqa: PLC0415 - only a terminal needs it
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if title in numbers else "left")
    for row in rows:
        # As text, for a reason in brackets is no markup.
        table.add_row(*map(Text, row))
    # As wide as it needs: a narrow terminal wraps it, and an order's id can be copied all the same.
    Console(width=LINE_LONGEST).print(table)


def because(what: str, why: str) -> str:
    """Return `what`, and behind it why, in words that are not ours."""
    return f"{what}: {one_line(why)}" if why else what
