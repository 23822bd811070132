"""`python -m tests.time --walks 200`: weeks of bad time, seed after seed.

What fails is printed with the command that repeats it. `--mutant NAME` takes one promise out of
the daemon first, and then the run must fail.
"""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.mutants import infect
from tests.time.mutants import MUTANTS

LINE_EVERY = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.time", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first walk's")
    parser.add_argument("--walks", type=int, default=1, help="how many")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="take a promise out")
    asked = parser.parse_args()
    if asked.mutant:
        infect(MUTANTS[asked.mutant])
    # Not before a mutant is in place.
    from tests.time.walk import Broken, walk  # noqa: PLC0415 - see above

    began, wrong, seen = time.monotonic(), 0, Counter[str]()
    for done, seed in enumerate(range(asked.seed, asked.seed + asked.walks), 1):
        try:
            seen += walk(seed)
        except Broken as found:
            wrong += 1
            say(f"FAILED {found}")
            if asked.mutant:
                break
        if done % LINE_EVERY == 0:
            say(f"{done} walks, {wrong} failed, {time.monotonic() - began:.0f} s")
    for what, count in sorted(seen.items()):
        say(f"  {count:7} {what}")
    say(f"{done} walks in {time.monotonic() - began:.0f} s, {wrong} failed")
    return 1 if wrong else 0


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the campaign's report, for a person


if __name__ == "__main__":
    sys.exit(main())
