"""A few seeds of the campaign over the gateway, and the daemons that it has to catch.

`python -m tests.gateway_campaign --seeds 2000` runs as many as you like.
"""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from daemon.brokers.gateway.broker import IbkrBroker
from ops.gateway_sim.faults import Fault, FaultKind
from projections.order_states import OrderState
from tests.adapter_desk import Trader
from tests.gateway_campaign.adapters import AskingResend, BlindResend, Reckless
from tests.gateway_campaign.mutants import CORES
from tests.gateway_campaign.world import simulate
from tests.gateway_desk import a_gateway
from tests.simulation.invariants import Violation

ROOT = Path(__file__).parents[2]
SEEDS = range(1, 7)
WITHIN = range(1, 17)
"""Of so many seeds one must be enough to catch a daemon with a promise less."""
WAIT_S = 1_200.0
"""For a process that may have to share the machine with many."""
BEFORE_THE_ECHO = Fault(FaultKind.RESET, "openOrder")
NOT_AT_THE_GREETING = tuple(Fault(FaultKind.LOST, "openOrder", nth) for nth in (2, 3))
NOT_IN_THE_LISTS = tuple(Fault(FaultKind.LOST, "openOrder", nth) for nth in range(2, 7))


def campaign(*words: str, salt: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.gateway_campaign", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": salt},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )


def broken_by(seed: int, kind: type[IbkrBroker]) -> str:
    try:
        simulate(seed, kind)
    except Violation as found:
        return f"{found}"
    return ""


def test_whatever_befalls_every_promise_is_kept() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        seen += simulate(seed).struck  # What it raises names the seed, and how to repeat it.
    assert seen["orders there"] > 20, "hardly anything was traded"
    assert seen["fills"] > 10
    assert seen["killed between two callbacks"] > 5


@pytest.mark.parametrize("kind", [BlindResend, AskingResend, Reckless])
def test_an_adapter_that_sends_what_it_must_not_is_caught(kind: type[IbkrBroker]) -> None:
    found = next((why for seed in WITHIN if (why := broken_by(seed, kind))), "")
    assert "again: python -m tests.gateway_campaign --seed " in found


@pytest.mark.parametrize("mutant", sorted(CORES))
def test_a_daemon_with_a_promise_less_is_caught(mutant: str) -> None:
    found = campaign("--mutant", mutant, "--seeds", f"{len(WITHIN)}")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "FAILED seed " in found.stdout


def test_a_seed_makes_the_same_journal_in_processes_that_hash_otherwise() -> None:
    once, again = (campaign("--seed", "5", "--seeds", "1", salt=salt) for salt in "12")
    assert once.returncode == 0, once.stdout + once.stderr
    (journals,) = (line for line in once.stdout.splitlines() if line.startswith("journals: "))
    assert journals in again.stdout


@pytest.mark.parametrize(
    ("kind", "faults", "times"),
    [
        (BlindResend, (BEFORE_THE_ECHO, *NOT_AT_THE_GREETING), 2),
        (AskingResend, (BEFORE_THE_ECHO, *NOT_IN_THE_LISTS), 2),
        (IbkrBroker, (BEFORE_THE_ECHO, *NOT_AT_THE_GREETING), 1),
        (IbkrBroker, (BEFORE_THE_ECHO, *NOT_IN_THE_LISTS), 1),
    ],
)
async def test_an_order_without_an_answer_is_there_twice_if_it_is_sent_again(
    kind: type[IbkrBroker], faults: tuple[Fault, ...], times: int
) -> None:
    async with a_gateway(*faults) as running:
        trader = Trader(running, kind=kind)
        try:
            await trader.start()
            order_id = trader.place("10", "140.00")
            await trader.until_reconnected()
            await trader.until_state(order_id, OrderState.WORKING)
            await asyncio.sleep(0.3)
            assert Counter(trader.orders_there()) == {order_id: times}
        finally:
            await trader.stop()
