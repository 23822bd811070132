"""Cancels of orders that others placed: sent where the broker takes them from us, else said so."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from events import CancelSending, CancelWithheld, ClientOrderId, OperatorResolveAsked
from events.reconciliation import BreakKind
from ops.gateway_sim.server import RunningGateway
from ops.gateway_sim.terms import Contract, OrderTerms
from projections.order_states import OrderState
from tests.adapter_desk import AAPL, Trader, a_trader
from tests.gateway_desk import ACCOUNT, a_gateway
from tests.operators import said

OURS = 1001
BY_HAND = 0


def place_elsewhere(running: RunningGateway, client_id: int) -> None:
    """Have an order for AAPL placed far from the market, by another client or by hand."""
    gateway = running.gateway
    order_id = 0 if client_id == BY_HAND else 900
    terms = OrderTerms(
        order_id=order_id,
        action="BUY",
        quantity=Decimal(3),
        type="LMT",
        limit_price=Decimal("140.00"),
        account=ACCOUNT,
    )
    found = gateway.floor.contract_details(Contract(symbol=AAPL))
    assert not isinstance(found[0], int)
    contract = found[0].contract
    if client_id == BY_HAND:
        gateway.deliver(gateway.floor.place_by_hand(gateway.now(), contract, terms))
    else:
        gateway.deliver(gateway.floor.submit(gateway.now(), client_id, contract, terms))


async def adopted(trader: Trader) -> ClientOrderId:
    """Have the foreign order found by two looks, and adopted by an operator."""
    opened = trader.state.reconciliation.open

    def foreign() -> list[str]:
        kind = BreakKind.FOREIGN_ORDER
        return [name for name, each in opened.items() if each.difference.kind is kind]

    while not foreign():
        await trader.pass_time(timedelta(seconds=10))
        trader.session.doubt("a look")
        await trader.until(lambda: trader.state.broker.connected)
    (name,) = foreign()
    order_id = ClientOrderId(opened[name].difference.subject)
    trader.step(said(OperatorResolveAsked, name))
    assert trader.order(order_id).state is OrderState.WORKING
    return order_id


@pytest.mark.parametrize(
    ("client_id", "who"), [(7, "client 7 of the gateway"), (BY_HAND, "hand, on a screen")]
)
async def test_a_cancel_that_the_broker_takes_only_from_others_is_answered_with_where_to_do_it(
    client_id: int, who: str
) -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        place_elsewhere(running, client_id)
        order_id = await adopted(trader)
        trader.cancel(order_id)
        await trader.until(lambda: trader.all(CancelWithheld))
        (withheld,) = trader.all(CancelWithheld)
        assert withheld.reason.startswith(f"it was placed by {who}")
        assert withheld.reason.endswith("only there it can be cancelled: do it there")
        # It stands, counts as before, and nobody waits for an answer.
        order = trader.order(order_id)
        assert (order.state, order.reserved) == (OrderState.WORKING, 3)
        assert (order.cancel_requested, order.cancel_sent_at) == (False, 0)
        assert order.reason == withheld.reason
        assert len(running.gateway.floor.all_open_orders()) == 1


async def test_an_order_that_our_own_client_id_placed_without_us_is_cancelled() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        place_elsewhere(running, OURS)
        order_id = await adopted(trader)
        trader.cancel(order_id)
        await trader.until_state(order_id, OrderState.CANCELLED)
        assert trader.all(CancelWithheld) == []
        assert running.gateway.floor.all_open_orders() == []


def answered(trader: Trader, count: int) -> bool:
    return len(trader.all(CancelWithheld)) == count


async def test_it_may_be_asked_for_again_and_is_answered_again() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        place_elsewhere(running, 7)
        order_id = await adopted(trader)
        for count in (1, 2):
            trader.cancel(order_id)
            await trader.until(partial(answered, trader, count))
        assert len(trader.all(CancelSending)) == 2
