"""A report as sections of sentences, fields and tables: what all its forms for people show.

Texts that are not ours stand in it as `one_line` shows them; each form escapes in its own way what
it has to.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from ops.order_sentences import measure
from ops.render import (
    NOTHING,
    because,
    moment,
    money,
    one_line,
    percent,
    price,
    quantity,
    span,
)
from ops.reports.period import days_text
from ops.reports.shape import Line, Report

ROWS_SHOWN: Final = 20
_STEP: Final = 4
_CENT: Final = Decimal("0.01")


class Table(msgspec.Struct, frozen=True):
    """A table: its columns' titles, which of them are numbers, and its rows."""

    titles: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: Collection[str] = ()


class Section(msgspec.Struct, frozen=True):
    """A heading, what is said under it, names with values, and tables; `name` is for machines.

    `warns` says that a person should look at it.
    """

    name: str
    title: str
    said: list[str] = []
    fields: list[tuple[str, str]] = []
    tables: list[Table] = []
    warns: bool = False


def title_of(report: Report) -> str:
    """Return the report's title."""
    return f"Report of {report.period.name}"


def subtitle_of(report: Report) -> str:
    """Return what the report is about, in a line."""
    period = report.period
    days = f"{days_text(period.days)} at {one_line(period.exchange)}"
    end = f"{moment(period.ends)} UTC"
    until = end if period.over else f"{end}, so far to {moment(period.covered_to)}"
    return f"{days}; {moment(period.begins)} to {until}"


def sections_of(report: Report) -> Iterator[Section]:
    """Yield the report's sections; one that has nothing to say says so in a sentence."""
    yield _readiness(report)
    yield _about(report)
    yield _result(report)
    yield _shadow(report)
    yield _fills(report)
    yield _decisions(report)
    yield _limits(report)
    yield _latency(report)
    yield _unknown(report)
    yield _holds(report)
    yield _breaks(report)
    yield _bars(report)
    yield _happenings(report)
    yield _not_known(report)


def _readiness(report: Report) -> Section:
    missing = [each for each in report.points if not each.passed]
    verdict = "Ready" if report.ready else f"NOT READY: {len(missing)} of {len(report.points)}"
    when = f"when this was made, {moment(report.made_at)} UTC"
    if report.ready:
        return Section("readiness", "Readiness", [f"Ready for a session, {when}."])
    rows = [(each.name, one_line(each.found), one_line(each.next)) for each in missing]
    return Section(
        "readiness",
        "Readiness",
        [f"{verdict} points of the checklist not passed, {when}."],
        tables=[Table(("what", "found", "next"), rows)],
        warns=True,
    )


def _about(report: Report) -> Section:
    period = report.period
    events = f"{period.upto - period.after:,} events, {period.after + 1:,} to {period.upto:,}"
    modes = ", ".join(report.data_modes) or NOTHING
    fields = [
        ("journal", one_line(report.journal)),
        ("account", one_line(report.account)),
        ("mode", str(report.mode or NOTHING)),
        ("data mode", modes),
        ("of the journal", events if period.upto > period.after else "no event"),
        ("units", "amounts in USD, times in UTC"),
    ]
    return Section("about", "What this is of", fields=fields)


def _result(report: Report) -> Section:
    found = report.money
    worst = f"{percent(found.drawdown_worst)} below the period's highest"
    if found.drawdown_worst_at is not None:
        worst = f"{worst}, on {moment(found.drawdown_worst_at)}"
    fields = [
        ("result", money(found.result_usd)),
        ("realised", money(found.realised_usd)),
        ("unrealised, change", money(found.unrealised_usd)),
        ("dividends", money(found.dividends_usd)),
        ("fees", money(-found.fees_usd)),
        *([("booked otherwise", money(found.other_usd))] if abs(found.other_usd) >= _CENT else []),
        ("equity at the start", money(found.equity_start_usd)),
        ("paid in less out", money(found.flows_usd)),
        ("equity at the end", money(found.equity_end_usd)),
        ("worst drawdown", worst),
        ("from the highest ever", percent(found.drawdown_from_peak)),
    ]
    tables = [
        _lines("strategy", found.by_strategy),
        _lines("symbol", found.by_symbol),
    ]
    if len(found.by_day) > 1:
        days = [
            (str(each.day), money(each.result_usd), money(each.equity_usd)) for each in found.by_day
        ]
        tables.append(Table(("session", "result", "equity"), days, ("result", "equity")))
    if report.held:
        numbers = ("quantity", "mark", "value", "unrealised")
        held = [
            (
                one_line(each.symbol),
                quantity(each.quantity),
                price(each.mark),
                money(each.value_usd),
                money(each.unrealised_usd),
            )
            for each in report.held
        ]
        tables.append(Table(("held at the end", *numbers), held, numbers))
    said = []
    if sum((each.realised_usd for each in found.by_strategy), Decimal(0)) != found.realised_usd:
        said = ["Each strategy has average prices of its own: parts differ, results do not."]
    shown = [table for table in tables if table.rows]
    return Section("result", "Profit and loss", said, fields, shown)


def _lines(of: str, lines: Sequence[Line]) -> Table:
    numbers = ("result", "realised", "unrealised", "dividends", "fees")
    rows = [
        (
            one_line(each.name) or "none of them",
            money(each.result_usd),
            money(each.realised_usd),
            money(each.unrealised_usd),
            money(each.dividends_usd),
            money(-each.fees_usd),
        )
        for each in lines
    ]
    return Table((of, *numbers), rows, numbers)


def _shadow(report: Report) -> Section:
    if not report.shadow.lines:
        return Section("shadow", "In shadow", ["No strategy in shadow has decided anything."])
    numbers = ("result", "intents", "only the shadow", "fills", "traded", "fees", "still open")
    rows = [
        (
            one_line(each.strategy),
            money(each.result_usd),
            f"{each.intents:,}",
            f"{each.passed:,}",
            f"{each.fills:,}",
            money(each.notional_usd),
            money(-each.fees_usd),
            f"{each.open_orders:,}",
        )
        for each in report.shadow.lines
    ]
    table = Table(("hypothetical, of", *numbers), rows, numbers)
    return Section("shadow", "In shadow", report.shadow.assumptions, tables=[table])


def _fills(report: Report) -> Section:
    found = report.trading
    if not found.fills:
        return Section("fills", "Fills", ["Nothing was filled."])
    per = "" if found.slippage_bps is None else f" ({found.slippage_bps:.2f} bps of it)"
    fields = [
        ("fills", f"{found.fills:,}, of {found.filled:,} orders"),
        ("traded", money(found.notional_usd)),
        ("fees", money(found.fees_usd)),
        ("slippage", f"{money(found.slippage_usd)}{per}, against the last price decided at"),
    ]
    numbers = ("quantity", "price", "traded", "decided at", "bps", "fee")
    rows = [
        (
            moment(each.at),
            one_line(each.symbol),
            one_line(each.strategy),
            quantity(each.quantity),
            price(each.price),
            money(each.notional_usd),
            price(each.decided_at_price),
            NOTHING if each.slippage_bps is None else f"{each.slippage_bps:.1f}",
            money(each.fee_usd),
        )
        for each in found.fills_shown
    ]
    said = []
    if found.fills > len(rows):
        said = [f"The {len(rows)} largest of {found.fills:,} fills; the sums are of all of them."]
    table = Table(("time", "symbol", "strategy", *numbers), rows, numbers)
    return Section("fills", "Fills, slippage and fees", said, fields, [table])


def _decisions(report: Report) -> Section:
    found = report.trading
    path = (
        f"{found.intents:,} intents: {found.approved:,} approved, {found.refused:,} refused, "
        f"{found.withheld:,} withheld at the send point; {found.sent:,} sent, "
        f"{found.acknowledged:,} acknowledged, {found.filled:,} with a fill."
    )
    tables = []
    for counts in report.decisions:
        rows = [
            (one_line(each.name), each.source, f"{each.evaluations:,}", f"{each.share:.1%}")
            for each in counts.blockers
        ]
        of = f"what stood in the way, {counts.group}"
        tables.append(Table((of, "by", "evaluations", "share"), rows, ("evaluations", "share")))
    ended = [
        (each.how, one_line(each.reason) or NOTHING, f"{each.orders:,}") for each in found.ended
    ]
    tables.append(Table(("orders ended", "why", "orders"), ended, ("orders",)))
    said = [path] + [
        f"{counts.group}: {counts.evaluations:,} evaluations, {counts.declined:,} declined by "
        f"strategies, {counts.refused:,} refused by the gate, {counts.approved:,} approved."
        for counts in report.decisions
    ]
    shown = [table for table in tables if table.rows]
    return Section("decisions", "Decisions and the gate", said, tables=shown)


def _limits(report: Report) -> Section:
    if not report.limits:
        return Section("limits", "Limits", ["The gate was not asked."])
    numbers = ("closest", "limit is", "used", "asked", "refused")
    uses = sorted(report.limits, key=lambda use: -use.closest.share)[:ROWS_SHOWN]
    rows = [
        (
            use.name,
            measure(use.name, round(use.closest.value, _STEP)),
            measure(use.name, round(use.closest.limit, _STEP)),
            percent(use.closest.share),
            moment(use.closest.at),
            f"{use.asked:,}",
            f"{use.refused:,}",
        )
        for use in uses
    ]
    titles = ("limit", "closest", "limit is", "used", "when", "asked", "refused")
    table = Table(titles, rows, numbers)
    return Section("limits", "How close each limit came", tables=[table])


def _latency(report: Report) -> Section:
    delays = report.trading.delays
    if not delays:
        said = ["No order was both decided on and answered in this period."]
        return Section("latency", "How long orders took", said)
    rows = [
        (each.step, f"{each.orders:,}", _seconds(each.median_s), _seconds(each.worst_s),
         one_line(each.worst_order))
        for each in delays
    ]  # fmt: skip
    said = ["In recorded time; what runs on recorded bars takes none of it, or waits for a bar."]
    table = Table(
        ("step", "orders", "median", "worst", "worst order"), rows, ("orders", "median", "worst")
    )
    return Section("latency", "How long orders took", said, tables=[table])


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms" if seconds < 1 else span(seconds)


def _unknown(report: Report) -> Section:
    lost = report.trading.unknown
    if not lost:
        return Section("unknown", "Orders nobody knew of", ["None was UNKNOWN."])
    rows = [
        (
            one_line(each.client_order_id),
            one_line(each.symbol),
            moment(each.since),
            one_line(each.why),
            moment(each.ended_at) if each.ended_at else "still UNKNOWN",
            because(each.state.value, each.ended_by) if each.ended_at else NOTHING,
        )
        for each in lost
    ]
    table = Table(("order", "symbol", "since", "why", "until", "then"), rows)
    standing = any(each.ended_at is None for each in lost)
    return Section("unknown", "Orders nobody knew of", tables=[table], warns=standing)


def _holds(report: Report) -> Section:
    if not report.holds:
        return Section("holds", "Holds", ["Nothing was held."])
    rows = [
        (
            one_line(each.text),
            moment(each.placed_at),
            span(each.held_s),
            _over(each.lifted_at, each.lifted_by, each.lifted_why),
        )
        for each in report.holds[-ROWS_SHOWN:]
    ]
    table = Table(("hold", "placed", "held in the period", "lifted"), rows, ("held in the period",))
    standing = any(each.lifted_at is None for each in report.holds)
    return Section("holds", "Holds", _more(len(report.holds)), tables=[table], warns=standing)


def _breaks(report: Report) -> Section:
    if not report.breaks:
        return Section("breaks", "Breaks", ["The broker's books and ours had no break."])
    rows = [
        (
            one_line(each.text),
            moment(each.opened_at),
            _over(each.resolved_at, f"{each.by} ({each.how})", each.why),
        )
        for each in report.breaks[-ROWS_SHOWN:]
    ]
    table = Table(("break", "opened", "resolved"), rows)
    standing = any(each.resolved_at is None for each in report.breaks)
    return Section("breaks", "Breaks", _more(len(report.breaks)), tables=[table], warns=standing)


def _over(at: datetime | None, by: str, why: str) -> str:
    return because(f"{moment(at)} by {one_line(by)}", why) if at else "stands"


def _more(count: int) -> list[str]:
    return [f"The last {ROWS_SHOWN} of {count:,}."] if count > ROWS_SHOWN else []


def _bars(report: Report) -> Section:
    if not report.bars:
        return Section("bars", "Completeness of the bars", ["No symbol has a session in it."])
    missing = sum(each.missing for each in report.bars)
    expected = sum(each.expected for each in report.bars)
    said = [f"{missing:,} of {expected:,} bars expected never came."]
    if not expected:
        said = ["No bar is expected at a time: bar_every_s of the symbols says so."]
    numbers = ("sessions", "bars", "expected", "missing", "off session")
    rows = [
        (
            one_line(each.symbol),
            f"{each.sessions:,}",
            f"{each.bars:,}",
            f"{each.expected:,}",
            f"{each.missing:,}",
            f"{each.off_session:,}",
            ", ".join(f"{start:%m-%d %H:%M}" for start, _ in each.gaps) or NOTHING,
        )
        for each in report.bars
    ]
    table = Table(("symbol", *numbers, "first missing from"), rows, numbers)
    return Section("bars", "Completeness of the bars", said, tables=[table], warns=missing > 0)


def _happenings(report: Report) -> Section:
    if not report.happened:
        return Section("happened", "Out of the ordinary", ["Nothing was."])
    counts = "; ".join(f"{kind}: {count:,}" for kind, count in report.happened.items())
    rows = [(moment(each.at), each.kind, one_line(each.text)) for each in report.happenings]
    tables = [Table(_HAPPENED, rows)]
    return Section("happened", "Out of the ordinary", [f"{counts}."], tables=tables)


def _not_known(report: Report) -> Section:
    said = [one_line(text) for text in report.not_known]
    return Section("not-known", "What is not known", said or ["Nothing is left open."])


_HAPPENED: Final = ("time", "what", "said")
