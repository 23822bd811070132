"""What clients may do to orders at the simulated gateway, and what the market does to them.

Told the time and the prices. Every method returns what is to be told, in the real gateway's order.
"""

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from daemon.new_york import moment
from ops.gateway_sim.account import begin_day, weigh
from ops.gateway_sim.contracts import Contracts, Error
from ops.gateway_sim.executions import correct
from ops.gateway_sim.hours import Hours, new_york_day
from ops.gateway_sim.ledger import EARLIEST, FIRST_ORDER_ID, NEVER, OVER, Ledger, Working
from ops.gateway_sim.matching import touch
from ops.gateway_sim.order_rules import (
    DOES_NOT_MATCH,
    DUPLICATE_ID,
    MISSING_PARENT,
    MODIFIED_FILLED,
    NEW_TYPE,
    STILL_PROCESSED,
    WHAT_IF_TRANSMITS,
    objection,
)
from ops.gateway_sim.outbox import Outbox
from ops.gateway_sim.prices import Market, Step
from ops.gateway_sim.reports import (
    To,
)
from ops.gateway_sim.terms import (
    Contract,
    OrderLine,
    OrderTerms,
    Side,
    Status,
    WhatIf,
)
from ops.gateway_sim.working_orders import BY_SYSTEM, BookRules, WorkingOrders

_HAND: Final = 0
"""The client that orders placed by hand belong to."""
_DAY: Final = timedelta(days=1)
_JUST: Final = timedelta(minutes=1)


class Book:
    """All orders: those of clients by client and order id, those placed by hand under client 0."""

    def __init__(
        self, ledger: Ledger, market: Market, contracts: Contracts, hours: Hours, rules: BookRules
    ) -> None:
        """Go on with `ledger`, without the orders that were never transmitted."""
        self._ledger = ledger
        self._market = market
        self._contracts = contracts
        self._hours = hours
        self._out = Outbox(rules.master_client_id)
        self._orders = WorkingOrders(ledger, market, hours, self._out, rules)
        lines = [*ledger.completed.values(), *(each.line for each in ledger.orders.values())]
        self._perm_ids = {(line.client_id, line.order_id): line.perm_id for line in lines}
        self._binds_manual_orders = False

    @property
    def rules(self) -> BookRules:
        """How the engine behaves now; a script may change it."""
        return self._orders.rules

    @rules.setter
    def rules(self, rules: BookRules) -> None:
        self._orders.rules = rules

    @property
    def next_due(self) -> datetime:
        """When there next is something to do by itself: an order's turn, or midnight."""
        return min(self._orders.next_due, self._ledger.midnight + _DAY)

    # What clients ask for.

    def next_valid_id(self, client_id: int) -> int:
        """Return the id the client's next order must at least have."""
        return self._ledger.next_ids.get(client_id, FIRST_ORDER_ID)

    def submit(
        self, now: datetime, client_id: int, contract: Contract, terms: OrderTerms
    ) -> list[To]:
        """Place, modify or only weigh an order."""
        self.pass_time_first(now)
        order_id = terms.order_id
        known = self.find(client_id, order_id)
        working = self._ledger.orders.get(known.perm_id) if known is not None else None
        refusal: Error | None = None
        if working is not None:
            refusal = self._modify(now, working, contract, terms)
        elif known is not None and known.status == Status.FILLED:
            refusal = MODIFIED_FILLED
        elif known is not None or order_id < self.next_valid_id(client_id):
            refusal = DUPLICATE_ID
        else:
            # A refused order has used up its id, too.
            self._ledger.next_ids[client_id] = order_id + 1
            refusal = self._place(now, client_id, contract, terms)
        if refusal is not None:
            self._out.refuse(client_id, order_id, *refusal)
        return self._out.drained()

    def cancel(self, now: datetime, client_id: int, order_id: int) -> list[To]:
        """Cancel an order of the client."""
        self.pass_time_first(now)
        line = self.find(client_id, order_id)
        what = f"OrderId {order_id} that needs to be cancelled"
        if line is None:
            self._out.refuse(client_id, order_id, 10147, f"{what} is not found.")
        elif line.status in OVER or line.status == Status.PENDING_CANCEL:
            text = f"{what} cannot be cancelled, state: {line.status}."
            self._out.refuse(client_id, order_id, 10148, text)
        else:
            self._orders.begin_cancel(now, self._ledger.orders[line.perm_id])
        return self._out.drained()

    def cancel_all(self, now: datetime) -> list[To]:
        """Cancel every open order of every client; 161 for those that have just ended."""
        self.pass_time_first(now)
        for line in self._ledger.completed.values():
            if line.completed_at is not None and now - line.completed_at < _JUST:
                text = "Cancel attempted when order is not in a cancellable state.  Order permId ="
                self._out.notice(line, 161, f"{text}{line.perm_id}")
        for order in list(self._ledger.orders.values()):
            is_open = order.line.perm_id in self._ledger.orders
            if is_open and order.cancel_due == NEVER:
                self._orders.begin_cancel(now, order)
        return self._out.drained()

    def find(self, client_id: int, order_id: int) -> OrderLine | None:
        """Return the client's order with that id, over or not, as far as it is remembered."""
        perm_id = self._perm_ids.get((client_id, order_id))
        return None if perm_id is None else self.line(perm_id)

    def line(self, perm_id: int) -> OrderLine | None:
        """Return the order with that permanent id, over or not, as far as it is remembered."""
        working = self._ledger.orders.get(perm_id)
        return working.line if working is not None else self._ledger.completed.get(perm_id)

    def lines(self) -> list[OrderLine]:
        """Return every order that was transmitted and is not over, the oldest first."""
        return [each.line for each in self._ledger.orders.values() if each.is_transmitted]

    def bind_manual_orders(self) -> list[To]:
        """Give manual orders ids of client 0, those there are and those to come."""
        self._binds_manual_orders = True
        for order in self._ledger.orders.values():
            if order.line.order_id == 0:
                self._bind(order)
                self._out.order(order.line)
        return self._out.drained()

    def forget_client(self, client_id: int) -> None:
        """Drop what the client placed without transmitting it."""
        for perm_id, order in list(self._ledger.orders.items()):
            if not order.is_transmitted and order.line.client_id == client_id:
                self.forget_order(perm_id)
        if client_id == _HAND:
            self._binds_manual_orders = False

    # What the market and the time do.

    def meet(self, step: Step) -> list[To]:
        """Let the orders of one contract trade in five seconds of market, the oldest first."""
        bar = step.bar
        self.pass_time_first(bar.at)
        if self._orders.has_any(step.con_id):
            quote = self._market.quotes[step.con_id]
            met = touch(bar, step.end, quote.room)
            for order in self._orders.of(step.con_id):
                if self._orders.may_trade(order, bar.at):
                    self._orders.trade(order, met)
                self._orders.trail(order, bar.high, bar.low)
            quote.room = met.room
        return self._out.drained()

    def pass_time(self, now: datetime) -> list[To]:
        """Do what is due: openings, closings, cancels, ends of life, a new day."""
        self.pass_time_first(now)
        return self._out.drained()

    def pass_time_first(self, now: datetime) -> None:
        """Do what is due before something else happens now."""
        if now >= self._orders.next_due:
            self._orders.pass_time(now)
        if now >= self._ledger.midnight + _DAY:
            self._begin_day(now)

    # What a script does, or a person at the trading desk.

    def place_by_hand(self, now: datetime, contract: Contract, terms: OrderTerms) -> list[To]:
        """Place an order that no program has sent."""
        resolved = self._contracts.resolve(contract)
        assert isinstance(resolved, Contract), resolved
        terms = msgspec.structs.replace(terms, order_id=0)
        order = self._orders.take(now, _HAND, resolved, terms)
        if self._binds_manual_orders:
            self._bind(order)
        self._orders.transmit(now, order)
        return self._out.drained()

    def modify_by_hand(self, now: datetime, perm_id: int, terms: OrderTerms) -> list[To]:
        """Modify an open order, whoever's it is; its ids stay."""
        order = self._ledger.orders[perm_id]
        terms = msgspec.structs.replace(terms, order_id=order.line.order_id)
        self._orders.amend(now, order, terms)
        return self._out.drained()

    def fill(
        self, now: datetime, perm_id: int, shares: Decimal, price: Decimal, exchange: str
    ) -> list[To]:
        """Let `shares` of an order trade, also of one that is being cancelled or is over."""
        self._orders.traded(now, self._any(perm_id), shares, price, exchange=exchange)
        return self._out.drained()

    def correct(self, execution_id: str, shares: Decimal, price: Decimal) -> list[To]:
        """Replace one of today's executions by its next revision; 0 `shares` is a bust."""
        execution, commission = correct(self._ledger, execution_id, shares, price)
        self._out.execution(execution.client_id, execution)
        self._out.commission(execution.client_id, commission)
        self._out.account_moved(self._ledger, execution.contract.con_id)
        return self._out.drained()

    def reject(self, now: datetime, perm_id: int, code: int, text: str) -> list[To]:
        """Reject an open order: Inactive, with that error."""
        self._orders.killed(now, self._ledger.orders[perm_id], code, text)
        return self._out.drained()

    def expire(self, now: datetime, perm_id: int, reason: str) -> list[To]:
        """Cancel an open order from IB's side."""
        order = self._ledger.orders[perm_id]
        self._orders.cancelled(now, order, reason, f"{BY_SYSTEM}{reason}")
        return self._out.drained()

    def liquidate(self, now: datetime, con_id: int, shares: Decimal | None) -> list[To]:
        """Close a position, or `shares` of it, at the market; nobody is asked."""
        holding = self._ledger.money.holdings[con_id]
        quote = self._market.quotes[con_id]
        is_long = holding.quantity > 0
        terms = OrderTerms(
            order_id=0,
            action=Side.SELL if is_long else Side.BUY,
            quantity=abs(holding.quantity) if shares is None else shares,
            type="MKT",
        )
        order = self._orders.take(now, _HAND, holding.contract, terms)
        order.is_transmitted = True
        price = quote.bid if is_long else quote.ask
        self._orders.traded(now, order, terms.quantity, price, liquidation=1)
        return self._out.drained()

    def forget_order(self, perm_id: int) -> None:
        """Lose an order without a word, as if nobody had ever got it."""
        order = self._ledger.orders.get(perm_id)
        if order is not None:
            self._orders.forget(perm_id)
            self._perm_ids.pop((order.line.client_id, order.line.order_id), None)

    def roll_back_ids(self, client_id: int, to: int) -> None:
        """Let the client's ids go back: what had higher ones is no longer found by its id."""
        self._ledger.next_ids[client_id] = to
        self._perm_ids = {
            (client, order_id): perm_id
            for (client, order_id), perm_id in self._perm_ids.items()
            if client != client_id or order_id < to
        }

    def _place(
        self, now: datetime, client_id: int, contract: Contract, terms: OrderTerms
    ) -> Error | None:
        """Take a new order; return what refuses it."""
        resolved = self._checked(now, contract, terms)
        if not isinstance(resolved, Contract):
            return resolved
        if terms.what_if:
            return self._weigh(client_id, resolved, terms)
        parent = self.find(client_id, terms.parent_id) if terms.parent_id else None
        if terms.parent_id and (parent is None or parent.status in OVER - {Status.FILLED}):
            return MISSING_PARENT
        order = self._orders.take(now, client_id, resolved, terms, parent)
        self._perm_ids[client_id, terms.order_id] = order.line.perm_id
        if terms.transmit:
            self._transmit_with_family(now, order)
        return None

    def _modify(
        self, now: datetime, order: Working, contract: Contract, terms: OrderTerms
    ) -> Error | None:
        """Change an open order; return what refuses it, and then it stays as it was."""
        refusal = self._unmodifiable(now, order, contract, terms)
        if refusal is not None:
            return refusal
        terms = msgspec.structs.replace(
            terms,
            account=self._ledger.account,
            oca_group=terms.oca_group or order.line.terms.oca_group,
            oca_type=terms.oca_type or order.line.terms.oca_type,
        )
        if order.is_transmitted:
            return self._orders.amend(now, order, terms)
        order.line = msgspec.structs.replace(order.line, terms=terms)
        if terms.transmit:
            self._transmit_with_family(now, order)
        return None

    def _unmodifiable(
        self, now: datetime, order: Working, contract: Contract, terms: OrderTerms
    ) -> Error | None:
        resolved = self._checked(now, contract, terms)
        if not isinstance(resolved, Contract):
            return resolved
        before = order.line
        parent = self.find(before.client_id, terms.parent_id) if terms.parent_id else None
        is_orphan = terms.parent_id and (parent is None or parent.status in OVER)
        is_other = resolved.con_id != before.contract.con_id or terms.action != before.terms.action
        too_small = "The new size is not above what is filled already."
        objections: list[tuple[bool, Error]] = [
            (before.status == Status.PENDING_CANCEL, STILL_PROCESSED),
            (is_other, DOES_NOT_MATCH),
            (terms.type != before.terms.type, NEW_TYPE),
            (terms.quantity <= before.filled, (201, f"Order rejected - reason:{too_small}")),
            (bool(is_orphan), (135, f"Can't find order with id ={terms.parent_id}")),
        ]
        return next((error for is_so, error in objections if is_so), None)

    def _checked(self, now: datetime, contract: Contract, terms: OrderTerms) -> Contract | Error:
        resolved = self._contracts.resolve(contract)
        if not isinstance(resolved, Contract):
            return resolved
        min_tick = self._contracts.listing(resolved.con_id).min_tick
        refusal = objection(terms, self._ledger.account, min_tick, now, self._hours)
        return resolved if refusal is None else refusal

    def _transmit_with_family(self, now: datetime, order: Working) -> None:
        for each in self._orders.family(order):
            if each.line.perm_id in self._ledger.orders:
                self._orders.transmit(now, each)

    def _weigh(self, client_id: int, contract: Contract, terms: OrderTerms) -> Error | None:
        if not terms.transmit:
            return WHAT_IF_TRANSMITS
        quote = self._market.quotes.get(contract.con_id)
        price = terms.limit_price or (quote.last if quote is not None else None)
        line = OrderLine(
            perm_id=0,
            client_id=client_id,
            contract=contract,
            terms=msgspec.structs.replace(terms, account=self._ledger.account),
            status=Status.PRE_SUBMITTED,
        )
        if price is None:
            return 201, "Order rejected - reason:There is no price to weigh the order with."
        signed = terms.quantity if terms.action == Side.BUY else -terms.quantity
        prices = self._market.last_prices
        found = weigh(self._ledger.money, prices, contract, signed, price)
        self._out.open_order(line, found if self.rules.weighs else WhatIf())
        return None

    def _bind(self, order: Working) -> None:
        order_id = self._ledger.next_bound_id
        self._ledger.next_bound_id -= 1
        terms = msgspec.structs.replace(order.line.terms, order_id=order_id)
        order.line = msgspec.structs.replace(order.line, terms=terms)
        self._perm_ids[_HAND, order_id] = order.line.perm_id
        self._out.bound(order.line)

    def _any(self, perm_id: int) -> Working:
        order = self._ledger.orders.get(perm_id)
        return Working(line=self._ledger.completed[perm_id]) if order is None else order

    def _begin_day(self, now: datetime) -> None:
        """Forget yesterday: the gateway knows executions and completed orders since midnight."""
        is_first = self._ledger.midnight == EARLIEST
        self._ledger.midnight = moment(new_york_day(now), time())
        if is_first:
            return
        begin_day(self._ledger)
        for line in self._ledger.completed.values():
            self._perm_ids.pop((line.client_id, line.order_id), None)
        self._ledger.completed = {}
        self._ledger.executions = []
        self._ledger.commissions = {}
