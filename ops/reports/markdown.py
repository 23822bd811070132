"""A report as Markdown, for a mail, a ticket or a wiki."""

import re
from collections.abc import Iterator
from typing import Final

from ops.reports.outline import Table, sections_of, subtitle_of, title_of
from ops.reports.shape import Report

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+!|<>~&-])")


def markdown_of(report: Report) -> str:
    """Return the report as Markdown (with tables, as most readers know them)."""
    return "\n".join(_lines(report)) + "\n"


def escaped(text: str) -> str:
    """Return `text` so that no reader takes anything in it for markup."""
    return _SPECIAL.sub(r"\\\1", text)


def _lines(report: Report) -> Iterator[str]:
    yield f"# {escaped(title_of(report))}"
    yield ""
    yield escaped(subtitle_of(report))
    for section in sections_of(report):
        yield ""
        yield f"## {escaped(section.title)}"
        for sentence in section.said:
            yield ""
            yield escaped(sentence)
        if section.fields:
            yield ""
            yield from _table(Table(("", " "), section.fields, (" ",)))
        for table in section.tables:
            yield ""
            yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    yield _row(table.titles)
    yield _row(["---:" if title in table.numbers else "---" for title in table.titles], raw=True)
    for row in table.rows:
        yield _row(row)


def _row(cells: tuple[str, ...] | list[str], *, raw: bool = False) -> str:
    return f"| {' | '.join(cell if raw else escaped(cell) for cell in cells)} |"
