"""`python -m tests.simulation --days 10000`: simulate so many trading days, seed after seed.

A world has five trading days. What fails is printed with the command that repeats it, which runs
one world: `python -m tests.simulation --seed N`. `--mutant NAME` takes one promise out of the
daemon first, and then the run must fail. `--every-moment` kills the first process of an hour's
trading at each of its moments in turn: between any two callbacks, before and behind each effect.
"""

import argparse
import sys
import time
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING

from tests.simulation import mutants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.simulation.campaign import Outcome

LINE_EVERY_S = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first world's")
    parser.add_argument("--days", type=int, default=5, help="how many trading days in all")
    parser.add_argument("--jobs", type=int, default=1, help="in how many processes")
    parser.add_argument("--mutant", choices=sorted(mutants.MUTANTS), help="take a promise out")
    parser.add_argument("--every-moment", action="store_true", help="die at each moment in turn")
    asked = parser.parse_args()
    if asked.mutant:
        mutants.infect(mutants.MUTANTS[asked.mutant])
        asked.jobs = 1  # No other process would have it.
    # Not before a mutant is in place.
    from tests.simulation.campaign import drills, worlds  # noqa: PLC0415 - see above
    from tests.simulation.world import DAYS_A_WORLD, every_moment  # noqa: PLC0415 - see above

    if asked.every_moment:
        deaths = list(every_moment(asked.seed))
        say(f"{len(deaths)} moments to die at")
        return tell(drills(asked.seed, deaths, asked.jobs), "moments", 1)
    count = -(-asked.days // DAYS_A_WORLD)
    found = worlds(asked.seed, count, asked.jobs)
    return tell(found, "days", DAYS_A_WORLD, is_control=bool(asked.mutant))


def tell(found: "Iterable[Outcome]", what: str, each: int, *, is_control: bool = False) -> int:
    """Tell of outcomes as they come; return 1 where a promise was broken.

    Of a negative control the first one is enough.
    """
    began = told = time.monotonic()
    struck: Counter[str] = Counter()
    digest, wrong, events, done = sha256(), 0, 0, 0
    for outcome in found:
        done += each
        events += outcome.events
        struck.update(outcome.struck)
        digest.update(outcome.digest)
        if outcome.broken:
            wrong += 1
            say(f"FAILED {outcome.broken}")
            if is_control:
                break
        if time.monotonic() - told > LINE_EVERY_S:
            told = time.monotonic()
            say(f"{done} {what}, {events} events, {wrong} failed, {told - began:.0f} s")
    for place, count in sorted(struck.items()):
        say(f"  {count:7} {place}")
    took = f"{time.monotonic() - began:.1f} s ({time.process_time():.1f} s of this processor)"
    say(f"{done} {what}, {events} events in {took}")
    say(f"journals: {digest.hexdigest()}")
    say(f"{wrong} failed")
    return 1 if wrong else 0


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the campaign's report, for a person


if __name__ == "__main__":
    sys.exit(main())
