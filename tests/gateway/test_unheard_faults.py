"""Two faults at the moment of sending: an order taken without a word, and lists that lag behind."""

import pytest

from ops.gateway_sim.faults import Fault, FaultKind
from tests.gateway_desk import a_client, a_gateway, until


def test_lists_leave_out_orders_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="places no order"):
        Fault(FaultKind.UNLISTED, "cancelOrder", after_s=1)


async def test_an_order_can_be_taken_and_its_connection_end_before_a_word_about_it() -> None:
    async with a_gateway(Fault(FaultKind.RESET_UNHEARD, "placeOrder")) as running:
        async with a_client(running) as desk:
            trade = desk.limit("BUY", 10, 140)
            await until(lambda: not desk.ib.isConnected())
            assert trade.orderStatus.permId == 0
        (order,) = running.gateway.floor.all_open_orders()
        assert (order.terms.quantity, order.terms.limit_price) == (10, 140)


async def test_no_list_shows_an_order_as_long_as_lists_lag() -> None:
    fault = Fault(FaultKind.UNLISTED, "placeOrder")  # For ever, until it is said otherwise.
    async with a_gateway(fault) as running, a_client(running) as desk:
        trade = desk.limit("BUY", 10, 140)
        await until(lambda: trade.orderStatus.status == "Submitted", "its owner hears of it")
        async with a_client(running, client_id=8) as other:
            await other.ib.reqAllOpenOrdersAsync()
            assert other.ib.openTrades() == []
            running.gateway.mishaps.leave_out(7, trade.order.orderId, 0.001)
            await until(lambda: running.gateway.mishaps.is_listed(7, trade.order.orderId))
            await other.ib.reqAllOpenOrdersAsync()
            assert [each.order.totalQuantity for each in other.ib.openTrades()] == [10]
