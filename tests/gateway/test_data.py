"""Market data through the wire: ticks, 5-second bars, bars of the past, from a file of minutes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import ib_async
import pytest

from ops.gateway_sim.faults import Fault, FaultKind
from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.server import RunningGateway, running_gateway
from tests.gateway_desk import AAPL, ACCOUNT, Desk, a_client, until

OPENS = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def bars_file(folder: Path) -> Path:
    """Write two sessions of ten minutes: minute n opens at 100 + n and closes a dollar higher."""
    rows = ["ts,open,high,low,close,volume"]
    for day in (OPENS, OPENS + timedelta(days=1)):
        for minute in range(10):
            at, price = day + minute * MINUTE, 100 + minute
            row = f"{at:%Y-%m-%dT%H:%M:%SZ},{price},{price + 2},{price - 1},{price + 1},1200"
            rows.append(row)
    path = folder / "AAPL.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@asynccontextmanager
async def at_a_desk(folder: Path, *faults: Fault) -> AsyncIterator[tuple[RunningGateway, Desk]]:
    floor = open_floor([bars_file(folder)], ACCOUNT, Decimal(100_000), None, None)
    async with running_gateway(floor, faults=faults) as running, a_client(running) as desk:
        yield running, desk


async def test_the_bars_of_the_past_are_those_of_the_file(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (running, desk):
        running.gateway.clock.go_to(OPENS + 10 * MINUTE)
        bars = await desk.ib.reqHistoricalDataAsync(
            AAPL, "", "1 D", "1 min", "TRADES", useRTH=True, formatDate=2
        )
        assert [bar.date for bar in bars] == [OPENS + minute * MINUTE for minute in range(10)]
        first = bars[0]
        assert (first.open, first.high, first.low, first.close) == (100, 102, 99, 101)
        assert first.volume == 1200


async def test_bars_can_be_joined_to_longer_ones(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (running, desk):
        running.gateway.clock.go_to(OPENS + 10 * MINUTE)
        bars = await desk.ib.reqHistoricalDataAsync(
            AAPL, "", "1 D", "5 mins", "TRADES", useRTH=True, formatDate=2
        )
        # Minutes 0 to 4: opens at 100, highest 104 + 2, lowest 99, closes at 104 + 1.
        first = bars[0]
        assert (first.open, first.high, first.low, first.close) == (100, 106, 99, 105)
        assert (len(bars), first.volume) == (2, 6000)


async def test_daily_bars_are_told_by_date(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (running, desk):
        running.gateway.clock.go_to(OPENS + timedelta(days=1, minutes=10))
        bars = await desk.ib.reqHistoricalDataAsync(
            AAPL, "", "2 D", "1 day", "TRADES", useRTH=True, formatDate=2
        )
        assert [str(bar.date) for bar in bars] == ["2024-01-02", "2024-01-03"]


async def test_bars_kept_up_to_date_go_on_as_time_passes(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (running, desk):
        running.gateway.clock.go_to(OPENS + 2 * MINUTE)
        bars = await desk.ib.reqHistoricalDataAsync(
            AAPL, "", "1 D", "1 min", "TRADES", useRTH=True, formatDate=2, keepUpToDate=True
        )
        for second in range(0, 65, 5):
            running.gateway.clock.go_to(OPENS + 2 * MINUTE + timedelta(seconds=second))
            await asyncio.sleep(0.025)
        # The third minute is whole, as soon as the last that was told of it has come.
        third = OPENS + 2 * MINUTE
        whole = (third, 102, 104, 101, 103)
        await until(lambda: whole in {(b.date, b.open, b.high, b.low, b.close) for b in bars})


async def test_five_second_bars_come_and_stop(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (running, desk):
        bars = desk.ib.reqRealTimeBars(AAPL, 5, "TRADES", useRTH=True)
        await desk.ib.reqCurrentTimeAsync()
        running.gateway.clock.go_to(OPENS + MINUTE)
        await until(lambda: len(bars) >= 12)
        assert [bar.time for bar in bars] == [
            OPENS + timedelta(seconds=second) for second in range(0, 60, 5)
        ]
        assert (bars[0].open_, bars[-1].close) == (100, 101)
        assert sum(bar.volume for bar in bars) == 1200
        desk.ib.cancelRealTimeBars(bars)
        await asyncio.sleep(0.05)
        running.gateway.clock.go_to(OPENS + 2 * MINUTE)
        await asyncio.sleep(0.1)
        assert len(bars) == 12


async def test_a_bar_that_never_leaves_is_a_gap(tmp_path: Path) -> None:
    lost = Fault(FaultKind.LOST, "realtimeBar", nth=3)
    async with at_a_desk(tmp_path, lost) as (running, desk):
        bars = desk.ib.reqRealTimeBars(AAPL, 5, "TRADES", useRTH=True)
        await desk.ib.reqCurrentTimeAsync()
        running.gateway.clock.go_to(OPENS + MINUTE)
        await until(lambda: len(bars) == 11)
        assert (bars[2].time - bars[1].time).seconds == 10


async def test_bars_of_the_past_may_come_without_any_and_then_nothing_is_ever_added(
    tmp_path: Path,
) -> None:
    async with at_a_desk(tmp_path, Fault(FaultKind.EMPTY, "historicalData")) as (running, desk):
        running.gateway.clock.go_to(OPENS + 2 * MINUTE)
        bars = await desk.ib.reqHistoricalDataAsync(
            AAPL, "", "1 D", "1 min", "TRADES", useRTH=True, formatDate=2, keepUpToDate=True
        )
        running.gateway.clock.go_to(OPENS + 4 * MINUTE)
        await asyncio.sleep(0.1)
        # ib_async drops every update of a list that began empty.
        assert list(bars) == []


async def test_a_subscription_of_bars_ends_with_10225_and_ib_async_asks_again(
    tmp_path: Path,
) -> None:
    bust = Fault(FaultKind.DEACTIVATED, "realtimeBar", nth=3)
    async with at_a_desk(tmp_path, bust) as (running, desk):
        bars = desk.ib.reqRealTimeBars(AAPL, 5, "TRADES", useRTH=True)
        await desk.ib.reqCurrentTimeAsync()
        running.gateway.clock.go_to(OPENS + timedelta(seconds=20))
        await until(lambda: desk.codes == [10225])
        await asyncio.sleep(0.1)
        running.gateway.clock.go_to(OPENS + MINUTE)
        await until(lambda: len(bars) >= 2 + 8)


async def test_a_bar_is_revised_after_it_was_told(tmp_path: Path) -> None:
    revised = Fault(FaultKind.REVISED, "historicalDataUpdate")
    async with at_a_desk(tmp_path, revised) as (running, desk):
        running.gateway.clock.go_to(OPENS + MINUTE)
        bars = await desk.ib.reqHistoricalDataAsync(
            AAPL, "", "1 D", "1 min", "TRADES", useRTH=True, formatDate=2, keepUpToDate=True
        )
        running.gateway.clock.go_to(OPENS + 2 * MINUTE)
        # The second minute closes at 102.
        await until(lambda: bars[-1].close == 102.01)


@pytest.mark.parametrize("code", [2103, 2105, 2110, 2157])
async def test_a_farm_may_break(tmp_path: Path, code: int) -> None:
    broken = Fault(FaultKind.NOTICE, "reqCurrentTime", code=code)
    async with at_a_desk(tmp_path, broken) as (_, desk):
        await desk.ib.reqCurrentTimeAsync()
        await until(lambda: desk.codes == [code])


async def test_ticks_come_at_once_and_with_each_new_price(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (running, desk):
        ticker = desk.ib.reqMktData(AAPL)
        running.gateway.clock.go_to(OPENS + MINUTE)
        await until(lambda: ticker.last == 101)
        assert ticker.bid < ticker.last < ticker.ask
        running.gateway.clock.go_to(OPENS + 2 * MINUTE)
        await until(lambda: ticker.last == 102)
        assert ticker.marketDataType == 1


async def test_a_snapshot_ends(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (running, desk):
        running.gateway.clock.go_to(OPENS + MINUTE)
        (ticker,) = await asyncio.wait_for(desk.ib.reqTickersAsync(AAPL), 3)
        assert ticker.last == 101


async def test_the_oldest_bar_can_be_asked_for(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (_, desk):
        found = await desk.ib.reqHeadTimeStampAsync(AAPL, "TRADES", useRTH=True, formatDate=2)
        assert found == OPENS


async def test_an_unknown_symbol_is_error_200_and_an_ambiguous_one_too(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (_, desk):
        unknown = ib_async.Stock("NOSUCH", "SMART", "USD")
        assert await desk.ib.qualifyContractsAsync(unknown) == [None]
        assert desk.codes == [200]
        # Also listed in Mexico, in pesos.
        found = await desk.ib.reqContractDetailsAsync(ib_async.Stock("AAPL"))
        assert {details.contract.currency for details in found if details.contract} == {
            "USD",
            "MXN",
        }
        desk.ib.reqMktData(ib_async.Stock("AAPL", conId=-1))
        await until(lambda: desk.codes == [200, 200])


async def test_symbols_are_found_by_how_they_begin_and_prices_step_by_a_rule(
    tmp_path: Path,
) -> None:
    async with at_a_desk(tmp_path) as (_, desk):
        found = await desk.ib.reqMatchingSymbolsAsync("AAP")
        assert {each.contract.symbol for each in found or [] if each.contract} == {"AAPL"}
        rule = await desk.ib.reqMarketRuleAsync(26)
        assert rule == [ib_async.PriceIncrement(0.0, 0.01)]


@pytest.mark.parametrize("code", [162, 200])
async def test_history_may_be_refused(tmp_path: Path, code: int) -> None:
    refused = Fault(FaultKind.REFUSED, "reqHistoricalData", code=code)
    async with at_a_desk(tmp_path, refused) as (_, desk):
        bars = await desk.ib.reqHistoricalDataAsync(AAPL, "", "1 D", "1 min", "TRADES", useRTH=True)
        assert (list(bars), desk.codes) == ([], [code])


async def test_a_question_for_a_figure_of_the_account_is_answered_by_name(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (_, desk):
        summary = await desk.ib.accountSummaryAsync()
        net = [value for value in summary if value.tag == "NetLiquidation"]
        assert [(value.account, float(value.value)) for value in net] == [(ACCOUNT, 100_000)]


async def test_two_summaries_at_once_are_the_most(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (_, desk):
        for request_id in (900, 901, 902):
            desk.client.reqAccountSummary(request_id, "All", "NetLiquidation")
        await until(lambda: desk.codes == [322])
        desk.client.cancelAccountSummary(900)
        desk.client.reqAccountSummary(903, "All", "NetLiquidation")
        await desk.ib.reqCurrentTimeAsync()
        assert desk.codes == [322]


async def test_profit_follows_the_price(tmp_path: Path) -> None:
    async with at_a_desk(tmp_path) as (running, desk):
        running.gateway.clock.go_to(OPENS + MINUTE)
        await asyncio.sleep(0.05)
        desk.market("BUY", 10)
        await until(desk.ib.positions)
        pnl = desk.ib.reqPnL(ACCOUNT)
        await until(lambda: pnl.unrealizedPnL == pnl.unrealizedPnL)  # no longer NaN
        before = pnl.unrealizedPnL
        running.gateway.clock.go_to(OPENS + 9 * MINUTE)
        await until(lambda: pnl.unrealizedPnL > before)
