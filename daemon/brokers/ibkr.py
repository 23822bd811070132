"""The wire to Interactive Brokers' gateway: the only file that imports ib_async.

Of ib_async it takes the protocol: handshake, framing, and the layouts of what is sent and of the
two messages that change with every version. Not its memory: `ib_async.IB` keeps order states that
an error code can turn into the opposite, drops what its throttle still holds, swallows what raises
in a callback and grows all day (ops/decisions/0012). What comes in goes out of here as text fields,
in the order it came, every message of it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from ib_async import Client, Contract, ContractDetails, ExecutionFilter, Order, OrderState
from ib_async.decoder import Decoder

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.codes import ForLink, meaning
from daemon.brokers.gateway.messages import OrderLine, Unreadable
from daemon.brokers.gateway.terms import (
    ContractTerms,
    Greeting,
    HistoryWanted,
    Margins,
    OrderTerms,
    StockContract,
)

Hear = Callable[[int, Sequence[str]], None]
Lost = Callable[[str], None]

# It says every message twice, with account numbers, and what matters is said to us.
logging.getLogger("ib_async").setLevel(logging.CRITICAL)
_make_client: Any = Client
"""Its methods carry no types."""


class NoAnswer(Exception):
    """The gateway is not there, does not answer, or turns this client away."""

    hint = (
        "see that the gateway runs, is logged in and listens there (gateway.port, IBKR_PORT); "
        "it is waited for, but with --no-wait"
    )


class Wire:
    """One socket at a time. `hear` gets each message as text, `lost` the end of a socket.

    What `hear` raises stays with it: one message that goes wrong does not silence the next.
    """

    def __init__(self, hear: Hear, lost: Lost) -> None:
        """Bind to whoever listens; nothing is opened yet."""
        self._hear = hear
        self._lost = lost
        self._first_id: int | None = None
        self._accounts: tuple[str, ...] = ()
        self._turned_away = ""
        self._client_id = 0
        self._caught = _Caught()
        self._decoder: Decoder | None = None
        self._client = self._a_client()

    @property
    def is_open(self) -> bool:
        """Whether the socket is there and has been greeted."""
        return bool(self._client.isReady())

    async def open(self, host: str, port: int, client_id: int, timeout_s: float) -> Greeting:
        """Connect, and return what the gateway says first.

        Raises:
            NoAnswer: why it did not come to that.
        """
        self._first_id, self._accounts, self._turned_away = None, (), ""
        self._client_id = client_id
        # A new one each time: nothing of the connection before can reach into this one.
        self._client = self._a_client()
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._client.apiError += lambda _said: _set(closed)
        connecting = asyncio.ensure_future(
            self._client.connectAsync(host, port, client_id, timeout_s)
        )
        try:
            # It would wait out its whole time after the other side has closed.
            await asyncio.wait({connecting, closed}, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                await connecting
            else:
                raise NoAnswer(self._turned_away or f"{host}:{port} closed the connection at once")
        except TimeoutError as error:
            silent = f"{host}:{port} took the connection and did not answer within {timeout_s:g} s"
            raise NoAnswer(self._turned_away or silent) from error
        except OSError as error:
            why = self._turned_away or f"{host}:{port}: {error.strerror or error}"
            raise NoAnswer(why) from error
        finally:
            connecting.cancel()
            await asyncio.wait({connecting})
            # Asked for, or asyncio complains that nobody did.
            _ = connecting.cancelled() or connecting.exception()
        assert self._first_id is not None, "the client waits for it"
        return Greeting(int(self._client.serverVersion()), self._first_id, self._accounts)

    def close(self) -> None:
        """End the socket, if there is one; `lost` is not told what it asked for."""
        client, self._client = self._client, self._a_client()
        _deafen(client)
        client.disconnect()

    # What is asked.

    def place(self, order_id: int, contract: StockContract, terms: OrderTerms) -> None:
        """Send one order."""
        self._client.placeOrder(order_id, _contract(contract), _order(order_id, terms))

    def cancel(self, order_id: int) -> None:
        """Ask for a cancel."""
        self._client.cancelOrder(order_id)

    def ask_positions(self) -> None:
        """Ask for all positions, and to be told of changes."""
        self._client.reqPositions()

    def ask_open_orders(self) -> None:
        """Ask for the open orders of every client and person."""
        self._client.reqAllOpenOrders()

    def ask_own_orders(self) -> None:
        """Ask for this client's open orders, and to be told of changes."""
        self._client.reqOpenOrders()

    def ask_completed_orders(self) -> None:
        """Ask for the orders that ended today."""
        self._client.reqCompletedOrders(apiOnly=False)

    def ask_executions(self, request: int) -> None:
        """Ask for the executions since midnight, and what they cost."""
        self._client.reqExecutions(request, ExecutionFilter())

    def ask_account(self, account: str) -> None:
        """Ask for the account's figures, and to be told of changes."""
        self._client.reqAccountUpdates(subscribe=True, acctCode=account)

    def ask_time(self) -> None:
        """Ask for the time: the heartbeat."""
        self._client.reqCurrentTime()

    def ask_contract(self, request: int, contract: StockContract) -> None:
        """Ask for all contracts that match."""
        self._client.reqContractDetails(request, _contract(contract))

    def ask_market_data_type(self, kind: int) -> None:
        """Say which data is wanted: 1 is live."""
        self._client.reqMarketDataType(kind)

    def ask_bars(self, request: int, contract: StockContract, *, regular_hours: bool) -> None:
        """Subscribe to five-second bars of trades."""
        asked = _contract(contract)
        self._client.reqRealTimeBars(request, asked, 5, "TRADES", regular_hours, [])

    def ask_ticks(self, request: int, contract: StockContract, wanted: str) -> None:
        """Subscribe to ticks, those of `wanted` among them."""
        self._client.reqMktData(
            request,
            _contract(contract),
            wanted,
            False,  # noqa: FBT003 - the protocol's: no snapshot
            False,  # noqa: FBT003 - nor one that costs
            [],
        )

    def end_bars(self, request: int) -> None:
        """End a subscription to five-second bars."""
        self._client.cancelRealTimeBars(request)

    def ask_history(self, request: int, wanted: HistoryWanted) -> None:
        """Ask for bars of the past, times in seconds of UTC."""
        self._client.reqHistoricalData(
            request,
            _contract(wanted.contract),
            f"{wanted.end:%Y%m%d-%H:%M:%S}" if wanted.end else "",
            wanted.duration,
            wanted.bar_size,
            "TRADES",
            wanted.regular_hours,
            2,
            False,  # noqa: FBT003 - the protocol's
            [],
        )

    # What is heard and no plain text.

    def read_order(self, fields: Sequence[str]) -> OrderLine:
        """Return an openOrder or a completedOrder.

        Raises:
            Unreadable: it is not what the protocol says.
        """
        order, contract, state = self._decoded(fields)
        return OrderLine(
            order_id=order.orderId,
            client_id=order.clientId,
            perm_id=order.permId,
            order_ref=order.orderRef,
            account=order.account,
            contract_id=contract.conId,
            symbol=contract.symbol,
            security_type=contract.secType,
            quantity=_signed(order.action, order.totalQuantity),
            filled=_decimal(order.filledQuantity),
            order_type=order.orderType,
            time_in_force=order.tif,
            limit_price=_decimal(order.lmtPrice),
            stop_price=_decimal(order.auxPrice),
            status=state.status,
            completed_status=state.completedStatus,
            warning=state.warningText,
            is_what_if=order.whatIf,
        )

    def read_margins(self, fields: Sequence[str]) -> Margins | None:
        """Return what an openOrder says of margins, None where it is no answer to a what-if.

        Raises:
            Unreadable: as `read_order`.
        """
        order, _, state = self._decoded(fields)
        if not order.whatIf:
            return None
        return Margins(
            order.orderId,
            (_decimal(state.initMarginBefore), _decimal(state.initMarginAfter)),
            (_decimal(state.maintMarginBefore), _decimal(state.maintMarginAfter)),
            (_decimal(state.equityWithLoanBefore), _decimal(state.equityWithLoanAfter)),
            state.warningText,
        )

    def read_contract(self, fields: Sequence[str]) -> ContractTerms:
        """Return a contract's details.

        Raises:
            Unreadable: as `read_order`.
        """
        details: ContractDetails = self._decode(fields)[-1]
        contract = details.contract
        if contract is None:
            raise Unreadable("contract details without a contract")
        return ContractTerms(
            contract_id=contract.conId,
            symbol=contract.symbol,
            security_type=contract.secType,
            currency=contract.currency,
            primary_exchange=contract.primaryExchange,
            long_name=details.longName,
            price_increment=_decimal(details.minTick),
            size_increment=_decimal(details.sizeIncrement) if details.sizeIncrement else None,
            liquid_hours=details.liquidHours,
            trading_hours=details.tradingHours,
            time_zone=details.timeZoneId,
        )

    def _decoded(self, fields: Sequence[str]) -> tuple[Order, Contract, OrderState]:
        *_, contract, order, state = self._decode(fields)
        return order, contract, state

    def _decode(self, fields: Sequence[str]) -> tuple[Any, ...]:
        """Return what ib_async's decoder makes of a message: the arguments of its callback."""
        version, caught = int(self._client.serverVersion()), self._caught
        if self._decoder is None or self._decoder.serverVersion != version:
            # It takes longer to make one than to read a message with it.
            self._decoder = Decoder(cast("Any", caught), version)
        caught.arguments = None
        try:
            # Past `interpret`, which would only log what goes wrong.
            self._decoder.handlers[int(fields[0])](list(fields))
        except Exception as error:
            raise Unreadable(f"{type(error).__name__}: {error}") from error
        if caught.arguments is None:
            raise Unreadable("nothing came of it")
        return caught.arguments

    # The socket.

    def _a_client(self) -> Any:  # noqa: ANN401 - see `_make_client`
        client = _make_client(_Nobody())
        # Thousands of objects in a circle: left to the collector, it may keep those of many days.
        client.decoder.handlers.clear()
        client.MaxRequests = 0  # We keep the pace ourselves, and know what still waits.
        client.decoder = _Ear(self._take)
        client.apiEnd += self._ended
        return client

    def _take(self, fields: Sequence[str]) -> None:
        if not fields or not fields[0].isdigit():
            return
        kind = int(fields[0])
        if kind == messages.NEXT_VALID_ID and self._first_id is None:
            self._first_id = int(fields[2])
        elif kind == messages.MANAGED_ACCOUNTS:
            self._accounts = tuple(each for each in fields[2].split(",") if each)
        elif kind == messages.ERROR and not self.is_open:
            self._turned_away = self._why_turned_away(messages.read_notice(fields))
        self._hear(kind, fields)

    def _why_turned_away(self, notice: messages.Notice) -> str:
        """Return why the gateway does not let us in; what it advises may be wrong for a daemon."""
        if meaning(notice.code).link is not ForLink.CLIENT_ID_TAKEN:
            return f"{notice.code}: {notice.text}"
        return (
            f"{notice.code}: client id {self._client_id} is in use at this gateway, by another "
            "daemon or by a connection it has not given up yet: end that one; orders belong to "
            "this id, so no other is tried"
        )

    def _ended(self) -> None:
        self._lost("the gateway closed the connection")


class _Ear:
    """Stands where ib_async expects its decoder, and hands every message on as it came."""

    serverVersion = 0  # noqa: N815 - ib_async's name; the client sets it

    def __init__(self, take: Callable[[Sequence[str]], None]) -> None:
        self.interpret = take


class _Nobody:
    """Stands where ib_async expects its own memory of the connection, and remembers nothing."""

    def connectAck(self) -> None:  # noqa: N802 - the protocol's name
        """Take note of nothing."""

    def connectionClosed(self) -> None:  # noqa: N802 - as above
        """Take note of nothing: `apiEnd` says it."""

    def setEventsDone(self) -> None:  # noqa: N802 - as above
        """End nothing: there are no subscriptions here."""


class _Caught:
    """Catches the one callback a message leads to."""

    def __init__(self) -> None:
        self.arguments: tuple[Any, ...] | None = None
        self.ib = SimpleNamespace(TimezoneTWS="")

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in {"openOrder", "completedOrder", "contractDetails"}:
            raise AttributeError(name)
        return self._catch

    def _catch(self, *arguments: Any) -> None:  # noqa: ANN401 - whatever the decoder made
        self.arguments = arguments


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _deafen(client: Any) -> None:  # noqa: ANN401 - as above
    client.apiEnd.clear()
    client.decoder = _Ear(lambda _fields: None)


def _contract(stock: StockContract) -> Contract:
    return Contract(
        secType="STK",
        conId=stock.contract_id,
        symbol=stock.symbol,
        exchange="SMART",
        primaryExchange=stock.primary_exchange,
        currency="USD",
    )


def _order(order_id: int, terms: OrderTerms) -> Order:
    order = Order(
        orderId=order_id,
        action="BUY" if terms.quantity > 0 else "SELL",
        orderType=terms.order_type,
        tif=terms.time_in_force,
        account=terms.account,
        orderRef=terms.order_ref,
        outsideRth=terms.outside_rth,
        whatIf=terms.what_if,
    )
    # As text: a float would show its last digit, an exponent is not understood.
    order.totalQuantity = _plain(abs(terms.quantity))  # type: ignore[assignment]
    if terms.limit_price is not None:
        order.lmtPrice = _plain(terms.limit_price)  # type: ignore[assignment]
    if terms.stop_price is not None:
        order.auxPrice = _plain(terms.stop_price)  # type: ignore[assignment]
    return order


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _signed(action: str, quantity: float) -> Decimal:
    number = _decimal(quantity)
    if number is None or action not in {"BUY", "SELL", "SSHORT"}:
        raise Unreadable(f"{action!r} {quantity!r} is no order")
    return number if action == "BUY" else -number


def _decimal(number: float | Decimal | str | None) -> Decimal | None:
    """Return a number of ib_async's, which are floats, with the digits it was written with."""
    return None if number is None else messages.number_or_none(str(number))
