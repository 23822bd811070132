"""The broker: orders, executions and cash of its own, whatever becomes of the daemon.

It takes whatever it is sent, also twice: that nothing is sent twice is what the daemon promises.
"""

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

import msgspec

from events import (
    BrokerCash,
    BrokerOrder,
    BrokerPosition,
    CashMoved,
    CashMovementKind,
    ClientOrderId,
    CommissionCharged,
    CompletedOrder,
    ExecutionId,
    ExecutionSeen,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderType,
    OrderWorking,
    Symbol,
    TimeInForce,
)
from events.codec import Input
from tests.simulation.market import SYMBOLS, Market
from tests.simulation.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

CAPITAL = Decimal(100_000)
LISTED_FOR = timedelta(hours=8)
"""How long executions and ended orders stay in the broker's lists."""
ODD = 0.005
ONE_SESSION = frozenset({TimeInForce.DAY, TimeInForce.IOC})
_ENDED = {"cancelled": OrderCancelled, "expired": OrderExpired, "rejected": OrderRejected}


class Placed(msgspec.Struct):
    """An order as the broker has it. `status` is pending, open, filled or how it ended."""

    intent: OrderIntended
    name: ClientOrderId
    status: str = "pending"
    filled: Decimal = Decimal(0)
    is_triggered: bool = False
    cancel_asked: bool = False
    ended_at: datetime | None = None

    @property
    def remaining(self) -> Decimal:
        return self.intent.quantity - self.filled


class Traded(msgspec.Struct):
    """An execution and its commission, in their newest revision."""

    fill: OrderFilled
    commission: CommissionCharged | None = None


class Lists(msgspec.Struct, frozen=True):
    """What the broker lists at one moment."""

    reports: tuple[Input, ...]
    open_orders: tuple[BrokerOrder, ...]
    completed_orders: tuple[CompletedOrder, ...]
    executions: tuple[ExecutionSeen, ...]


class Venue:
    """Takes orders and tells `tell` what becomes of them; `counts` says how much there was."""

    def __init__(self, timeline: Timeline, market: Market, chance: Random) -> None:
        self._timeline = timeline
        self._market = market
        self._chance = chance
        self.tell: Callable[[Input], None] = lambda _report: None
        self.is_calm = False
        self.received: Counter[ClientOrderId] = Counter()
        self.orders: list[Placed] = []  # Those that may still fill.
        self.ended: list[Placed] = []
        self.traded: dict[ExecutionId, Traded] = {}
        self.positions: dict[Symbol, Decimal] = dict.fromkeys(SYMBOLS, Decimal(0))
        self.cash = CAPITAL
        self.counts: Counter[str] = Counter()

    def deposit(self) -> CashMoved:
        return CashMoved(CashMovementKind.DEPOSIT, CAPITAL, "opening")

    # What it is sent.

    def receive(self, intent: OrderIntended) -> None:
        """Take an order; it stands only once it is accepted, which may take a minute."""
        name = intent.client_order_id
        self.received[name] += 1
        order = Placed(intent, name)
        self.orders.append(order)
        self.counts["orders"] += 1
        slow = not self.is_calm and self._chance.random() < 0.08
        wait = self._chance.uniform(1, 60) if slow else self._chance.uniform(0.01, 0.3)
        self._timeline.after(wait, lambda: self._accept(order))

    def cancel(self, name: ClientOrderId) -> None:
        for order in self.orders:
            if order.name == name and order.status in {"pending", "open"}:
                order.cancel_asked = True
                wait = self._chance.uniform(0.01, 0.5)
                self._timeline.after(wait, lambda order=order: self._cancel(order))  # type: ignore[misc]

    # What becomes of it.

    def _accept(self, order: Placed) -> None:
        session = self._market.open_session
        if session is None or self._chance.random() < 0.03:
            self._end(order, "rejected")
            return
        order.status = "open"
        if not self.is_calm and self._chance.random() < ODD:
            # It looks like a rejection and is none: the order lives on, and may fill.
            self.counts["rejections that were none"] += 1
            self.tell(OrderRejected(order.name, "it seems"))
        else:
            self.tell(OrderAcknowledged(order.name))
        if self._chance.random() < 0.5:
            self.tell(OrderWorking(order.name))
        if order.cancel_asked:
            self._cancel(order)
        else:
            self._match(order)

    def _cancel(self, order: Placed) -> None:
        if order.status == "open":
            self._end(order, "cancelled")

    def prices_moved(self) -> None:
        """Match what rests, or end it where the session is over."""
        closed = self._market.open_session is None
        for order in list(self.orders):
            if order.status != "open":
                continue
            if not closed:
                self._match(order)
            elif order.intent.time_in_force in ONE_SESSION:
                self._end(order, "expired")

    def _match(self, order: Placed) -> None:
        if self._is_marketable(order):
            wait = self._chance.uniform(0.02, 3)
            self._timeline.after(wait, lambda: self._fill(order))
        elif order.intent.time_in_force is TimeInForce.IOC:
            self._end(order, "cancelled")

    def _is_marketable(self, order: Placed) -> bool:
        intent, price = order.intent, self._market.price(order.intent.symbol)
        buys = intent.quantity > 0
        if intent.stop_price is not None and not order.is_triggered:
            order.is_triggered = price >= intent.stop_price if buys else price <= intent.stop_price
            if not order.is_triggered:
                return False
        if intent.order_type in {OrderType.LIMIT, OrderType.STOP_LIMIT}:
            assert intent.limit_price is not None
            return price <= intent.limit_price if buys else price >= intent.limit_price
        return True

    def _fill(self, order: Placed) -> None:
        if order.status != "open" or self._market.open_session is None:
            return
        left = abs(order.remaining)
        whole = left <= 1 or self._chance.random() < 0.6
        shares = left if whole else Decimal(self._chance.randint(1, int(left)))
        if whole and not self.is_calm and self._chance.random() < ODD:
            shares += 3
            self.counts["over-fills"] += 1
        signed = shares if order.intent.quantity > 0 else -shares
        order.filled += signed
        self._book(order.name, order.intent.symbol, signed)
        if abs(order.filled) >= abs(order.intent.quantity):
            self._close(order, "filled")
        else:
            self._timeline.after(self._chance.uniform(0.02, 20), lambda: self._fill(order))

    def _end(self, order: Placed, how: str) -> None:
        self._close(order, how)
        self.tell(_ENDED[how](order.name, f"{how} by the broker"))

    def _close(self, order: Placed, status: str) -> None:
        order.status, order.ended_at = status, self._timeline.moment
        self.orders.remove(order)
        self.ended.append(order)

    def trade_by_hand(self) -> None:
        """Let the account's owner trade at the broker, past the daemon."""
        symbol = self._chance.choice(SYMBOLS)
        self.counts["trades by hand"] += 1
        name = ClientOrderId(f"permId-{self.counts['trades by hand']}")
        self._book(name, symbol, Decimal(self._chance.choice((-7, -3, 4, 9))))

    # Executions.

    def _book(self, name: ClientOrderId, symbol: Symbol, quantity: Decimal) -> None:
        execution = ExecutionId(f"x{len(self.traded) + 1}")
        price = self._market.price(symbol)
        fill = OrderFilled(name, execution, symbol, quantity, price, self._timeline.moment)
        traded = self.traded[execution] = Traded(fill)
        self._move(symbol, quantity, quantity * price)
        self.counts["fills"] += 1
        self.tell(fill)
        self._timeline.after(self._chance.uniform(0.01, 5), lambda: self._charge(traded))
        if not self.is_calm and self._chance.random() < 0.04:
            self._timeline.after(self._chance.uniform(1, 900), lambda: self._correct(traded))

    def _charge(self, traded: Traded) -> None:
        fill = traded.fill
        amount = max(Decimal(1), abs(fill.quantity) * Decimal("0.005"))
        traded.commission = CommissionCharged(fill.client_order_id, fill.execution_id, amount)
        self.cash -= amount
        self.tell(traded.commission)

    def _correct(self, traded: Traded) -> None:
        """Correct an execution: its price, now and then its quantity, seldom all of it."""
        was, kind = traded.fill, self._chance.random()
        self.counts["corrections"] += 1
        quantity, price = was.quantity, was.price
        if kind < 0.7:
            price += Decimal(self._chance.choice((-5, -1, 2, 4))).scaleb(-2)
        elif kind < 0.9 and abs(quantity) > 1:
            quantity -= 1 if quantity > 0 else -1
        else:
            quantity = Decimal(0)
        new = msgspec.structs.replace(
            was, quantity=quantity, price=price, revision=was.revision + 1
        )
        traded.fill = new
        value = quantity * price - was.quantity * was.price
        self._move(was.symbol, quantity - was.quantity, value)
        self.tell(new)

    def _move(self, symbol: Symbol, quantity: Decimal, value: Decimal) -> None:
        self.positions[symbol] += quantity
        self.cash -= value

    # What it lists.

    def lists(self) -> Lists:
        """Return the orders and executions, and what they report of themselves."""
        reports: list[Input] = [self.deposit()]
        since = self._timeline.moment - LISTED_FOR
        recent: list[Traded] = []
        for each in reversed(self.traded.values()):
            if each.fill.executed_at <= since:
                break
            recent.insert(0, each)
        for each in recent:
            reports.append(each.fill)
            if each.commission is not None:
                reports.append(each.commission)
        listed = [_listed(order) for order in self.orders if order.status == "open"]
        reports += [OrderWorking(ClientOrderId(order.order_ref)) for order in listed]
        completed = []
        for order in reversed(self.ended):
            if order.ended_at is None or order.ended_at <= since:
                break
            completed.append(CompletedOrder(order.name, "", order.status))
            if order.status in _ENDED:
                reports.append(_ENDED[order.status](order.name, f"listed {order.status}"))
        seen = tuple(
            ExecutionSeen(
                each.fill.execution_id,
                each.fill.client_order_id,
                each.fill.symbol,
                each.fill.quantity,
            )
            for each in recent
        )
        return Lists(tuple(reports), tuple(listed), tuple(completed), seen)

    def holdings(self) -> tuple[tuple[BrokerPosition, ...], BrokerCash]:
        held = tuple(BrokerPosition(name, each) for name, each in self.positions.items() if each)
        return held, BrokerCash(self.cash, self.cash)


def _listed(order: Placed) -> BrokerOrder:
    intent = order.intent
    return BrokerOrder(
        order_ref=order.name,
        symbol=intent.symbol,
        quantity=intent.quantity,
        remaining=order.remaining,
        order_type=intent.order_type.value,
        time_in_force=intent.time_in_force.value,
        limit_price=intent.limit_price,
        stop_price=intent.stop_price,
        status="Submitted",
        is_ours=True,
    )
