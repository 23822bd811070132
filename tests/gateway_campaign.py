"""The campaign over the gateway: faults by seed, kills of the daemon, the gateway living on.

`python -m tests.gateway_campaign FIRST COUNT` runs that many seeds; a failure prints its seed. With
`blind` or `asking` behind it, an adapter sends again what has no answer, at once or when the open
orders have not shown it: such a one must be caught. What
must hold whatever befell: no order is there twice, no fill is lost, nothing was sent without a
connection, and in the end our position is the gateway's, or an order is open about which nobody can
tell yet, or a break stands with a hold.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from random import Random

from daemon.brokers.gateway.broker import IbkrBroker
from daemon.brokers.gateway.terms import Greeting
from events import BreakOpened, BrokerUnparsed, OrderWithheld
from ops.gateway_sim.faults import Fault, FaultKind, FaultPlan, plan_from_seed
from projections.order_states import OrderState
from projections.orders import Order
from tests.adapter_desk import AAPL, QUICK, Trader
from tests.gateway_desk import a_gateway, quote

STEPS = 12
SETTLE_S = 6.0
RESTING = ("149.00", "151.00", None, "140.00")


class Failed(AssertionError):
    """What does not hold, with the seed that shows it."""


class BlindResend(IbkrBroker):
    """What nobody may do: it sends again what has no answer as soon as there is a connection."""

    def connected(self, greeting: Greeting) -> None:
        super().connected(greeting)
        self._send_again()

    def _send_again(self) -> None:
        terms = self.session.connection
        kept, terms.missing = terms.missing, {}
        for order in self._unanswered():
            self._names._numbers.pop(order.client_order_id, None)  # noqa: SLF001 - a mutant
            self._write(order.intent)
        terms.missing = kept

    def _unanswered(self) -> list[Order]:
        open_orders = self._state.orders.open.values()
        return [each for each in open_orders if each.state is OrderState.SENDING]


class AskingResend(BlindResend):
    """The same with an excuse: the lists were asked for, and have not shown it."""

    def connected(self, greeting: Greeting) -> None:
        IbkrBroker.connected(self, greeting)

    async def ready(self) -> None:
        await super().ready()
        self._send_again()


MUTANTS: dict[str, type[IbkrBroker]] = {"blind": BlindResend, "asking": AskingResend}


async def run_seed(seed: int, kind: type[IbkrBroker] = IbkrBroker) -> Counter[str]:
    """Run one seed with an adapter of that kind; return what happened in it.

    Raises:
        Failed: what must hold does not.
    """
    chance = Random(seed)
    seen: Counter[str] = Counter()
    async with a_gateway(*plan_from_seed(seed), *_unanswered(chance)) as running:
        trader = Trader(running, timing=QUICK, kind=kind)
        await trader.start(connected=False)
        for _ in range(STEPS):
            trader = await _step(trader, chance, seen)
        await _settle(trader)
        wrong = ""
        try:
            _judge(trader, seen)
        except AssertionError as error:
            wrong = f"seed {seed}: {error}\n{trader.tail()}"
        await trader.stop()
    if wrong:
        raise Failed(wrong)
    return seen


def _unanswered(chance: Random) -> Sequence[Fault]:
    """Return what leaves an order there, or on its way, without an answer to us.

    The last is the meanest: the connection ends before the echo, and the lists that are asked for
    then do not show the order either.
    """
    nth = chance.randint(1, 8)
    ends = Fault(FaultKind.RESET, "openOrder", nth)
    return chance.choice(
        (
            (ends,),
            (Fault(FaultKind.HALF_OPEN, "openOrder", nth, after_s=3.0),),
            (Fault(FaultKind.OUTAGE, "placeOrder", nth, after_s=1.0),),
            (ends, *(Fault(FaultKind.LOST, "openOrder", nth + more) for more in range(1, 9))),
        )
    )


async def _step(trader: Trader, chance: Random, seen: Counter[str]) -> Trader:
    """Do one thing at random, then let some time pass."""
    what = chance.random()
    if what < 0.55:
        quantity = chance.choice(["10", "-5", "20"])
        trader.place(quantity, chance.choice(RESTING))
        seen["placed"] += 1
    elif what < 0.75:
        resting = list(trader.state.orders.open)
        if resting:
            trader.cancel(chance.choice(resting))
            seen["cancelled"] += 1
    elif what < 0.90:
        price = 150 + chance.uniform(-2, 2)
        quote(trader.running.gateway, "AAPL", round(price, 2))
    else:
        await trader.kill()
        seen["killed"] += 1
        kind = type(trader.broker)
        trader = Trader(trader.running, trader.records, timing=QUICK, kind=kind)
        await trader.start(connected=False)
    await asyncio.sleep(chance.uniform(0.0, 0.15))
    return trader


async def _settle(trader: Trader) -> None:
    """Let the gateway come back, and everything that is under way arrive."""
    gateway = trader.running.gateway
    gateway.mishaps.restore_line()
    gateway.mishaps.log_in()
    gateway.plan = FaultPlan()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLE_S
    while loop.time() < deadline:
        trader.session.doubt("the campaign's last look")
        await asyncio.sleep(0.4)
        if trader.state.broker.connected and trader.held == trader.theirs:
            return


def _judge(trader: Trader, seen: Counter[str]) -> None:
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
    foreign = trader.state.orders.foreign_executions.values()
    ours = trader.held
    explained = ours == trader.theirs
    broken = any(each.difference.symbol == AAPL for each in trader.all(BreakOpened))
    assert explained or broken, f"we hold {ours}, the gateway {trader.theirs}, and nobody says so"
    seen["breaks"] += len(trader.all(BreakOpened))
    seen["foreign"] += len(list(foreign))
    seen["fills"] += len(trader.fills)
    seen["unknown"] += sum(
        order.state in {OrderState.SENDING, OrderState.UNKNOWN}
        for order in trader.state.orders.open.values()
    )
    reserved = sum((each.reserved for each in trader.state.orders.open.values()), Decimal(0))
    seen["reserved"] += int(abs(reserved))


def main() -> None:
    """Run the seeds named on the command line."""
    first, count = (int(word) for word in sys.argv[1:3])
    kind = MUTANTS[sys.argv[3]] if sys.argv[3:] else IbkrBroker
    total: Counter[str] = Counter()
    failed = 0
    for seed in range(first, first + count):
        try:
            total += asyncio.run(run_seed(seed, kind))
        except Failed as error:
            failed += 1
            sys.stdout.write(f"{error}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{count} seeds, {failed} failed: {dict(total)}\n")


if __name__ == "__main__":
    main()
