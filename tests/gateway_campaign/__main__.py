"""The campaign over the gateway: `python -m tests.gateway_campaign --seeds 2000`.

The whole daemon, start, recovery, engine, core, gate, journal, reconciliation and the adapter over
ib_async, against the simulated gateway, in virtual time: faults of the gateway and kills of the
daemon by seed, the gateway living on. What must hold whatever befalls: no order leaves before its
record is durable, without a connection, under a hold, or on stale data; none leads beyond a limit
by the gateway's own book; none is there twice, none is alive there that is not reserved for here;
no fill is lost; in the end positions and cash are the gateway's, or a break stands with a hold. A
failure prints its seed, and the command that repeats it. `--mutant NAME` takes a promise out first,
and then it must fail.
"""

import argparse
import sys
import time
from collections import Counter
from hashlib import sha256

from tests.gateway_campaign.mutants import ADAPTERS, CORES
from tests.simulation.mutants import infect

LINE_EVERY_S = 30.0


def main() -> int:
    """Run the seeds named on the command line; return 1 where one failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--mutant", choices=[*ADAPTERS, *CORES], help="what breaks a promise")
    asked = parser.parse_args()
    if asked.mutant in CORES:
        infect(CORES[asked.mutant])
    # Not before a mutant is in place.
    from daemon.brokers.gateway.broker import IbkrBroker  # noqa: PLC0415 - see above
    from tests.gateway_campaign.adapters import KINDS  # noqa: PLC0415 - see above
    from tests.gateway_campaign.world import simulate  # noqa: PLC0415 - see above
    from tests.simulation.invariants import Violation  # noqa: PLC0415 - see above

    kind = KINDS.get(asked.mutant, IbkrBroker)
    began = told = time.monotonic()
    total, digest, failed, done = Counter[str](), sha256(), 0, 0
    for done, seed in enumerate(range(asked.seed, asked.seed + asked.seeds), 1):
        try:
            world = simulate(seed, kind)
        except Violation as error:
            failed += 1
            say(f"FAILED {error}")
            if asked.mutant:
                break  # Of a negative control the first one is enough.
        else:
            total += world.struck
            digest.update(world.digest)
        if time.monotonic() - told > LINE_EVERY_S:
            told = time.monotonic()
            say(f"{done} seeds, {failed} failed, {told - began:.0f} s")
    for what, count in sorted(total.items()):
        say(f"  {count:7} {what}")
    took = f"{time.monotonic() - began:.1f} s ({time.process_time():.1f} s of this processor)"
    say(f"{done} seeds in {took}, {failed} failed")
    say(f"journals: {digest.hexdigest()}")
    return 1 if failed else 0


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the campaign's report, for a person


if __name__ == "__main__":
    sys.exit(main())
