"""A few seeds of the campaign over the gateway, and two adapters that it has to catch.

`python -m tests.gateway_campaign --seeds 2000` runs as many as you like.
"""

import asyncio
from collections import Counter

import pytest

from daemon.brokers.gateway.broker import IbkrBroker
from ops.gateway_sim.faults import Fault, FaultKind
from projections.order_states import OrderState
from tests.adapter_desk import Trader
from tests.gateway_campaign import (
    AskingResend,
    BlindResend,
    Reckless,
    failures,
    run_seed,
)
from tests.gateway_desk import a_gateway

BEFORE_THE_ECHO = Fault(FaultKind.RESET, "openOrder")
NOT_AT_THE_GREETING = tuple(Fault(FaultKind.LOST, "openOrder", nth) for nth in (2, 3))
NOT_IN_THE_LISTS = tuple(Fault(FaultKind.LOST, "openOrder", nth) for nth in range(2, 7))


def test_whatever_befalls_nothing_is_sent_twice_and_no_fill_is_lost() -> None:
    assert failures(range(1, 21)) == []


@pytest.mark.parametrize("kind", [BlindResend, AskingResend, Reckless])
def test_an_adapter_that_sends_what_it_must_not_fails_half_of_the_seeds_and_more(
    kind: type[IbkrBroker],
) -> None:
    # All but one, or all.
    assert len(failures(range(1, 9), kind)) >= 4


def test_a_seed_is_the_same_every_time() -> None:
    assert run_seed(5) == run_seed(5)


@pytest.mark.parametrize(
    ("kind", "faults", "times"),
    [
        (BlindResend, (BEFORE_THE_ECHO, *NOT_AT_THE_GREETING), 2),
        (AskingResend, (BEFORE_THE_ECHO, *NOT_IN_THE_LISTS), 2),
        (IbkrBroker, (BEFORE_THE_ECHO, *NOT_AT_THE_GREETING), 1),
        (IbkrBroker, (BEFORE_THE_ECHO, *NOT_IN_THE_LISTS), 1),
    ],
)
async def test_an_order_without_an_answer_is_there_twice_if_it_is_sent_again(
    kind: type[IbkrBroker], faults: tuple[Fault, ...], times: int
) -> None:
    async with a_gateway(*faults) as running:
        trader = Trader(running, kind=kind)
        try:
            await trader.start()
            order_id = trader.place("10", "140.00")
            await trader.until_reconnected()
            await trader.until_state(order_id, OrderState.WORKING)
            await asyncio.sleep(0.3)
            assert Counter(trader.orders_there()) == {order_id: times}
        finally:
            await trader.stop()
