"""An order's way through the adapter and the simulated gateway, and back."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.asking import RequestFailed
from daemon.gate.decision import approve
from events import (
    AccountReported,
    BooksReported,
    BrokerConnected,
    BrokerDegraded,
    BrokerHeard,
    CommissionCharged,
    ContractResolved,
    LookWhy,
    OrderAcknowledged,
    OrderFilled,
    OrderNumbered,
    OrderWithheld,
)
from ops.gateway_sim.gateway import Settings
from projections.order_states import OrderState
from tests.adapter_desk import AAPL, ALIAS, QUICK, Trader, a_trader
from tests.gateway_desk import ACCOUNT, a_client, a_gateway, until


async def test_a_market_order_is_acknowledged_filled_and_charged() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10")
        await trader.until_state(order_id, OrderState.FILLED)
        await trader.until(lambda: trader.order(order_id).commission)
        # Ten shares at the ask, a cent above 150.
        assert (trader.held, trader.theirs) == (10, 10)
        assert trader.order(order_id).average_fill_price == Decimal("150.01")
        assert trader.causes == []


async def test_a_limit_order_rests_and_is_cancelled() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", "140.00")
        await trader.until_state(order_id, OrderState.WORKING)
        trader.cancel(order_id)
        await trader.until_state(order_id, OrderState.CANCELLED)
        assert trader.causes == []


async def test_every_message_about_an_order_stands_before_what_follows_from_it() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        await trader.until_state(trader.place("10"), OrderState.FILLED)
        events = [record.event for record in trader.records]
        for kind, raw in ((OrderAcknowledged, "openOrder"), (OrderFilled, "execDetails")):
            at = next(i for i, event in enumerate(events) if isinstance(event, kind))
            before = events[at - 1]
            assert isinstance(before, BrokerHeard)
            assert before.kind == raw


async def test_the_account_number_is_in_nothing_that_is_recorded_or_said() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        await trader.until_state(trader.place("10"), OrderState.FILLED)
        text = "\n".join([*(str(record.event) for record in trader.records), *trader.said])
        assert ACCOUNT not in text
        assert ACCOUNT not in repr(trader.session.settings)
        assert any(ALIAS in each.fields for each in trader.all(BrokerHeard))


async def test_nor_is_it_where_the_gateway_names_it_in_a_text() -> None:
    refused = f"Order rejected - reason: account {ACCOUNT} is restricted"
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("1", "140.00")
        number = trader.all(OrderNumbered)[-1].order_id
        trader.hear("4", "2", number, "201", refused, "")
        assert trader.order(order_id).state is OrderState.REJECTED
        requests: list[int] = []
        asked = asyncio.ensure_future(trader.session.ask(requests.append, 55, frozenset({11})))
        await trader.until(lambda: requests)
        trader.hear("4", "2", requests[0], "321", refused, "")
        with pytest.raises(RequestFailed) as failed:
            await asked
        cancelled = "Cancelled", "0", "1", "0", "7", "0", "0", "1001", refused, "0"
        trader.hear("3", number, *cancelled)
        trader.hear("4", "2", "-1", "1100", f"lost the line of {ACCOUNT}", "")
        said = [str(failed.value), *(str(each.event) for each in trader.records), *trader.said]
        assert [each for each in said if ACCOUNT in each] == []
        assert any(f"account {ALIAS} is restricted" in each for each in said)


def more_looks(trader: Trader, before: int) -> bool:
    return len(trader.all(BooksReported)) > before


async def test_looks_without_news_put_no_message_on_record_again() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10")
        await trader.until(lambda: trader.order(order_id).commission)
        for number in range(3):
            heard = len(trader.all(BrokerHeard))
            looks = len(trader.all(BooksReported))
            trader.broker.report_books(f"look-{number}", LookWhy.OPERATOR, trader.session.now)
            await trader.until(partial(more_looks, trader, looks))
        assert [each.kind for each in trader.all(BrokerHeard)[heard:]] == []
        executions = [each for each in trader.all(BrokerHeard) if each.kind == "execDetails"]
        assert len(executions) == 1


async def test_contracts_are_resolved_before_the_first_order_and_recorded_once() -> None:
    async with a_gateway() as running:
        async with a_trader(running) as trader:
            kinds = [type(record.event) for record in trader.records]
            assert kinds.index(ContractResolved) < kinds.index(BrokerConnected)
            records = trader.records
        async with a_trader(running, records) as trader:
            assert [each.symbol for each in trader.all(ContractResolved)] == [AAPL, "MSFT"]


async def test_without_a_connection_an_order_certainly_does_not_leave() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        running.gateway.mishaps.lose_line()
        await trader.until(lambda: not trader.state.broker.connected)
        order_id = trader.place("10")
        assert trader.order(order_id).state is OrderState.WITHHELD
        assert "1100" in trader.all(OrderWithheld)[0].reason
        assert trader.orders_there() == []


async def test_an_order_handed_over_twice_leaves_once() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", "140.00")
        trader.broker.submit(approve(trader.order(order_id).intent, ()))
        await trader.until_state(order_id, OrderState.WORKING)
        assert trader.orders_there() == [order_id]


async def test_a_read_only_interface_refuses_orders_and_what_to_do_is_said_once() -> None:
    async with (
        a_gateway(settings=Settings(read_only=True)) as running,
        a_trader(running) as trader,
    ):
        orders = [trader.place("10"), trader.place("10")]
        for order_id in orders:
            order = await trader.until_state(order_id, OrderState.REJECTED)
            assert order.reason.startswith("321: ")
        (said,) = trader.all(BrokerDegraded)
        assert "uncheck Read-Only API" in said.reason


async def test_of_many_orders_at_once_those_that_wait_when_the_connection_ends_are_withheld() -> (
    None
):
    async with a_gateway() as running, a_trader(running) as trader:
        orders = [trader.place("1", "140.00") for _ in range(100)]
        running.gateway.mishaps.reset_all()
        await trader.until_reconnected()
        withheld = {each.client_order_id for each in trader.all(OrderWithheld)}
        # The pace lets forty messages a second pass, of which the start took some: the rest
        # certainly never left. What was written may be anywhere, and stays reserved.
        assert len(withheld) >= 60
        reasons = {each.reason for each in trader.all(OrderWithheld)}
        assert reasons == {"the connection ended before it left"}
        assert not withheld & set(trader.orders_there())
        written = set(orders) - withheld
        assert all(trader.order(each).reserved == 1 for each in written)


async def test_a_cancel_overtakes_the_orders_that_wait() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        first = trader.place("1", "140.00")
        await trader.until_state(first, OrderState.WORKING)
        orders = [trader.place("1", "140.00") for _ in range(60)]
        trader.cancel(first)
        await trader.until_state(first, OrderState.CANCELLED)
        await trader.until_state(orders[-1], OrderState.WORKING)
        said = [each.client_order_id for each in trader.all(BrokerHeard)]
        cancelled = next(
            at
            for at, each in enumerate(trader.all(BrokerHeard))
            if each.client_order_id == first and "Cancelled" in each.fields
        )
        assert cancelled < said.index(orders[-1])


async def test_an_order_that_waited_is_looked_at_again_before_it_is_written() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        orders = [trader.place("1", "140.00") for _ in range(60)]
        trader.why_not = "killed"
        await trader.until(lambda: len(trader.all(OrderWithheld)) >= 20)
        assert {each.reason for each in trader.all(OrderWithheld)} == {"killed"}
        assert not {each.client_order_id for each in trader.all(OrderWithheld)} & set(
            trader.orders_there()
        )
        assert trader.order(orders[0]).state is not OrderState.WITHHELD


async def test_an_order_that_waited_is_looked_at_though_another_one_sets_it_going() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        orders = [trader.place("1", "140.00") for _ in range(60)]
        trader.why_not = "killed"
        seconds = trader.session.seconds
        # The pace lets more pass by now, and nobody has come back for those that wait.
        trader.session.seconds = lambda: seconds() + 5
        trader.place("1", "140.00")
        assert trader.order(orders[-1]).state is OrderState.WITHHELD
        assert orders[-1] not in trader.orders_there()


async def test_a_look_that_is_wanted_while_the_lists_are_verified_follows_at_once() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        heard = trader.broker.heard

        def asks(kind: int, fields: Sequence[str]) -> None:
            if kind == messages.ACCOUNT_END and not trader.state.broker.connected:
                trader.broker.report_books("wanted", LookWhy.OPERATOR, trader.session.now)
            heard(kind, fields)

        trader.broker.heard = asks  # type: ignore[method-assign]
        trader.session.doubt("a test")
        await trader.until(lambda: "wanted" in {each.look_id for each in trader.all(BooksReported)})


async def test_the_accounts_figures_in_another_currency_are_no_dollars() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        (before,) = trader.all(AccountReported)
        for tag in ("NetLiquidation", "InitMarginReq", "MaintMarginReq"):
            trader.hear(6, 2, tag, "777", "EUR", ACCOUNT)
        trader.hear(54, 1, ACCOUNT)
        assert trader.all(AccountReported) == [before]


async def test_a_look_says_what_remains_of_a_part_filled_order() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", "140.00")
        await trader.until_state(order_id, OrderState.WORKING)
        running.gateway.mishaps.fill_newest(Decimal(4))
        await trader.until_state(order_id, OrderState.PARTIALLY_FILLED)
        trader.broker.report_books("asked", LookWhy.OPERATOR, trader.session.now)
        await trader.until(lambda: trader.all(BooksReported)[-1].look_id == "asked")
        look = trader.all(BooksReported)[-1]
        assert look.open_orders is not None
        (order,) = look.open_orders
        assert (order.order_ref, order.quantity, order.remaining) == (order_id, 10, 6)
        assert (order.is_ours, look.missing) == (True, {})


async def test_what_traded_before_there_was_a_journal_is_no_fill_of_it() -> None:
    async with a_gateway() as running:
        async with a_client(running) as person:
            trade = person.market("BUY", 7)
            await until(trade.isDone)
        running.gateway.clock.go_to(running.gateway.now() + timedelta(seconds=60))
        async with a_trader(running) as trader:
            assert (trader.fills, trader.held, trader.theirs) == ([], 0, 7)
            assert "foreign fill" not in trader.causes
            look = trader.all(BooksReported)[0]
            assert look.positions is not None
            assert [(each.symbol, each.quantity) for each in look.positions] == [(AAPL, 7)]
        assert trader.all(CommissionCharged) == []


async def test_contracts_the_books_know_are_there_though_a_gateway_without_its_line_denies_it() -> (
    None
):
    async with a_gateway() as running:
        async with a_trader(running) as trader:
            records = trader.records
        running.gateway.mishaps.lose_line()
        again = Trader(running, records)
        try:
            await again.start(connected=False)
            await again.until(lambda: any("200: " in each for each in again.said))
            await asyncio.sleep(QUICK.verify_again * 10)
            assert again.failed is None
            running.gateway.mishaps.restore_line()
            await again.until(lambda: again.state.broker.connected)
        finally:
            await again.stop()
