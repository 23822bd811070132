"""A report as one HTML file: no script, nothing loaded, dark and light, on paper and a telephone.

Every text goes through `escape`; the policy in its head forbids a reader to run or load anything,
whatever got past that.
"""

from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources
from typing import Final

from ops.render import moment, money, percent
from ops.reports import svg
from ops.reports.outline import Section, Table, sections_of, subtitle_of, title_of
from ops.reports.shape import Report

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)

FIGURES: Final = 2
"""A table with so many columns of figures is one to compare them in."""


def html_of(report: Report) -> str:
    """Return the report as a page of its own."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    title, subtitle = escape(title_of(report)), escape(subtitle_of(report))
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>{title}</title>"
    style = resources.files("ops.reports").joinpath("report.css").read_text(encoding="utf-8")
    yield f"<style>\n{style}</style></head><body>"
    yield f"<header><h1>{title}</h1><p>{subtitle}</p></header><main>"
    for section in sections_of(report):
        yield from _section(section, report)
    made = f"Made {moment(report.made_at)} UTC from {escape(report.journal)}"
    yield f"</main><footer><p>{made}; amounts in USD, times in UTC.</p></footer></body></html>"


def _section(section: Section, report: Report) -> Iterator[str]:
    warns = ' class="warns"' if section.warns else ""
    yield f'<section id="{section.name}"{warns}><h2>{escape(section.title)}</h2>'
    for sentence in section.said:
        yield f"<p>{escape(sentence)}</p>"
    if section.fields:
        yield "<dl>"
        for name, value in section.fields:
            yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        yield "</dl>"
    if section.name == "result":
        yield from _curves(report)
        yield from _results(report)
    if section.name == "decisions":
        yield from _funnel(report)
    for table in section.tables:
        yield from _table(table)
    yield "</section>"


def _table(table: Table) -> Iterator[str]:
    # On a telephone texts stand under each other, and figures beside each other are pushed along.
    kind_of = "scroll" if len(table.numbers) >= FIGURES else "stack"
    yield f'<div class="{kind_of}" tabindex="0"><table><thead><tr>'
    kinds = [' class="number"' if title in table.numbers else "" for title in table.titles]
    for title, kind in zip(table.titles, kinds, strict=True):
        yield f'<th scope="col"{kind}>{escape(title)}</th>'
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = zip(row, kinds, table.titles, strict=True)
        yield f"<tr>{''.join(_cell(*each) for each in cells)}</tr>"
    yield "</tbody></table></div>"


def _cell(text: str, kind: str, title: str) -> str:
    return f'<td{kind} data-title="{escape(title)}">{escape(text)}</td>'


def _curves(report: Report) -> Iterator[str]:
    """Yield equity, and under it how far it was below its highest."""
    points = report.money.curve
    equity = [float(point.equity_usd) for point in points]
    if not svg.is_worth_it(equity):
        return
    low, high = min(equity), max(equity)
    ends = (moment(points[0].at), moment(points[-1].at))
    labels = [f"{value:,.0f}" for value in (high, (high + low) / 2, low)]
    picture = svg.curve(equity, "Equity over the period", low=low, high=high, base=low)
    yield from _plot("Equity, USD, event by event", picture, labels, ends, "equity")
    below = [-float(point.drawdown) for point in points]
    worst = min(below)
    if worst:
        labels = ["0 %", percent(-report.money.drawdown_worst)]
        picture = svg.curve(below, "Drawdown over the period", low=worst, high=0.0, base=0.0)
        yield from _plot("Below the period's highest", picture, labels, ends, "drawdown")


def _plot(
    title: str, picture: str, labels: Sequence[str], ends: tuple[str, str], kind: str
) -> Iterator[str]:
    """Yield a picture with its values at the left and both ends of its time below."""
    axis = "".join(f"<span>{escape(label)}</span>" for label in labels)
    yield f'<figure class="{kind}"><figcaption>{escape(title)}</figcaption>'
    yield f'<div class="plot"><div class="axis">{axis}</div><div class="box">{picture}</div></div>'
    yield f'<div class="ends"><span>{escape(ends[0])}</span><span>{escape(ends[1])}</span></div>'
    yield "</figure>"


def _results(report: Report) -> Iterator[str]:
    days = [(str(each.day), each.result_usd) for each in report.money.by_day]
    symbols = [(each.name or "none of them", each.result_usd) for each in report.money.by_symbol]
    for title, found in (("Result by session, USD", days), ("Result by symbol, USD", symbols)):
        if len(found) > 1:
            rows = [(name, float(amount), money(amount)) for name, amount in found]
            yield from _bars(title, rows)


def _funnel(report: Report) -> Iterator[str]:
    """Yield how many intents came how far."""
    found = report.trading
    if not found.intents:
        return
    steps = (
        ("intents", found.intents),
        ("approved", found.approved),
        ("sent", found.sent),
        ("acknowledged", found.acknowledged),
        ("filled", found.filled),
    )
    rows = [(name, float(count), f"{count:,}") for name, count in steps]
    yield from _bars("From intent to fill, orders", rows)


def _bars(title: str, rows: Sequence[tuple[str, float, str]]) -> Iterator[str]:
    values = [value for _, value, _ in rows]
    low, high = min(*values, 0.0), max(*values, 0.0)
    yield f'<figure class="bars"><figcaption>{escape(title)}</figcaption><div class="rows">'
    for name, value, shown in rows:
        yield f'<span class="name">{escape(name)}</span>{svg.bar(value, low, high)}'
        yield f'<span class="number">{escape(shown)}</span>'
    yield "</div></figure>"
