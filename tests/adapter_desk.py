"""The daemon's side of a conversation with the simulated gateway: the real core, without a file.

What the adapter reports is checked and folded as the engine does it, and what the core wants done
outside is done. Its time is the gateway's. A restart folds the records into new books.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from daemon.brokers.border import checked
from daemon.brokers.gateway.broker import IbkrBroker
from daemon.brokers.gateway.contracts import Contracts
from daemon.brokers.gateway.session import GatewaySession, Timing
from daemon.brokers.gateway.settings import GatewaySettings
from daemon.brokers.gateway.windows import Windows
from daemon.config.options import Exchange, SymbolConfig
from daemon.core.core import Core, CoreSettings
from daemon.core.recorder import Cancel, LookAtBooks
from daemon.gate.decision import approve
from daemon.gate.limits import AccountLimits, Limits
from events import (
    BooksReported,
    BrokerConnected,
    BrokerHeard,
    CashMoved,
    CashMovementKind,
    ClientOrderId,
    ClockJumped,
    ConfigLoaded,
    Event,
    IntentApproved,
    JournalOpened,
    Mode,
    OrderFilled,
    OrderIntended,
    OrderSending,
    OrderType,
    Record,
    Symbol,
    SymbolTerms,
    TimeInForce,
    nanoseconds,
)
from events.codec import Input, decode, encode
from ops.gateway_sim.server import RunningGateway
from projections import State
from projections.broker import DISCONNECTED
from projections.order_states import OrderState
from projections.orders import Order
from tests.gateway_desk import ACCOUNT

AAPL = Symbol("AAPL")
MSFT = Symbol("MSFT")
SYMBOLS = {name: SymbolConfig(exchange=Exchange.NASDAQ) for name in (AAPL, MSFT)}
QUICK = Timing(
    connect=1.0,
    answer=1.0,
    beat=1.1,
    beat_answer=0.5,
    retry_first=0.05,
    retry_max=0.2,
    verify_again=0.1,
    unanswered=0.3,
    look_apart=0.05,
    what_if=0.5,
    away=0.5,
)
PATIENCE_S = 60.0
ALIAS = "main"

Kind = TypeVar("Kind", bound=Event)


class GatewayTime:
    """The daemon's clock where the gateway's is its own."""

    speed = 1.0

    def __init__(self, running: RunningGateway) -> None:
        self._running = running

    def now(self) -> int:
        return nanoseconds(self._running.gateway.now())

    def set(self, at: int) -> None:
        """Do nothing: it moves by itself."""

    def jump(self) -> ClockJumped | None:
        """Return None: nobody sets the gateway's clock."""
        return None

    def agree(self) -> None:
        """Do nothing: there is no other clock."""


class Trader:
    """Session, contracts, broker and core over one gateway."""

    def __init__(  # noqa: PLR0913 - what a trader is made of
        self,
        running: RunningGateway,
        records: list[Record] | None = None,
        *,
        timing: Timing = QUICK,
        windows: Windows | None = None,
        account: str = ACCOUNT,
        symbols: dict[Symbol, SymbolConfig] = SYMBOLS,
        kind: type[IbkrBroker] = IbkrBroker,
    ) -> None:
        self.running = running
        self.records = records or []
        self.said: list[str] = []
        self.failed: BaseException | None = None
        self.state = State()
        for record in self.records:
            stored = decode(encode(record.event))
            self.state.apply(Record(record.seq, record.at, stored, record.trace, record.cause))
        self.clock = GatewayTime(running)
        settings = GatewaySettings("127.0.0.1", running.port, 1001, account, ALIAS)
        self.session = GatewaySession(
            settings,
            self.clock,
            windows or Windows(),
            sends=True,
            timing=timing,
            seconds=running.gateway.seconds,
        )
        self.session.told = self.said.append
        contracts = Contracts(self.session, symbols)
        self.broker = kind(self.session, contracts, "US/Eastern")
        self.session.listeners = [contracts, self.broker]
        # Nobody has booked what the account has: any position would be too much of it.
        limits = Limits(account=AccountLimits(emergency_leverage=None))
        self.core = Core(self.state, (), CoreSettings(limits))
        self.why_not = ""
        self._task: asyncio.Task[None] | None = None
        self._orders = 0
        self._is_dead = False
        self._turns: list[int] = []
        """How many records there were before each turn that nobody outside has seen anything of."""

    # What the engine does.

    def take(self, report: Input) -> None:
        """Take one report as the engine does, and do what the core wants done outside."""
        if self._is_dead:
            return
        self.step(checked(report, self.clock.now()))

    def step(self, event: Input) -> None:
        """Take one input, and do what the core wants done outside."""
        self._turns.append(len(self.records))
        self.core.step(event, self.clock.now())
        self.records += self.core.recorder.records
        self.core.recorder.records.clear()
        effects, self.core.recorder.effects = self.core.recorder.effects, []
        if effects:
            self._turns.clear()
        for effect in effects:
            match effect:
                case Cancel(client_order_id):
                    self.broker.cancel(client_order_id)
                case LookAtBooks(look_id, why):
                    self.broker.report_books(look_id, why, self.session.now)
                case _:
                    pass

    async def start(self, *, connected: bool = True, capital: Decimal | None = None) -> None:
        """Take up the books, new ones with `capital`, and run the session until connected."""
        if not self.records:
            opened = JournalOpened("journal", Mode.BROKER_PAPER, ALIAS)
            terms = {
                symbol: SymbolTerms("NASDAQ", enforce_hours=True, extended_hours=False)
                for symbol in SYMBOLS
            }
            self.step(opened)
            self.step(ConfigLoaded({}, terms))
            if capital is not None:
                self.step(CashMoved(CashMovementKind.DEPOSIT, capital, "opening"))
            self._turns.clear()
        self.broker.connect(self.state, self.take)
        self.broker.look_again_with(lambda _intent: self.why_not)
        for order in tuple(self.state.orders.open.values()):
            if order.cancel_requested:
                self.broker.cancel(order.client_order_id)
        self._task = asyncio.create_task(self._run(), name="gateway session")
        if connected:
            await self.until(lambda: self.state.broker.connected)

    async def _run(self) -> None:
        try:
            await self.session.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a test asks which
            self.failed = error

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def kill(self, lost: int = 0) -> None:
        """End without a word, as a killed process does: the socket just closes.

        Its last turns, so many of them, were not recorded yet: nothing outside came of them.
        """
        if lost and self._turns:
            del self.records[self._turns[-lost:][0] :]
        self._is_dead = True
        await self.stop()

    # What a test does.

    def place(
        self, quantity: str = "10", limit: str | None = None, symbol: Symbol = AAPL
    ) -> ClientOrderId:
        """Record an order up to its sending, then hand it to the broker."""
        intent = self.record_sending(quantity, limit, symbol)
        self.broker.submit(approve(intent, ()))
        return intent.client_order_id

    def record_sending(
        self, quantity: str = "10", limit: str | None = None, symbol: Symbol = AAPL
    ) -> OrderIntended:
        order_id = ClientOrderId(f"{symbol}-{len(self.records)}-{self._orders}")
        self._orders += 1
        intent = OrderIntended(
            order_id,
            "trend",
            symbol,
            Decimal(quantity),
            OrderType.MARKET if limit is None else OrderType.LIMIT,
            TimeInForce.DAY,
            cause_key="",
            leg=0,
            limit_price=None if limit is None else Decimal(limit),
        )
        for event in (intent, IntentApproved(order_id, ()), OrderSending(order_id)):
            self.core.recorder.emit(event)
        self.records += self.core.recorder.records
        self.core.recorder.records.clear()
        self._turns.clear()
        return intent

    def cancel(self, order_id: ClientOrderId) -> None:
        self.core.orders.cancel(order_id, "a test")
        self.records += self.core.recorder.records
        self.core.recorder.records.clear()
        self.core.recorder.effects.clear()
        self._turns.clear()
        self.broker.cancel(order_id)

    def hear(self, *fields: object) -> None:
        """Take a message as if the gateway had said it."""
        self.session.wire._take([str(each) for each in fields])  # noqa: SLF001 - where it comes in

    # What a test asks.

    async def until(self, there: Callable[[], Any], seconds: float = PATIENCE_S) -> None:
        # In this very task: what is there must be there still when the test goes on.
        now = asyncio.get_running_loop().time
        ends = now() + seconds
        while not there():
            assert self.failed is None, self.failed
            assert now() < ends, self.tail()
            await asyncio.sleep(0.005)

    async def until_reconnected(self, count: int = 2) -> None:
        """Wait until it has connected that many times."""
        await self.until(lambda: len(self.all(BrokerConnected)) >= count)

    async def until_state(self, order_id: ClientOrderId, *states: OrderState) -> Order:
        await self.until(lambda: self.order(order_id).state in states)
        return self.order(order_id)

    def order(self, order_id: ClientOrderId) -> Order:
        order = self.state.orders.find(order_id)
        assert order is not None
        return order

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Return every recorded event of that kind."""
        return [record.event for record in self.records if isinstance(record.event, kind)]

    @property
    def fills(self) -> list[OrderFilled]:
        return self.all(OrderFilled)

    @property
    def held(self) -> Decimal:
        return self.state.positions.held(AAPL).quantity

    @property
    def theirs(self) -> Decimal:
        """What the gateway holds of AAPL."""
        lines = self.running.gateway.floor.positions()
        return sum((each.quantity for each in lines if each.contract.symbol == AAPL), Decimal(0))

    @property
    def causes(self) -> list[str]:
        """The causes of the holds in force, but for the one a connection begins with."""
        holds = self.state.holds.active.values()
        assert not any(hold.cause == "unparsed report" for hold in holds), holds
        return [hold.cause for hold in holds if hold.cause != DISCONNECTED]

    def orders_there(self) -> list[str]:
        """Return the references of every order the gateway ever had."""
        floor, now = self.running.gateway.floor, self.running.gateway.now()
        lines = [*floor.all_open_orders(), *floor.completed_orders(now, api_only=False)]
        return [line.terms.order_ref for line in lines]

    def tail(self) -> str:
        """Return what happened last, for a test that waited in vain."""
        shown = [
            f"{record.seq} {type(record.event).__name__} {record.event}"[:200]
            for record in self.records[-15:]
            if not isinstance(record.event, BrokerHeard | BooksReported)
        ]
        return "\n".join([*shown, *self.said[-5:]])

    async def pass_time(self, span: timedelta) -> datetime:
        """Let the gateway's time pass."""
        clock = self.running.gateway.clock
        clock.go_to(self.running.gateway.now() + span)
        await asyncio.sleep(0.05)
        return self.running.gateway.now()


@asynccontextmanager
async def a_trader(
    running: RunningGateway,
    records: list[Record] | None = None,
    **parts: Any,  # noqa: ANN401 - a Trader's
) -> AsyncIterator[Trader]:
    trader = Trader(running, records, **parts)
    try:
        await trader.start()
        yield trader
    finally:
        await trader.stop()
