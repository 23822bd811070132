"""What `traded run` says of a live daemon: what an operator must know, and nothing else."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from events import (
    BarClosed,
    BrokerConnected,
    ClientOrderId,
    ExecutionId,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    OrderFilled,
    Record,
    Symbol,
    nanoseconds,
)
from events.codec import JournalEvent
from ops.news import ALIKE_MAX, News

NOON = datetime(2024, 1, 2, 17, 0, tzinfo=UTC)


def hold(name: str, cause: str, lifts: HoldLifts = HoldLifts.OPERATOR) -> HoldPlaced:
    return HoldPlaced(name, HoldScope.ALL, HoldLevel.HALT, cause, "core", "so", lifts)


def bar(*, past: bool = False) -> BarClosed:
    one = Decimal(1)
    return BarClosed(Symbol("AAPL"), 60, NOON, one, one, one, one, one, past=past)


def said(news: News, *events: JournalEvent) -> list[str]:
    records = [
        Record(seq, nanoseconds(NOON + timedelta(seconds=seq)), event, None, None)
        for seq, event in enumerate(events, 1)
    ]
    return list(news.of(records))


def test_a_connection_and_a_break_are_told_with_what_to_type() -> None:
    told = said(News(), BrokerConnected("h:1", 1, 178, 1), hold("R-1", "RECONCILIATION_BREAK"))
    assert told[0] == "2024-01-02 17:00:01  connected to h:1 as client 1, version 178"
    assert told[-1].strip() == 'traded resolve --all --adopt --why "what you found"'


def test_each_hold_only_a_person_lifts_names_the_command_that_does() -> None:
    assert "traded resume" in said(News(), hold("K", "kill switch"))[-1]
    assert "traded resume" in said(News(), hold("S", "start"))[-1]
    assert 'traded lift L-7 --why "what you found"' in said(News(), hold("L-7", "DISK_LOW"))[-1]
    alone = said(News(), hold("D", "DATA_STALE", HoldLifts.CONDITION))
    assert len(alone) == 1
    assert "(lifts by itself)" in alone[0]


def test_the_end_of_the_last_hold_is_told_and_no_other() -> None:
    news = News([hold("A", "DISK_LOW"), hold("B", "DISK_LOW")])
    assert len(said(news, HoldLifted("A", "me", "seen"))) == 1
    assert said(news, HoldLifted("B", "me", "seen"))[-1].startswith("nothing is held any more")


def test_what_is_held_from_before_is_said_at_the_start() -> None:
    first, then = News([hold("L-7", "DISK_LOW")]).at_start()
    assert first.startswith("still held: HALT on everything")
    assert "traded lift L-7" in then


def test_bars_are_told_of_once_with_those_of_the_past_before_them() -> None:
    news = News()
    assert said(news, bar(past=True), bar(past=True)) == []
    assert said(news, bar(), bar()) == [
        "bars come: the first is of AAPL, 2024-01-02 17:00:00, 2 out of history before it"
    ]
    assert said(news, bar()) == []


def test_a_flood_of_one_kind_is_counted_and_trades_are_left_to_the_journal() -> None:
    many = [hold(f"H{number}", "DATA_STALE", HoldLifts.CONDITION) for number in range(20)]
    told = said(News(), *many)
    assert len(told) == ALIKE_MAX + 1
    assert told[-1] == "and 15 more like it (hold.placed): `traded tail`"
    fill = OrderFilled(
        ClientOrderId("o"), ExecutionId("x"), Symbol("AAPL"), Decimal(1), Decimal(1), NOON
    )
    assert said(News(), fill) == []
