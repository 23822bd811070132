"""Prices of the simulated gateway: bar files played as steps, and the data that clients follow."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.feeds.bar_file import BadBars
from events import BarClosed, Symbol
from ops.gateway_sim.floor import Floor
from ops.gateway_sim.market_data import DataRules
from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.prices import STEP, joined, path
from ops.gateway_sim.reports import (
    EVERYONE,
    History,
    HistoryUpdate,
    MarketDataKind,
    Notice,
    RealTimeBar,
    Report,
    SnapshotEnd,
    TickPrice,
    TickRequestParameters,
    To,
)
from ops.gateway_sim.terms import Bar, Contract, HistoryRequest
from tests.gateway_floor import ACCOUNT, IBM, SPY, terms

OPEN = datetime(2024, 1, 3, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CASH = Decimal(100_000)
FREE = DataRules(paces_history=False)


def write_bars(folder: Path, symbol: str, start: datetime, count: int, step_s: int = 60) -> None:
    """Write bars that climb: 100.00 99.90 100.20 100.10, each 0.10 higher; 600 shares a bar."""
    rows = ["ts,open,high,low,close,volume"]
    for number in range(count):
        opened = Decimal(100) + Decimal(number) / 10
        prices = (
            opened,
            opened + Decimal("0.20"),
            opened - Decimal("0.10"),
            opened + Decimal("0.10"),
        )
        at = start + number * timedelta(seconds=step_s)
        rows.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{','.join(map(str, prices))},600")
    (folder / f"{symbol}.csv").write_text("\n".join(rows) + "\n")


def floor_of(folder: Path, start: datetime | None = None, rules: DataRules = FREE) -> Floor:
    return open_floor([folder], ACCOUNT, CASH, start, None, data_rules=rules)


def asked(  # noqa: PLR0913 - a request has as many fields
    floor: Floor,
    duration: str,
    bar_size: str,
    *,
    what: str = "TRADES",
    regular: bool = True,
    end: datetime | None = None,
    keep: bool = False,
    contract: Contract = SPY,
    request_id: int = 5,
) -> Report:
    """Return the one answer to a request for history."""
    wanted = HistoryRequest(
        contract=contract,
        end=end,
        duration=duration,
        bar_size=bar_size,
        what=what,
        regular_hours=regular,
        keep_up_to_date=keep,
    )
    (told,) = floor.historical_data(floor.now, 1, request_id, wanted)
    return told.report


def history(floor: Floor, duration: str, bar_size: str, **more: object) -> Sequence[Bar]:
    report = asked(floor, duration, bar_size, **more)  # type: ignore[arg-type]
    assert isinstance(report, History), report
    return report.bars


def played(floor: Floor, until: datetime) -> list[To]:
    """Let time pass for a clock that looks once a second; return what was told to clients."""
    told = []
    while floor.now < until:
        told += floor.advance(floor.now + timedelta(seconds=1))
    return for_clients(told)


def for_clients(told: list[To]) -> list[To]:
    """Leave out that the account's figures changed, which they do every three minutes."""
    return [each for each in told if each.client_id != EVERYONE]


def figures(bars: Sequence[Bar]) -> list[tuple[object, ...]]:
    """Return what two ways to the same bars agree in; how they average trades is their own."""
    return [(b.at, b.open, b.high, b.low, b.close, b.volume) for b in bars]


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


def test_regular_hours_only_leaves_out_the_rest(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN - 2 * MINUTE, 4)
    floor = floor_of(tmp_path, OPEN - 2 * MINUTE)
    floor.real_time_bars(floor.now, 1, 7, SPY, "TRADES", regular_hours=True)
    floor.real_time_bars(floor.now, 1, 8, SPY, "TRADES", regular_hours=False)
    told = played(floor, OPEN + MINUTE)
    counts = {7: 0, 8: 0}
    for each in told:
        assert isinstance(each.report, RealTimeBar)
        counts[each.report.request_id] += 1
    assert counts == {7: 12, 8: 36}
    assert len(history(floor, "1 D", "1 min")) == 1
    assert len(history(floor, "1 D", "1 min", regular=False)) == 3


def test_history_is_cut_into_the_bars_that_were_asked_for(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 60)
    floor = floor_of(tmp_path, OPEN + 45 * MINUTE)
    bars = history(floor, "1 D", "15 mins")
    assert [bar.at for bar in bars] == [OPEN + n * 15 * MINUTE for n in range(3)]
    assert [bar.volume for bar in bars] == [9_000] * 3
    assert (bars[0].open, bars[0].close) == (100, Decimal("101.50"))
    # The first hour of the day is the half from 9:30 to 10:00.
    hours = history(floor, "1 D", "1 hour")
    assert [bar.at for bar in hours] == [OPEN, OPEN + 30 * MINUTE]
    # The bar that is not over ends now, in the middle of the file's own bar.
    played(floor, floor.now + timedelta(seconds=31))
    assert history(floor, "60 S", "1 min")[-1].volume == 300


def test_days_are_sessions_and_are_told_by_date(tmp_path: Path) -> None:
    for number in (0, 1, 2, 5):
        # Wednesday to Friday, and Monday.
        (tmp_path / f"{number}").mkdir()
        write_bars(tmp_path / f"{number}", "SPY", OPEN + timedelta(days=number), 390)
    monday_noon = OPEN + timedelta(days=5, hours=2, minutes=30)
    floor = floor_of(tmp_path, monday_noon)
    bars = history(floor, "3 D", "1 day")
    assert [f"{bar.at:%Y%m%d} {bar.volume:,}" for bar in bars] == [
        "20240104 234,000",
        "20240105 234,000",
        "20240108 90,000",
    ]
    assert all(bar.whole_day for bar in bars)
    assert [f"{bar.at:%Y%m%d}" for bar in history(floor, "1 M", "1 week")] == [
        "20240101",
        "20240108",
    ]
    until = OPEN + timedelta(days=2)
    assert [f"{bar.at:%d}" for bar in history(floor, "1 W", "1 day", end=until)] == ["03", "04"]


def test_history_kept_up_to_date_goes_on_where_it_stopped(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 10)
    floor = floor_of(tmp_path, OPEN + 2 * MINUTE)
    first = history(floor, "1 D", "5 mins", keep=True)
    assert [bar.volume for bar in first] == [1_200]
    told = played(floor, OPEN + 6 * MINUTE)
    updates = [each.report.bar for each in told if isinstance(each.report, HistoryUpdate)]
    assert [bar.at for bar in updates] == [OPEN] * 36 + [OPEN + 5 * MINUTE] * 12
    assert [updates[0].volume, updates[35].volume, updates[36].volume] == [1_250, 3_000, 50]
    # What was kept up to date is what one gets who asks now.
    assert figures(history(floor, "1 D", "5 mins")) == figures([updates[35], updates[-1]])


def test_the_newest_bar_may_be_revised(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 10)
    floor = floor_of(tmp_path, OPEN + 2 * MINUTE)
    (bar,) = history(floor, "1 D", "5 mins", keep=True)
    (told,) = floor.revise_bars("SPY", Decimal("0.50"))
    assert isinstance(told.report, HistoryUpdate)
    revised = told.report.bar
    assert (revised.at, revised.close) == (bar.at, bar.close + Decimal("0.50"))
    assert revised.high == revised.close
    assert floor.revise_bars("IBM", Decimal(1)) == []


def test_bid_and_ask_bars_stand_a_tick_beside_the_trades_and_have_no_volume(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 10)
    floor = floor_of(tmp_path, OPEN + 10 * MINUTE)
    (trades,), (bid,), (ask,), (both,) = (
        history(floor, "1 D", "10 mins", what=what) for what in ("TRADES", "BID", "ASK", "BID_ASK")
    )
    tick = Decimal("0.01")
    assert (bid.open, ask.high) == (trades.open - tick, trades.high + tick)
    assert (both.open, both.close) == (trades.open - tick, trades.close + tick)
    assert {each.volume for each in (bid, ask, both)} == {-1}


@pytest.mark.parametrize(
    ("duration", "bar_size", "more", "code"),
    [
        ("1 D", "7 mins", {}, 321),
        ("1 fortnight", "1 min", {}, 321),
        ("0 D", "1 min", {}, 321),
        ("86401 S", "1 min", {}, 321),
        ("1 D", "1 min", {"what": "RUMOURS"}, 321),
        ("1 D", "1 min", {"keep": True, "end": OPEN}, 321),
        ("1 D", "1 min", {"keep": True, "what": "BID_ASK"}, 321),
        ("1 D", "1 min", {"end": OPEN - timedelta(days=9)}, 162),
        ("1 D", "1 min", {"contract": Contract(symbol="NOSUCH", exchange="SMART")}, 200),
    ],
)
def test_history_that_cannot_be_is_refused(
    tmp_path: Path, duration: str, bar_size: str, more: dict[str, object], code: int
) -> None:
    write_bars(tmp_path, "SPY", OPEN, 3)
    floor = floor_of(tmp_path, OPEN + MINUTE)
    report = asked(floor, duration, bar_size, **more)  # type: ignore[arg-type]
    assert isinstance(report, Notice)
    assert report.code == code


def test_kept_history_may_begin_empty(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 3)
    floor = floor_of(tmp_path, OPEN)
    assert history(floor, "1 D", "1 min", keep=True) == ()
    told = played(floor, OPEN + STEP)
    assert isinstance(told[0].report, HistoryUpdate)


def test_small_bars_asked_for_too_often_violate_the_pacing(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN, 90)
    floor = floor_of(tmp_path, OPEN + 60 * MINUTE, DataRules())
    assert isinstance(asked(floor, "60 S", "5 secs"), History)
    # The same again within 15 seconds:
    refused = asked(floor, "60 S", "5 secs")
    assert isinstance(refused, Notice)
    assert (refused.code, "pacing violation" in refused.text) == (162, True)
    # Bars of more than 30 seconds are free.
    assert isinstance(asked(floor, "600 S", "1 min"), History)
    assert isinstance(asked(floor, "600 S", "1 min"), History)
    # More than 60 in ten minutes, though never two alike:
    answers = []
    for number in range(70):
        floor.advance(floor.now + timedelta(seconds=3))
        answers.append(asked(floor, f"{61 + number} S", "5 secs"))
    # Two have been counted before.
    assert [type(each) for each in answers] == [History] * 58 + [Notice] * 12


def test_who_may_not_see_a_symbol_is_told_so_or_gets_it_delayed(tmp_path: Path) -> None:
    for symbol in ("SPY", "IBM"):
        write_bars(tmp_path, symbol, OPEN, 3)
    rules = DataRules(forbidden=frozenset({"IBM"}), lines=1)
    floor = floor_of(tmp_path, OPEN + MINUTE, rules)
    (refused,) = floor.market_data(floor.now, 1, 7, IBM, "", snapshot=False)
    assert isinstance(refused.report, Notice)
    assert refused.report.code == 354
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


def test_the_oldest_bar_is_known(tmp_path: Path) -> None:
    write_bars(tmp_path, "SPY", OPEN - 2 * MINUTE, 4)
    floor = floor_of(tmp_path)
    assert floor.now == OPEN
    assert floor.head_timestamp(SPY, "TRADES", regular_hours=False) == OPEN - 2 * MINUTE
    assert floor.head_timestamp(SPY, "TRADES", regular_hours=True) == OPEN
    assert floor.head_timestamp(IBM, "TRADES", regular_hours=True) == (
        200,
        "No security definition has been found for the request",
    )


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
