"""A simulated gateway in the test's own loop, and clients of it: ib_async, and one of plain bytes.

Its time stands still unless a test sets it, its prices are set by hand: AAPL 150, MSFT 400, a cent
to each side. Every client of a test fails it when ib_async could not decode something.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ib_async

from ops.gateway_sim.faults import Fault
from ops.gateway_sim.floor import Floor
from ops.gateway_sim.frames import fields, frame
from ops.gateway_sim.gateway import Gateway, Settings
from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.schedule import Schedule
from ops.gateway_sim.server import RunningGateway, running_gateway
from ops.gateway_sim.virtual_clock import VirtualClock

ACCOUNT = "DU1234567"
CASH = Decimal(1_000_000)
TUESDAY = datetime(2024, 1, 2, 15, 0, tzinfo=UTC)
"""10:00 in New York: the market is open."""
CENT = Decimal("0.01")
PATIENCE_S = 60.0

AAPL = ib_async.Stock("AAPL", "SMART", "USD", conId=265598)
MSFT = ib_async.Stock("MSFT", "SMART", "USD", conId=272093)


def a_floor(start: datetime = TUESDAY, state: Path | None = None) -> Floor:
    return open_floor(None, ACCOUNT, CASH, start, state, symbols=["AAPL", "MSFT"])


def quote(gateway: Gateway, symbol: str, last: float) -> None:
    """Move a price: last, bid and ask a cent beside it."""
    price = Decimal(str(last))
    told = gateway.floor.set_price(gateway.now(), symbol, price, bid=price - CENT, ask=price + CENT)
    gateway.deliver(told)


@asynccontextmanager
async def a_gateway(  # noqa: PLR0913 - what a gateway is made of
    *faults: Fault,
    floor: Floor | None = None,
    settings: Settings | None = None,
    schedule: Schedule | None = None,
    clock: VirtualClock | None = None,
    port: int = 0,
    save: Callable[[bytes], None] | None = None,
) -> AsyncIterator[RunningGateway]:
    made = floor or a_floor()
    async with running_gateway(
        made,
        clock=clock,
        settings=settings,
        faults=faults,
        schedule=schedule,
        port=port,
        save=save,
    ) as running:
        quote(running.gateway, "AAPL", 150)
        quote(running.gateway, "MSFT", 400)
        yield running


class Desk:
    """An ib_async client and what it was told besides: every error, every execution."""

    def __init__(self) -> None:
        self.ib = ib_async.IB()
        self.client: Any = self.ib.client
        """The layer below, for what the one above would not send."""
        self.errors: list[tuple[int, int, str]] = []
        self.executions: list[ib_async.Fill] = []
        self.ib.errorEvent += self._error
        self.ib.execDetailsEvent += self._executed

    def _error(self, request_id: int, code: int, text: str, _contract: object) -> None:
        self.errors.append((request_id, code, text))

    def _executed(self, _trade: ib_async.Trade, fill: ib_async.Fill) -> None:
        self.executions.append(fill)

    @property
    def codes(self) -> list[int]:
        """The codes it was told, without those that only say that all is well."""
        return [code for _, code, _ in self.errors if code not in {2104, 2106, 2158}]

    async def connect(self, running: RunningGateway, client_id: int) -> None:
        await self.ib.connectAsync(
            "127.0.0.1", running.port, client_id, timeout=PATIENCE_S, raiseSyncErrors=True
        )

    def limit(
        self,
        action: str,
        shares: int,
        price: float,
        **changes: Any,  # noqa: ANN401 - an Order's
    ) -> ib_async.Trade:
        order = ib_async.LimitOrder(action, shares, price, tif="DAY", **changes)
        return self.ib.placeOrder(AAPL, order)

    def market(self, action: str, shares: int, **changes: Any) -> ib_async.Trade:  # noqa: ANN401 - as above
        order = ib_async.MarketOrder(action, shares, tif="DAY", **changes)
        return self.ib.placeOrder(AAPL, order)


@asynccontextmanager
async def a_client(running: RunningGateway, client_id: int = 7) -> AsyncIterator[Desk]:
    """Yield a connected ib_async client that understands all it is told."""
    desk = Desk()
    with undecoded() as problems:
        await desk.connect(running, client_id)
        try:
            yield desk
        finally:
            desk.ib.disconnect()
            await until(lambda: client_id not in running.gateway.sessions)
    assert problems == []


@contextmanager
def undecoded() -> Iterator[list[str]]:
    """Yield what ib_async could not decode, and where the gateway itself broke."""
    problems: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # A reset leaves ib_async with questions whose end it does not look at.
            if not record.getMessage().startswith("Future exception was never retrieved"):
                problems.append(record.getMessage())

    keeper = Keeper(logging.ERROR)
    logs = [logging.getLogger(name) for name in ("ib_async.Decoder", "asyncio")]
    for log in logs:
        log.addHandler(keeper)
    try:
        yield problems
    finally:
        for log in logs:
            log.removeHandler(keeper)


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait for `condition`; a test that has to wait for long has failed."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    while not condition():
        assert loop.time() < deadline, what or "what was waited for did not come"
        await asyncio.sleep(0.005)


class RawClient:
    """A client of plain bytes: it sends what it is given and keeps every message it gets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.got: list[tuple[str, ...]] = []
        self.is_over = False
        self.was_reset = False
        self._reading = asyncio.create_task(self._read())

    def send(self, *values: object) -> None:
        self.writer.write(frame([str(value) for value in values]))

    def of(self, message_id: int) -> list[tuple[str, ...]]:
        return [message for message in self.got if message[0] == str(message_id)]

    async def answer(self, message_id: int, count: int = 1) -> tuple[str, ...]:
        """Return the `count`th message of that id, when it is there."""
        await until(lambda: len(self.of(message_id)) >= count, f"no message {message_id}")
        return self.of(message_id)[count - 1]

    @property
    def codes(self) -> list[int]:
        return [int(message[3]) for message in self.of(4) if int(message[3]) < 2100]

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self.writer.close()

    async def _read(self) -> None:
        try:
            while True:
                length = int.from_bytes(await self._reader.readexactly(4), "big")
                self.got.append(fields(await self._reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.was_reset = isinstance(error, ConnectionResetError)
            self.is_over = True


@asynccontextmanager
async def a_raw_client(
    running: RunningGateway,
    client_id: int | None = 7,
    versions: str = "v157..178",
    pieces: Callable[[bytes], Iterable[bytes]] = lambda data: [data],
) -> AsyncIterator[RawClient]:
    """Yield a client that has greeted and, unless it has no id, sent startApi."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    client = RawClient(reader, writer)
    greeting = versions.encode()
    for piece in pieces(b"API\0" + len(greeting).to_bytes(4, "big") + greeting):
        writer.write(piece)
        await writer.drain()
    if client_id is not None:
        await until(lambda: client.got or client.is_over, "no greeting")
        client.send(71, 2, client_id, "")
        await until(lambda: client.of(9) or client.codes or client.is_over, "no next valid id")
    try:
        yield client
    finally:
        await client.close()


def statuses(trade: ib_async.Trade) -> Sequence[str]:
    """Return the statuses a trade has been through."""
    return [entry.status for entry in trade.log]
