"""The campaign over the network: a proxy between daemon and gateway, and seven ways to fail.

`python -m tests.network_campaign --seeds 200` runs each mode so many times, in virtual time, with
the daemon's own patience; `--tcp` does so over real sockets, in real time and with less of it. A
failure prints its mode and seed. Whatever the network does, what the campaign over the gateway
demands holds (no order twice, none without a connection, nothing alive there that is not reserved
for here, no fill lost), and a connection that is none any more is found out within ten seconds.
`--mutant blind` sends again what has no answer, `--mutant deaf` asks nobody whether he is still
there: both must be caught.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from random import Random

from daemon.brokers.gateway.broker import IbkrBroker
from daemon.brokers.gateway.session import Timing
from events import BrokerDisconnected
from ops.gateway_sim.server import RunningGateway
from ops.gateway_sim.virtual_clock import VirtualClock
from tests.adapter_desk import QUICK, Trader
from tests.gateway_campaign.adapters import BlindResend
from tests.gateway_desk import CASH, TUESDAY, a_gateway, undecoded
from tests.network_proxy import Mode, Proxy, a_proxy
from tests.simulated_loop import SimulatedLoop
from tests.trader_steps import Failed, Watched, agrees, assert_all_reserved, judge, step

STEPS = 14
FOUND_WITHIN_S = 10.0
ENDS_BY_ITSELF = frozenset({Mode.DROP, Mode.CUT, Mode.RESET, Mode.HALF_OPEN, Mode.CORRUPT})
"""After a strike of these the connection is none any more."""
PATIENCE_S = 120.0
MUTANTS = ("blind", "deaf")


class Through(RunningGateway):
    """A gateway that is reached through a proxy's port."""

    def __init__(self, running: RunningGateway, port: int) -> None:
        self.gateway = running.gateway
        self.port = port


class Finds:
    """How long each broken connection has passed for one, seconds."""

    def __init__(self) -> None:
        self.trader: Trader | None = None
        self.took: list[float] = []
        self._broken: tuple[float, int] | None = None

    def strike(self, at: float) -> None:
        """Take note that what the trader has for a connection is none from now on."""
        if self.trader is not None and self.trader.state.broker.connected and not self._broken:
            self._broken = at, self.trader.session.connection.breaks

    def look(self, trader: Trader, now: float) -> None:
        """See whether what broke is found out, and not too late; who is dead finds nothing."""
        if trader is not self.trader:
            self.trader, self._broken = trader, None
        if self._broken is None:
            return
        at, breaks = self._broken
        if trader.session.connection.breaks > breaks or not trader.state.broker.connected:
            self.took.append(now - at)
            self._broken = None
            return
        assert now - at <= FOUND_WITHIN_S, f"for {now - at:.1f} s nobody has noticed the break"


async def _run(seed: int, mode: Mode, kind: type[IbkrBroker], timing: Timing) -> Counter[str]:
    chance, loop = Random(f"{mode}/{seed}"), asyncio.get_running_loop()
    seen, finds, wrong = Counter[str](), Finds(), ""
    clock = VirtualClock(TUESDAY, 0, loop.time)
    async with (
        a_gateway(clock=clock) as running,
        a_proxy(running.port, mode, chance) as (proxy, at),
    ):
        trader = Trader(Through(running, at), timing=timing, kind=kind)
        if mode in ENDS_BY_ITSELF:
            proxy.struck = finds.strike
        try:
            await trader.start(connected=False, capital=CASH)
            for _ in range(STEPS):
                trader = await step(trader, chance, seen)
                assert_all_reserved(trader)
                await _watch(trader, finds, chance.uniform(0, 4 * min(timing.beat, Timing().beat)))
            await _settle(trader, proxy, finds)
            judge(trader, seen)
        except AssertionError as error:
            # Raised behind the gateway's end: its tasks would wrap it.
            wrong = f"{mode}, seed {seed}: {error}\n{trader.tail()}"
        finally:
            await trader.stop()
    if wrong:
        raise Failed(wrong)
    seen["strikes"] += proxy.strikes
    seen["disconnected"] += len(trader.all(BrokerDisconnected))
    seen["found out"] += len(finds.took)
    seen["found out after ms, at most"] = round(1_000 * max(finds.took, default=0))
    return seen


async def _watch(trader: Trader, finds: Finds, seconds: float) -> None:
    """Let time pass, and look on."""
    now = asyncio.get_running_loop().time
    ends = now() + seconds
    while now() < ends:
        await asyncio.sleep(0.05)
        assert trader.failed is None, f"the session ended: {trader.failed!r}"
        finds.look(trader, now())


async def _settle(trader: Trader, proxy: Proxy, finds: Finds) -> None:
    """Let the network be well, and everything that is under way arrive."""
    proxy.calm()
    now = asyncio.get_running_loop().time
    began = now()
    await _watch(trader, finds, 2 * FOUND_WITHIN_S)
    while now() - began < PATIENCE_S:
        trader.session.doubt("the campaign's last look")
        await _watch(trader, finds, trader.session.timing.verify_again)
        if trader.state.broker.connected and agrees(trader):
            return


def run_seed(
    seed: int, mode: Mode, kind: type[IbkrBroker] = Watched, timing: Timing | None = None
) -> Counter[str]:
    """Run one seed of one mode in virtual time; return what happened in it.

    Raises:
        Failed: what must hold does not.
    """
    random.seed(seed)  # How long it waits until it tries again is drawn from there.
    with undecoded(), asyncio.Runner(loop_factory=lambda: SimulatedLoop(seed)) as loop:
        return loop.run(_run(seed, mode, kind, timing or Timing()))


def run_over_tcp(seed: int, mode: Mode) -> Counter[str]:
    """Run one seed of one mode over real sockets, in real time.

    Raises:
        Failed: what must hold does not.
    """
    with undecoded():
        return asyncio.run(_run(seed, mode, Watched, QUICK))


def campaign(modes: Sequence[Mode], seeds: range, *, mutant: str, tcp: bool) -> int:
    """Run the seeds of each mode and say what came of them; return how many failed."""
    failed = 0
    kind = BlindResend if mutant == "blind" else Watched
    timing = Timing(beat=3_600.0) if mutant == "deaf" else Timing()
    for mode in modes:
        began, total, wrong, slowest = time.monotonic(), Counter[str](), 0, 0
        for seed in seeds:
            try:
                seen = run_over_tcp(seed, mode) if tcp else run_seed(seed, mode, kind, timing)
            except Failed as error:
                wrong += 1
                say(f"{error}\n" if not mutant else f"{error}".splitlines()[0])
                continue
            slowest = max(slowest, seen.pop("found out after ms, at most"))
            total += seen
        took = time.monotonic() - began
        say(f"{mode}: {len(seeds)} seeds in {took:.0f} s, {wrong} failed: {dict(total)}")
        say(f"    found out after {slowest / 1_000:.1f} s at most")
        failed += wrong
    return failed


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the seeds named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="how many of each mode")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), help="this one only")
    parser.add_argument("--tcp", action="store_true", help="over real sockets")
    parser.add_argument("--mutant", choices=MUTANTS, default="", help="what breaks a promise")
    asked = parser.parse_args()
    modes = [asked.mode] if asked.mode else list(Mode)
    seeds = range(asked.seed, asked.seed + asked.seeds)
    sys.exit(1 if campaign(modes, seeds, mutant=asked.mutant, tcp=asked.tcp) else 0)


if __name__ == "__main__":
    main()
