"""Halts and short sales as the gateway tells them: ticks 49, and 46 and 89 for the asking."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from decimal import Decimal

import pytest

from daemon.brokers.gateway import symbol_watch
from daemon.brokers.gateway.symbol_watch import SymbolWatch
from events import (
    BrokerDegraded,
    Event,
    ShortSaleReported,
    SymbolHalted,
    SymbolResumed,
)
from ops.gateway_sim.faults import Fault, FaultKind
from ops.gateway_sim.server import RunningGateway
from projections.order_states import OrderState
from tests.adapter_desk import AAPL, MSFT, SYMBOLS, Trader
from tests.builders import a_calendar, a_session
from tests.gateway_desk import a_gateway, quote

PLENTY = Decimal(10_000_000)
TODAY = date(2024, 1, 2)
TOMORROW = date(2024, 1, 3)


@asynccontextmanager
async def watching(running: RunningGateway) -> AsyncIterator[Trader]:
    """Yield a trader that watches both symbols, with two days of the exchange in its books."""
    trader = Trader(running)
    calendar = a_calendar(a_session("2024-01-02"), a_session("2024-01-03"), exchange="NASDAQ")
    trader.core.recorder.emit(calendar)  # type: ignore[arg-type]
    watch = SymbolWatch(trader.session, trader.broker.contracts, SYMBOLS)
    trader.session.listeners.append(watch)
    try:
        await trader.start()
        await trader.until(lambda: all(each.request for each in watch._watched.values()))  # noqa: SLF001 - asked by a test
        yield trader
    finally:
        await trader.stop()


def of_aapl(trader: Trader, kind: type[Event]) -> list[Event]:
    return [each for each in trader.all(kind) if getattr(each, "symbol", "") == AAPL]


def halt(running: RunningGateway, kind: int = 1) -> None:
    gateway = running.gateway
    gateway.deliver(gateway.floor.halt(gateway.now(), AAPL, kind))


def resume(running: RunningGateway, *, telling: bool = True) -> None:
    gateway = running.gateway
    gateway.deliver(gateway.floor.resume(gateway.now(), AAPL, telling=telling))


def lend(running: RunningGateway, shares: int) -> None:
    gateway = running.gateway
    gateway.deliver(gateway.floor.lend(AAPL, Decimal(shares)))


async def test_a_halt_and_its_end_are_told_of_that_symbol_alone() -> None:
    async with a_gateway() as running, watching(running) as trader:
        halt(running, 2)
        await trader.until(lambda: trader.state.halts.active)
        assert trader.all(SymbolHalted) == [SymbolHalted(AAPL, "for its volatility")]
        resume(running)
        await trader.until(lambda: not trader.state.halts.active)
        assert trader.all(SymbolResumed) == [SymbolResumed(AAPL)]


async def test_the_end_of_a_halt_that_is_not_told_shows_in_the_next_trade() -> None:
    async with a_gateway() as running, watching(running) as trader:
        halt(running)
        await trader.until(lambda: trader.state.halts.active)
        quote(running.gateway, AAPL, 150)
        resume(running, telling=False)
        await trader.pass_time(timedelta(seconds=30))
        assert trader.state.halts.active, "nothing has traded since"
        quote(running.gateway, AAPL, 151)
        await trader.until(lambda: not trader.state.halts.active)
        (resumed,) = trader.all(SymbolResumed)
        assert resumed.reason == "it traded at 15:00:30 UTC"


async def test_what_is_halted_trades_nothing_at_the_gateway() -> None:
    async with a_gateway() as running, watching(running) as trader:
        halt(running)
        order_id = trader.place("10")
        await trader.until_state(order_id, OrderState.WORKING)
        quote(running.gateway, AAPL, 150)
        resume(running)
        assert trader.order(order_id).filled == 0
        quote(running.gateway, AAPL, 150)
        await trader.until_state(order_id, OrderState.FILLED)


async def test_a_halt_from_before_the_connection_is_told_and_outlasts_a_restart() -> None:
    async with a_gateway() as running:
        halt(running)
        async with watching(running) as trader:
            await trader.until(lambda: trader.state.halts.active)
            running.gateway.mishaps.reset_all()
            await trader.until_reconnected()
            resume(running, telling=False)
            await trader.pass_time(timedelta(seconds=30))
            await trader.until(lambda: trader.state.broker.connected)
            while trader.state.halts.active:
                await trader.pass_time(timedelta(seconds=1))
                quote(running.gateway, AAPL, 150)
            assert len(trader.all(SymbolHalted)) == 1, "it was the same halt"


async def test_what_can_be_borrowed_is_on_record_for_the_session_in_hand() -> None:
    async with a_gateway() as running, watching(running) as trader:
        number = trader.state.instruments.short_sales
        await trader.until(lambda: AAPL in number and number[AAPL].shortable_shares == PLENTY)
        said = trader.state.instruments.short_sales[AAPL]
        assert said == ShortSaleReported(AAPL, TODAY, PLENTY, restricted=False)


async def test_more_to_borrow_is_told_once_a_minute_and_half_as_much_at_once() -> None:
    async with a_gateway() as running, watching(running) as trader:
        await trader.until(lambda: AAPL in trader.state.instruments.short_sales)

        def shares() -> Decimal | None:
            return trader.state.instruments.short_sales[AAPL].shortable_shares

        await trader.until(lambda: shares() == PLENTY)
        before = len(of_aapl(trader, ShortSaleReported))
        lend(running, 9_000_000)
        lend(running, 4_000_000)
        await trader.until(lambda: shares() == 4_000_000)
        assert len(of_aapl(trader, ShortSaleReported)) == before + 1
        lend(running, 5_000_000)
        lend(running, 0)
        await trader.until(lambda: shares() == 0)
        await trader.pass_time(symbol_watch.TELL_EVERY)
        lend(running, 7_000)
        await trader.until(lambda: shares() == 7_000)


async def test_after_the_close_it_is_about_the_next_session() -> None:
    async with a_gateway() as running, watching(running) as trader:
        await trader.until(lambda: AAPL in trader.state.instruments.short_sales)
        await trader.pass_time(timedelta(hours=12))
        lend(running, 7_000)
        await trader.until(
            lambda: trader.state.instruments.short_sales[AAPL].day == TOMORROW,
        )


async def test_what_nobody_says_is_not_on_record() -> None:
    async with a_gateway() as running:
        running.gateway.floor.lend(AAPL, None)
        async with watching(running) as trader:
            await trader.until(lambda: MSFT in trader.state.instruments.short_sales)
            assert AAPL not in trader.state.instruments.short_sales


async def test_a_refused_subscription_is_said_once_and_stops_no_order() -> None:
    refused = Fault(FaultKind.REFUSED, "reqMktData", code=101)
    async with a_gateway(refused) as running, watching(running) as trader:
        await trader.until(lambda: trader.all(BrokerDegraded))
        (said,) = trader.all(BrokerDegraded)
        assert said.reason.startswith("nobody says whether AAPL is halted or can be borrowed: 101")
        await trader.until_state(trader.place("10"), OrderState.FILLED)


@pytest.mark.parametrize("after_s", [0.0, 0.1])
async def test_a_plan_can_halt_a_symbol_for_a_while(after_s: float) -> None:
    planned = Fault(FaultKind.HALTED, "orderStatus", after_s=after_s)
    async with a_gateway(planned) as running, watching(running) as trader:
        await trader.until_state(trader.place("10", "140.00"), OrderState.WORKING)
        await trader.until(lambda: trader.all(SymbolHalted))
        if after_s:
            await trader.until(lambda: trader.all(SymbolResumed))
