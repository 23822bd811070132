"""The numbers of orders: each is on record as it is used, and none is used again."""

from decimal import Decimal

from daemon.core.report_desk import NUMBERS_WENT_BACK
from events import (
    BrokerHeard,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    OperatorLifted,
    OrderNumbered,
    OrderNumbersWentBack,
    Record,
    WorkingOrders,
)
from ops.gateway_sim.faults import Fault, FaultKind
from ops.gateway_sim.server import RunningGateway
from ops.sentences import sentence
from projections.order_states import OrderState
from tests.adapter_desk import Trader, a_trader
from tests.gateway_desk import a_gateway
from tests.operators import said as told

FAR = "140.00"
"""A limit ten dollars from the market: such an order rests."""
OURS = 1001


def numbers(trader: Trader) -> list[int]:
    return [each.order_id for each in trader.all(OrderNumbered)]


def went_back(trader: Trader) -> list[OrderNumbersWentBack]:
    return trader.all(OrderNumbersWentBack)


def held(trader: Trader) -> list[HoldPlaced]:
    """Return the holds in force for numbers that went back."""
    active = trader.state.holds.active.values()
    return [each for each in active if each.cause == NUMBERS_WENT_BACK]


async def several(running: RunningGateway, count: int = 5) -> list[Record]:
    """Let a trader place so many orders, and return what it recorded."""
    async with a_trader(running) as trader:
        for _ in range(count):
            await trader.until_state(trader.place("1", FAR), OrderState.WORKING)
        return trader.records


async def test_the_number_is_on_record_before_anything_is_heard_of_the_order() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        (numbered,) = trader.all(OrderNumbered)
        heard = next(e for e in trader.all(BrokerHeard) if e.client_order_id == order_id)
        assert (numbered.client_order_id, numbered.order_id) == (order_id, heard.order_id)
        events = [record.event for record in trader.records]
        assert events.index(numbered) < events.index(heard)
        assert trader.state.broker.order_id_sent == numbered.order_id
        assert sentence(numbered) == f"the order leaves under number {numbered.order_id}"


async def test_a_gateway_whose_numbers_go_back_is_held_and_none_is_used_again() -> None:
    async with a_gateway() as running:
        records = await several(running)
        running.gateway.floor.roll_back_ids(OURS, 3)
        async with a_trader(running, records) as trader:
            used = numbers(trader)
            await trader.until_state(trader.place("1", FAR), OrderState.WORKING)
            assert numbers(trader)[-1] > max(used)
            assert len(set(numbers(trader))) == 6
            (said,) = went_back(trader)
            assert (said.order_id_next, said.order_id_used) == (3, max(used))
            assert sentence(said) == (
                f"the gateway's order numbers went back to 3: {max(used)} is used, so it may have "
                "lost orders"
            )
            (hold,) = held(trader)
            assert (hold.scope, hold.level) == (HoldScope.ALL, HoldLevel.HALT)
            assert (hold.lifts, hold.working) == (HoldLifts.OPERATOR, WorkingOrders.KEEP)
            assert "no number is used again; compare its orders" in hold.why


async def test_once_lifted_the_same_numbers_hold_nothing_again_and_lower_ones_do() -> None:
    async with a_gateway() as running:
        records = await several(running)
        running.gateway.floor.roll_back_ids(OURS, 3)
        async with a_trader(running, records) as trader:
            await trader.until(lambda: held(trader))
            trader.step(told(OperatorLifted, held(trader)[0].hold_id))
            assert held(trader) == []
            running.gateway.mishaps.reset_all()
            await trader.until_reconnected(3)
            assert held(trader) == []
            records = trader.records
        async with a_trader(running, records) as trader:
            assert held(trader) == [], "nor after a restart"
            running.gateway.floor.roll_back_ids(OURS, 2)
            running.gateway.mishaps.reset_all()
            await trader.until(lambda: held(trader))


async def test_they_are_noticed_within_a_run_too() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        for _ in range(3):
            await trader.until_state(trader.place("1", FAR), OrderState.WORKING)
        running.gateway.floor.roll_back_ids(OURS, 1)
        running.gateway.mishaps.reset_all()
        await trader.until_reconnected()
        assert len(went_back(trader)) == 1
        await trader.until_state(trader.place("1", FAR), OrderState.WORKING)
        assert len(set(numbers(trader))) == 4


async def test_the_number_of_an_order_that_was_lost_on_its_way_counts_after_a_restart() -> None:
    lost = Fault(FaultKind.RESET_BEFORE, "placeOrder", nth=3)
    async with a_gateway(lost) as running:
        async with a_trader(running) as trader:
            for _ in range(2):
                await trader.until_state(trader.place("1", FAR), OrderState.WORKING)
            third = trader.place("1", FAR)
            await trader.until_reconnected()
            assert trader.order(third).state is OrderState.SENDING
            records, used = trader.records, numbers(trader)
        async with a_trader(running, records) as trader:
            await trader.until_state(trader.place("1", FAR), OrderState.WORKING)
            assert len(used) == 3
            assert numbers(trader)[-1] > max(used)
            assert went_back(trader), "the gateway never had the third"


async def test_a_gateway_in_order_is_told_nothing_about() -> None:
    async with a_gateway() as running:
        records = await several(running, 2)
        async with a_trader(running, records) as trader:
            await trader.until_state(trader.place("1"), OrderState.FILLED)
            assert went_back(trader) == []
            assert trader.held == Decimal(1)
