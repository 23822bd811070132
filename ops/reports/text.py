"""A report on the terminal."""

from ops.chart import ASCII, BLOCKS, area_chart
from ops.render import can_say, print_fields, print_table, say
from ops.reports.outline import sections_of, subtitle_of, title_of
from ops.reports.shape import Report


def print_report(report: Report) -> None:
    """Print the report as lines, tables and a chart of equity."""
    say(title_of(report), subtitle_of(report))
    for section in sections_of(report):
        say("", section.title.upper(), *section.said)
        if section.fields:
            print_fields(section.fields)
        for table in section.tables:
            say("")
            print_table(table.titles, table.rows, table.numbers)
        if section.name == "result":
            _print_curve(report)


def _print_curve(report: Report) -> None:
    curve = report.money.curve
    values = [float(point.equity_usd) for point in curve]
    if len(set(values)) < 2:  # noqa: PLR2004 - a line through one value is no curve
        return
    ends = (f"{curve[0].at:%Y-%m-%d %H:%M}", f"{curve[-1].at:%Y-%m-%d %H:%M}")
    ink = BLOCKS if can_say(BLOCKS.characters) else ASCII
    say("", "Equity, USD", *area_chart(values, ends, ink))
