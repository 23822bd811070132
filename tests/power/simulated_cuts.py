"""Power cuts made up from what a real writer asked of its disk, as many as one has time for.

    .venv/bin/python -m tests.power.simulated_cuts --cuts 1000000 --seed 1

The same seed is the same cut of the same writer's steps. What is written is told in one line, then
the same with durability weakened behind the journal's back: these must lose events.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from events.journal import Journal
from tests.builders import a_bar, records
from tests.power.left import Left, Tally, written_in
from tests.power.recorded_disk import JOURNAL, Disk, Said, Step, record, why_not

TURNS = 80
"""What one recorded writer writes: cuts of it differ in where and in what is left."""
CUTS_A_RECORDING = 2_000
WRITE_ON_EVERY_CUTS = 50


def cut(
    where: Path, cuts: int, seed: int, synchronous: str = "FULL", *, lies: bool = False
) -> Tally:
    """Cut the power of a writer `cuts` times; scratch files are made in `where`.

    Raises:
        JournalError: ours does not go on with what a cut has left whole.
    """
    tally = Tally()
    for begin in range(0, cuts, CUTS_A_RECORDING):
        chance = random.Random(seed + begin)
        with tempfile.TemporaryDirectory(dir=where) as made:
            folder = Path(made)
            steps = record(folder, seed + begin, TURNS, synchronous)
            written = written_in(folder / JOURNAL)
            for said in _cuts(
                folder, steps, min(CUTS_A_RECORDING, cuts - begin), chance, lies=lies
            ):
                tally.judge(folder / JOURNAL, said, written)
                if tally.cuts % WRITE_ON_EVERY_CUTS == 0 and synchronous == "FULL" and not lies:
                    asyncio.run(_write_on(folder / JOURNAL))
    return tally


def _cuts(
    folder: Path, steps: list[Step], count: int, chance: random.Random, *, lies: bool
) -> Iterator[int]:
    """Yield the last event said to be durable, of so many cuts, while `folder` is what is left."""
    first = next(number for number, step in enumerate(steps) if isinstance(step, Said))
    disk, followed = Disk(lies=lies), 0
    for stop in sorted(chance.randrange(first, len(steps)) for _ in range(count)):
        for step in steps[followed : stop + 1]:
            disk.follow(step)
        followed = stop + 1
        for path in folder.iterdir():
            path.unlink()
        disk.cut(folder, chance)
        yield disk.said


async def _write_on(journal: Path) -> None:
    """Open what is left as a start does, and go on: nothing may stand in the way of that."""
    writer = await Journal.open(journal)
    try:
        seq = writer.head.seq + 1
        await writer.append(list(records(a_bar(str(seq)), first=seq)))
    finally:
        await writer.close()


def main() -> int:
    """Cut as often as asked; 1 where a cut did harm or a control none, 3 where nothing is tried."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--where", type=Path, help="a folder in memory, or it takes for ever")
    asked = parser.parse_args()
    if reason := why_not():
        say(f"inconclusive: {reason}; nothing was tried")
        return 3
    full = cut(asked.where, asked.cuts, asked.seed)
    say(f"synchronous FULL: {full}")
    is_good = full.left[Left.WHOLE] == asked.cuts
    for synchronous in ("NORMAL", "OFF"):
        control = cut(asked.where, min(asked.cuts, 400), asked.seed, synchronous)
        say(f"control, {synchronous}: {control}")
        is_good = is_good and control.harmed > 0 and control.unnoticed == 0
    lying = cut(asked.where, min(asked.cuts, 400), asked.seed, lies=True)
    say(f"control, a disk that lies: {lying}")
    return 0 if is_good and lying.harmed else 1


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the campaign is for


if __name__ == "__main__":
    sys.exit(main())
