"""What the account may see: live data refused or late, one subscription a symbol, the day's hours.

Over the simulated gateway; what the feed reports is what the core is given.
"""

import asyncio
from datetime import date, timedelta

import msgspec
import pytest

from daemon.brokers.gateway import contracts
from daemon.feeds import ibkr
from events import (
    BrokerDegraded,
    BrokerRestored,
    DataTrouble,
    MarketDataImpaired,
    ReportedHours,
    TradingHoursReported,
)
from ops.gateway_sim.faults import Fault, FaultKind
from ops.gateway_sim.server import RunningGateway
from projections.broker import LinkState
from tests.adapter_desk import AAPL
from tests.builders import utc
from tests.gateway.test_adapter_bars import Listening, listening
from tests.gateway_desk import a_gateway, quote, until

DELAYED = Fault(FaultKind.DELAYED, "reqRealTimeBars")
A_QUARTER = 180
"""So many parts of five seconds."""


def impaired(found: Listening) -> list[MarketDataImpaired]:
    return [each for each in found.reports if isinstance(each, MarketDataImpaired)]


def subscriptions(running: RunningGateway) -> int:
    """Return how many subscriptions to bars the gateway serves."""
    return len(running.gateway.floor._data._wanted)  # noqa: SLF001 - asked by a test


def trade(running: RunningGateway, parts: int) -> None:
    """Let so many five seconds pass before anybody listens, a trade in each."""
    for _ in range(parts):
        quote(running.gateway, "AAPL", 150)
        running.gateway.clock.go_to(running.gateway.now() + timedelta(seconds=5))
        running.gateway.tick()


def refused(code: int, nth: int = 1) -> Fault:
    return Fault(FaultKind.REFUSED, "reqRealTimeBars", nth=nth, code=code)


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (354, DataTrouble.NO_PERMISSION),
        (420, DataTrouble.NO_PERMISSION),
        (10089, DataTrouble.NO_PERMISSION),
        (10090, DataTrouble.NO_PERMISSION),
        (10168, DataTrouble.NO_PERMISSION),
        (10186, DataTrouble.NO_PERMISSION),
        (10197, DataTrouble.ANOTHER_LOGIN),
        (101, DataTrouble.NO_LINE_LEFT),
    ],
)
async def test_data_that_is_refused_is_put_on_record_with_what_was_said(
    code: int, trouble: DataTrouble
) -> None:
    # In paper, too: without data there is nothing to accept.
    async with a_gateway(refused(code)) as running, listening(running, takes_delayed=True) as found:
        await until(lambda: impaired(found))
        (said,) = impaired(found)
        assert (said.symbol, said.trouble, said.accepted) == (AAPL, trouble, False)
        assert said.said.startswith(f"{code}: ")


async def test_a_refusal_about_the_pace_is_said_and_holds_nothing() -> None:
    # What is sent with 10225 is a bust, with 162 on a subscription the pace: neither is for good.
    async with a_gateway(refused(162)) as running, listening(running) as found:
        await until(lambda: any(isinstance(each, BrokerDegraded) for each in found.reports))
        assert impaired(found) == []


async def test_bars_that_were_refused_and_come_again_are_said_to_come() -> None:
    async with a_gateway(refused(162)) as running, listening(running) as found:
        await until(lambda: BrokerDegraded in map(type, found.reports))
        assert found.feed.session.connection.state is LinkState.DEGRADED
        first = found.feed._streams[AAPL].request  # noqa: SLF001 - asked by a test
        running.gateway.clock.go_to(running.gateway.now() + ibkr.SILENCE)
        await until(lambda: found.feed._streams[AAPL].request != first)  # noqa: SLF001 - as above
        await found.pass_parts(30)
        await until(lambda: BrokerRestored in map(type, found.reports))
        assert found.feed.session.connection.state is LinkState.CONNECTED


async def test_refused_again_on_the_same_connection_it_is_said_once_and_anew_on_the_next() -> None:
    async with (
        a_gateway(refused(354), refused(354, 2), refused(354, 3)) as running,
        listening(running) as found,
    ):
        await until(lambda: impaired(found))
        first = found.feed._streams[AAPL].request  # noqa: SLF001 - asked by a test
        running.gateway.clock.go_to(running.gateway.now() + ibkr.SILENCE)
        await until(lambda: found.feed._streams[AAPL].request != first)  # noqa: SLF001 - as above
        assert len(impaired(found)) == 1
        running.gateway.mishaps.reset_all()
        await until(lambda: len(impaired(found)) == 2)


async def test_delayed_bars_are_refused_where_real_money_depends_on_them() -> None:
    # Subscribed again for their silence, they are late again.
    again = [msgspec.structs.replace(DELAYED, nth=nth) for nth in range(1, 40)]
    async with a_gateway(*again) as running, listening(running) as found:
        await until(lambda: impaired(found))
        (said,) = impaired(found)
        assert (said.trouble, said.accepted) == (DataTrouble.DELAYED, False)
        await found.pass_parts(A_QUARTER + 30)
        assert found.live == []


async def test_delayed_bars_are_taken_and_said_in_paper_and_are_late_by_agreement() -> None:
    async with a_gateway(DELAYED) as running:
        trade(running, 240)
        async with listening(running, takes_delayed=True, late_after_s=1) as found:
            await until(lambda: impaired(found))
            (said,) = impaired(found)
            assert (said.trouble, said.accepted) == (DataTrouble.DELAYED, True)
            # Half a minute at a time: none is closed half because by the clock it is long over.
            for _ in range(8):
                await found.pass_parts(6)
                await asyncio.sleep(1.1)
            late = running.gateway.now() - found.live[0].end
            assert late >= timedelta(minutes=15)
            assert subscriptions(running) == 1


async def test_what_is_live_again_is_taken_again() -> None:
    # A symbol whose delayed bars are refused counts as silent, and is subscribed again.
    async with a_gateway(DELAYED) as running, listening(running) as found:
        await until(lambda: impaired(found))
        running.gateway.clock.go_to(running.gateway.now() + ibkr.SILENCE)
        while not found.live:
            await found.pass_parts(12)


async def test_however_often_it_is_subscribed_again_a_symbol_has_one_subscription() -> None:
    deactivated = Fault(FaultKind.DEACTIVATED, "realtimeBar", nth=3)
    async with a_gateway(deactivated) as running, listening(running) as found:
        stream = found.feed._streams[AAPL]  # noqa: SLF001 - asked by a test

        async def changed(since: int | None) -> None:
            await until(lambda: stream.request not in {None, since})
            await until(lambda: subscriptions(running) == 1)

        await changed(None)
        first = stream.request
        await found.pass_parts(4)
        await changed(first)  # 10225, a bust
        second = stream.request
        running.gateway.clock.go_to(running.gateway.now() + ibkr.SILENCE)
        await changed(second)  # silence
        third = stream.request
        running.gateway.mishaps.lose_line()
        running.gateway.mishaps.restore_line(1101)
        await changed(third)  # the servers have lost it
        fourth = stream.request
        running.gateway.mishaps.restart()
        await changed(fourth)  # another connection
        await found.pass_parts(30)
        await until(lambda: found.live)
        assert subscriptions(running) == 1


async def test_what_is_asked_for_as_the_servers_lose_everything_is_not_served_twice() -> None:
    async with a_gateway() as running, listening(running) as found:
        stream = found.feed._streams[AAPL]  # noqa: SLF001 - asked by a test
        await until(lambda: subscriptions(running) == 1)
        # The request is on its way when the servers come back, and is taken behind that.
        found.feed._subscribe_again(AAPL, stream)  # noqa: SLF001 - as above
        second = stream.request
        running.gateway.mishaps.lose_line()
        running.gateway.mishaps.restore_line(1101)
        await until(lambda: stream.request not in {None, second})
        await found.pass_parts(30)
        await until(lambda: found.live)
        assert subscriptions(running) == 1


async def test_what_the_servers_have_kept_is_not_asked_for_again() -> None:
    async with a_gateway() as running, listening(running) as found:
        stream = found.feed._streams[AAPL]  # noqa: SLF001 - asked by a test
        await until(lambda: subscriptions(running) == 1)
        first, breaks = stream.request, found.feed.session.connection.breaks
        running.gateway.mishaps.lose_line()
        running.gateway.mishaps.restore_line(1102)
        await until(lambda: found.feed.session.connection.breaks > breaks)
        await until(lambda: not found.feed.session.connection.missing)
        await found.pass_parts(30)
        await until(lambda: found.live)
        assert (stream.request, subscriptions(running)) == (first, 1)


async def test_the_hours_of_the_coming_days_are_told_and_asked_for_again_the_next_day() -> None:
    async with a_gateway() as running, listening(running) as found:

        def told() -> list[TradingHoursReported]:
            return [each for each in found.reports if isinstance(each, TradingHoursReported)]

        (first,) = told()
        day = date(2024, 1, 2)
        assert first.regular[0] == ReportedHours(
            day, utc("2024-01-02T14:30"), utc("2024-01-02T21:00")
        )
        assert first.extended[0] == ReportedHours(
            day, utc("2024-01-02T09:00"), utc("2024-01-03T01:00")
        )
        assert [each.day.day for each in first.regular if each.open is None] == [6, 7]
        breaks = found.feed.session.connection.breaks
        running.gateway.mishaps.reset_all()
        await until(lambda: found.feed.session.connection.breaks > breaks)
        await until(lambda: not found.feed.session.connection.missing)
        await found.pass_parts(20)
        assert len(told()) == 1, "not with every connection"
        running.gateway.clock.go_to(running.gateway.now() + contracts.HOURS_EVERY)
        running.gateway.mishaps.reset_all()
        running.gateway.clock.go_to(running.gateway.now() + timedelta(hours=6))
        await until(lambda: len(told()) == 2)
        assert told()[1].regular[0].day == date(2024, 1, 3)
