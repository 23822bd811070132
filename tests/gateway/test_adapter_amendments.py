"""A person at the trading desk changes our order: heard at once, or found with the next lists."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from events import OperatorResolveAsked, OrderAmended, OrderCancelled
from ops.gateway_sim.faults import Fault, FaultKind
from ops.gateway_sim.server import RunningGateway
from projections.order_states import OrderState
from tests.adapter_desk import Trader, a_trader
from tests.gateway_desk import a_gateway
from tests.operators import said

FAR = "140.00"
"""A limit ten dollars from the market: such an order rests."""


def change(running: RunningGateway, **terms: object) -> None:
    """Change the newest working order, as a person does."""
    gateway = running.gateway
    order = gateway.mishaps.newest_working()
    assert order is not None
    now, changed = gateway.now(), msgspec.structs.replace(order.terms, **terms)
    gateway.deliver(gateway.floor.modify_by_hand(now, order.perm_id, changed))


def the_amendment(trader: Trader) -> OrderAmended:
    (found,) = trader.all(OrderAmended)
    return found


@pytest.mark.parametrize(
    ("terms", "quantity", "limit"),
    [
        ({"quantity": Decimal(25)}, 25, 140),
        ({"limit_price": Decimal("141.25")}, 10, Decimal("141.25")),
    ],
)
async def test_a_change_is_heard_and_reserved_at_once(
    terms: dict[str, Decimal], quantity: int, limit: Decimal
) -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        change(running, **terms)
        await trader.until(lambda: trader.all(OrderAmended))
        said_now = the_amendment(trader)
        assert (said_now.quantity, said_now.limit_price) == (quantity, limit)
        assert trader.order(order_id).reserved == quantity
        assert trader.order(order_id).state is OrderState.WORKING
        assert trader.causes == ["amended order"]


async def test_an_order_as_we_sent_it_is_not_amended_whatever_kind_it_is() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        await trader.until_state(trader.place("10", FAR), OrderState.WORKING)
        await trader.until_state(trader.place("10"), OrderState.FILLED)
        await trader.until_state(trader.place("-5", "160.10"), OrderState.WORKING)
        assert trader.all(OrderAmended) == []


async def test_an_order_made_larger_fills_to_its_new_size() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        running.gateway.mishaps.amend_newest()
        await trader.until(lambda: trader.all(OrderAmended))
        running.gateway.mishaps.fill_newest(Decimal(20))
        await trader.until_state(order_id, OrderState.FILLED)
        assert (trader.held, trader.theirs) == (20, 20)
        assert trader.causes == ["amended order"]


async def test_a_change_during_an_outage_is_found_with_the_lists() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        running.gateway.mishaps.reset_all()
        change(running, quantity=Decimal(25))
        await trader.until_reconnected()
        await trader.until(lambda: trader.all(OrderAmended))
        assert trader.order(order_id).reserved == 25


async def test_a_change_while_the_daemon_was_down_is_found_at_its_start() -> None:
    async with a_gateway() as running:
        async with a_trader(running) as trader:
            order_id = trader.place("10", FAR)
            await trader.until_state(order_id, OrderState.WORKING)
            records = trader.records
        change(running, quantity=Decimal(25))
        async with a_trader(running, records) as trader:
            await trader.until(lambda: trader.all(OrderAmended))
            assert trader.order(order_id).reserved == 25


async def test_of_two_live_orders_after_a_change_both_are_reserved_and_one_end_is_none() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        order = await trader.until_state(order_id, OrderState.WORKING)
        assert order.reserved == 10
        running.gateway.mishaps.double_newest()
        trader.session.doubt("a look")
        await trader.until(lambda: trader.all(OrderAmended))
        assert (the_amendment(trader).quantity, the_amendment(trader).live_orders) == (20, 2)
        assert trader.order(order_id).reserved == 20
        # The one we can name is cancelled; the other one works on, and stays reserved.
        trader.cancel(order_id)
        await trader.until(lambda: len(running.gateway.floor.all_open_orders()) == 1)
        await trader.until(lambda: trader.state.broker.connected)
        trader.session.doubt("another look")
        await trader.until(lambda: trader.state.broker.connected)
        assert trader.all(OrderCancelled) == []
        assert trader.order(order_id).reserved >= 10
        assert "amended order" in trader.causes


async def test_once_adopted_the_new_terms_are_ours_and_no_amendment_any_more() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        change(running, quantity=Decimal(25))
        await trader.until(lambda: trader.all(OrderAmended))
        opened = trader.state.reconciliation.open
        while not any(each.difference.subject == order_id for each in opened.values()):
            await trader.pass_time(timedelta(seconds=10))
            trader.session.doubt("a look")
            await trader.until(lambda: trader.state.broker.connected)
        broken = next(k for k, each in opened.items() if each.difference.subject == order_id)
        trader.step(said(OperatorResolveAsked, broken))
        assert trader.order(order_id).intent.quantity == 25
        trader.session.doubt("a look")
        await trader.until(lambda: trader.state.broker.connected)
        assert len(trader.all(OrderAmended)) == 1
        assert "amended order" not in trader.causes


async def test_a_plan_can_double_an_order() -> None:
    async with (
        a_gateway(Fault(FaultKind.DOUBLED, "orderStatus")) as running,
        a_trader(running) as trader,
    ):
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        await trader.until(lambda: trader.orders_there() == [order_id, order_id])
