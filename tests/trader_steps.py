"""Steps of a trader at the simulated gateway, drawn at random, and what must hold of it.

The adapter, the core and its folds, without gate, engine and journal's file: for campaigns that are
about the connection. The whole daemon is in `tests.gateway_campaign`.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from random import Random

from daemon.brokers.gateway.broker import IbkrBroker
from events import BrokerUnparsed, OrderIntended, OrderWithheld
from ops.gateway_sim.terms import ExecutionFilter
from projections.holds import covers
from projections.order_states import OrderState
from tests.adapter_desk import AAPL, Trader
from tests.gateway_desk import quote

RESTING = ("149.00", "151.00", None, "140.00")
UNANSWERED = frozenset({OrderState.SENDING, OrderState.UNKNOWN})
ALL = ExecutionFilter()
ENDED = frozenset({"Filled", "Cancelled", "ApiCancelled", "Inactive"})


class Failed(AssertionError):
    """What does not hold, with the seed that shows it."""


class Watched(IbkrBroker):
    """Ours, and each time it writes an order the books have to say that there is a connection."""

    def _write(self, intent: OrderIntended) -> None:
        super()._write(intent)
        if intent.client_order_id in self._state.orders.open:
            assert self._state.broker.connected, f"{intent.client_order_id} left unconnected"


async def step(trader: Trader, chance: Random, seen: Counter[str]) -> Trader:
    """Do one thing at random, then let some time pass."""
    what = chance.random()
    if what < 0.60:
        trader = await _place(trader, chance, seen)
    elif what < 0.75:
        resting = list(trader.state.orders.open)
        if resting:
            trader.cancel(chance.choice(resting))
            seen["cancelled"] += 1
    elif what < 0.90:
        price = 150 + chance.uniform(-2, 2)
        quote(trader.running.gateway, "AAPL", round(price, 2))
    else:
        trader = await _killed(trader, chance, seen)
    await asyncio.sleep(chance.uniform(0.0, 0.15))
    return trader


async def _place(trader: Trader, chance: Random, seen: Counter[str]) -> Trader:
    """Place an order; the process may be killed before it is sent, or directly behind that."""
    quantity, limit = chance.choice(["10", "-5", "20"]), chance.choice(RESTING)
    if chance.random() < 0.8:
        await _connected(trader)
    if chance.random() < 0.15:
        trader.session.doubt("a doubt of the campaign's")
    seen["placed"] += 1
    dies = chance.random()
    if dies < 0.05:
        trader.record_sending(quantity, limit)
    else:
        trader.place(quantity, limit)
    return await _killed(trader, chance, seen) if dies < 0.20 else trader


async def _connected(trader: Trader) -> None:
    """Wait a while for a connection: most orders are to leave."""
    with suppress(AssertionError):
        await trader.until(lambda: trader.state.broker.connected, 1.5)


async def _killed(trader: Trader, chance: Random, seen: Counter[str]) -> Trader:
    """Kill the process, the last it heard unrecorded or not; return the one that follows."""
    await trader.kill(lost=chance.choice((0, 0, 1, 3, 8)))
    seen["killed"] += 1
    kind = type(trader.broker)
    trader = Trader(trader.running, trader.records, timing=trader.session.timing, kind=kind)
    await trader.start(connected=False)
    return trader


def agrees(trader: Trader) -> bool:
    """Whether position and cash are the gateway's, and of every order there we have heard."""
    there = set(trader.orders_there())
    open_orders = trader.state.orders.open.items()
    unheard = any(ref in there for ref, order in open_orders if order.state in UNANSWERED)
    return not unheard and trader.held == trader.theirs and _cash_off(trader) == 0


def _cash_off(trader: Trader) -> Decimal:
    values = trader.running.gateway.floor.account_values()
    theirs = next(Decimal(v.value) for v in values if v.tag == "TotalCashBalance")
    return theirs - trader.state.cash.balance.quantize(Decimal("0.01"))


def assert_all_reserved(trader: Trader) -> None:
    """See that what may still fill there is reserved for here, heard of or not."""
    for line in trader.running.gateway.floor.all_open_orders():
        ref = line.terms.order_ref
        if ref and line.status.value not in ENDED:
            assert ref in trader.state.orders.open, f"{ref} is alive there and over here"


def judge(trader: Trader, seen: Counter[str]) -> None:
    assert trader.failed is None, f"the session ended: {trader.failed!r}"
    there = [ref for ref in trader.orders_there() if ref]
    twice = [ref for ref, count in Counter(there).items() if count > 1]
    assert not twice, f"sent twice: {twice}"
    withheld = {each.client_order_id for each in trader.all(OrderWithheld)}
    assert not withheld & set(there), f"withheld and there: {withheld & set(there)}"
    unread = trader.all(BrokerUnparsed)
    assert not unread, f"unparsed: {unread[0]}"
    executions = [fill.execution_id for fill in trader.fills]
    assert len(set(executions)) == len(executions), "an execution counted twice"
    assert trader.state.broker.connected, f"not connected: {trader.state.broker.reason}"
    assert_all_reserved(trader)
    _judge_books(trader, seen)
    seen["fills"] += len(trader.fills)
    open_orders = trader.state.orders.open.values()
    seen["unknown"] += sum(order.state in UNANSWERED for order in open_orders)


def _judge_books(trader: Trader, seen: Counter[str]) -> None:
    """See that fills, position and cash are the gateway's, or that a break says they are not."""
    state = trader.state
    breaks = [each.difference for each in state.reconciliation.open.values()]
    seen["breaks"] += len(breaks)
    held = any(covers(hold, "trend", AAPL) for hold in state.holds.active.values())
    is_said = held and any(each.symbol == AAPL for each in breaks)
    floor, now = trader.running.gateway.floor, trader.running.gateway.now()
    done = [each for each, _ in floor.executions(now, ALL) if each.shares]  # None of a bust.
    theirs = {each.execution_id.rsplit(".", 1)[0] for each in done}
    ours = {fill.execution_id for fill in trader.fills}
    foreign = set(state.orders.foreign_executions)
    lost = theirs - ours - foreign
    assert not lost or is_said, f"lost fills: {lost}"
    off = trader.theirs - trader.held
    assert not off or is_said, f"we hold {trader.held}, the gateway {trader.theirs}: nobody says so"
    cash_off = _cash_off(trader)
    cash_said = is_said or any(not each.symbol for each in breaks)
    assert not cash_off or cash_said, f"their cash is ours and {cash_off}: nobody says so"
    seen["agreeing"] += not off and not cash_off
