"""The open orders of the simulated gateway and what happens to them: from taken in to over.

Reports go to the outbox in the order of the real gateway. What links orders is here too (brackets,
OCA groups), because what happens to one is news for another.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from ops.gateway_sim.account import shortfall
from ops.gateway_sim.contracts import Error, venue
from ops.gateway_sim.executions import execute
from ops.gateway_sim.hours import ZONE_NAME, Hours, new_york
from ops.gateway_sim.ledger import EARLIEST, NEVER, Ledger, Working
from ops.gateway_sim.matching import (
    AT_CLOSE,
    STOPS,
    TRAILS,
    Touch,
    fill_price,
    is_marketable_at,
    trailed,
)
from ops.gateway_sim.order_rules import working_hours
from ops.gateway_sim.outbox import Outbox
from ops.gateway_sim.prices import Market
from ops.gateway_sim.terms import (
    Contract,
    Execution,
    OrderLine,
    OrderTerms,
    OrderType,
    Side,
    Status,
    Tif,
)

OCA_CANCEL: Final = 1
OCA_REDUCE: Final = 3
"""What the real gateway writes where a client said nothing: reduce, without blocking."""
TOO_DEAR: Final = 201
CANCELLED: Final = 202
HELD: Final = 399
ATTRIBUTE_IGNORED: Final = 2109
BY_TRADER: Final = "Cancelled by Trader"
BY_SYSTEM: Final = "Cancelled by System:\n"
"""What the list of completed orders says; the real one has this line break, too."""

_ZERO: Final = Decimal(0)
_AT_ONCE: Final = frozenset({Tif.IOC, Tif.FOK})


class BookRules(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine behaves. `fills_by_itself` off leaves every fill to a script."""

    fills_by_itself: bool = True
    cancel_takes: timedelta = timedelta(0)
    """How long an order is PendingCancel, and may still fill."""
    weighs: bool = True
    """Off, what-if orders are answered without figures."""
    master_client_id: int | None = None
    """A client that is told of everybody's orders."""


class WorkingOrders:
    """Every order that is not over, by permanent id, the oldest first."""

    def __init__(
        self, ledger: Ledger, market: Market, hours: Hours, out: Outbox, rules: BookRules
    ) -> None:
        """Go on with the ledger's orders, but for those that were never transmitted."""
        self.rules = rules
        self.next_due = EARLIEST
        self._ledger = ledger
        self._market = market
        self._hours = hours
        self._out = out
        transmitted = {k: order for k, order in ledger.orders.items() if order.is_transmitted}
        ledger.orders = transmitted
        self._index: dict[int, list[Working]] | None = None

    def take(
        self,
        now: datetime,
        client_id: int,
        contract: Contract,
        terms: OrderTerms,
        parent: OrderLine | None = None,
    ) -> Working:
        """Take in an order that nothing speaks against; it is told when it is transmitted."""
        perm_id = self._ledger.next_perm_id
        self._ledger.next_perm_id += 1
        group = terms.oca_group or (f"{parent.perm_id}" if parent is not None else "")
        line = OrderLine(
            perm_id=perm_id,
            client_id=client_id,
            contract=contract,
            terms=msgspec.structs.replace(
                terms,
                account=self._ledger.account,
                oca_group=group,
                oca_type=terms.oca_type or OCA_REDUCE,
            ),
            status=Status.PRE_SUBMITTED,
            parent_perm_id=parent.perm_id if parent is not None else 0,
            trail_stop=terms.trail_stop_price if terms.type in TRAILS else None,
            placed_at=now,
        )
        order = Working(
            line=line,
            oca_group=group,
            is_transmitted=False,
            is_child_waiting=parent is not None and parent.status != Status.FILLED,
        )
        self._ledger.orders[perm_id] = order
        self._index = None
        return order

    def transmit(self, now: datetime, order: Working) -> None:
        """Send an order out: refused for want of money, waiting, or working and perhaps filled."""
        order.is_transmitted = True
        if (short := self._too_dear(order)) is not None:
            self.killed(now, order, TOO_DEAR, short)
            return
        self._place_in_time(now, order)
        if order.line.terms.action == Side.SELL or order.line.status == Status.PRE_SUBMITTED:
            self._out.order(msgspec.structs.replace(order.line, status=Status.PRE_SUBMITTED))
        if order.line.status == Status.SUBMITTED:
            self._out.order(order.line)
        self._warn(order)
        if not self._try_now(now, order):
            # What waits or rests is told a second time.
            self._out.order(order.line)
        self._end_what_cannot_wait(now, order)

    def amend(self, now: datetime, order: Working, terms: OrderTerms) -> Error | None:
        """Let an open order go on with other terms; return what refuses them: then it stays."""
        before = order.line
        order.line = msgspec.structs.replace(before, terms=terms)
        if (short := self._too_dear(order)) is not None:
            order.line = before
            return TOO_DEAR, short
        self._place_in_time(now, order)
        self._out.order(order.line)
        self._try_now(now, order)
        self._end_what_cannot_wait(now, order)
        return None

    def begin_cancel(self, now: datetime, order: Working) -> None:
        """Cancel an open order, at once or after the time it takes."""
        if not order.is_transmitted or not self.rules.cancel_takes:
            self.cancelled(now, order, "", BY_TRADER)
            return
        order.cancel_due = now + self.rules.cancel_takes
        self._note_due(order)
        self._restate(order)
        self._out.status(order.line)

    def trade(self, order: Working, met: Touch) -> bool:
        """Let an order trade at the prices it meets; tell whether it did."""
        price = fill_price(order, met)
        if price is None:
            self._note_triggered(order)
            return False
        remaining = order.line.remaining
        shares = min(remaining, met.room.to_integral_value(ROUND_FLOOR))
        needs_all = order.line.terms.all_or_none or order.line.terms.tif == Tif.FOK
        if shares <= 0 or (needs_all and shares < remaining):
            return False
        met.room -= shares
        self.traded(met.at, order, shares, price, is_taking=met.is_quote)
        return True

    def traded(  # noqa: PLR0913 - an execution has as many facts
        self,
        now: datetime,
        order: Working,
        shares: Decimal,
        price: Decimal,
        *,
        exchange: str = "ISLAND",
        is_taking: bool = False,
        liquidation: int = 0,
    ) -> Execution:
        """Let `shares` of an order trade, also if it is being cancelled or is over."""
        before = order.line.remaining
        execution, commission = execute(
            self._ledger,
            order,
            now,
            shares,
            price,
            exchange=exchange,
            is_taking=is_taking,
            liquidation=liquidation,
        )
        client_id = order.line.client_id
        self._out.execution(client_id, execution)
        if order.line.remaining <= 0:
            filled = f"{order.line.filled.normalize():f}"
            self._end(now, order, Status.FILLED, f"Filled Size: {filled}")
        elif order.line.perm_id in self._ledger.orders:
            self._restate(order)
        else:
            self._end(now, order, order.line.status, order.line.completed_status)
        self._out.order(msgspec.structs.replace(order.line, commission=None))
        if order.line.status == Status.FILLED:
            self._out.open_order(order.line)
            if order.line.terms.action == Side.SELL:
                self._out.status(order.line)
        self._out.commission(client_id, commission)
        self._out.account_moved(self._ledger, execution.contract.con_id)
        self._share_fill(now, order, shares, before)
        return execution

    def cancelled(self, now: datetime, order: Working, reason: str, why: str) -> None:
        """End an open order as cancelled; `why` is what the list of completed orders says."""
        self._end(now, order, Status.CANCELLED, why)
        self._out.status(order.line)
        self._out.notice(order.line, CANCELLED, f"Order Canceled - reason:{reason}")
        self._settle_children(now, order)

    def killed(self, now: datetime, order: Working, code: int, text: str) -> None:
        """Reject an open order: it is Inactive from then on."""
        self._end(now, order, Status.INACTIVE, "Inactive")
        self._out.order(order.line)
        self._out.notice(order.line, code, text)
        self._settle_children(now, order)

    def family(self, order: Working) -> list[Working]:
        """Return what is transmitted along with an order: its parent and siblings, held so far."""
        parent_id = order.line.parent_perm_id or order.line.perm_id
        return [
            each
            for each in self._ledger.orders.values()
            if parent_id in {each.line.perm_id, each.line.parent_perm_id}
            and not each.is_transmitted
        ]

    def of(self, con_id: int) -> Iterator[Working]:
        """Yield the orders of one contract that can trade, each only if it still is open."""
        for order in self._by_contract.get(con_id, ()):
            is_ready = order.is_transmitted and not order.is_child_waiting
            if is_ready and order.line.perm_id in self._ledger.orders:
                yield order

    def has_any(self, con_id: int) -> bool:
        """Tell whether there is any order of one contract."""
        return con_id in self._by_contract

    @property
    def _by_contract(self) -> dict[int, list[Working]]:
        if self._index is None:
            self._index = {}
            for order in self._ledger.orders.values():
                self._index.setdefault(order.line.contract.con_id, []).append(order)
        return self._index

    def forget(self, perm_id: int) -> None:
        """Lose an order without a word."""
        self._ledger.orders.pop(perm_id, None)
        self._index = None

    def may_trade(self, order: Working, at: datetime) -> bool:
        """Tell whether an order can trade in the five seconds from `at` on."""
        if not self.rules.fills_by_itself or at < order.works_from or at >= order.ends_at:
            return False
        if order.line.contract.con_id in self._market.halted:
            return False
        if order.line.terms.type in AT_CLOSE:
            return False
        return self._hours.is_regular(at) or (
            order.line.terms.outside_rth
            and order.line.terms.type != OrderType.MARKET
            and self._hours.at(at) is not None
        )

    def trail(self, order: Working, high: Decimal, low: Decimal) -> None:
        """Let a trailing stop follow the price."""
        if order.line.terms.type in TRAILS and not order.is_triggered:
            stop = trailed(order.line, high, low)
            if stop != order.line.trail_stop:
                order.line = msgspec.structs.replace(order.line, trail_stop=stop)

    def pass_time(self, now: datetime) -> None:
        """Do what is due: openings, closings, cancels, ends of life."""
        for order in list(self._ledger.orders.values()):
            if order.line.perm_id not in self._ledger.orders or not order.is_transmitted:
                continue
            if order.cancel_due <= now:
                self.cancelled(now, order, order.cancel_reason, BY_TRADER)
            elif order.ends_at <= now:
                self._out_of_time(order)
            elif EARLIEST < order.works_from <= now:
                order.works_from = EARLIEST
                self._restate(order)
                self._out.order(order.line)
        self.next_due = NEVER
        for order in self._ledger.orders.values():
            self._note_due(order)

    def _place_in_time(self, now: datetime, order: Working) -> None:
        order.works_from, order.ends_at = working_hours(order.line.terms, now, self._hours)
        quote = self._market.quotes.get(order.line.contract.con_id)
        if quote is not None and order.line.trail_stop is None:
            self.trail(order, quote.last, quote.last)
        self._restate(order)
        self._note_due(order)

    def _try_now(self, now: datetime, order: Working) -> bool:
        """Let an order trade at the present quote; tell whether it did."""
        quote = self._market.quotes.get(order.line.contract.con_id)
        if quote is None or order.is_child_waiting or not self.may_trade(order, now):
            return False
        bid, ask = quote.bid, quote.ask
        met = Touch(now, bid, ask, bid, ask, quote.room, is_quote=True)
        has_traded = self.trade(order, met)
        quote.room = met.room
        return has_traded

    def _warn(self, order: Working) -> None:
        """Say what else there is to know of an order that was taken."""
        line = order.line
        if order.works_from != EARLIEST:
            opening = f"{new_york(order.works_from):%Y-%m-%d %H:%M:%S} {ZONE_NAME}"
            what = f"{line.terms.action} {line.terms.quantity:f} {line.contract.symbol}"
            held = f"Your order will not be placed at the exchange until {opening}."
            text = f"Order Message:\n{what} {venue(line.contract)}\nWarning: {held}"
            self._out.notice(line, HELD, text)
        if line.terms.outside_rth and line.terms.type == OrderType.MARKET:
            text = "Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored based "
            text += "on the order type and destination. PlaceOrder is now being processed."
            self._out.notice(line, ATTRIBUTE_IGNORED, text)

    def _end_what_cannot_wait(self, now: datetime, order: Working) -> None:
        is_open = order.line.perm_id in self._ledger.orders
        if is_open and order.line.terms.tif in _AT_ONCE and not order.is_child_waiting:
            self._out.order(msgspec.structs.replace(order.line, status=Status.PENDING_CANCEL))
            self.cancelled(now, order, "", BY_SYSTEM)

    def _note_triggered(self, order: Working) -> None:
        """Tell of a stop that was reached and did not trade at once."""
        if order.is_triggered and order.line.why_held:
            self._restate(order)
            self._out.order(order.line)

    def _restate(self, order: Working) -> None:
        """Work out anew where an open order stands."""
        status, why_held = Status.SUBMITTED, ""
        is_stop = order.line.terms.type in STOPS and not order.is_triggered
        held = [("child", order.is_child_waiting), ("trigger", is_stop)]
        if order.is_child_waiting or is_stop:
            why_held = ",".join(name for name, is_so in held if is_so)
        if why_held or order.works_from != EARLIEST:
            status = Status.PRE_SUBMITTED
        if order.cancel_due != NEVER:
            status = Status.PENDING_CANCEL
        order.line = msgspec.structs.replace(order.line, status=status, why_held=why_held)

    def _end(self, now: datetime, order: Working, status: Status, completed_status: str) -> None:
        order.line = msgspec.structs.replace(
            order.line,
            status=status,
            why_held="",
            completed_at=now,
            completed_status=completed_status,
        )
        self.forget(order.line.perm_id)
        self._ledger.completed[order.line.perm_id] = order.line

    def _out_of_time(self, order: Working) -> None:
        """End an order whose time is over; one for the close trades there first."""
        quote = self._market.quotes.get(order.line.contract.con_id)
        is_for_close = order.line.terms.type in AT_CLOSE and self.rules.fills_by_itself
        if is_for_close and quote is not None and is_marketable_at(order.line, quote.last):
            self.traded(order.ends_at, order, order.line.remaining, quote.last)
        else:
            self.cancelled(order.ends_at, order, "", BY_SYSTEM)

    def _share_fill(self, now: datetime, order: Working, shares: Decimal, before: Decimal) -> None:
        """Tell an order's children and its OCA group of a fill of `shares` of the `before` left."""
        if order.line.remaining <= 0:
            self._settle_children(now, order)
        left = max(before - shares, _ZERO) / before if before > 0 else _ZERO
        for other in list(self._ledger.orders.values()):
            is_open = other.line.perm_id in self._ledger.orders
            if not order.oca_group or other.oca_group != order.oca_group or not is_open:
                continue
            kept = (other.line.remaining * left).to_integral_value(ROUND_FLOOR)
            if order.line.terms.oca_type == OCA_CANCEL or kept <= 0:
                self.cancelled(now, other, "", BY_SYSTEM)
            else:
                terms = msgspec.structs.replace(other.line.terms, quantity=other.line.filled + kept)
                other.line = msgspec.structs.replace(other.line, terms=terms)
                self._out.order(other.line)

    def _settle_children(self, now: datetime, parent: Working) -> None:
        """Let the children of an order that is over begin, for what it filled, or end with it."""
        filled = parent.line.filled
        for child in list(self._ledger.orders.values()):
            is_open = child.line.perm_id in self._ledger.orders
            if child.line.parent_perm_id != parent.line.perm_id or not is_open:
                continue
            if not child.is_child_waiting:
                continue
            if not filled:
                self.cancelled(now, child, "", BY_SYSTEM)
                continue
            terms = child.line.terms
            terms = msgspec.structs.replace(terms, quantity=min(terms.quantity, filled))
            child.line = msgspec.structs.replace(child.line, terms=terms)
            child.is_child_waiting = False
            if child.is_transmitted:
                self._restate(child)
                self._out.order(child.line)
                self._try_now(now, child)
                self._end_what_cannot_wait(now, child)

    def _too_dear(self, order: Working) -> str | None:
        """Return why the account cannot carry an order on top of all others; None if it can."""
        if order.is_child_waiting:
            return None
        con_id, side = order.line.contract.con_id, order.line.terms.action
        prices = {con_id: order.line.terms.limit_price or _ZERO} | self._market.last_prices
        extra: dict[int, Decimal] = {}
        for each in self._ledger.orders.values():
            line, of = each.line, each.line.contract.con_id
            # Of one contract only one side adds up; what has no price yet needs no margin.
            is_beside = of != con_id or line.terms.action == side
            if is_beside and of in prices and each.is_transmitted and not each.is_child_waiting:
                signed = line.remaining if line.terms.action == Side.BUY else -line.remaining
                extra[of] = extra.get(of, _ZERO) + signed
        short = shortfall(self._ledger.money, prices, extra)
        if short is None:
            return None
        return (
            "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED "
            f"POSITION YOUR EQUITY WITH LOAN VALUE [{short.equity:.2f} USD] MUST EXCEED THE "
            f"INITIAL MARGIN [{short.initial:.2f} USD]"
        )

    def _note_due(self, order: Working) -> None:
        dues = (order.cancel_due, order.ends_at, order.works_from)
        self.next_due = min(self.next_due, *(due for due in dues if due != EARLIEST))
