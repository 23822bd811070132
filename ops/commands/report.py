"""`traded report`: what a day, a week or a session came to."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ops.options import journal_option, json_option
from ops.render import print_json, print_text, say
from ops.reports.html import html_of
from ops.reports.markdown import markdown_of
from ops.reports.reading import Choose, read_report
from ops.reports.text import print_report

Command = Callable[..., Any]


def _forms(verb: Command) -> Command:
    """Add what every report takes: the journal, and the form it is printed or written in."""
    file = click.Path(dir_okay=False, path_type=Path)
    text = "Write it as one HTML file with plots, that needs nothing else."
    verb = click.option("--html", "html_file", type=file, metavar="F", help=text)(verb)
    text = "Print it as Markdown."
    verb = click.option("--markdown", "as_markdown", is_flag=True, help=text)(verb)
    return json_option(journal_option(verb))


@click.group()
def command() -> None:
    r"""Report what was won and lost, traded, refused, held and missed, and what is not known.

    Days are those of the exchange in New York, by which the daily loss counts too: from one close
    to the next. A report only reads, also while the daemon runs.

    \b
    Example: traded report daily
             traded report weekly --week 2013-W09 --html week.html
    """


@command.command()
@click.argument("day", metavar="[DATE]", required=False)
@_forms
def daily(
    *, day: str | None, journal: Path, html_file: Path | None, as_markdown: bool, as_json: bool
) -> None:
    """Report one day, from the close before to its own; the last one that has begun without DATE.

    Example: traded report daily 2013-02-28
    """
    _show(
        journal,
        lambda book: book.day(day, only_session=False),
        html_file,
        as_markdown=as_markdown,
        as_json=as_json,
    )


@command.command()
@click.option("--week", metavar="N", help="An ISO week: 9 (the newest such), or 2013-W09.")
@_forms
def weekly(
    *, week: str | None, journal: Path, html_file: Path | None, as_markdown: bool, as_json: bool
) -> None:
    """Report one ISO week, from the last close before its Monday to its own last one.

    Example: traded report weekly --week 9
    """
    _show(
        journal, lambda book: book.week(week), html_file, as_markdown=as_markdown, as_json=as_json
    )


@command.command()
@click.argument("day", metavar="[DATE]", required=False)
@_forms
def session(
    *, day: str | None, journal: Path, html_file: Path | None, as_markdown: bool, as_json: bool
) -> None:
    """Report one session alone, from its open to its close; the one under way, or the last one.

    What happened overnight before it is in `traded report daily`.

    Example: traded report session --markdown
    """
    _show(
        journal,
        lambda book: book.day(day, only_session=True),
        html_file,
        as_markdown=as_markdown,
        as_json=as_json,
    )


def _show(
    journal: Path, choose: Choose, html_file: Path | None, *, as_markdown: bool, as_json: bool
) -> None:
    if as_json and as_markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    report = read_report(journal, choose)
    if html_file is not None:
        _write(html_file, html_of(report))
    if as_json:
        print_json(report)
    elif as_markdown:
        print_text(markdown_of(report))
    elif html_file is None:
        print_report(report)


def _write(file: Path, text: str) -> None:
    """Write `file` whole or not at all, readable for its owner alone: it shows the account."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        unfinished.touch(mode=0o600)
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise click.UsageError(f"{file}: {error.strerror}") from error
    say(f"written: {file}", err=True)
