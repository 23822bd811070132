"""What goes wrong at the gateway, each once, as an unmodified ib_async meets it.

Where ib_async comes to a wrong belief, the test says so and shows the truth beside it: the belief
is what an adapter has to be built against.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import ib_async
import pytest

from ops.gateway_sim.faults import CANCEL_REFUSALS, ORDER_WARNINGS, Fault, FaultKind
from ops.gateway_sim.server import RunningGateway
from tests.gateway_desk import (
    AAPL,
    Desk,
    a_client,
    a_gateway,
    a_raw_client,
    quote,
    statuses,
    until,
)


@asynccontextmanager
async def at_a_desk(*faults: Fault) -> AsyncIterator[tuple[RunningGateway, Desk]]:
    async with a_gateway(*faults) as running, a_client(running) as desk:
        yield running, desk


def live_orders(running: RunningGateway) -> int:
    return len(running.gateway.floor.all_open_orders())


# Messages.


async def test_a_fill_may_come_without_any_status() -> None:
    async with at_a_desk() as (running, desk):
        trade = desk.limit("BUY", 10, 149)
        await until(lambda: trade.orderStatus.status == "Submitted")
        await desk.ib.reqCurrentTimeAsync()
        for nth in (1, 2, 3):
            running.gateway.plan.add(Fault(FaultKind.LOST, "orderStatus", nth=nth))
        quote(running.gateway, "AAPL", 148)
        await until(lambda: trade.fills and trade.fills[0].commissionReport.commission)
        assert (trade.filled(), trade.orderStatus.status) == (10, "Submitted")


@pytest.mark.parametrize("end", ["openOrderEnd", "execDetailsEnd", "completedOrdersEnd"])
async def test_a_missing_end_marker_leaves_the_question_open(end: str) -> None:
    async with at_a_desk() as (running, desk):
        running.gateway.plan.add(Fault(FaultKind.LOST, end))
        ib: Any = desk.ib
        ask = {
            "openOrderEnd": ib.reqOpenOrdersAsync,
            "execDetailsEnd": ib.reqExecutionsAsync,
            "completedOrdersEnd": partial(ib.reqCompletedOrdersAsync, apiOnly=False),
        }[end]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 0.2)
        assert await asyncio.wait_for(ask(), 2) == []


async def test_a_duplicate_execution_is_told_to_the_listener_once() -> None:
    async with at_a_desk(Fault(FaultKind.DUPLICATE, "execDetails")) as (_, desk):
        trade = desk.market("BUY", 10)
        await until(lambda: trade.fills and trade.fills[0].commissionReport.commission)
        assert (len(trade.fills), len(desk.executions)) == (1, 1)


async def test_a_fill_may_be_told_after_the_status_filled() -> None:
    async with at_a_desk(Fault(FaultKind.LATE, "execDetails", after_s=0.3)) as (_, desk):
        trade = desk.market("BUY", 10)
        await until(lambda: trade.orderStatus.status == "Filled")
        # Filled, says the status, and ib_async knows of no fill: isDone() is not "all fills seen".
        assert (trade.orderStatus.filled, trade.filled()) == (10, 0)
        await until(lambda: trade.filled() == 10)


async def test_a_commission_before_its_execution_is_dropped_by_the_client() -> None:
    async with at_a_desk(Fault(FaultKind.LATE, "execDetails", after_s=0.3)) as (_, desk):
        trade = desk.market("BUY", 10)
        await until(lambda: trade.fills)
        # The only commission report came while ib_async did not know the execution.
        assert trade.fills[0].commissionReport.commission == 0
        (again,) = await desk.ib.reqExecutionsAsync()
        assert again.execution.execId == trade.fills[0].execution.execId


@pytest.mark.parametrize(
    ("fault", "reports"),
    [
        (Fault(FaultKind.LOST, "commissionReport"), 0),
        (Fault(FaultKind.DUPLICATE, "commissionReport"), 2),
        (Fault(FaultKind.LATE, "commissionReport", after_s=0.2), 1),
    ],
)
async def test_a_commission_comes_never_or_twice_or_late(fault: Fault, reports: int) -> None:
    async with at_a_desk(fault) as (_, desk):
        told: list[float] = []
        desk.ib.commissionReportEvent += lambda _t, _f, report: told.append(report.commission)
        trade = desk.market("BUY", 10)
        await until(lambda: trade.fills)
        await asyncio.sleep(0.3)
        assert told == [1.0] * reports


async def test_a_stale_status_after_the_last_one_makes_a_filled_order_submitted_again() -> None:
    # A Submitted that is held until the order has filled.
    late = Fault(FaultKind.LATE, "orderStatus", nth=2, after_s=0.3)
    async with at_a_desk(late) as (running, desk):
        trade = desk.limit("BUY", 10, 149)
        await until(lambda: live_orders(running) == 1)
        quote(running.gateway, "AAPL", 148)
        await until(lambda: trade.orderStatus.status == "Filled")
        await until(lambda: trade.orderStatus.status == "Submitted")
        assert live_orders(running) == 0


async def test_two_messages_change_places() -> None:
    swapped = Fault(FaultKind.REORDERED, "openOrder", nth=1)
    async with a_gateway(swapped) as running, a_raw_client(running) as client:
        assert client.of(9)
        async with a_client(running, 8) as desk:
            desk.limit("BUY", 10, 140)
            await until(lambda: live_orders(running) == 1)
            # Its first status came before its first openOrder; ib_async knew it anyway.
            await until(desk.ib.openTrades)


# Codes that say the wrong thing.


@pytest.mark.parametrize("code", sorted(ORDER_WARNINGS))
async def test_a_warning_about_an_order_that_lives(code: int) -> None:
    async with at_a_desk(Fault(FaultKind.WARNED, "placeOrder", code=code)) as (running, desk):
        trade = desk.limit("BUY", 10, 140)
        await until(lambda: code in desk.codes)
        assert live_orders(running) == 1
        # 10349 is one ib_async does not know as a warning: it takes the live order for cancelled.
        believed = {10349: "Cancelled", 404: "ValidationError"}.get(code, "ValidationError")
        assert trade.orderStatus.status == believed


@pytest.mark.parametrize("code", [103, 110, 201, 203, 321])
async def test_a_refused_order_is_never_there(code: int) -> None:
    async with at_a_desk(Fault(FaultKind.REFUSED, "placeOrder", code=code)) as (running, desk):
        trade = desk.limit("BUY", 10, 140)
        await until(lambda: code in desk.codes)
        assert live_orders(running) == 0
        # 321 is a warning to ib_async: the refused order counts as working.
        assert trade.orderStatus.status == ("ValidationError" if code == 321 else "Cancelled")


@pytest.mark.parametrize("code", sorted(CANCEL_REFUSALS))
async def test_a_refused_cancel_leaves_the_order_alive_and_the_client_believing_otherwise(
    code: int,
) -> None:
    async with at_a_desk(Fault(FaultKind.REFUSED, "cancelOrder", code=code)) as (running, desk):
        trade = desk.limit("BUY", 10, 140)
        await until(lambda: trade.orderStatus.status == "Submitted")
        desk.ib.cancelOrder(trade.order)
        await until(lambda: code in desk.codes)
        assert (live_orders(running), trade.orderStatus.status) == (1, "Cancelled")


async def test_an_order_fills_while_its_cancel_is_on_the_way() -> None:
    async with at_a_desk(Fault(FaultKind.FILLED_FIRST, "cancelOrder")) as (running, desk):
        trade = desk.limit("BUY", 10, 140)
        await until(lambda: trade.orderStatus.status == "Submitted")
        desk.ib.cancelOrder(trade.order)
        await until(lambda: trade.fills and 10148 in desk.codes)
        assert (trade.filled(), live_orders(running)) == (10, 0)


# The connection.


async def test_a_reset_after_the_order_was_taken_leaves_it_alive_without_a_word() -> None:
    async with a_gateway(Fault(FaultKind.RESET, "openOrder")) as running:
        async with a_client(running) as desk:
            trade = desk.limit("BUY", 10, 140, orderRef="ref-1")
            await until(lambda: not desk.ib.isConnected())
            assert (live_orders(running), trade.order.permId) == (1, 0)
        async with a_client(running) as again:
            (found,) = again.ib.openTrades()
            assert found.order.orderRef == "ref-1"


async def test_a_reset_before_the_order_was_taken_loses_it_and_ids_go_back() -> None:
    async with a_gateway(Fault(FaultKind.RESET_BEFORE, "placeOrder", nth=3)) as running:
        async with a_client(running) as desk:
            used = [desk.limit("BUY", 10, 140).order.orderId for _ in range(3)]
            await until(lambda: not desk.ib.isConnected())
            assert live_orders(running) == 2
        async with a_raw_client(running) as client:
            # An id that was written to the wire is given out a second time.
            assert int(client.of(9)[0][2]) < used[-1]


async def test_a_half_open_connection_says_nothing_and_looks_well() -> None:
    async with at_a_desk() as (running, desk):
        running.gateway.sessions[7].be_deaf(0.5)
        trade = desk.limit("BUY", 10, 140)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(desk.ib.reqCurrentTimeAsync(), 0.3)
        assert desk.ib.isConnected()
        assert statuses(trade) == ["PendingSubmit"]
        assert live_orders(running) == 0
        # It comes to itself like a process that was stopped: nothing was lost.
        await until(lambda: trade.orderStatus.status == "Submitted")


async def test_what_is_said_to_a_half_open_connection_comes_when_it_comes_to_itself() -> None:
    async with at_a_desk() as (running, desk):
        trade = desk.limit("BUY", 10, 149)
        await until(lambda: trade.orderStatus.status == "Submitted")
        running.gateway.sessions[7].be_deaf(0.3)
        quote(running.gateway, "AAPL", 148)
        assert (live_orders(running), trade.fills) == (0, [])
        await until(lambda: trade.fills and trade.orderStatus.status == "Filled")


async def test_a_subscription_ends_with_its_connection() -> None:
    async with a_gateway() as running:
        async with a_raw_client(running) as client:
            client.send(
                *("1 11 5 0 AAPL STK _ _ _ _ SMART _ USD _ _ 0 _ 0 0 _".replace("_", "").split(" "))
            )
            await client.answer(1)
        await until(lambda: not running.gateway.sessions)
        async with a_raw_client(running) as again:
            quote(running.gateway, "AAPL", 151)
            again.send(8, 1, 1)
            await again.answer(9, count=2)
            assert again.of(1) == []


async def test_an_id_still_taken_at_a_quick_reconnect() -> None:
    async with a_gateway(Fault(FaultKind.BUSY_ID, "orderStatus")) as running:
        async with a_client(running) as desk:
            trade = desk.limit("BUY", 10, 140)
            await until(lambda: trade.orderStatus.permId and live_orders(running) == 1)
            await desk.ib.reqCurrentTimeAsync()  # The fault strikes behind the status.
        async with a_raw_client(running) as quick:
            assert quick.codes == [326]
        async with a_raw_client(running) as later:
            assert later.of(9)


async def test_byte_by_byte_is_the_same_to_a_client() -> None:
    async with at_a_desk(Fault(FaultKind.BYTE_BY_BYTE, "startApi")) as (_, desk):
        trade = desk.market("BUY", 10)
        await until(lambda: trade.orderStatus.status == "Filled" and trade.fills)


async def test_a_reset_is_a_reset_and_not_an_orderly_end() -> None:
    async with a_gateway() as running, a_raw_client(running) as client:
        running.gateway.sessions[7].reset()
        await until(lambda: client.is_over)
        assert client.was_reset


# The line to IB.


async def test_what_happens_during_an_outage_is_told_after_it() -> None:
    async with at_a_desk() as (running, desk):
        trade = desk.limit("BUY", 10, 149)
        await until(lambda: trade.orderStatus.status == "Submitted")
        running.gateway.mishaps.lose_line()
        quote(running.gateway, "AAPL", 148)
        await until(lambda: desk.codes == [1100])
        await desk.ib.reqCurrentTimeAsync()
        assert (live_orders(running), trade.orderStatus.status) == (0, "Submitted")
        running.gateway.mishaps.restore_line(1102)
        await until(lambda: trade.fills and desk.codes == [1100, 1102])


async def test_an_outage_may_begin_with_an_execution_that_is_told_after_it() -> None:
    outage = Fault(FaultKind.OUTAGE, "execDetails", after_s=0.2)
    async with at_a_desk(outage) as (_, desk):
        trade = desk.market("BUY", 10)
        await until(lambda: desk.codes == [1100])
        assert trade.fills == []
        await until(lambda: trade.fills and desk.codes == [1100, 1102])


async def test_or_it_is_never_told_and_has_to_be_asked_for() -> None:
    async with at_a_desk() as (running, desk):
        trade = desk.limit("BUY", 10, 149)
        await until(lambda: trade.orderStatus.status == "Submitted")
        running.gateway.mishaps.lose_line()
        quote(running.gateway, "AAPL", 148)
        running.gateway.mishaps.restore_line(1101, telling=False)
        await until(lambda: desk.codes == [1100, 1101])
        found = await desk.ib.reqExecutionsAsync()
        # The fill is found by asking, and its event is never fired.
        assert (len(found), desk.executions, trade.orderStatus.status) == (1, [], "Submitted")


async def test_an_order_sent_during_an_outage_is_decided_after_it() -> None:
    async with at_a_desk() as (running, desk):
        running.gateway.mishaps.lose_line()
        trade = desk.limit("BUY", 10, 140)
        await desk.ib.reqCurrentTimeAsync()
        assert (live_orders(running), trade.orderStatus.status) == (0, "PendingSubmit")
        running.gateway.mishaps.restore_line()
        await until(lambda: trade.orderStatus.status == "Submitted")


async def test_1101_ends_every_data_subscription_and_1102_none() -> None:
    async with at_a_desk() as (running, desk):
        ticker = desk.ib.reqMktData(AAPL)
        await until(lambda: ticker.last == 150)
        running.gateway.mishaps.lose_line()
        running.gateway.mishaps.restore_line(1102)
        quote(running.gateway, "AAPL", 151)
        await until(lambda: ticker.last == 151)
        running.gateway.mishaps.lose_line()
        running.gateway.mishaps.restore_line(1101)
        quote(running.gateway, "AAPL", 152)
        await until(lambda: desk.codes.count(1100) == 2)
        await desk.ib.reqCurrentTimeAsync()
        assert ticker.last == 151


async def test_while_the_line_is_lost_every_contract_is_unknown_and_history_refused() -> None:
    async with at_a_desk() as (running, desk):
        running.gateway.mishaps.lose_line()
        assert await desk.ib.reqContractDetailsAsync(AAPL) == []
        bars = await desk.ib.reqHistoricalDataAsync(AAPL, "", "1 D", "1 min", "TRADES", useRTH=True)
        assert (list(bars), desk.codes) == ([], [1100, 200, 162])


# The account.


async def test_a_corrected_execution_has_the_same_id_but_for_its_revision() -> None:
    async with at_a_desk(Fault(FaultKind.CORRECTED, "commissionReport")) as (running, desk):
        trade = desk.market("BUY", 10)
        await until(lambda: len(desk.executions) == 2)
        first, second = (fill.execution for fill in desk.executions)
        assert first.execId.rpartition(".")[0] == second.execId.rpartition(".")[0]
        assert (first.execId[-2:], second.execId[-2:]) == ("01", "02")
        # ib_async counts both: 20 shares of an order for 10.
        assert sum(fill.execution.shares for fill in trade.fills) == 20
        assert running.gateway.floor.positions()[0].quantity == 10


async def test_a_busted_execution_takes_its_shares_back() -> None:
    async with at_a_desk(Fault(FaultKind.BUSTED, "commissionReport")) as (running, desk):
        desk.market("BUY", 10)
        await until(lambda: len(desk.executions) == 2)
        assert desk.executions[1].execution.shares == 0
        assert running.gateway.floor.positions() == []


async def test_a_liquidation_is_nobodys_order_and_everybodys_position() -> None:
    async with at_a_desk() as (running, desk):
        desk.market("BUY", 10)
        await until(desk.ib.positions)
        running.gateway.mishaps.liquidate_largest()
        await until(lambda: not desk.ib.positions())
        assert running.gateway.floor.positions() == []
        found = await desk.ib.reqExecutionsAsync()
        assert [fill.execution.liquidation for fill in found] == [0, 1]


async def test_a_person_at_the_screen_amends_an_order_and_its_owner_is_told() -> None:
    async with at_a_desk() as (running, desk):
        trade = desk.limit("BUY", 10, 140)
        await until(lambda: trade.orderStatus.status == "Submitted")
        running.gateway.mishaps.amend_newest()
        await until(lambda: trade.order.totalQuantity == 20)


async def test_a_manual_order_is_seen_by_who_asks_for_all_orders() -> None:
    async with at_a_desk(Fault(FaultKind.MANUAL_ORDER, "placeOrder")) as (running, desk):
        desk.limit("BUY", 10, 140)
        await until(lambda: live_orders(running) == 2)
        found = await desk.ib.reqAllOpenOrdersAsync()
        assert sorted((t.order.clientId, t.order.orderId > 0) for t in found) == [
            (0, False),
            (7, True),
        ]


async def test_ib_cancels_an_order_by_itself() -> None:
    async with at_a_desk() as (running, desk):
        trade = desk.limit("BUY", 10, 140)
        await until(lambda: trade.orderStatus.status == "Submitted")
        running.gateway.mishaps.cancel_newest("price check")
        await until(lambda: trade.orderStatus.status == "Cancelled" and 202 in desk.codes)


async def test_an_order_fills_share_by_share() -> None:
    async with at_a_desk() as (running, desk):
        trade = desk.limit("BUY", 3, 140)
        await until(lambda: trade.orderStatus.status == "Submitted")
        for number in (1, 2):
            running.gateway.mishaps.fill_newest()
            await until(lambda number=number: trade.orderStatus.filled == number)  # type: ignore[misc]
        assert (trade.orderStatus.remaining, live_orders(running)) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "written"),
    [(FaultKind.SPELLED_BARE, "20240102  10:00:00"), (FaultKind.SPELLED_UTC, "20240102-15:00:00")],
)
async def test_the_moment_of_an_execution_is_spelled_in_three_ways(
    kind: FaultKind, written: str
) -> None:
    async with a_gateway() as running:
        async with a_client(running, 8) as desk:
            desk.market("BUY", 10)
            await until(lambda: desk.executions)
        async with a_raw_client(running, 7) as client:
            client.send(7, 3, 1, 0, "", "", "", "", "", "")
            assert (await client.answer(11))[15] == "20240102 10:00:00 US/Eastern"
            running.gateway.plan.add(Fault(kind, "reqExecutions"))
            client.send(7, 3, 2, 0, "", "", "", "", "", "")
            client.send(7, 3, 3, 0, "", "", "", "", "", "")
            assert (await client.answer(11, count=3))[15] == written


def test_ib_async_is_the_version_these_beliefs_were_seen_with() -> None:
    assert ib_async.__version__ == "2.1.0"
