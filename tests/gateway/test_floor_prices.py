"""Prices of the simulated gateway: bar files played as steps, and the data that clients follow."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.feeds.bar_file import BadBars
from events import BarClosed, Symbol
from ops.gateway_sim.market_data import DataRules
from ops.gateway_sim.prices import STEP, joined, path
from ops.gateway_sim.reports import (
    MarketDataKind,
    Notice,
    RealTimeBar,
    SnapshotEnd,
    TickPrice,
    TickRequestParameters,
)
from tests.gateway_floor import (
    IBM,
    MINUTE,
    OPEN,
    SPY,
    floor_of,
    for_clients,
    played,
    terms,
    write_bars,
)

prices = st.decimals("1.00", "999.99", places=2)


@given(st.lists(prices, min_size=4, max_size=4), st.integers(0, 10_000), st.integers(1, 720))
def test_the_steps_of_a_bar_put_together_are_the_bar(
    four: list[Decimal], volume: int, steps: int
) -> None:
    low, first, last, high = sorted(four)
    bar = BarClosed(
        Symbol("A"), steps * 5, OPEN + steps * STEP, first, high, low, last, Decimal(volume)
    )
    pieces = list(path(bar))
    assert [piece.at for piece in pieces] == [OPEN + n * STEP for n in range(steps)]
    whole = joined(pieces, OPEN)
    assert (whole.open, whole.high, whole.low, whole.close, whole.volume) == (
        *(first, high, low, last),
        volume,
    )
    for before, after in pairwise(pieces):
        assert before.close == after.open
    assert all(piece.low <= piece.open <= piece.high for piece in pieces)


def test_the_nearer_extreme_comes_first() -> None:
    def turns(opened: str) -> list[Decimal]:
        first, high, low, last = (Decimal(price) for price in (opened, "101", "99", "100"))
        bar = BarClosed(Symbol("A"), 60, OPEN + MINUTE, first, high, low, last, Decimal(1))
        pieces = path(bar)
        return [piece.close for piece in pieces if piece.close in {99, 101}]

    assert turns("100.20") == [101, 99]
    assert turns("99.80") == [99, 101]


def test_real_time_bars_come_every_five_seconds_and_add_up_to_the_file(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 3)
    floor = floor_of(tmp_path)
    assert floor.real_time_bars(OPEN, 1, 7, SPY, "TRADES", regular_hours=True) == []
    told = played(floor, OPEN + 3 * MINUTE)
    bars = [each.report.bar for each in told if isinstance(each.report, RealTimeBar)]
    assert [bar.at for bar in bars] == [OPEN + n * STEP for n in range(36)]
    second = joined(bars[12:24], OPEN + MINUTE)
    assert (second.open, second.high, second.low, second.close, second.volume) == (
        Decimal("100.1"),
        Decimal("100.30"),
        Decimal("100.00"),
        Decimal("100.20"),
        600,
    )


def test_who_starts_in_the_middle_of_a_bar_gets_the_rest_of_it(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 1)
    floor = floor_of(tmp_path, OPEN + 6 * STEP)
    floor.real_time_bars(floor.now, 1, 7, SPY, "TRADES", regular_hours=True)
    told = played(floor, OPEN + MINUTE)
    bars = [each.report.bar for each in told if isinstance(each.report, RealTimeBar)]
    assert [bar.at for bar in bars] == [OPEN + n * STEP for n in range(6, 12)]


def test_bars_of_a_second_are_played_five_at_a_time(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 10, step_s=1)
    floor = floor_of(tmp_path)
    floor.real_time_bars(OPEN, 1, 7, SPY, "TRADES", regular_hours=True)
    told = played(floor, OPEN + MINUTE)
    bars = [each.report.bar for each in told if isinstance(each.report, RealTimeBar)]
    assert [(bar.at, bar.open, bar.close, bar.volume) for bar in bars] == [
        (OPEN, 100, Decimal("100.5"), 3_000),
        (OPEN + STEP, Decimal("100.5"), 101, 3_000),
    ]


def test_a_quote_is_a_tick_around_the_last_price_and_its_ticks_say_so(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 3)
    floor = floor_of(tmp_path, OPEN + MINUTE)
    first = [each.report for each in floor.market_data(floor.now, 1, 7, SPY, "", snapshot=False)]
    assert isinstance(first[0], TickRequestParameters)
    assert first[1] == MarketDataKind(7, 1)
    ticks = {each.kind: each.price for each in first if isinstance(each, TickPrice)}
    # The first minute went 100.00 .. 99.90 .. 100.20 .. 100.10.
    assert ticks == {
        1: Decimal("100.09"),
        2: Decimal("100.11"),
        4: Decimal("100.10"),
        6: Decimal("100.20"),
        7: Decimal("99.90"),
        14: Decimal(100),
    }
    moved = {
        e.report.kind: e.report.price
        for e in played(floor, OPEN + 2 * MINUTE)
        if isinstance(e.report, TickPrice)
    }
    assert moved[4] == Decimal("100.20")


def test_a_snapshot_ends_and_nothing_follows(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 3)
    floor = floor_of(tmp_path, OPEN + MINUTE)
    told = floor.market_data(floor.now, 1, 7, SPY, "", snapshot=True)
    assert told[-1].report == SnapshotEnd(7)
    assert played(floor, OPEN + 2 * MINUTE) == []


def test_what_is_ended_says_nothing_more_and_cannot_be_ended_twice(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 3)
    floor = floor_of(tmp_path)
    floor.real_time_bars(OPEN, 1, 7, SPY, "TRADES", regular_hours=True)
    (again,) = floor.real_time_bars(OPEN, 1, 7, SPY, "TRADES", regular_hours=True)
    assert again.report == Notice(7, 102, "Duplicate ticker id")
    assert floor.stop_data(1, 7) == []
    assert floor.stop_data(1, 7)[0].report == Notice(7, 300, "Can't find EId with tickerId:7")
    floor.real_time_bars(OPEN, 1, 8, SPY, "TRADES", regular_hours=True)
    floor.end_session(1)
    assert played(floor, OPEN + MINUTE) == []


def test_who_may_not_see_a_symbol_is_told_so_or_gets_it_delayed(tmp_path: Path) -> None:
    for symbol in ("SPY", "IBM"):
        write_bars(tmp_path, symbol, OPEN, 3)
    rules = DataRules(forbidden=frozenset({"IBM"}), lines=1)
    floor = floor_of(tmp_path, OPEN + MINUTE, rules)
    (refused,) = floor.market_data(floor.now, 1, 7, IBM, "", snapshot=False)
    assert isinstance(refused.report, Notice)
    assert refused.report.code == 10089
    assert refused.report.text.endswith("is available.IBM NYSE/TOP/ALL")
    floor.market_data_type(1, 3)
    told = floor.market_data(floor.now, 1, 7, IBM, "", snapshot=False)
    assert isinstance(told[0].report, Notice)
    assert told[0].report.code == 10167
    assert MarketDataKind(7, 3) in [each.report for each in told]
    assert {e.report.kind for e in told if isinstance(e.report, TickPrice)} >= {66, 67, 68}
    (bars,) = floor.real_time_bars(floor.now, 2, 1, IBM, "TRADES", regular_hours=True)
    assert isinstance(bars.report, Notice)
    # One line was all there were.
    assert bars.report.code == 101


def test_resting_orders_trade_with_the_bars_of_the_file(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 30)
    floor = floor_of(tmp_path, OPEN + MINUTE)
    # The last price is 100.10; bar after bar climbs by 0.10, and one touches 101.00.
    floor.submit(floor.now, 1, SPY, terms(1, "SELL", 100, "LMT", limit="101.00"))
    floor.submit(floor.now, 1, SPY, terms(2, "BUY", 100, "LMT", limit="99.00"))
    played(floor, OPEN + 30 * MINUTE)
    sold, waiting = floor.find_order(perm_id=1_840_000_001), floor.open_orders(1)
    assert sold is not None
    assert (sold.status, sold.average_price) == ("Filled", Decimal("101.00"))
    assert [order.order_id for order in waiting] == [2]


def test_a_stop_reached_within_five_seconds_pays_from_its_stop_on(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 3)
    floor = floor_of(tmp_path, OPEN)
    # From 100.00 to 99.90 in four steps: the second goes from 99.975 to 99.95.
    floor.submit(OPEN, 1, SPY, terms(1, "SELL", 10, "STP", stop="99.96"))
    floor.submit(OPEN, 1, SPY, terms(2, "SELL", 10, "STP LMT", stop="99.96", limit="99.97"))
    played(floor, OPEN + 2 * STEP)
    sold = floor.find_order(perm_id=1_840_000_001)
    assert sold is not None
    assert sold.average_price == Decimal("99.95")
    # The limit was there before the stop was reached; afterwards it has to come again.
    (waiting,) = floor.open_orders(1)
    assert (waiting.order_id, waiting.status) == (2, "Submitted")
    played(floor, OPEN + MINUTE)
    assert floor.open_orders(1) == []


def test_a_clock_that_jumps_misses_nothing(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 30)
    slow, fast = floor_of(tmp_path, OPEN), floor_of(tmp_path, OPEN)
    for floor in (slow, fast):
        floor.real_time_bars(OPEN, 1, 7, SPY, "TRADES", regular_hours=True)
        floor.submit(OPEN, 1, SPY, terms(1, "BUY", 100))
    told = []
    while fast.now < OPEN + 20 * MINUTE:
        told += fast.advance(min(fast.next_moment(), OPEN + 20 * MINUTE))
    assert for_clients(told) == played(slow, OPEN + 20 * MINUTE)
    at_once = floor_of(tmp_path, OPEN)
    at_once.submit(OPEN, 1, SPY, terms(1, "BUY", 100))
    at_once.advance(OPEN + 20 * MINUTE)
    assert at_once.positions() == fast.positions()


def test_what_is_offered_at_the_start_is_the_last_steps_not_the_last_bars(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 2)
    floor = floor_of(tmp_path, OPEN + MINUTE)
    # The bar traded 600 shares, its last five seconds 50: at least 100 are offered.
    floor.submit(floor.now, 1, SPY, terms(1, "BUY", 300))
    assert [line.quantity for line in floor.positions()] == [100]


def test_files_of_a_symbol_are_played_in_the_order_of_their_bars(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY_a", OPEN + MINUTE, 1)
    write_bars(tmp_path, "SPY_b", OPEN, 1)
    floor = floor_of(tmp_path)
    floor.real_time_bars(OPEN, 1, 7, SPY, "TRADES", regular_hours=True)
    assert len(played(floor, OPEN + 2 * MINUTE)) == 24


def test_bad_bars_are_refused_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(BadBars, match="there are no bar files"):
        floor_of(tmp_path)
    (tmp_path / "SPY.csv").write_text("ts,open,high,low,close,volume\n2024-01-03,1,1,1,1,1\n")
    with pytest.raises(BadBars, match=r"SPY\.csv:2"):
        floor_of(tmp_path)
    write_bars(tmp_path, "SPY", OPEN, 3)
    (tmp_path / "SPY_more.csv").write_bytes((tmp_path / "SPY.csv").read_bytes())
    with pytest.raises(BadBars, match="SPY overlap"):
        floor_of(tmp_path)
