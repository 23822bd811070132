"""Orders through the wire and back: an unmodified ib_async against the simulated gateway."""

import asyncio
from decimal import Decimal

import ib_async
import pytest

from ops.gateway_sim.gateway import Settings
from ops.gateway_sim.terms import Contract, OrderTerms
from tests.gateway_desk import AAPL, ACCOUNT, MSFT, a_client, a_gateway, quote, until


async def test_a_client_that_connects_sees_the_account_and_no_positions_and_no_orders() -> None:
    async with a_gateway() as running, a_client(running) as desk:
        net = [value for value in desk.ib.accountValues() if value.tag == "NetLiquidation"]
        assert [(value.account, value.value) for value in net] == [(ACCOUNT, "1000000.00")]
        assert (desk.ib.positions(), desk.ib.openTrades(), desk.codes) == ([], [], [])


async def test_an_order_rests_fills_and_is_paid_for() -> None:
    async with a_gateway() as running, a_client(running) as desk:
        trade = desk.limit("BUY", 100, 149, orderRef="ref-1")
        await until(lambda: trade.orderStatus.status == "Submitted")
        assert trade.order.permId
        quote(running.gateway, "AAPL", 148.5)
        await until(lambda: trade.fills and trade.fills[0].commissionReport.commission)
        (fill,) = trade.fills
        # The ask came down to 148.51, below the limit of 149: the better price is given.
        assert (fill.execution.shares, fill.execution.price) == (100, 148.51)
        assert (fill.execution.side, fill.execution.orderRef) == ("BOT", "ref-1")
        # 0.005 USD a share, at least 1 USD an order.
        assert fill.commissionReport.commission == 1.0
        await until(lambda: desk.ib.positions() and desk.ib.portfolio())
        (position,) = desk.ib.positions()
        # 148.51 + 1 / 100
        assert (position.position, position.avgCost) == (100, pytest.approx(148.52))
        (held,) = desk.ib.portfolio()
        assert (held.marketPrice, held.marketValue) == (148.5, 14_850)


async def test_a_modified_order_keeps_its_ids_and_works_at_the_new_price() -> None:
    async with a_gateway() as running, a_client(running) as desk:
        trade = desk.limit("BUY", 10, 140)
        await until(lambda: trade.orderStatus.status == "Submitted")
        perm_id = trade.order.permId
        trade.order.lmtPrice = 141.5
        desk.ib.placeOrder(AAPL, trade.order)
        line = running.gateway.floor.find_order
        await until(lambda: _limit(line(perm_id=perm_id)) == Decimal("141.5"))
        (found,) = await desk.ib.reqOpenOrdersAsync()
        assert (found.order.permId, found.order.lmtPrice) == (perm_id, 141.5)


def _limit(line: object) -> object:
    return getattr(getattr(line, "terms", None), "limit_price", None)


async def test_a_cancelled_order_ends_with_202_and_is_in_the_completed_list_without_its_id() -> (
    None
):
    async with a_gateway() as running, a_client(running) as desk:
        trade = desk.limit("BUY", 10, 140, orderRef="ref-1")
        await until(lambda: trade.orderStatus.status == "Submitted")
        desk.ib.cancelOrder(trade.order)
        await until(lambda: trade.orderStatus.status == "Cancelled" and desk.codes == [202])
        (done,) = await desk.ib.reqCompletedOrdersAsync(apiOnly=False)
        assert (done.order.orderId, done.order.orderRef) == (0, "ref-1")
        assert done.orderStatus.status == "Cancelled"
        assert await desk.ib.reqOpenOrdersAsync() == []


async def test_an_order_to_weigh_comes_back_with_margins_and_is_not_placed() -> None:
    async with a_gateway() as running, a_client(running) as desk:
        order = ib_async.LimitOrder("BUY", 100, 150)
        weighed = await asyncio.wait_for(desk.ib.whatIfOrderAsync(AAPL, order), 2)
        # Half of 100 * 150 is the initial margin, a quarter the maintenance margin.
        assert float(weighed.initMarginChange) == 7_500
        assert float(weighed.maintMarginChange) == 3_750
        assert running.gateway.floor.all_open_orders() == []


async def test_a_bracket_is_held_until_its_last_child_and_its_children_cancel_each_other() -> None:
    async with a_gateway() as running, a_client(running) as desk:
        bracket = desk.ib.bracketOrder("BUY", 10, 149.5, takeProfitPrice=160, stopLossPrice=140)
        trades = []
        for order in bracket:
            order.tif = "DAY"
            trades.append(desk.ib.placeOrder(AAPL, order))
            await asyncio.sleep(0.06)
        parent, profit, stop = trades
        await until(lambda: parent.orderStatus.status == "Submitted")
        quote(running.gateway, "AAPL", 149)
        await until(lambda: parent.orderStatus.status == "Filled")
        await until(lambda: profit.orderStatus.status == "Submitted")
        # A stop is held by IB until it is elected.
        assert stop.orderStatus.status == "PreSubmitted"
        quote(running.gateway, "AAPL", 161)
        await until(lambda: profit.orderStatus.status == "Filled")
        await until(lambda: stop.orderStatus.status == "Cancelled")


async def test_an_order_for_more_than_the_account_can_carry_is_rejected() -> None:
    async with a_gateway() as running, a_client(running) as desk:
        trade = desk.limit("BUY", 100_000, 150)
        await until(lambda: 201 in desk.codes)
        assert trade.orderStatus.status in {"Inactive", "Cancelled"}
        assert running.gateway.floor.all_open_orders() == []


async def test_what_the_gateway_does_not_do_is_refused_and_never_taken_for_something_simpler() -> (
    None
):
    async with a_gateway() as running, a_client(running) as desk:
        desk.limit("BUY", 10, 150, algoStrategy="Adaptive")
        await until(lambda: desk.codes == [321])
        assert "the simulated gateway has no algorithms" in desk.errors[-1][2]
        assert running.gateway.floor.all_open_orders() == []


async def test_a_read_only_gateway_refuses_orders_and_cancels_and_shows_everything() -> None:
    async with a_gateway(settings=Settings(read_only=True)) as running, a_client(running) as desk:
        trade = desk.limit("BUY", 10, 150)
        await until(lambda: desk.codes == [321])
        # ib_async takes 321 for a warning and the refused order for a working one.
        assert trade.orderStatus.status == "ValidationError"
        assert running.gateway.floor.all_open_orders() == []
        assert desk.ib.accountValues() != []


async def test_two_clients_have_their_own_orders_and_see_one_account() -> None:
    async with a_gateway() as running, a_client(running, 7) as one, a_client(running, 8) as other:
        mine = one.limit("BUY", 10, 140, orderRef="one")
        theirs = other.limit("BUY", 20, 141, orderRef="other")
        await until(lambda: mine.orderStatus.status == theirs.orderStatus.status == "Submitted")
        assert [t.order.orderRef for t in await one.ib.reqOpenOrdersAsync()] == ["one"]
        everyone = await one.ib.reqAllOpenOrdersAsync()
        assert sorted(t.order.orderRef for t in everyone) == ["one", "other"]
        quote(running.gateway, "AAPL", 140.5)
        await until(lambda: theirs.orderStatus.status == "Filled" and one.ib.positions())
        # The position is everyone's, the execution its owner's.
        assert one.ib.positions()[0].position == 20
        assert (len(one.executions), len(other.executions)) == (0, 1)


async def test_only_its_own_client_may_cancel_an_order_but_a_global_cancel_hits_all() -> None:
    async with a_gateway() as running, a_client(running, 7) as one, a_client(running, 8) as other:
        trade = one.limit("BUY", 10, 140)
        await until(lambda: trade.orderStatus.status == "Submitted")
        other.client.cancelOrder(trade.order.orderId)
        await until(lambda: other.codes == [10147])
        other.client.reqGlobalCancel()
        await until(lambda: trade.orderStatus.status == "Cancelled")


async def test_client_0_binds_manual_orders_and_others_may_not() -> None:
    async with a_gateway() as running, a_client(running, 0) as zero, a_client(running, 7) as seven:
        seven.ib.reqAutoOpenOrders(autoBind=True)
        await until(lambda: seven.codes == [327])
        gateway = running.gateway
        by_hand = OrderTerms(
            order_id=0, action="BUY", quantity=Decimal(5), type="LMT", limit_price=Decimal(140)
        )
        contract = Contract(symbol="MSFT", security_type="STK", exchange="SMART", currency="USD")
        gateway.deliver(gateway.floor.place_by_hand(gateway.now(), contract, by_hand))
        await until(zero.ib.openTrades)
        (found,) = await zero.ib.reqOpenOrdersAsync()
        assert (found.order.orderId < 0, found.order.totalQuantity) == (True, 5)


async def test_executions_can_be_asked_for_again_and_filtered() -> None:
    async with a_gateway() as running, a_client(running) as desk:
        first = desk.market("BUY", 10, orderRef="a")
        order = ib_async.MarketOrder("BUY", 5, orderRef="b", tif="DAY")
        second = desk.ib.placeOrder(MSFT, order)
        await until(lambda: first.fills and second.fills)
        found = await desk.ib.reqExecutionsAsync(ib_async.ExecutionFilter(symbol="MSFT"))
        assert [fill.execution.orderRef for fill in found] == ["b"]
        assert len(await desk.ib.reqExecutionsAsync()) == 2


async def test_an_order_id_that_was_used_before_is_refused() -> None:
    async with a_gateway() as running, a_client(running) as desk:
        trade = desk.market("BUY", 10)
        await until(lambda: trade.orderStatus.status == "Filled")
        order = ib_async.LimitOrder("BUY", 1, 140, tif="DAY")
        desk.client.placeOrder(1, AAPL, order)
        await until(lambda: 103 in desk.codes)
