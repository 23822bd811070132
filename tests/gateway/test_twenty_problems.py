"""The twenty damaging problems that others met with this gateway; here each is met on purpose.

The numbers are those of section 3 of the facts page. Market data (14) has a file of its own.
"""

import asyncio
from datetime import time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.session import Timing
from daemon.brokers.gateway.terms import Margins
from daemon.brokers.gateway.windows import Windows
from events import (
    BooksReported,
    BrokerConnected,
    BrokerDisconnected,
    BrokerHeard,
    BrokerUnparsed,
    BrokerUnreachable,
    FillCorrected,
    LookWhy,
    MarginReported,
    MarginUnavailable,
    OrderCancelled,
    OrderNumbered,
    OrderRejected,
    OrderWithheld,
    OrderWorking,
)
from ops.gateway_sim.faults import Fault, FaultKind
from ops.gateway_sim.gateway import Settings
from ops.gateway_sim.replies import TimeSpelling
from projections.order_states import OrderState
from tests.adapter_desk import AAPL, QUICK, Trader, a_trader
from tests.gateway_desk import TUESDAY, a_gateway

if TYPE_CHECKING:
    from events.codec import Input

FAR = "140.00"
"""A limit ten dollars from the market: such an order rests."""


def numbers(trader: Trader) -> list[int]:
    """Return the number of every order the gateway told of, in that order, each once."""
    told = [each.order_id for each in trader.all(BrokerHeard) if each.kind == "openOrder"]
    return list(dict.fromkeys(told))


# 1. Orders written in the second of a restart are lost, and their numbers given out again.


async def test_01_an_order_lost_in_a_restart_stays_reserved_and_its_number_is_not_used_again() -> (
    None
):
    lost = Fault(FaultKind.RESET_BEFORE, "placeOrder", nth=2)
    async with a_gateway(lost) as running, a_trader(running) as trader:
        first = trader.place("10", FAR)
        await trader.until_state(first, OrderState.WORKING)
        second = trader.place("20", FAR)
        await trader.until_reconnected()
        third = trader.place("30", FAR)
        await trader.until_state(third, OrderState.WORKING)
        # Nobody can tell yet whether the second arrived: its shares stay reserved.
        assert trader.order(second).state is OrderState.SENDING
        assert trader.order(second).reserved == 20
        assert trader.orders_there() == [first, third]
        used = numbers(trader)
        assert used[-1] > used[0] + 1, "the lost order's number was given out again"


async def test_01_nothing_is_submitted_while_the_gateway_restarts_itself() -> None:
    # It is ten in New York, and so is the restart.
    windows = Windows(time(10, 1), "America/New_York")
    async with a_gateway() as running, a_trader(running, windows=windows) as trader:
        order_id = trader.place("10")
        assert trader.order(order_id).state is OrderState.WITHHELD
        assert "restart at 10:01" in trader.all(OrderWithheld)[0].reason


# 2. Callbacks are dropped after 1100, and nobody asks for the executions afterwards.


async def test_02_a_fill_during_an_outage_that_is_never_told_is_found() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        mishaps = running.gateway.mishaps
        mishaps.lose_line()
        await trader.until(lambda: not trader.state.broker.connected)
        mishaps.fill_newest(Decimal(10))
        mishaps.restore_line(telling=False)
        await trader.until_state(order_id, OrderState.FILLED)
        assert (trader.held, trader.theirs, len(trader.fills)) == (10, 10, 1)


# 3. and 4. A code that says nothing of an order's end is taken for it.


@pytest.mark.parametrize("code", [10349, 399, 404, 2109, 2161])
async def test_03_a_remark_leaves_an_order_alive(code: int) -> None:
    remark = Fault(FaultKind.WARNED, "placeOrder", code=code)
    async with a_gateway(remark) as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        await trader.until(
            lambda: any(str(code) in each.fields for each in trader.all(BrokerHeard))
        )
        running.gateway.mishaps.fill_newest(Decimal(10))
        await trader.until_state(order_id, OrderState.FILLED)
        assert trader.all(OrderCancelled) == trader.all(OrderRejected) == []


@pytest.mark.parametrize("code", [201, 110, 203, 103, 99999])
async def test_04_no_code_ends_an_order_that_has_shown_to_be_alive(code: int) -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        say(trader, messages.ERROR, "2", str(numbers(trader)[0]), str(code), "a change failed", "")
        await asyncio.sleep(0.2)
        assert trader.order(order_id).state is OrderState.WORKING
        running.gateway.mishaps.fill_newest(Decimal(10))
        await trader.until_state(order_id, OrderState.FILLED)


# 5. A cancel that comes too late is repeated for ever.


async def test_04_nor_does_it_where_the_sign_of_life_is_not_in_the_books_yet() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        # As in the engine: what is reported waits for the next turn.
        waiting: list[Input] = []
        trader.broker._inbox = waiting.append  # noqa: SLF001 - see above
        order_id = trader.place("10", FAR)
        await trader.until(lambda: any(isinstance(each, OrderWorking) for each in waiting))
        (number,) = (each.order_id for each in waiting if isinstance(each, OrderNumbered))
        assert trader.order(order_id).state is OrderState.SENDING
        trader.hear(4, 2, number, 201, "Order rejected", "")
        assert not any(isinstance(each, OrderRejected) for each in waiting)


async def test_05_a_cancel_that_crosses_a_fill_is_looked_up_and_not_sent_again() -> None:
    filled_first = Fault(FaultKind.FILLED_FIRST, "cancelOrder")
    async with a_gateway(filled_first) as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        trader.cancel(order_id)
        await trader.until_state(order_id, OrderState.FILLED)
        await asyncio.sleep(0.2)
        refusals = [each for each in trader.all(BrokerHeard) if "10148" in each.fields]
        assert len(refusals) <= 1
        assert (trader.held, trader.theirs) == (10, 10)


# 6., 7. and 8. Lists that do not come to their end.


@pytest.mark.parametrize("end", ["positionEnd", "execDetailsEnd", "openOrderEnd"])
async def test_06_07_without_the_end_of_a_list_nothing_is_sent_and_it_is_asked_for_again(
    end: str,
) -> None:
    lost = Fault(FaultKind.LOST, end)
    async with a_gateway(lost) as running:
        trader = Trader(running)
        try:
            await trader.start(connected=False)
            await trader.until(lambda: trader.all(BooksReported))
            assert trader.all(BrokerConnected) == []
            assert trader.order(trader.place("10")).state is OrderState.WITHHELD
            (look,) = trader.all(BooksReported)
            assert len(look.missing) == 1, "a list that did not end is said to be missing"
            await trader.until(lambda: trader.state.broker.connected)
            assert trader.all(BooksReported)[-1].missing == {}
        finally:
            await trader.stop()


async def test_08_completed_orders_that_come_after_their_time_do_no_harm() -> None:
    late = Fault(FaultKind.LATE, "completedOrdersEnd", after_s=QUICK.answer + 0.3)
    async with a_gateway(late) as running, a_trader(running) as trader:
        # They may be missing: that is said, the connection stands, and what comes late is no harm.
        assert list(trader.all(BooksReported)[0].missing) == ["completed orders"]
        await asyncio.sleep(0.5)
        await trader.until_state(trader.place("10"), OrderState.FILLED)
        assert trader.all(BrokerUnparsed) == []


# 9. and 10. Times of executions.


@pytest.mark.parametrize("spelling", list(TimeSpelling))
async def test_09_every_spelling_of_an_executions_time_is_the_same_moment(
    spelling: TimeSpelling,
) -> None:
    settings = Settings(spelling=spelling)
    async with a_gateway(settings=settings) as running, a_trader(running) as trader:
        await trader.until_state(trader.place("10"), OrderState.FILLED)
        assert trader.fills[0].executed_at == TUESDAY


async def test_10_a_time_zone_nobody_knows_loses_no_fill() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        running.gateway.plan.add(Fault(FaultKind.LOST, "execDetails"))
        # The execution's own message never comes; one with an odd time does.
        say(trader, messages.EXECUTION, *an_execution(trader, "20240102 16:00:00 Narnia"))
        await trader.until_state(order_id, OrderState.FILLED)
        assert trader.fills[0].executed_at == TUESDAY, "the time it was heard"
        # A list tells it again, later: that is no other execution.
        await trader.pass_time(timedelta(minutes=1))
        say(trader, messages.EXECUTION, *an_execution(trader, "20240102 16:00:00 Narnia"))
        assert len(trader.fills) == 1
        assert trader.all(BrokerUnparsed) == []


# 11. A gateway that takes everything and answers nothing.


async def test_11_a_silent_gateway_is_found_and_nothing_is_sent_into_it() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        began = asyncio.get_running_loop().time()
        for session in running.gateway.sessions.values():
            session.be_deaf(4.0)
        await trader.until(lambda: not trader.state.broker.connected)
        took = asyncio.get_running_loop().time() - began
        # Found within one beat and its answer's time; with the usual ones that is eight seconds.
        assert took < QUICK.beat + QUICK.beat_answer + 1.5
        assert Timing().beat + Timing().beat_answer <= 10
        order_id = trader.place("10")
        assert trader.order(order_id).state is OrderState.WITHHELD
        # The hanging socket is given up, and another one taken.
        await trader.until_reconnected()
        assert any(
            "no sign of the gateway" in each.reason for each in trader.all(BrokerDisconnected)
        )


# 12. Nobody notices that the weekly login is due.


async def test_12_a_gateway_that_is_not_reached_is_on_record_and_says_that_a_login_is_due() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        # From Tuesday 2 January to Sunday the 7th: its login ends at 01:00 in New York.
        await trader.pass_time(timedelta(days=5))
        running.gateway.mishaps.restart(seconds=60)
        await trader.until(lambda: trader.all(BrokerUnreachable))
        word = trader.all(BrokerUnreachable)[0]
        assert (word.attempts, word.login_needed) == (5, True)
        running.gateway.mishaps.log_in()
        await trader.until(lambda: trader.state.broker.connected)
        assert trader.state.broker.unreachable is None


# 13. A second question for the time within a second is never answered.


async def test_13_the_time_is_asked_for_once_at_a_time_and_not_twice_in_two_seconds() -> None:
    assert Timing().beat >= 2
    lost = Fault(FaultKind.LOST, "currentTime")
    async with a_gateway(lost) as running, a_trader(running) as trader:
        # The first answer is lost; another message shows that the gateway is alive all the same.
        await asyncio.sleep(QUICK.beat + 0.1)
        say(trader, messages.ORDER_BOUND, "1", "0", "-1")
        await asyncio.sleep(QUICK.beat_answer * 2)
        assert trader.state.broker.connected
        assert len(trader.all(BrokerConnected)) == 1


# 15. After a reconnect a library knows no orders any more.


async def test_15_an_order_of_the_process_before_is_known_again_and_can_be_cancelled() -> None:
    async with a_gateway() as running:
        before = Trader(running)
        await before.start()
        order_id = before.place("10", FAR)
        await before.until_state(order_id, OrderState.WORKING)
        await before.kill()
        running.gateway.mishaps.fill_newest(Decimal(4))
        async with a_trader(running, before.records) as trader:
            order = await trader.until_state(order_id, OrderState.PARTIALLY_FILLED)
            assert order.filled == 4
            trader.cancel(order_id)
            await trader.until_state(order_id, OrderState.CANCELLED)
            await trader.until(lambda: trader.order(order_id).commission)
            assert trader.orders_there() == [order_id]


# 16. Corrections are counted twice.


async def test_16_a_corrected_execution_replaces_what_it_corrects() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10")
        await trader.until_state(order_id, OrderState.FILLED)
        running.gateway.mishaps.correct_newest()
        await trader.until(lambda: trader.all(FillCorrected))
        # A cent more for each of ten shares: 10 x 150.02.
        assert (trader.held, len(trader.fills)) == (10, 1)
        assert trader.order(order_id).fill_value == Decimal("1500.20")
        assert trader.state.positions.held(AAPL).cost == Decimal("1500.20")
        fees = trader.state.cash.fees
        assert trader.state.cash.balance == -Decimal("1500.20") - fees


async def test_16_a_busted_execution_is_taken_back() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        await trader.until_state(trader.place("10"), OrderState.FILLED)
        await trader.until_state(trader.place("5"), OrderState.FILLED)
        running.gateway.mishaps.correct_newest(bust=True)
        await trader.until(lambda: trader.all(FillCorrected))
        # Five bought at 150.01 were never bought; ten were.
        assert (trader.held, trader.theirs) == (10, 10)
        assert trader.state.cash.balance == -Decimal("1500.10") - trader.state.cash.fees


# 17. Order numbers used twice.


async def test_17_a_number_used_before_leaves_the_order_unknown_and_the_next_number_is_higher() -> (
    None
):
    duplicate = Fault(FaultKind.REFUSED, "placeOrder", code=103)
    async with a_gateway(duplicate) as running, a_trader(running) as trader:
        first = trader.place("10", FAR)
        await trader.until(lambda: any("103" in each.fields for each in trader.all(BrokerHeard)))
        second = trader.place("10", FAR)
        await trader.until_state(second, OrderState.WORKING)
        assert trader.order(first).reserved == 10
        assert trader.orders_there() == [second]


# 18. Orders that are not transmitted linger, and children die with their parents.


async def test_18_every_order_is_whole_by_itself_and_transmitted() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        await trader.until_state(trader.place("10", FAR), OrderState.WORKING)
        (line,) = running.gateway.floor.all_open_orders()
        assert (line.terms.transmit, line.terms.parent_id, line.terms.oca_group) == (True, 0, "")


# 19. What-if orders that are never answered, or without figures.


async def test_19_margin_is_said_by_a_what_if_order_that_nobody_carries_out() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        intents = [trader.record_sending("10"), trader.record_sending("20")]
        trader.broker.ask_margin("r1", intents)
        await trader.until(lambda: trader.all(MarginReported))
        report = trader.all(MarginReported)[0]
        # Half of thirty shares at about 150 dollars.
        assert report.initial_after is not None
        assert Decimal(2200) < report.initial_after < Decimal(2300)
        assert trader.orders_there() == []


async def test_19_a_what_if_that_is_answered_within_a_list_is_no_open_order() -> None:
    async with a_gateway() as running, a_trader(running) as trader:
        order_id = trader.place("10", FAR)
        await trader.until_state(order_id, OrderState.WORKING)
        # Of our own list order, status and end come first, then the order and its status of all.
        running.gateway.plan.add(Fault(FaultKind.LATE, "openOrder", messages=5))
        trader.broker.ask_margin("r1", [trader.record_sending("10")])
        trader.broker.report_books("look", LookWhy.OPERATOR, trader.session.now)
        await trader.until(lambda: trader.all(BooksReported)[-1].look_id == "look")
        assert trader.all(MarginReported), "the answer was to come before the list's end"
        (found,) = trader.all(BooksReported)[-1].open_orders or ()
        assert found.order_ref == order_id


async def test_19_a_what_if_without_an_answer_is_a_no() -> None:
    lost = [Fault(FaultKind.LOST, "openOrder", nth=nth) for nth in (1, 2)]
    async with a_gateway(*lost) as running, a_trader(running) as trader:
        trader.broker.ask_margin("r1", [trader.record_sending("10")])
        await trader.until(lambda: trader.all(MarginUnavailable))
        assert "no answer" in trader.all(MarginUnavailable)[0].reason


async def test_19_a_first_answer_without_figures_is_none() -> None:
    lost = [Fault(FaultKind.LOST, "openOrder", nth=nth) for nth in (1, 2)]
    async with a_gateway(*lost) as running, a_trader(running) as trader:
        what_ifs = trader.broker._what_ifs  # noqa: SLF001 - the gateway's part is played here
        trader.broker.ask_margin("r1", [trader.record_sending("10")])
        await trader.until(lambda: what_ifs._open)  # noqa: SLF001 - as above
        (number,) = what_ifs._open  # noqa: SLF001 - as above
        ten, none = Decimal(10), (None, None)
        what_ifs.answered(Margins(number, none, none, none, "a warning comes first"))
        await asyncio.sleep(0.05)
        assert trader.all(MarginReported) == []
        what_ifs.answered(Margins(number, (ten, ten), (ten, ten), (ten, ten), ""))
        await trader.until(lambda: trader.all(MarginReported))


# 20. Positions lag behind fills.


async def test_20_the_position_is_that_of_our_fills_whatever_the_broker_still_says() -> None:
    late = Fault(FaultKind.LATE, "position", after_s=1.0)
    async with a_gateway(late) as running, a_trader(running) as trader:
        await trader.until_state(trader.place("10"), OrderState.FILLED)
        assert trader.held == 10
        assert not [each for each in trader.all(BrokerHeard) if each.kind == "position"]


def say(trader: Trader, kind: int, *fields: str) -> None:
    """Let the adapter hear a message that the gateway has not sent."""
    trader.session._heard(kind, [str(kind), *fields])  # noqa: SLF001 - as the wire does it


def an_execution(trader: Trader, moment: str) -> list[str]:
    """Return an execution of the newest order as the gateway would tell it, at `moment`."""
    (line,) = trader.running.gateway.floor.all_open_orders()
    order = line.terms
    fields = (
        -1, line.order_id, line.contract.con_id, "AAPL", "STK", "", 0, "", "", "ISLAND", "USD",
        "AAPL", "AAPL", "0000e0d5.65a1.01.01", moment, order.account, "ISLAND", "BOT", 10, 140,
        line.perm_id, line.client_id, 0, 10, 140, order.order_ref, "", "", "", 2, 0,
    )  # fmt: skip
    return [str(each) for each in fields]
