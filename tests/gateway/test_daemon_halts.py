"""Halts and short sales through the whole daemon: from the gateway's ticks to the gate's word."""

from decimal import Decimal
from pathlib import Path

import pytest

from events import (
    BarMissing,
    IntentRefused,
    OrderFilled,
    ShortSaleReported,
    SymbolHalted,
)
from tests.gateway_daemon import Running, a_daemon, a_day_begun
from tests.gateway_desk import until

pytestmark = pytest.mark.usefixtures("gateway_account")
SHORTS = "allow_short = true"


def why_refused(daemon: Running, check: str) -> str:
    """Return what that check said of the last order that was refused."""
    return next(each.note for each in daemon.of(IntentRefused)[-1].failed if each.name == check)


async def order(daemon: Running, quantity: str) -> None:
    """Make an order by hand."""
    await daemon.tell("order", symbol="AAPL", quantity=quantity, type="MKT", tif="DAY")


async def test_a_halted_symbol_gets_no_order_and_misses_no_bar(tmp_path: Path) -> None:
    async with (
        a_day_begun() as gateway,
        a_daemon(tmp_path, gateway, bar_every_s=60, trades=True) as daemon,
    ):
        await daemon.adopt()
        await daemon.trade_until(lambda: daemon.of(OrderFilled))
        floor = gateway.gateway.floor
        gateway.gateway.deliver(floor.halt(gateway.gateway.now(), "AAPL"))
        await until(lambda: daemon.of(SymbolHalted))
        already = len(daemon.of(BarMissing))
        for _ in range(30):
            await daemon.wait_there(60)
        # What is due is taken before a command.
        await order(daemon, "5")
        await until(lambda: daemon.of(IntentRefused))
        assert why_refused(daemon, "symbol_halted") == "trading is halted by the exchange"
        assert daemon.of(BarMissing)[already:] == []


async def test_a_symbol_that_just_falls_silent_does_miss_its_bars(tmp_path: Path) -> None:
    async with (
        a_day_begun() as gateway,
        a_daemon(tmp_path, gateway, bar_every_s=60, trades=True) as daemon,
    ):
        await daemon.adopt()
        await daemon.trade_until(lambda: daemon.of(OrderFilled))
        for _ in range(30):
            await daemon.wait_there(60)
        await until(lambda: daemon.of(BarMissing))


async def test_nothing_is_sold_short_of_which_nobody_says_that_it_can_be_borrowed(
    tmp_path: Path,
) -> None:
    async with a_day_begun() as gateway:
        gateway.gateway.floor.lend("AAPL", None)
        async with a_daemon(tmp_path, gateway, more=SHORTS, trades=True) as daemon:
            await daemon.adopt()
            await daemon.trade_until(lambda: daemon.of(OrderFilled))
            await order(daemon, "-20")
            await until(lambda: daemon.of(IntentRefused))
            assert why_refused(daemon, "shortable") == (
                "nobody has said what can be borrowed today"
            )
            gateway.gateway.deliver(gateway.gateway.floor.lend("AAPL", Decimal(10)))
            await until(lambda: daemon.of(ShortSaleReported))
            await order(daemon, "-20")
            await until(lambda: len(daemon.of(IntentRefused)) == 2)
            (check,) = [c for c in daemon.of(IntentRefused)[1].failed if c.name == "shortable"]
            # 5 are held: 15 have to be borrowed, 10 are there.
            assert (check.value, check.limit) == (15, 10)


async def test_what_can_be_borrowed_is_sold_short(tmp_path: Path) -> None:
    async with (
        a_day_begun() as gateway,
        a_daemon(tmp_path, gateway, more=SHORTS, trades=True) as daemon,
    ):
        await daemon.adopt()
        await daemon.trade_until(lambda: daemon.of(OrderFilled))
        await order(daemon, "-20")
        await daemon.trade_until(lambda: len(daemon.of(OrderFilled)) == 2, parts=1)
        held = [each.quantity for each in gateway.gateway.floor.positions()]
        assert held == [Decimal(-15)]
