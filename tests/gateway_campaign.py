"""The campaign over the gateway: faults by seed, kills of the daemon, the gateway living on.

`python -m tests.gateway_campaign --seeds N` runs that many; a failure prints its seed. With
`--mutant blind` or `asking` an adapter sends again what has no answer, with a new connection or
when the lists have not shown it; with `reckless` it sends before the lists are there: such a one
must be caught. What must hold whatever befell: no order leaves without a connection, none is there
twice, none is alive there that is not reserved for here, no fill is lost, and in the end our
position and cash are the gateway's, or a break stands with a hold.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from random import Random

from daemon.brokers.gateway.broker import IbkrBroker
from daemon.gate import RiskApproved
from events import BrokerUnparsed, OrderIntended, OrderWithheld
from ops.gateway_sim.faults import Fault, FaultKind, FaultPlan, plan_from_seed
from ops.gateway_sim.terms import ExecutionFilter
from ops.gateway_sim.virtual_clock import VirtualClock
from projections.holds import covers
from projections.order_states import OrderState
from tests.adapter_desk import AAPL, QUICK, Trader
from tests.gateway_desk import CASH, TUESDAY, a_gateway, quote, undecoded
from tests.simulated_loop import SimulatedLoop

STEPS = 12
SETTLE_S = 8.0
"""What has not come to rest by then is judged as it is; a break that stands has waited for it."""
PATIENCE_S = 60.0
RESTING = ("149.00", "151.00", None, "140.00")
UNANSWERED = frozenset({OrderState.SENDING, OrderState.UNKNOWN})
ENDED = frozenset({"Filled", "Cancelled", "ApiCancelled", "Inactive"})


class Failed(AssertionError):
    """What does not hold, with the seed that shows it."""


class Watched(IbkrBroker):
    """Ours, and each time it writes an order the books have to say that there is a connection."""

    def _write(self, intent: OrderIntended) -> None:
        super()._write(intent)
        if intent.client_order_id in self._state.orders.open:
            assert self._state.broker.connected, f"{intent.client_order_id} left unconnected"


class Reckless(Watched):
    """It takes a socket for a connection."""

    def submit(self, approved: RiskApproved) -> None:
        terms = self.session.connection
        kept, terms.missing = terms.missing, terms.missing if not self.contracts.by_id else {}
        super().submit(approved)
        terms.missing = kept


class BlindResend(IbkrBroker):
    """What nobody may do: with a new connection it sends again what has no answer."""

    async def verify(self) -> None:
        self._send_again()
        await super().verify()

    def _send_again(self) -> None:
        terms = self.session.connection
        kept, terms.missing = terms.missing, {}
        for order in tuple(self._state.orders.open.values()):
            if order.state in UNANSWERED:
                self._names._numbers.pop(order.client_order_id, None)  # noqa: SLF001 - a mutant
                self._write(order.intent)
        terms.missing = kept


class AskingResend(BlindResend):
    """The same with an excuse: the lists were asked for, and have not shown it."""

    async def verify(self) -> None:
        await IbkrBroker.verify(self)
        self._send_again()


MUTANTS: dict[str, type[IbkrBroker]] = {
    "blind": BlindResend,
    "asking": AskingResend,
    "reckless": Reckless,
}


async def _run(seed: int, kind: type[IbkrBroker] = Watched) -> Counter[str]:
    chance = Random(seed)
    seen: Counter[str] = Counter()
    wrong = ""
    clock = VirtualClock(TUESDAY, 0, asyncio.get_running_loop().time)
    faults = (*plan_from_seed(seed), *_at_the_sending(chance))
    async with a_gateway(*faults, clock=clock) as running:
        trader = Trader(running, timing=QUICK, kind=kind)
        try:
            await trader.start(connected=False, capital=CASH)
            for _ in range(STEPS):
                trader = await step(trader, chance, seen)
                assert_all_reserved(trader)
            await _settle(trader)
            judge(trader, seen)
        except AssertionError as error:
            # Raised behind the gateway's end: its tasks would wrap it.
            wrong = f"seed {seed}: {error}\n{trader.tail()}"
        finally:
            await trader.stop()
    if wrong:
        raise Failed(wrong)
    return seen


def run_seed(seed: int, kind: type[IbkrBroker] = Watched) -> Counter[str]:
    """Run one seed with an adapter of that kind; return what happened in it.

    Raises:
        Failed: what must hold does not.
    """
    random.seed(seed)  # How long it waits until it tries again is drawn from there.
    with undecoded() as problems, asyncio.Runner(loop_factory=lambda: SimulatedLoop(seed)) as loop:
        seen = loop.run(_run(seed, kind))
    if problems:
        raise Failed(f"seed {seed}: {problems[0]}")
    return seen


def failures(seeds: Iterable[int], kind: type[IbkrBroker] = Watched) -> list[str]:
    """Run seeds; return what did not hold."""
    found = []
    for seed in seeds:
        try:
            run_seed(seed, kind)
        except Failed as failed:
            found.append(f"{failed}")
    return found


def _at_the_sending(chance: Random) -> Sequence[Fault]:
    """Return what strikes when an order is sent: it is there, and nobody says so.

    Or it never was. Lists that are asked for soon afterwards may not show it.
    """
    found: list[Fault] = []
    for nth in chance.sample(range(1, 6), k=4):
        lags = Fault(FaultKind.UNLISTED, "placeOrder", nth, after_s=chance.choice((1.0, 2.0, 3.0)))
        unheard = Fault(FaultKind.RESET_UNHEARD, "placeOrder", nth)
        found += chance.choice(
            (
                *((unheard, lags),) * 4,
                (unheard,),
                (lags, Fault(FaultKind.HALF_OPEN, "placeOrder", nth, after_s=3.0)),
                (Fault(FaultKind.OUTAGE, "placeOrder", nth, after_s=1.0),),
                (Fault(FaultKind.RESET_BEFORE, "placeOrder", nth),),
            )
        )
    return found


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


async def _settle(trader: Trader) -> None:
    """Let the gateway come back, and everything that is under way arrive."""
    gateway = trader.running.gateway
    gateway.mishaps.restore_line()
    gateway.mishaps.log_in()
    gateway.plan = FaultPlan()
    now = asyncio.get_running_loop().time
    began = now()
    while now() - began < PATIENCE_S:
        trader.session.doubt("the campaign's last look")
        await asyncio.sleep(0.3)
        if trader.state.broker.connected and (agrees(trader) or now() - began > SETTLE_S):
            return


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


ALL = ExecutionFilter()


def campaign(first: int, count: int, kind: type[IbkrBroker]) -> int:
    """Run the seeds and say what came of them; return how many failed."""
    began, total, failed = time.monotonic(), Counter[str](), 0
    for done, seed in enumerate(range(first, first + count), 1):
        try:
            total += run_seed(seed, kind)
        except Failed as error:
            failed += 1
            say(f"{error}\n")
        if done % 100 == 0 or done == count:
            took = time.monotonic() - began
            say(f"{done} seeds in {took:.0f} s, {failed} failed: {dict(total)}")
    return failed


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the seeds named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="what breaks a promise")
    asked = parser.parse_args()
    kind = MUTANTS[asked.mutant] if asked.mutant else Watched
    sys.exit(1 if campaign(asked.seed, asked.seeds, kind) else 0)


if __name__ == "__main__":
    main()
