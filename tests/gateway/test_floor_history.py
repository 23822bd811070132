"""Historical bars of the simulated gateway: cut as asked for, kept up to date, paced, refused."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ops.gateway_sim.floor import Floor
from ops.gateway_sim.market_data import DataRules
from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.prices import STEP
from ops.gateway_sim.reports import (
    History,
    HistoryUpdate,
    Notice,
    RealTimeBar,
    Report,
    TickPrice,
)
from ops.gateway_sim.terms import Bar, Contract, HistoryRequest
from tests.gateway_floor import (
    ACCOUNT,
    CASH,
    IBM,
    MINUTE,
    OPEN,
    SPY,
    figures,
    floor_of,
    played,
    terms,
    write_bars,
)


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
    # Six for the same contract within two seconds:
    floor.advance(floor.now + timedelta(seconds=15))
    burst = [type(asked(floor, f"{5 + number} S", "5 secs")) for number in range(6)]
    assert burst == [History] * 5 + [Notice]
    # More than 60 in ten minutes, though never two alike:
    answers = []
    for number in range(70):
        floor.advance(floor.now + timedelta(seconds=3))
        answers.append(asked(floor, f"{61 + number} S", "5 secs"))
    # Eight have been counted before.
    assert [type(each) for each in answers] == [History] * 52 + [Notice] * 18


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
    assert len(history(floor, "600 S", "1 min")) == 1
    early = floor_of(tmp_path, OPEN - 2 * MINUTE)
    history(early, "1 D", "1 min", keep=True)
    told = played(early, OPEN + STEP)
    assert [each.report.bar.at for each in told if isinstance(each.report, HistoryUpdate)] == [OPEN]


def test_a_scripted_price_is_told_once_as_ticks_and_once_as_a_bar() -> None:
    floor = open_floor(None, ACCOUNT, CASH, OPEN, None, symbols=["SPY"])
    floor.market_data(OPEN, 1, 7, SPY, "", snapshot=False)
    floor.real_time_bars(OPEN, 1, 8, SPY, "TRADES", regular_hours=True)
    for price in ("100.00", "101.00", "100.50"):
        told = floor.set_price(OPEN, "SPY", Decimal(price), size=Decimal(7))
        assert {e.report.price for e in told if isinstance(e.report, TickPrice)} >= {Decimal(price)}
    # Who bids now has not been there when it was at 100.00.
    floor.submit(OPEN, 1, SPY, terms(1, "BUY", 10, "LMT", limit="100.20"))
    told = played(floor, OPEN + STEP)
    (bar,) = [each.report.bar for each in told if isinstance(each.report, RealTimeBar)]
    assert len(told) == 1
    assert (bar.open, bar.high, bar.close, bar.volume) == (100, 101, Decimal("100.50"), 21)
    assert figures(history(floor, "1 D", "1 min")) == figures([bar])
