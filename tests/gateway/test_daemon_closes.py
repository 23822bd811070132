"""What is held and not configured: only a flatten passes, by the broker's contract of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from events import ContractResolved, IntentRefused, OrderFilled, OrderSending, OrderType, Symbol
from ops.gateway_sim.server import RunningGateway
from ops.gateway_sim.terms import Contract, OrderTerms
from tests.gateway_daemon import Running, a_daemon, a_day_begun
from tests.gateway_desk import ACCOUNT, quote, until

pytestmark = pytest.mark.usefixtures("gateway_account")
MSFT = Symbol("MSFT")


def buy_by_hand(running: RunningGateway) -> None:
    """Have a person buy three shares of MSFT, which the daemon's configuration has not."""
    gateway = running.gateway
    found = gateway.floor.contract_details(Contract(symbol=MSFT))
    assert not isinstance(found[0], int)
    quote(gateway, MSFT, 300)
    terms = OrderTerms(order_id=0, action="BUY", quantity=Decimal(3), type="MKT", account=ACCOUNT)
    gateway.deliver(gateway.floor.place_by_hand(gateway.now(), found[0].contract, terms))
    quote(gateway, MSFT, 300)


def held_there(running: RunningGateway) -> Decimal:
    lines = running.gateway.floor.portfolio()
    return sum((each.quantity for each in lines if each.contract.symbol == MSFT), Decimal(0))


@asynccontextmanager
async def a_daemon_beside(folder: Path) -> AsyncIterator[tuple[RunningGateway, Running]]:
    """Run a daemon that trades AAPL alone, at an account that holds MSFT, and has adopted that."""
    async with a_day_begun() as running:
        buy_by_hand(running)
        assert held_there(running) == 3
        async with a_daemon(folder, running, trades=True) as daemon:
            await daemon.adopt()
            await until(lambda: MSFT in [each.symbol for each in daemon.of(ContractResolved)])
            yield running, daemon


async def test_a_flatten_closes_at_the_market_what_is_held_and_not_configured(
    tmp_path: Path,
) -> None:
    async with a_daemon_beside(tmp_path) as (running, daemon):
        answer = await daemon.tell("flatten", symbol=MSFT)
        assert answer.exit_code == 0, answer
        quote(running.gateway, MSFT, 300)
        await until(lambda: (MSFT, -3) in [(f.symbol, f.quantity) for f in daemon.of(OrderFilled)])
        assert held_there(running) == 0


async def test_any_other_order_in_it_is_refused(tmp_path: Path) -> None:
    async with a_daemon_beside(tmp_path) as (_, daemon):
        sent = len(daemon.of(OrderSending))
        kind = OrderType.MARKET.value
        await daemon.tell("order", symbol=MSFT, quantity="-3", type=kind, tif="DAY")
        await until(lambda: daemon.of(IntentRefused))
        failed = daemon.of(IntentRefused)[-1].failed
        (why,) = (each for each in failed if each.name == "valid_input")
        assert why.note == "the symbol is not configured"
        assert len(daemon.of(OrderSending)) == sent
