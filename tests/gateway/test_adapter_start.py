"""A start at a gateway that does not send every list to its end: connected, and nothing leaves."""

import pytest

from events import BooksReported, LookWhy
from ops.gateway_sim.faults import Fault, FaultKind
from projections.reconciliation import INCOMPLETE
from tests.adapter_desk import a_trader
from tests.gateway_desk import a_gateway


@pytest.mark.parametrize("end", ["completedOrdersEnd", "accountDownloadEnd"])
async def test_a_list_without_its_end_holds_a_start_until_it_has_come(end: str) -> None:
    async with a_gateway(Fault(FaultKind.LOST, end)) as running, a_trader(running) as trader:
        assert trader.state.broker.connected
        assert INCOMPLETE in trader.causes
        trader.broker.report_books("again", LookWhy.SECOND_LOOK, trader.session.now)
        await trader.until(lambda: INCOMPLETE not in trader.causes)
        assert [each.lacking == [] for each in trader.all(BooksReported)] == [False, True]


async def test_a_start_with_every_list_holds_nothing() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        assert INCOMPLETE not in trader.causes
