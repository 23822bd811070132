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

from tests.simulation import mutants

LINE_EVERY_S = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first world's")
    parser.add_argument("--days", type=int, default=5, help="how many trading days in all")
    parser.add_argument("--mutant", choices=sorted(mutants.MUTANTS), help="take a promise out")
    parser.add_argument("--every-moment", action="store_true", help="die at each moment in turn")
    asked = parser.parse_args()
    if asked.mutant:
        mutants.infect(asked.mutant)
    if asked.every_moment:
        return drills(asked.seed)
    return campaign(asked.seed, asked.days, is_control=bool(asked.mutant))


def campaign(first: int, days: int, *, is_control: bool = False) -> int:
    """Simulate worlds from seed `first` on; return 1 where a promise was broken.

    Of a negative control the first one is enough.
    """
    # Not before a mutant is in place.
    from tests.simulation.invariants import Violation  # noqa: PLC0415 - see above
    from tests.simulation.world import DAYS_A_WORLD, simulate  # noqa: PLC0415 - see above

    began = told = time.monotonic()
    struck: Counter[str] = Counter()
    digest, wrong, events = sha256(), 0, 0
    worlds = -(-days // DAYS_A_WORLD)
    for number in range(worlds):
        try:
            world = simulate(first + number)
        except Violation as found:
            say(f"FAILED {found}")
            wrong += 1
            if is_control:
                break
            continue
        struck.update(world.struck)
        struck.update({f"at the broker: {what}": n for what, n in world.venue.counts.items()})
        events += world.invariants.seq
        digest.update(world.digest)
        if time.monotonic() - told > LINE_EVERY_S:
            told = time.monotonic()
            done = (number + 1) * DAYS_A_WORLD
            say(f"{done} of {days} days, {events} events, {wrong} failed, {told - began:.0f} s")
    for what, count in sorted(struck.items()):
        say(f"  {count:7} {what}")
    seconds = time.monotonic() - began
    say(f"{worlds * DAYS_A_WORLD} days in {worlds} worlds, {events} events in {seconds:.1f} s")
    say(f"journals: {digest.hexdigest()}")
    say(f"{wrong} worlds failed")
    return 1 if wrong else 0


def drills(seed: int) -> int:
    """Die at each moment of a seed's drill; return 1 where a promise was broken."""
    from tests.simulation.invariants import Violation  # noqa: PLC0415 - as above
    from tests.simulation.world import drill, every_moment  # noqa: PLC0415 - as above

    deaths, wrong = 0, 0
    struck: Counter[str] = Counter()
    for death in every_moment(seed):
        deaths += 1
        try:
            struck.update(drill(seed, death).struck)
        except Violation as found:
            say(f"FAILED {found}")
            wrong += 1
    for what, count in sorted(struck.items()):
        say(f"  {count:7} {what}")
    say(f"{deaths} deaths, {wrong} broke a promise")
    return 1 if wrong else 0


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the campaign's report, for a person


if __name__ == "__main__":
    sys.exit(main())
