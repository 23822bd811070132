"""Rows of the broker's lists that nobody can read: a list is not whole without them."""

import pytest

from daemon.brokers.gateway import messages
from events import BooksReported, BrokerUnparsed, LookWhy
from events.reconciliation import BrokerList
from ops.gateway_sim.server import RunningGateway
from tests.adapter_desk import Trader
from tests.gateway_desk import a_client, a_gateway

TOO_LARGE = "1.7976931348623157E308"
ROWS = [
    (messages.POSITION, 14, BrokerList.POSITIONS),
    (messages.OPEN_ORDER, 14, BrokerList.OPEN_ORDERS),
    (messages.EXECUTION, 19, BrokerList.EXECUTIONS),
]
"""A message, its field that says how many shares, and the list it is a row of."""


class Misread(Trader):
    """Hears of a number that is none, in every message of one kind."""

    def misread(self, kind: int, field: int) -> None:
        hear = self.session.wire._hear  # noqa: SLF001 - where messages come in

        def misheard(heard: int, fields: list[str]) -> None:
            odd = [*fields[:field], TOO_LARGE, *fields[field + 1 :]] if heard == kind else fields
            hear(heard, odd)

        self.session.wire._hear = misheard  # type: ignore[assignment]  # noqa: SLF001 - as above


async def an_account_in_use(running: RunningGateway) -> None:
    async with a_client(running) as client:
        client.market("BUY", 10)
        client.limit("BUY", 10, 140.0)
        await client.ib.reqAllOpenOrdersAsync()


@pytest.mark.parametrize(("kind", "field", "name"), ROWS)
async def test_a_list_with_a_row_that_cannot_be_read_did_not_come(
    kind: int, field: int, name: BrokerList
) -> None:
    async with a_gateway() as running:
        await an_account_in_use(running)
        trader = Misread(running)
        trader.misread(kind, field)
        try:
            # The connection is there, for cancels; what may be sent is a hold's matter.
            await trader.start()
            (look,) = trader.all(BooksReported)
            assert list(look.missing) == [name]
            assert trader.all(BrokerUnparsed)
            assert "unparsed report" in {each.cause for each in trader.state.holds.active.values()}
            trader.broker.report_books("again", LookWhy.OPERATOR, trader.session.now)
            await trader.until(lambda: len(trader.all(BooksReported)) > 1)
        finally:
            await trader.stop()
