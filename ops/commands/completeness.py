"""`traded completeness`: which bars of a session are there, and which never came."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path

import click

from daemon.exit_codes import ExitCode
from ops.chart import ASCII_MARKS, MARKS, strip
from ops.completeness import fields_of, read_bars, set_up
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.render import NOTHING, can_say, print_json, print_table, say, span
from projections.completeness import Certificate
from projections.stretches import Stretch

_GAPS_SHOWN = 5
_NUMBERS = ("bars", "possible", "expected", "missing", "off session")


@click.command()
@click.argument("day", metavar="[DATE]", required=False)
@journal_option
@click.option("--all", "every_day", is_flag=True, help="Every session; shows the incomplete ones.")
@click.option("--symbol", metavar="S", help="Only this symbol.")
@click.option(
    "--every",
    "every_s",
    type=click.IntRange(1, 86_400),
    metavar="SECONDS",
    help="Expect a bar that often, whatever symbols.*.bar_every_s says; 60: every minute.",
)
@json_option
def command(  # noqa: PLR0913 - one parameter an option
    *,
    day: str | None,
    journal: Path,
    every_day: bool,
    symbol: str | None,
    every_s: int | None,
    as_json: bool,
) -> None:
    """Show what was expected of a session and what came; exit 3 if anything is missing.

    DATE is the session's day in New York (UTC for 24/7), such as 2024-07-03; without one it is the
    last session the journal has a part of. Expected is one bar in each stretch of the regular
    session: how long a stretch is, the symbol's bar_every_s says. Only what lies between the
    journal's first start and its last event is expected, outages of the daemon included.

    Example: traded completeness 2024-07-03 --every 60
    """
    if day is not None and every_day:
        raise click.UsageError("DATE and --all exclude each other")
    with opened(journal) as reader:
        book = set_up(reader)
        days = book.days()
        if not days:
            raise click.UsageError("the journal covers no session of its symbols")
        if symbol is not None and symbol not in book.terms:
            raise click.UsageError(f"--symbol {symbol}: the journal has {', '.join(book.terms)}")
        wanted = days if every_day else [_day(day, days)]
        read_bars(reader, book, wanted)
    found = [
        each
        for each in book.certificates(wanted, every_s)
        if symbol is None or each.symbol == symbol
    ]
    if as_json:
        print_json(fields_of(found))
    else:
        _print(found, only_incomplete=every_day)
    if not all(each.complete for each in found):
        raise SystemExit(ExitCode.FINDINGS)


def _day(text: str | None, days: Sequence[date]) -> date:
    """Return the session `text` means, the last one without."""
    if text is None:
        return days[-1]
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no date: write 2024-07-03") from None
    if day not in days:
        covered = f"{days[0]} to {days[-1]}"
        raise click.UsageError(f"{day}: no session; the journal covers those from {covered}")
    return day


def _print(found: Sequence[Certificate], *, only_incomplete: bool) -> None:
    for day, of_day in groupby(found, key=lambda each: each.day):
        lines = [each for each in of_day if not (only_incomplete and each.complete)]
        if lines:
            longest = max(lines, key=lambda each: each.closes - each.opens)
            hours = f"{longest.opens:%H:%M} to {longest.closes:%H:%M} UTC"
            say(f"{day}, {hours}")
            _print_day(lines)
            say("")
    missing = sum(1 for each in found if not each.complete)
    sessions = len({each.day for each in found})
    of = f"{_counted(len(found), 'certificate')} of {_counted(sessions, 'session')}"
    say(f"{of}: {f'{missing} incomplete' if missing else 'all complete'}")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _print_day(lines: Sequence[Certificate]) -> None:
    mark = span(min(each.cell_s for each in lines))
    titles = ("symbol", *_NUMBERS, "first", "last", f"bars of those possible, {mark} a mark")
    rows = [
        (
            each.symbol,
            f"{each.bars:,}",
            f"{each.possible:,}",
            f"{each.expected:,}",
            f"{len(each.missing):,}",
            f"{each.off_session:,}",
            f"{each.first:%H:%M}" if each.first else NOTHING,
            f"{each.last:%H:%M}" if each.last else NOTHING,
            strip(each.shares, MARKS if can_say(MARKS) else ASCII_MARKS),
        )
        for each in lines
    ]
    print_table(titles, rows, _NUMBERS)
    for each in lines:
        gaps = list(_gaps(each.missing))
        if gaps:
            shown = ", ".join(f"{gap.start:%H:%M} to {gap.end:%H:%M}" for gap in gaps[:_GAPS_SHOWN])
            more = f" and {len(gaps) - _GAPS_SHOWN} more gaps" if len(gaps) > _GAPS_SHOWN else ""
            say(f"{each.symbol}: no bar {shown}{more}")


def _gaps(missing: Sequence[Stretch]) -> Iterator[Stretch]:
    """Yield the missing stretches, those that touch each other as one."""
    gap: Stretch | None = None
    for stretch in missing:
        if gap is not None and gap.end == stretch.start:
            gap = Stretch(gap.start, stretch.end)
            continue
        if gap is not None:
            yield gap
        gap = stretch
    if gap is not None:
        yield gap
