"""A desk for broker tests: records and folds what the engine would, and drives one broker.

Times are UTC. New York is five hours behind: a regular session is 14:30 to 21:00.
"""

import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import msgspec

from daemon.brokers import Broker
from daemon.brokers.paper import PaperBroker
from daemon.config.options import BrokerConfig, Commission
from daemon.gate.decision import approve
from events import (
    BarClosed,
    CalendarLoaded,
    CancelSending,
    CashMoved,
    CashMovementKind,
    ClientOrderId,
    CommissionCharged,
    ConfigLoaded,
    CorporateActionApplied,
    Event,
    ExecutionId,
    IntentApproved,
    OrderFilled,
    OrderIntended,
    OrderSending,
    OrderType,
    Record,
    SessionHours,
    Symbol,
    SymbolTerms,
    TimeInForce,
    nanoseconds,
)
from events.codec import JournalEvent, decode, encode
from projections import State
from projections.orders import Order
from tests.builders import a_session, utc

MINUTE = 60
A = Symbol("A")
B = Symbol("B")
BITCOIN = Symbol("BTC/USD")

TERMS = {
    A: SymbolTerms("NYSE", enforce_hours=True, extended_hours=False),
    B: SymbolTerms("NYSE", enforce_hours=True, extended_hours=False),
    BITCOIN: SymbolTerms("24/7", enforce_hours=True, extended_hours=False),
}

PLAIN = BrokerConfig(
    commission=Commission.NONE, slippage_bps=Decimal(0), volume_share_max=Decimal(1)
)
"""No fees, no slippage, all the volume: one rule at a time."""


WEEK = (
    a_session("2024-01-02"),
    a_session("2024-01-03"),
    a_session("2024-01-04", close="18:00"),  # A half day: 13:00 in New York.
    a_session("2024-01-05"),
)


def a_bar(
    start: str,
    prices: str,
    *,
    volume: str = "1000",
    symbol: Symbol = A,
    span_s: int = MINUTE,
) -> BarClosed:
    """Return the bar of `symbol` from `start` on; `prices` are open, high, low and close."""
    opened, high, low, closed = (Decimal(price) for price in prices.split())
    end = utc(start) + timedelta(seconds=span_s)
    return BarClosed(symbol, span_s, end, opened, high, low, closed, Decimal(volume))


def a_day(
    day: str, prices: str, *, volume: str = "1000", symbol: Symbol = A, close: str = "21:00"
) -> BarClosed:
    """Return the daily bar of `symbol`: it spans the session."""
    span = datetime.combine(date.min, time.fromisoformat(close)) - datetime.combine(
        date.min, time(14, 30)
    )
    return a_bar(
        f"{day}T14:30", prices, volume=volume, symbol=symbol, span_s=int(span.total_seconds())
    )


def an_intent(  # noqa: PLR0913 (the fields of an order)
    quantity: str,
    *,
    order_type: OrderType = OrderType.MARKET,
    tif: TimeInForce = TimeInForce.DAY,
    limit: str | None = None,
    stop: str | None = None,
    symbol: Symbol = A,
) -> OrderIntended:
    """Return an order as a strategy intends it."""
    return OrderIntended(
        client_order_id=ClientOrderId("order"),
        strategy="trend",
        symbol=symbol,
        quantity=Decimal(quantity),
        order_type=order_type,
        time_in_force=tif,
        cause_key="",
        leg=0,
        limit_price=None if limit is None else Decimal(limit),
        stop_price=None if stop is None else Decimal(stop),
    )


class Desk:
    """Does for one broker what the engine does: record, fold, act, and fold what comes back.

    `reports` is all the broker said, repeats included; the books drop a repeated execution or
    commission as the core does. `now` is the newest time the broker was told. While `is_deaf` no
    report reaches the books.
    """

    def __init__(
        self,
        make_broker: Callable[[], Broker] | None = None,
        *,
        config: BrokerConfig = PLAIN,
        sessions: Sequence[SessionHours] = WEEK,
        terms: dict[Symbol, SymbolTerms] = TERMS,
    ) -> None:
        self._make_broker = make_broker or (lambda: PaperBroker(config))
        self.state = State()
        self.records: list[Record] = []
        self.reports: list[Event] = []
        self.now = utc("2024-01-01T00:00")
        self.is_deaf = False
        self._orders = 0
        self._executions: set[tuple[type[Event], ExecutionId]] = set()
        self._record(CalendarLoaded("NYSE", "test", tuple(sessions)))
        self._record(ConfigLoaded({}, terms))
        self._record(CashMoved(CashMovementKind.DEPOSIT, Decimal(10_000_000), "capital"))
        self.broker = self._make_broker()
        self.connect()

    # What the engine does.

    def connect(self) -> None:
        self.broker.connect(self.state, self._take)

    def place(self, intent: OrderIntended, *, at: str | None = None) -> ClientOrderId:
        """Record and send an order, decided `at` or now, under a new id; return that id."""
        self._orders += 1
        if at is not None:
            self.now = utc(at)
        order_id = ClientOrderId(f"order{self._orders}")
        intent = msgspec.structs.replace(intent, client_order_id=order_id)
        self.record_sending(intent)
        self.submit(intent)
        return order_id

    def record_sending(self, intent: OrderIntended) -> None:
        """Record an order up to its sending, as far as a crash just before the send leaves it."""
        self._record(intent)
        self._record(IntentApproved(intent.client_order_id, ()))
        self._record(OrderSending(intent.client_order_id))

    def submit(self, intent: OrderIntended) -> None:
        self.broker.submit(approve(intent, ()))

    def cancel(self, order_id: ClientOrderId) -> None:
        self._record(CancelSending(order_id, "test"))
        self.broker.cancel(order_id)

    def see(self, *bars: BarClosed) -> None:
        for bar in bars:
            self.pass_time(bar.start)
            self.now = max(self.now, bar.end)
            self.broker.observe(bar)
            self._record(bar)

    def pass_time(self, now: datetime) -> None:
        if now > self.now:
            self.now = now
            self.broker.advance(now)

    def apply_action(self, action: CorporateActionApplied) -> None:
        self._record(action)
        self.broker.corporate_action(action)

    def restart(self, *, losing: int = 0) -> None:
        """Crash, with the newest `losing` records never written, and start again from the rest."""
        self.records = self.records[: len(self.records) - losing]
        self._executions = {
            (type(record.event), record.event.execution_id)
            for record in self.records
            if isinstance(record.event, OrderFilled | CommissionCharged)
        }
        self.state = State()
        for record in self.records:
            stored = decode(encode(record.event))
            self.state.apply(Record(record.seq, record.at, stored, record.trace, record.cause))
        self.broker = self._make_broker()
        self.connect()

    def _record(self, event: JournalEvent) -> None:
        record = Record(self.state.seq + 1, nanoseconds(self.now), event)
        self.records.append(record)
        self.state.apply(record)

    def _take(self, report: Event) -> None:
        self.reports.append(report)
        if self.is_deaf:
            return
        event = decode(encode(report))
        if isinstance(event, OrderFilled | CommissionCharged):
            identity = (type(event), event.execution_id)
            if identity in self._executions:
                return
            self._executions.add(identity)
        self._record(event)

    # What a test asks.

    def reported(self) -> list[type[Event]]:
        """Return the kinds of the reports so far, in order, and forget them."""
        kinds = [type(report) for report in self.reports]
        self.reports.clear()
        return kinds

    @property
    def fills(self) -> list[OrderFilled]:
        return [report for report in self.reports if isinstance(report, OrderFilled)]

    @property
    def trades(self) -> list[tuple[str, str, str]]:
        """Quantity, price and time of each fill so far, as text."""
        return [
            (_plain(fill.quantity), _plain(fill.price), f"{fill.executed_at:%m-%dT%H:%M}")
            for fill in self.fills
        ]

    @property
    def fees(self) -> list[str]:
        return [str(each.amount) for each in self.reports if isinstance(each, CommissionCharged)]

    def reason(self) -> str:
        """Return the reason the newest report gives."""
        reason = getattr(self.reports[-1], "reason", None)
        assert isinstance(reason, str), self.reports[-1]
        return reason

    def order(self, order_id: ClientOrderId) -> Order:
        order = self.state.orders.find(order_id)
        assert order is not None
        return order


class RandomTrader:
    """Trades at random: every kind of order, cancels, gaps, thin bars, and bars that never come.

    Ten minutes before a close, then fifteen from the next open on.
    """

    MINUTES = 25

    def __init__(self, desk: Desk, chance: random.Random) -> None:
        self._desk = desk
        self._chance = chance
        desk.now = utc("2024-01-02T20:50")

    def step(self, minute: int) -> None:
        """Trade one minute, then see its bars."""
        for _ in range(self._chance.randint(0, 3)):
            self._place()
        resting = list(self._desk.state.orders.open)
        if resting and self._chance.random() < 0.2:
            self._desk.cancel(self._chance.choice(resting))
        for symbol in (A, B):
            if self._chance.random() < 0.9:
                self._desk.see(self._bar(symbol, minute))

    def _place(self) -> None:
        chance = self._chance
        self._desk.place(
            an_intent(
                str(chance.choice([-1, 1]) * chance.randint(1, 300)),
                order_type=chance.choice(list(OrderType)),
                tif=chance.choice(list(TimeInForce)),
                limit=self._price(),
                stop=self._price(),
                symbol=chance.choice([A, B]),
            )
        )

    def _bar(self, symbol: Symbol, minute: int) -> BarClosed:
        prices = [self._price() for _ in range(4)]
        text = f"{prices[0]} {max(prices, key=Decimal)} {min(prices, key=Decimal)} {prices[1]}"
        start = f"2024-01-02T20:{50 + minute}" if minute < 10 else f"2024-01-03T14:{20 + minute}"
        volume = self._chance.choice(["0", "7", "500", "2000", "9000"])
        return a_bar(start, text, volume=volume, symbol=symbol)

    def _price(self) -> str:
        return str(Decimal(self._chance.randint(9_900, 10_100)) / 100)


def _plain(number: Decimal) -> str:
    """Return `number` without trailing zeros: 10 and 10.00 are one price."""
    return f"{number.normalize():f}"
