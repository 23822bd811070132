"""The wire as such: pieces of frames, wrong fields, ids in use, rates, versions. Plain bytes."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ops.gateway_sim.frames import frame
from ops.gateway_sim.gateway import Settings
from ops.gateway_sim.reports import History, To
from ops.gateway_sim.terms import Bar
from tests.gateway_desk import (
    ACCOUNT,
    TUESDAY,
    RawClient,
    a_client,
    a_gateway,
    a_raw_client,
    until,
)

ONE = Decimal(1)
FAST = Settings(requests_per_second=0)
# A limit order to buy 10 AAPL at 140 as the official client writes it at 178; its id is between.
ORDER_FIELDS = (
    "0|AAPL|STK|||||SMART||USD|||||BUY|10|LMT|140.0||DAY||||0||1|0|0|0|0|0|0|0||0|||||||0||-1|0|||0"
    "|||0|0||0||||||0|||||0|||||||||||0|||0|0|||0||0|0|0|0||1.7976931348623157e+308|1.79769313486231"
    "57e+308|1.7976931348623157e+308|1.7976931348623157e+308|1.7976931348623157e+308|0||||1.797693134"
    "8623157e+308|||||0|0|0||2147483647|2147483647|0||"
)


def an_order(order_id: int = 1) -> list[str]:
    return ["3", str(order_id), *ORDER_FIELDS.split("|")]


def submitted(client: RawClient) -> list[int]:
    """Return the ids of the orders that came to be Submitted, in that order; each is told often."""
    return list(dict.fromkeys(int(s[1]) for s in client.of(3) if s[2] == "Submitted"))


def byte_by_byte(data: bytes) -> Iterator[bytes]:
    return (bytes([byte]) for byte in data)


async def test_a_client_is_greeted_and_told_its_accounts_and_its_next_id_after_startapi() -> None:
    async with a_gateway() as running, a_raw_client(running) as client:
        # New York, five hours behind in winter.
        assert client.got[0] == ("178", f"{TUESDAY:%Y%m%d} 10:00:00 US/Eastern")
        assert client.of(15) == [("15", "1", ACCOUNT)]
        assert client.of(9) == [("9", "1", "1")]


async def test_a_client_with_open_orders_is_told_them_before_anything_else() -> None:
    async with a_gateway() as running:
        async with a_raw_client(running) as client:
            client.send(*an_order())
            await until(lambda: submitted(client) == [1])
        await until(lambda: not running.gateway.sessions)
        async with a_raw_client(running) as again:
            # After the greeting: the order, where it stands, the end of the list, account, next id.
            assert [message[0] for message in again.got[1:6]] == ["5", "3", "53", "15", "9"]
            assert again.of(9) == [("9", "1", "2")]
        async with a_client(running) as desk:
            assert [trade.order.orderId for trade in desk.ib.openTrades()] == [1]


@pytest.mark.parametrize(
    ("spoken", "version"), [("v157..178", "178"), ("v100..226", "178"), ("v100..170", "170")]
)
async def test_the_newest_version_both_sides_speak_is_spoken(spoken: str, version: str) -> None:
    async with a_gateway() as running, a_raw_client(running, versions=spoken) as client:
        assert client.got[0][0] == version
        assert client.of(9)


@pytest.mark.parametrize("spoken", ["v100..156", "v179..226", "nonsense"])
async def test_a_client_without_a_common_version_is_shown_the_door(spoken: str) -> None:
    async with a_gateway() as running, a_raw_client(running, versions=spoken) as client:
        await until(lambda: client.is_over)
        assert client.got == []


async def test_a_conversation_in_pieces_of_one_byte_is_the_same_conversation() -> None:
    async with a_gateway() as running, a_raw_client(running, pieces=byte_by_byte) as client:
        for piece in byte_by_byte(frame(an_order()) + frame(["49", "1"])):
            client.writer.write(piece)
            await client.writer.drain()
        await until(lambda: submitted(client) == [1])
        assert (await client.answer(49))[2] == str(int(TUESDAY.timestamp()))


async def test_many_frames_in_one_segment_are_answered_in_their_order() -> None:
    async with a_gateway(settings=FAST) as running, a_raw_client(running) as client:
        client.writer.write(b"".join(frame(an_order(number)) for number in range(1, 201)))
        await until(lambda: len(submitted(client)) == 200)
        assert submitted(client) == list(range(1, 201))


async def test_a_message_of_the_wrong_length_is_error_320_and_the_connection_stays() -> None:
    async with a_gateway() as running, a_raw_client(running) as client:
        client.send(*an_order(5)[:-1])
        client.send(*an_order(6), "")
        client.send(999, 1)
        client.send(9, 8, "AAPL")
        await client.answer(4, count=4 + 3)  # three more say that the data farms are connected
        told = [(message[2], message[3]) for message in client.of(4) if message[3] == "320"]
        assert told == [("5", "320"), ("6", "320"), ("-1", "320"), ("-1", "320")]
        assert "'Client Req Id' for input string: 'AAPL'" in client.of(4)[-1][4]
        client.send(49, 1)
        await client.answer(49)
        assert running.gateway.floor.all_open_orders() == []


async def test_an_id_in_use_is_326_and_the_door_and_the_first_client_stays() -> None:
    async with a_gateway() as running, a_raw_client(running, 7) as first:
        async with a_raw_client(running, 7) as second:
            await until(lambda: second.is_over)
            assert second.codes == [326]
            assert second.of(9) == []
        first.send(49, 1)
        await first.answer(49)


async def test_ib_async_reads_326_as_a_timeout_after_the_error() -> None:
    async with a_gateway() as running, a_raw_client(running, 7):
        from ib_async import IB  # noqa: PLC0415 - a client of its own, that never connects

        ib, codes = IB(), list[int]()
        ib.errorEvent += lambda _id, code, _text, _contract: codes.append(code)
        with pytest.raises(TimeoutError):
            await ib.connectAsync("127.0.0.1", running.port, 7, timeout=0.3)
        assert codes == [326]


async def test_an_id_is_free_again_once_its_client_is_gone_or_a_while_later() -> None:
    kept = Settings(id_kept_s=0.4)
    async with a_gateway(settings=kept) as running:
        async with a_raw_client(running, 7):
            pass
        await until(lambda: not running.gateway.sessions)
        async with a_raw_client(running, 7) as early:
            assert early.codes == [326]
        await asyncio.sleep(0.4)
        async with a_raw_client(running, 7) as late:
            assert late.of(9)


async def test_no_more_than_32_clients_are_served() -> None:
    async with a_gateway() as running, AsyncExitStack() as everyone:
        for number in range(32):
            await everyone.enter_async_context(a_raw_client(running, number))
        assert len(running.gateway.sessions) == 32
        async with a_raw_client(running, 99) as one_too_many:
            assert one_too_many.codes == [326]


async def test_what_is_asked_before_startapi_is_dropped() -> None:
    async with a_gateway() as running, a_raw_client(running, client_id=None) as client:
        client.send(49, 1)
        client.send(71, 2, 7, "")
        await client.answer(9)
        assert client.of(49) == []


async def test_the_time_is_told_once_a_second_and_a_faster_question_is_never_answered() -> None:
    async with a_gateway() as running, a_raw_client(running) as client:
        client.send(49, 1)
        client.send(49, 1)
        await client.answer(49)
        await asyncio.sleep(1.05)
        client.send(49, 1)
        client.send(8, 1, 1)
        await client.answer(9, count=2)
        # The first and the third; and what was asked after them has been answered.
        assert len(client.of(49)) == 2


async def test_the_account_is_told_once_and_then_what_has_changed_of_it() -> None:
    async with a_gateway() as running, a_raw_client(running) as client:
        client.send(6, 2, 1, ACCOUNT)
        await client.answer(54)
        first = {message[2]: message[3] for message in client.of(6)}
        assert (first["NetLiquidation"], first["AccountType"]) == ("1000000.00", "INDIVIDUAL")
        known = len(client.of(6))
        client.send(*(field.replace("140.0", "151.0") for field in an_order()))

        def changed() -> set[str]:
            return {message[2] for message in client.of(6)[known:]}

        await until(lambda: "TotalCashValue" in changed())
        assert "AccountType" not in changed()


@pytest.mark.parametrize(
    ("format_date", "written"), [(1, "20240101 19:00:00 US/Eastern"), (2, "1704153600")]
)
async def test_a_bar_is_dated_as_it_was_asked(format_date: int, written: str) -> None:
    async with a_gateway() as running, a_raw_client(running) as client:
        gateway = running.gateway
        day = datetime(2024, 1, 2, tzinfo=UTC)
        bar = Bar(at=day, open=ONE, high=ONE, low=ONE, close=ONE, volume=ONE, wap=ONE, count=1)
        contract = ["0", "AAPL", "STK", "", "", "", "", "SMART", "", "USD", "", ""]
        end = ["0", "", "1 min", "1 D", "1", "TRADES", str(format_date), "0", ""]
        client.send(20, 5, *contract, *end)
        client.send(8, 1, 1)
        await client.answer(9, count=2)
        gateway.deliver([To(7, History(5, day, day, (bar,)))])
        await until(lambda: client.of(17)[-1:] and client.of(17)[-1][4] == "1")
        assert client.of(17)[-1][5] == written


async def test_too_many_requests_wait_their_turn() -> None:
    paced = Settings(requests_per_second=10)
    async with a_gateway(settings=paced) as running, a_raw_client(running) as client:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(1, 16):
            client.send(*an_order(number))
        await until(lambda: len(submitted(client)) == 15)
        # startApi and nine orders go through at once, six wait for the next second.
        assert 0.9 < loop.time() - began < 2
        assert submitted(client) == list(range(1, 16))


async def test_or_they_are_refused_with_100_and_the_third_time_is_the_last() -> None:
    strict = Settings(requests_per_second=10, reject_above_rate=True)
    async with a_gateway(settings=strict) as running, a_raw_client(running) as client:
        for number in range(1, 40):
            client.send(*an_order(number))
        await until(lambda: client.is_over)
        assert client.codes == [100, 100, 100]
        # startApi and 9 orders, then a strike; 10 orders and a strike, twice.
        assert len(running.gateway.floor.all_open_orders()) == 29


async def test_a_nonsense_length_ends_only_that_connection() -> None:
    async with a_gateway() as running, a_client(running, 8) as desk:
        async with a_raw_client(running, 7) as client:
            client.writer.write(b"\xff\xff\xff\xff")
            await until(lambda: client.is_over)
        assert await desk.ib.reqCurrentTimeAsync() == TUESDAY


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (("10", "5", "7", *["0"] * 4, *[""] * 8, "5", "0", ""), ("4", "10092")),
        (("18", "1", "1"), ("4", "321")),
        (("24", "1"), ("19", "<ScanParameterResponse/>")),
        (("78", "7", "AAPL", "", "STK", "265598"), ("76", "7")),
        (("79", "7"), ("77", "7")),
        (("80",), ("78", ACCOUNT)),
        (("82",), ("80", "0")),
        (("83", "7", "9c0001"), ("82", "7")),
        (("84", "7", "BZ", "x", ""), ("4", "10172")),
        (("85",), ("85", "0")),
        (("86", "7", "265598", "BZ", "", "", "10", ""), ("4", "10276")),
        (("100", "7"), ("4", "10276")),
        (("104", "7"), ("107", "7")),
    ],
)
async def test_what_is_not_served_is_answered_as_without_a_subscription(
    asked: tuple[str, ...], answered: tuple[str, str]
) -> None:
    async with a_gateway() as running, a_raw_client(running) as client:
        known = len(client.got)
        client.send(*asked)
        await until(lambda: len(client.got) > known and answered[0] in _ids(client.got[known:]))
        found = [message for message in client.got[known:] if message[0] == answered[0]]
        assert answered[1] in found[-1]


def _ids(messages: list[tuple[str, ...]]) -> set[str]:
    return {message[0] for message in messages if message[0] != "4" or int(message[3]) != 2158}
