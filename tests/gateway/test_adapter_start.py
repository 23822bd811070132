"""A start at a gateway that has not what trading needs: whole lists, figures in dollars."""

from collections.abc import Sequence

import pytest

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.broker import IbkrBroker
from daemon.config.file import ConfigError
from events import BooksReported, LookWhy
from ops.gateway_sim.faults import Fault, FaultKind
from projections.reconciliation import INCOMPLETE
from tests.adapter_desk import Trader, a_trader
from tests.gateway_desk import a_gateway, until


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


class InEuros(IbkrBroker):
    """Hears of an account that is kept in euros, as Interactive Brokers tells of one."""

    def heard(self, kind: int, fields: Sequence[str]) -> None:
        if kind == messages.ACCOUNT_VALUE and fields[2] in {"NetLiquidation", "InitMarginReq"}:
            fields = [*fields[:4], "EUR", *fields[5:]]
        super().heard(kind, fields)


async def test_an_account_in_another_currency_is_refused_before_its_books_are_looked_at() -> None:
    async with a_gateway() as running:
        trader = Trader(running, kind=InEuros)
        await trader.start(connected=False)
        await until(lambda: trader.failed)
        assert isinstance(trader.failed, ConfigError), "which ends the daemon with 78"
        (said,) = trader.failed.problems
        assert said.startswith("IBKR_ACCOUNT: the account is kept in EUR, and what traded knows")
        assert "have USD made its base currency at the broker" in said
        assert trader.all(BooksReported) == []
