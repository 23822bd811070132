"""What must hold of a journal and of the orders that leave, worked out from its rows alone.

The fold here is another one than the daemon's: it reads the rows' JSON and keeps a handful of
numbers. Both must agree after every single event.
"""

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from events import Record, Symbol
from events.chain import Row
from events.codec import decode
from projections import State

if TYPE_CHECKING:
    from tests.simulation.mortal import Mortal

ZERO = Decimal(0)
POSITION_MAX = 200
"""Shares of one symbol, by the configuration of every world."""
ENDS = {"order.cancelled", "order.expired", "order.rejected", "order.written-off"}
ALIVE = {"order.acknowledged", "order.working", "order.filled"}
NOT_READ = {"calendar.loaded", "bar.closed", "config.loaded", "broker.books-reported"}
MOVES_NO_ORDER = {
    *("bar.closed", "bar.missing", "timer.fired", "strategy.declined", "calendar.loaded"),
    *("broker.books-reported", "reconcile.completed", "commission.charged"),
}
"""After these the orders are looked at with the rest of their commit."""


class Violation(AssertionError):
    """A promise was broken."""


def demand(holds: object, what: str) -> None:
    if not holds:
        raise Violation(what)


class OrderBook:
    """One order as its rows tell it."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.symbol = Symbol(said["symbol"])
        self.strategy = said["strategy"]
        self.quantity = Decimal(said["quantity"])
        self.closing = said.get("closing", False)
        self.filled = ZERO
        self.is_asked = self.is_approved = self.is_sending = self.is_heard = self.is_over = False
        self.is_rejected = self.is_withheld = self.is_written_off = False
        self.heard_at = 0
        self.amended: Decimal | None = None

    @property
    def is_settled(self) -> bool:
        return self.is_over or not (self.is_asked or self.is_approved or self.is_sending)

    @property
    def reserved(self) -> Decimal:
        """What may still fill."""
        is_reserved = (self.is_asked or self.is_approved) and not self.is_over
        return self.most - self.filled if is_reserved else ZERO

    @property
    def most(self) -> Decimal:
        """What may fill in all: as intended or as somebody has made it, the larger."""
        return max(self.quantity, self.amended or self.quantity, key=abs)

    @property
    def is_filled(self) -> bool:
        """Whether the broker has no more of it to fill."""
        return abs(self.filled) >= abs(self.amended or self.quantity)


class Invariants:
    """Folds every row as it becomes durable; raises `Violation` at the first that must not be."""

    def __init__(self) -> None:
        self.seq = self.looked_at = 0
        self.cash = ZERO
        self.positions: dict[Symbol, Decimal] = {}
        self.orders: dict[str, OrderBook] = {}
        self.live: dict[str, OrderBook] = {}
        self.executions: dict[str, tuple[str, Symbol, Decimal, Decimal]] = {}
        self.charges: dict[str, Decimal] = {}
        self.holds: dict[str, dict[str, Any]] = {}
        self.open_breaks: dict[str, dict[str, Any]] = {}
        self.scheduled: set[tuple[str, str]] = set()
        self.left: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.state = State()

    # Rows.

    def committed(self, rows: Sequence[Row]) -> None:
        """Take rows that are durable from here on."""
        for seq, at, kind, _key, trace, cause, body, _ in rows:
            demand(seq == self.seq + 1, f"row {seq} follows row {self.seq}")
            self.seq = seq
            self.counts[kind] += 1
            self._fold(kind, body)
            event = decode(body)
            self.state.apply(Record(seq, at, event, trace or None, cause or None))
            self._compare_money(self.state, kind)
            if kind not in MOVES_NO_ORDER:
                self._compare_orders(self.state, kind)
        self.compare(self.state, "after a commit")

    def _fold(self, kind: str, body: str | bytes) -> None:
        if kind == "broker.books-reported":
            self.looked_at = self.seq
        if kind in NOT_READ:
            return
        said = json.loads(body)
        self._fold_account(kind, said)
        name = said.get("client_order_id", "")
        if kind == "order.intended":
            demand(name not in self.orders, f"{name} is intended twice")
            self.orders[name] = OrderBook(said)
        elif kind == "order.filled":
            self._fill(said, self.orders.get(name))
        elif kind == "fill.corrected":
            self._correct(said, self.orders.get(name))
        elif kind == "order.adopted":
            self._adopt(said, self.orders.get(name))
        elif name in self.orders:
            self._move(kind, said, name, self.orders[name])
        if name in self.orders:
            order = self.live[name] = self.orders[name]  # It may have come back to life.
            if kind in ALIVE:
                order.is_heard = True
                order.heard_at = self.seq

    def _fold_account(self, kind: str, said: dict[str, Any]) -> None:
        match kind:
            case "commission.charged" | "commission.corrected":
                before = self.charges.get(said["execution_id"], ZERO)
                self.charges[said["execution_id"]] = Decimal(said["amount"])
                self.cash += before - Decimal(said["amount"])
            case "cash.moved" | "cash.adjusted":
                self.cash += Decimal(said["amount"])
            case "position.adjusted":
                self._hold(said["symbol"], Decimal(said["quantity"]))
            case "hold.placed":
                self.holds[said["hold_id"]] = said
            case "hold.lifted":
                self.holds.pop(said["hold_id"], None)
            case "margin.requested":
                for asked in said["orders"]:
                    self.live[asked] = self.orders[asked]
                    self.orders[asked].is_asked = True
            case "timer.fired" if said["kind"] == "schedule":
                day = (said["subject"], said["due"][:10])
                demand(day not in self.scheduled, f"the schedule {day} fires twice")
                self.scheduled.add(day)
            case _:
                self._fold_break(kind, said)

    def _fold_break(self, kind: str, said: dict[str, Any]) -> None:
        match kind:
            case "break.opened":
                self.open_breaks[said["break_id"]] = said
            case "break.resolved":
                self.open_breaks.pop(said["break_id"], None)
            case _:
                pass

    def _move(self, kind: str, said: dict[str, Any], name: str, order: OrderBook) -> None:
        match kind:
            case "intent.approved":
                order.is_approved = True
            case "intent.refused":
                order.is_asked = False
            case "order.sending":
                demand(not order.is_sending, f"{name} is sent twice")
                demand(order.is_approved, f"{name} is sent, not approved")
                order.is_sending = True
                self._limit(name, order)
            case "order.withheld" if not order.is_heard:
                order.is_over = order.is_withheld = True
            case "order.amended":
                order.amended = Decimal(said["quantity"])
            case _ if kind in ENDS:
                is_dead = said.get("by", "core") == "core" or order.heard_at < self.looked_at
                demand(is_dead, f"{name} is written off, and was heard of since the look")
                self._end(kind, order)
                order.is_written_off = kind == "order.written-off" and order.is_over
            case _:
                pass

    def _limit(self, name: str, order: OrderBook) -> None:
        """Demand that what may come of all orders on this side stays within the limit."""
        self.live[name] = order
        held, buys = self.held(order.symbol), order.quantity > 0
        same_side = (
            each.reserved
            for each in self.live.values()
            if each.symbol == order.symbol and (each.quantity > 0) == buys
        )
        worst = held + sum(same_side)
        reduces = held * order.quantity < 0 and held * worst >= 0
        demand(
            order.closing or reduces or abs(worst) <= POSITION_MAX,
            f"{name} may lead to {worst} {order.symbol}, more than {POSITION_MAX}",
        )

    def _end(self, kind: str, order: OrderBook) -> None:
        if order.is_sending and not order.is_over:
            order.is_over = order.is_heard = True
            order.is_rejected = kind == "order.rejected"

    def _fill(self, said: dict[str, Any], order: OrderBook | None) -> None:
        execution = said["execution_id"]
        demand(execution not in self.executions, f"{execution} is counted twice")
        quantity, price = Decimal(said["quantity"]), Decimal(said["price"])
        self.executions[execution] = (said["client_order_id"], said["symbol"], quantity, price)
        self._trade(said["symbol"], quantity, price)
        if order is not None:
            order.filled += quantity
            if order.is_rejected and not order.is_filled:
                order.is_over = False  # It was no rejection after all.
            order.is_over = order.is_over or order.is_filled

    def _correct(self, said: dict[str, Any], order: OrderBook | None) -> None:
        name, symbol, was, price = self.executions[said["execution_id"]]
        self._trade(symbol, -was, price)
        quantity, price = Decimal(said["quantity"]), Decimal(said["price"])
        self._trade(symbol, quantity, price)
        self.executions[said["execution_id"]] = (name, symbol, quantity, price)
        if order is not None:
            order.filled += quantity - was

    def _adopt(self, said: dict[str, Any], order: OrderBook | None) -> None:
        intent = said["intent"]
        if order is None:
            order = self.orders[intent["client_order_id"]] = OrderBook(intent)
        self.live[intent["client_order_id"]] = order
        order.quantity, order.amended = Decimal(intent["quantity"]), None
        order.is_approved = order.is_sending = order.is_heard = True
        order.is_over = order.is_rejected = order.is_written_off = False

    def _trade(self, symbol: Symbol, quantity: Decimal, price: Decimal) -> None:
        self._hold(symbol, quantity)
        self.cash -= quantity * price

    def _hold(self, symbol: Symbol, quantity: Decimal) -> None:
        self.positions[symbol] = self.held(symbol) + quantity

    def held(self, symbol: Symbol) -> Decimal:
        return self.positions.get(symbol, ZERO)

    # Comparisons.

    def compare(self, state: State, when: str) -> None:
        """Demand that the daemon's books are these."""
        demand(state.seq == self.seq, f"{when}: at {state.seq}, the journal at {self.seq}")
        self._compare_money(state, when)
        self._compare_orders(state, when)

    def _compare_money(self, state: State, when: str) -> None:
        demand(
            state.cash.balance == self.cash,
            f"{when}, row {self.seq}: cash {state.cash.balance}, not {self.cash}",
        )
        account = state.positions.account
        for symbol, quantity in self.positions.items():
            held = account[symbol].quantity if symbol in account else ZERO
            demand(held == quantity, f"{when}, row {self.seq}: {held} {symbol}, not {quantity}")

    def _compare_orders(self, state: State, when: str) -> None:
        demand(
            state.holds.active.keys() == self.holds.keys(),
            f"{when}, row {self.seq}: the holds are {sorted(state.holds.active)}, "
            f"not {sorted(self.holds)}",
        )
        for name in [name for name, order in self.live.items() if order.is_settled]:
            del self.live[name]
        ours = {name: o.reserved for name, o in self.live.items() if o.reserved}
        theirs = {o.client_order_id: o.reserved for o in state.orders.open.values() if o.reserved}
        demand(ours == theirs, f"{when}, row {self.seq}: reserved {theirs}, not {ours}")
        for name in theirs:
            order = self.orders[name]
            demand(
                abs(order.filled) <= abs(order.most) or "over-fill" in self.causes,
                f"{name} filled {order.filled} of {order.most}",
            )

    @property
    def causes(self) -> set[str]:
        return {hold["cause"] for hold in self.holds.values()}

    # Orders.

    def order_leaves(self, process: "Mortal", name: str, state: State) -> None:
        """Demand that this order may leave, now."""
        order = self.orders.get(name)
        demand(order is not None and order.is_sending, f"{name} leaves, its record is not durable")
        assert order is not None
        self.left[name] += 1
        demand(self.left[name] == 1, f"{name} leaves {self.left[name]} times")
        demand(not process.has_failed_to_write, f"{name} leaves behind a failed write")
        demand(process.permit.exists(), f"{name} leaves without a permit")
        demand(process.is_trading_time, f"{name} leaves while the market is closed")
        if order.closing:
            return
        demand(not process.is_latched, f"{name} leaves behind a kill")
        demand(not process.is_killed, f"{name} leaves behind a kill nobody took back")
        known = [(h["scope"], h.get("target", ""), h["level"]) for h in self.holds.values()]
        known += [(h.scope, h.target, h.level) for h in state.holds.active.values()]
        for scope, target, level in known:
            covers = scope == "all" or target in {order.symbol, order.strategy}
            demand(not (covers and level == "HALT"), f"{name} leaves under a HALT of {scope}")
            if covers:
                held = self.held(order.symbol)
                reduces = held * order.quantity < 0 and abs(order.quantity) <= abs(held)
                demand(reduces, f"{name} increases under a REDUCE")
