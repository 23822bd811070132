"""What must hold, seen from the gateway's side: of each order that leaves, and of the books.

What can be known from the journal alone the simulation's invariants say; here is what the gateway
knows better: its own book of orders and positions.
"""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from events.chain import Row
from ops.gateway_sim.faults import FaultKind
from ops.gateway_sim.requests import PlaceOrder
from ops.gateway_sim.terms import ExecutionFilter, OrderLine
from tests.gateway_campaign.gambler import SYMBOLS
from tests.simulation.invariants import POSITION_MAX, demand

if TYPE_CHECKING:
    from tests.gateway_campaign.life import Life
    from tests.gateway_campaign.world import World

ZERO = Decimal(0)
GROSS_MAX = 25_000
LOWEST = {"AAPL": Decimal(147), "MSFT": Decimal(393)}
"""No price of the campaign is lower."""
STALE_S = 12
"""Seconds after which data is too old to trade on, by the configuration of every world."""
LATE = timedelta(seconds=1.5)
"""Within so much of it the daemon finds out, and what is under way has left."""
ENDED = frozenset({"Filled", "Cancelled", "ApiCancelled", "Inactive"})
FOREIGN = frozenset({FaultKind.LIQUIDATION, FaultKind.BUSTED, FaultKind.AMENDED, FaultKind.DOUBLED})
"""What changes a position at the gateway, unheard of at first, that no order of ours has led to."""
ALL = ExecutionFilter()


class Judge:
    """Looks at the gateway of `world`, and at rows as they become durable."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._newest: dict[str, datetime] = {}
        self._sent: dict[str, tuple[str, Decimal]] = {}

    # The journal.

    def committed(self, rows: Sequence[Row]) -> None:
        """Take note of which bars have come."""
        for row in rows:
            if row[2] == "bar.closed":
                said = json.loads(row[6])
                self._newest[said["symbol"]] = datetime.fromisoformat(said["end"])

    # Orders.

    def order_leaves(self, life: "Life", order: PlaceOrder) -> None:
        """Demand that this order may leave, now."""
        engine, terms = life.engine, order.terms
        assert engine is not None, "it runs"
        state, name, symbol = engine.core.state, terms.order_ref, order.contract.symbol
        life.order_leaves(name, state)
        demand(state.broker.connected, f"{name} leaves without a connection")
        ours = self._world.invariants.orders[name]
        quantity = terms.quantity if terms.action == "BUY" else -terms.quantity
        demand(quantity == ours.quantity, f"{name} leaves with {quantity}, not {ours.quantity}")
        if not ours.closing:
            self._assert_fresh(name, symbol, quantity)
        before = self._gross()
        self._sent[name] = symbol, quantity
        self._assert_within_limits(name, symbol, quantity, before)

    def _assert_fresh(self, name: str, symbol: str, quantity: Decimal) -> None:
        held = self._world.invariants.held(symbol)  # type: ignore[arg-type] # a NewType of str
        if held * quantity < 0 and abs(quantity) <= abs(held):
            return  # What reduces a position may leave on old data.
        newest = self._newest.get(symbol)
        assert newest is not None, "it was decided on a price"
        age = self._world.now - newest
        is_fresh = age <= timedelta(seconds=STALE_S) + LATE
        demand(is_fresh, f"{name} leaves, and the newest bar of {symbol} is {age} old")

    def _assert_within_limits(
        self, name: str, symbol: str, quantity: Decimal, before: Decimal
    ) -> None:
        """Demand that whatever may come of all orders there the limits are kept."""
        long, short = self._worst(symbol)
        worst = long if quantity > 0 else short
        struck = {fault.kind for fault in self._world.struck_faults}
        slack = 2 if FOREIGN & struck else 1
        over = f"{name} may lead to {worst} {symbol} there, more than {POSITION_MAX}"
        demand(worst <= POSITION_MAX * slack, over)
        gross = self._gross()
        within = gross <= max(Decimal(GROSS_MAX * slack), before)
        demand(within, f"{name} may lead to {gross} dollars there, more than {GROSS_MAX}")

    def _worst(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return how long and how short one can be there, by all that is or may be on its way."""
        alive = {line.terms.order_ref: line for line in self.alive_there()}
        there, ours = set(self.refs_there()), self._world.invariants.orders
        buys = sells = ZERO
        for name, (of, quantity) in self._sent.items():
            if of != symbol or ours[name].is_written_off:
                continue
            if name in alive:
                left = min(abs(quantity), alive[name].remaining)
            elif name in there or ours[name].is_over:
                continue
            else:
                left = abs(ours[name].reserved)
            if quantity > 0:
                buys += left
            else:
                sells += left
        held = self.held_there(symbol)
        return max(held + buys, ZERO), max(sells - held, ZERO)

    def _gross(self) -> Decimal:
        return sum((max(self._worst(symbol)) * LOWEST[symbol] for symbol in SYMBOLS), ZERO)

    def assert_all_reserved(self) -> None:
        """Demand that what may still fill there is reserved for here, heard of or not."""
        ours = self._world.invariants.orders
        for line in self.alive_there():
            name = line.terms.order_ref
            demand(name in ours, f"{name} is there, and nothing of it is recorded")
            is_over = ours[name].is_over and not ours[name].is_written_off
            demand(not is_over, f"{name} is alive there and over here")

    def _is_given_up(self, line: OrderLine) -> bool:
        return self._world.invariants.orders[line.terms.order_ref].is_written_off

    # The gateway's book.

    def alive_there(self) -> list[OrderLine]:
        """Return our orders that may fill there."""
        lines = self._world.floor.all_open_orders()
        return [each for each in lines if each.terms.order_ref and each.status.value not in ENDED]

    def refs_there(self) -> list[str]:
        """Return the reference of every order of ours that was ever there."""
        floor, now = self._world.floor, self._world.now
        lines = [*floor.all_open_orders(), *floor.completed_orders(now, api_only=False)]
        return [line.terms.order_ref for line in lines if line.terms.order_ref]

    def held_there(self, symbol: str) -> Decimal:
        lines = self._world.floor.positions()
        return sum((each.quantity for each in lines if each.contract.symbol == symbol), ZERO)

    @property
    def cash_off(self) -> Decimal:
        """How much more cash the gateway has."""
        values = self._world.floor.account_values()
        theirs = next(Decimal(each.value) for each in values if each.tag == "TotalCashBalance")
        return theirs - self._world.invariants.cash.quantize(Decimal("0.01"))

    @property
    def lost(self) -> set[str]:
        """Executions there that nothing is recorded of."""
        floor, now = self._world.floor, self._world.now
        done = [each for each, _ in floor.executions(now, ALL) if each.shares]  # None of a bust.
        theirs = {each.execution_id.rsplit(".", 1)[0] for each in done}
        return theirs - self._world.invariants.executions.keys()

    @property
    def off(self) -> dict[str, Decimal]:
        """How many more shares the gateway has, by symbol."""
        ours = self._world.invariants
        found = {symbol: self.held_there(symbol) - ours.held(symbol) for symbol in SYMBOLS}
        return {symbol: shares for symbol, shares in found.items() if shares}

    @property
    def unheard(self) -> set[str]:
        """Orders that are there and have not been heard of."""
        ours = self._world.invariants.orders
        return {name for name in self.refs_there() if not ours[name].is_heard}

    @property
    def agrees(self) -> bool:
        return not (self.off or self.lost or self.cash_off or self.unheard)

    # The end.

    def judge(self, struck: Counter[str]) -> None:
        """Demand what must hold at the end, and count what was."""
        ours, there = self._world.invariants, self.refs_there()
        twice = [name for name, count in Counter(there).items() if count > 1]
        demand(not twice, f"sent twice: {twice}")
        withheld = {name for name, order in ours.orders.items() if order.is_withheld}
        demand(not withheld & set(there), f"withheld and there: {withheld & set(there)}")
        unread = ours.counts["broker.unparsed"]
        demand(not unread, f"{unread} reports nobody could read")
        self.assert_all_reserved()
        self._judge_books()
        struck["agreeing"] += self.agrees
        struck["orders there"] += len(there)
        struck["fills"] += len(ours.executions)
        struck["events"] += ours.seq
        struck["breaks open"] += len(ours.open_breaks)

    def _judge_books(self) -> None:
        ours = self._world.invariants
        is_held = "RECONCILIATION_BREAK" in ours.causes
        broken = {each["difference"]["symbol"] for each in ours.open_breaks.values()}
        is_said = is_held and bool(broken)
        demand(not self.lost or is_said, f"lost fills: {self.lost}")
        given_up = [each.contract.symbol for each in self.alive_there() if self._is_given_up(each)]
        for symbol in given_up:
            said = is_held and symbol in broken
            demand(said, f"an order of {symbol} that was written off is alive: nobody says so")
        for symbol, shares in self.off.items():
            said = is_held and symbol in broken
            demand(said, f"the gateway holds {shares} {symbol} more: nobody says so")
        cash_said = abs(self.cash_off) <= 1 or is_said
        demand(cash_said, f"their cash is ours and {self.cash_off}: nobody says so")
