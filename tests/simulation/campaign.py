"""Many worlds, one seed after the other, in as many processes as there are cores to spare."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import msgspec

from tests.simulation.invariants import Violation
from tests.simulation.mortal import Death
from tests.simulation.world import SAME_MONTH, World, drill, simulate


class Outcome(msgspec.Struct, frozen=True):
    """What a world came to; `broken` is the promise that was broken, empty: none."""

    broken: str = ""
    events: int = 0
    digest: bytes = b""
    struck: Counter[str] = Counter()


def worlds(first: int, count: int, jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes of `count` seeds from `first` on, in their order."""
    seeds = range(first, first + count)
    if jobs == 1:
        yield from map(world_of, seeds)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(world_of, seeds, chunksize=min(SAME_MONTH, -(-count // jobs)))


def drills(seed: int, deaths: list[Death], jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes of a seed's drill with each of `deaths`."""
    if jobs == 1:
        yield from map(partial(drill_of, seed), deaths)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(partial(drill_of, seed), deaths, chunksize=10)


def world_of(seed: int) -> Outcome:
    """Run a seed's world."""
    try:
        return _outcome(simulate(seed))
    except Violation as found:
        return Outcome(str(found))


def drill_of(seed: int, death: Death) -> Outcome:
    """Run a seed's drill with one death."""
    try:
        return _outcome(drill(seed, death))
    except Violation as found:
        return Outcome(str(found))


def _outcome(world: World) -> Outcome:
    struck = world.struck + Counter(
        {f"at the broker: {what}": count for what, count in world.venue.counts.items()}
    )
    return Outcome("", world.invariants.seq, world.digest, struck)
