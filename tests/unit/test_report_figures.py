"""The figures of a report, of a journal made by hand: every number is reckoned beside it."""

import asyncio
from datetime import date
from decimal import Decimal
from pathlib import Path

import click
import pytest

from events import (
    BreakKind,
    BreakOpened,
    BreakResolved,
    ClientOrderId,
    ClockJumped,
    Difference,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    OrderAcknowledged,
    OrderUnknown,
    Record,
    Resolution,
    SessionEnded,
    SessionStarted,
    Symbol,
    nanoseconds,
)
from events.codec import JournalEvent
from ops.reports.period import Book
from ops.reports.reading import read_report
from ops.reports.shape import Period, Report
from tests.builders import (
    a_bar,
    a_calendar,
    a_commission,
    a_config,
    a_deposit,
    a_fill,
    a_session,
    a_withdrawal,
    an_order,
    utc,
)
from tests.journals import OPENED, writing

STARTED = SessionStarted("test", {}, {})
DAYS = ("2024-01-02", "2024-01-03", "2024-01-04")
O1, O2 = ClientOrderId("o1"), ClientOrderId("o2")
A = Symbol("A")

At = tuple[str, JournalEvent]


def at(moment: str, *events: JournalEvent) -> list[At]:
    return [(moment, event) for event in events]


OPENING = at(
    "2024-01-02T14:00",
    OPENED,
    a_config("A"),
    a_calendar(*map(a_session, DAYS)),
    STARTED,
    a_deposit("10000"),
)
TUESDAY = [
    *at("2024-01-02T15:00", a_bar("10", end="2024-01-02T15:00"), *an_order("o1", "100")),
    *at("2024-01-02T15:00:02", OrderAcknowledged(O1)),
    *at(
        "2024-01-02T15:01",
        a_fill("100", "10.02", executed_at="2024-01-02T15:01"),
        a_commission("1"),
    ),
    *at("2024-01-02T21:00", a_bar("11", end="2024-01-02T21:00")),
]
WEDNESDAY = [
    *at("2024-01-03T15:00", a_bar("12", end="2024-01-03T15:00"), *an_order("o2", "-50")),
    *at("2024-01-03T15:00:06", OrderAcknowledged(O2)),
    *at(
        "2024-01-03T15:01",
        a_fill("-50", "11.98", execution_id="e2", order_id="o2", executed_at="2024-01-03T15:01"),
        a_commission("1", execution_id="e2", order_id="o2"),
    ),
    *at("2024-01-03T16:00", a_withdrawal("500")),
    *at("2024-01-03T18:00", a_bar("9", end="2024-01-03T18:00")),
    *at("2024-01-03T21:00", a_bar("11.5", end="2024-01-03T21:00")),
]


def written(folder: Path, *parts: list[At]) -> Path:
    """Write a journal whose events were recorded when each part says."""
    path = folder / "journal.db"
    events = [each for part in parts for each in part]
    records = [
        Record(seq, nanoseconds(utc(moment)), event)
        for seq, (moment, event) in enumerate(events, 1)
    ]

    async def write() -> None:
        async with writing(path) as journal:
            await journal.append(records[:1])
            await journal.append(records[1:])

    asyncio.run(write())
    return path


def of_day(path: Path, day: str | None) -> Report:
    return read_report(path, lambda book: book.day(day, only_session=False))


def of_week(path: Path, week: str | None = None) -> Report:
    return read_report(path, lambda book: book.week(week))


def of_session(path: Path, day: str | None = None) -> Report:
    return read_report(path, lambda book: book.day(day, only_session=True))


def test_the_first_day_is_what_the_purchase_won_less_its_fee(tmp_path: Path) -> None:
    found = of_day(written(tmp_path, OPENING, TUESDAY, WEDNESDAY), "2024-01-02").money
    # 10000 - 100 x 10.02 - 1 + 100 x 11 = 10097; the deposit is no result.
    assert (found.equity_start_usd, found.equity_end_usd) == (0, Decimal(10097))
    assert (found.flows_usd, found.result_usd) == (10000, 97)
    # 100 x (11 - 10.02) = 98
    assert (found.realised_usd, found.unrealised_usd, found.fees_usd) == (0, 98, 1)
    assert found.other_usd == 0
    # Nothing is drawn of the time before there was anything.
    assert (found.curve[0].at, found.curve[0].equity_usd) == (utc("2024-01-02T14:00"), 10000)


def test_the_second_day_has_realised_and_unrealised_apart(tmp_path: Path) -> None:
    found = of_day(written(tmp_path, OPENING, TUESDAY, WEDNESDAY), "2024-01-03").money
    assert found.equity_start_usd == 10097
    # Cash 8997 + 50 x 11.98 - 1 - 500 = 9095, and 50 x 11.5 are 575.
    assert found.equity_end_usd == 9670
    # 9670 - 10097 + 500
    assert (found.flows_usd, found.result_usd) == (-500, 73)
    # 50 x (11.98 - 10.02); 50 x (11.5 - 10.02) = 74, where it was 98.
    assert (found.realised_usd, found.unrealised_usd, found.fees_usd) == (98, -24, 1)
    (line,) = found.by_symbol
    assert (line.name, line.result_usd, line.fees_usd) == ("A", 73, 1)
    assert found.by_strategy == [line_named(line, "trend")]


def line_named(line: object, name: str) -> object:
    import msgspec  # noqa: PLC0415 - here alone

    return msgspec.structs.replace(line, name=name)  # type: ignore[type-var]


def test_the_worst_drawdown_leaves_out_what_was_withdrawn(tmp_path: Path) -> None:
    found = of_day(written(tmp_path, OPENING, TUESDAY, WEDNESDAY), "2024-01-03").money
    # Highest at 12: 8997 + 1200 = 10197. Before the withdrawal 10194, so that the peak becomes
    # 10197 x 9694 / 10194 = 9696.853; at 9 there are 9095 + 450 = 9545.
    peak = Decimal(10197) * 9694 / 10194
    assert found.drawdown_worst == pytest.approx(1 - Decimal(9545) / peak)
    assert found.drawdown_worst_at == utc("2024-01-03T18:00")
    assert min(point.equity_usd for point in found.curve) == 9545


def test_a_week_is_the_sum_of_its_days(tmp_path: Path) -> None:
    report = of_week(written(tmp_path, OPENING, TUESDAY, WEDNESDAY), "2024-W01")
    found = report.money
    assert [(each.day, each.result_usd) for each in found.by_day] == [
        (date(2024, 1, 2), 97),
        (date(2024, 1, 3), 73),
    ]
    assert (found.result_usd, found.fees_usd, report.trading.fills) == (170, 2, 2)
    assert not report.period.over
    assert any("not over" in text for text in report.not_known)


def test_a_session_begins_at_its_open_and_has_nothing_of_the_night(tmp_path: Path) -> None:
    night = at("2024-01-03T14:00", a_withdrawal("100", "at night"))
    path = written(tmp_path, OPENING, TUESDAY, night, WEDNESDAY)
    session, day = of_session(path), of_day(path, "2024-01-03")
    assert session.money.equity_start_usd == 9997
    assert (session.money.flows_usd, day.money.flows_usd) == (-500, -600)
    assert session.money.result_usd == day.money.result_usd == 73
    assert session.period.name == "session of 2024-01-03"


def test_slippage_is_what_a_fill_cost_more_than_the_price_decided_at(tmp_path: Path) -> None:
    found = of_week(written(tmp_path, OPENING, TUESDAY, WEDNESDAY)).trading
    bought, sold = found.fills_shown
    # 0.02 of 10 is 20 bps; 0.02 of 12 less than decided, sold, is 16.67.
    assert (bought.slippage_usd, bought.slippage_bps) == (2, 20)
    assert (sold.slippage_usd, round(sold.slippage_bps or 0, 2)) == (1, Decimal("16.67"))
    # 3 dollars of 100 x 10 + 50 x 12 = 1600
    assert (found.slippage_usd, found.slippage_bps) == (3, Decimal("18.75"))
    assert found.notional_usd == Decimal("1601.00")
    assert (bought.fee_usd, found.fees_usd) == (1, 2)


def test_a_fill_of_an_order_from_the_day_before_knows_what_it_was_decided_at(
    tmp_path: Path,
) -> None:
    fill = a_fill("100", "10.05", executed_at="2024-01-03T15:00")
    filled = at("2024-01-03T15:00", fill, a_commission("1"))
    path = written(tmp_path, OPENING, TUESDAY[:5], filled)
    (found,) = of_day(path, "2024-01-03").trading.fills_shown
    assert (found.decided_at_price, found.slippage_bps) == (10, 50)
    assert found.strategy == "trend"


def test_how_long_orders_took_is_the_difference_of_records(tmp_path: Path) -> None:
    steps = {
        each.step: each
        for each in of_week(written(tmp_path, OPENING, TUESDAY, WEDNESDAY)).trading.delays
    }
    answered = steps["decision to acknowledgement"]
    # 2 s and 6 s
    assert (answered.orders, answered.median_s, answered.worst_s) == (2, 4, 6)
    assert answered.worst_order == "o2"
    assert steps["acknowledgement to first fill"].worst_s == 58
    assert steps["decision to first fill"].median_s == 60


def test_what_was_recorded_just_after_the_close_belongs_to_the_day(tmp_path: Path) -> None:
    closing: list[At] = [
        ("2024-01-02T21:00:03", a_fill("100", "10.02", executed_at="2024-01-02T20:59:58")),
        ("2024-01-02T21:00:04", a_commission("1")),
        ("2024-01-02T21:00:05", a_bar("11", end="2024-01-02T21:00")),
        ("2024-01-02T21:01:05", a_bar("50", end="2024-01-02T21:01")),
    ]
    path = written(tmp_path, OPENING, TUESDAY[:5], closing, WEDNESDAY)
    first, second = of_day(path, "2024-01-02"), of_day(path, "2024-01-03")
    assert (first.money.result_usd, first.trading.fills, first.money.fees_usd) == (97, 1, 1)
    assert first.period.upto == second.period.after
    assert second.money.equity_start_usd == 10097


def test_an_order_nobody_knew_of_is_shown_with_how_it_ended(tmp_path: Path) -> None:
    lost = [
        *TUESDAY[:4],
        *at("2024-01-02T15:00:30", OrderUnknown(O1, "no answer")),
        *TUESDAY[5:],
    ]
    (found,) = of_day(written(tmp_path, OPENING, lost), "2024-01-02").trading.unknown
    assert (found.client_order_id, found.why) == ("o1", "no answer")
    assert (found.since, found.ended_at) == (
        utc("2024-01-02T15:00:30"),
        utc("2024-01-02T15:01"),
    )
    assert found.state == "FILLED"


def test_an_order_that_is_still_unknown_is_what_is_not_known(tmp_path: Path) -> None:
    lost = [*TUESDAY[:4], *at("2024-01-02T15:00:30", OrderUnknown(O1, "no answer"))]
    path = written(tmp_path, OPENING, lost, at("2024-01-03T15:00", a_bar()))
    for day in DAYS[:2]:
        report = of_day(path, day)
        assert report.trading.unknown[0].ended_at is None
        assert "Nobody knows what became of order o1 in A." in report.not_known


def a_hold(hold_id: str) -> HoldPlaced:
    return HoldPlaced(
        hold_id, HoldScope.ALL, HoldLevel.HALT, "operator", "me", "lunch", HoldLifts.OPERATOR
    )


def test_a_hold_counts_only_for_as_long_as_it_stood_in_the_period(tmp_path: Path) -> None:
    held = [
        *at("2024-01-02T20:00", a_hold("h1")),
        *at("2024-01-03T14:00", HoldLifted("h1", "me", "back")),
        *at("2024-01-03T20:30", a_hold("h2"), a_bar(end="2024-01-03T20:30")),
        *at("2024-01-03T21:00", a_bar(end="2024-01-03T21:00")),
    ]
    path = written(tmp_path, OPENING, held)
    (first,) = of_day(path, "2024-01-02").holds
    # From 20:00 on to the day's last event, which is the hold itself.
    assert (first.held_s, first.lifted_at) == (0, None)
    both = of_day(path, "2024-01-03").holds
    # From the day's first event, the lift, none; half an hour of the second.
    assert [each.held_s for each in both] == [0, 1800]
    assert (both[0].lifted_by, both[0].lifted_why, both[1].lifted_at) == ("me", "back", None)


def test_breaks_starts_and_jumps_are_counted(tmp_path: Path) -> None:
    difference = Difference(BreakKind.POSITION, A, "", Decimal(0), Decimal(5))
    events = [
        *at("2024-01-02T15:00", BreakOpened("b1", difference), ClockJumped(Decimal(9), Decimal(0))),
        *at("2024-01-02T16:00", BreakResolved("b1", Resolution.AGREEMENT, "core", "agrees")),
        *at("2024-01-02T17:00", STARTED, SessionEnded("asked to")),
        *at("2024-01-02T18:00", STARTED),
    ]
    report = of_day(written(tmp_path, OPENING, events), "2024-01-02")
    (found,) = report.breaks
    assert (found.break_id, found.how, found.why) == ("b1", "agreement", "agrees")
    # The first start is the journal's own; the second found no end before it; the third did.
    assert report.happened == {
        "start": 2,
        "start without an end": 1,
        "clock jump": 1,
        "end": 1,
    }


@pytest.mark.parametrize(
    ("choose", "said"),
    [
        (lambda book: book.day("2024-01-06", only_session=False), "2024-01-06, a Saturday: no"),
        (lambda book: book.day("monday", only_session=True), "is no date: write 2024-07-03"),
        (lambda book: book.week("2024-W02"), "week 2024-W02, 2024-01-08 to 2024-01-14: no session"),
        (lambda book: book.week("2023-W53"), "2023 has no such week"),
        (lambda book: book.week("next"), "is no week: write 9 or 2013-W09"),
    ],
)
def test_a_period_without_a_session_says_so(tmp_path: Path, choose: object, said: str) -> None:
    path = written(tmp_path, OPENING, TUESDAY, WEDNESDAY)
    with pytest.raises(click.UsageError) as refused:
        read_report(path, choose)  # type: ignore[arg-type]
    assert said in refused.value.message


def test_a_journal_without_a_calendar_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, OPENING[:2])
    with pytest.raises(click.UsageError) as refused:
        of_day(path, None)
    assert "no calendar" in refused.value.message


def test_periods_that_follow_each_other_leave_nothing_out(tmp_path: Path) -> None:
    path = written(tmp_path, OPENING, TUESDAY, WEDNESDAY)
    periods: list[Period] = []

    def each_day(book: Book) -> Period:
        periods.extend(book.day(day, only_session=False) for day in DAYS[:2])
        return periods[0]

    read_report(path, each_day)
    first, second = periods
    assert (first.after, first.upto, second.upto) == (0, second.after, 23)
