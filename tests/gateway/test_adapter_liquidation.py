"""The gateway's broker closes a position of ours by itself: heard, or found with the next lists."""

from decimal import Decimal

import pytest

from events import OrderFilled
from projections.order_states import OrderState
from tests.adapter_desk import AAPL, a_trader
from tests.gateway_desk import a_gateway


@pytest.mark.parametrize("connected", [True, False])
async def test_a_liquidation_trips_the_circuit_breaker_and_is_in_the_books(
    *, connected: bool
) -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        await trader.until_state(trader.place("10"), OrderState.FILLED)
        if connected:
            running.gateway.mishaps.liquidate_largest()
            trader.session.doubt("a look")
        else:
            running.gateway.mishaps.reset_all()
            running.gateway.mishaps.liquidate_largest()
        await trader.until(lambda: "LIQUIDATION" in trader.causes)
        await trader.until(lambda: trader.state.broker.connected)
        assert trader.state.positions.held(AAPL).quantity == trader.theirs == Decimal(0)
        assert [each.is_liquidation for each in trader.all(OrderFilled)] == [False, True]
        assert "foreign fill" not in trader.causes
