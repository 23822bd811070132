"""Kills of a process that writes a journal, SIGKILL at a random moment, on the same one again.

    .venv/bin/python -m tests.power.kills --kills 20000

Nothing that was said to be durable may be gone, and the next writer goes on with what is left. This
is what a kill does to the file, without the time a whole daemon takes to start: what it does to
orders and books is in tests/kill_campaign.py. It says nothing about the power, for what a process
has handed to the kernel outlives it.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
from pathlib import Path

from tests.power.forked import TURNS, Writer
from tests.power.left import Left, Tally, written_in
from tests.power.writer import TOO_EARLY, write

RUN_S = 0.02
KILLS_A_JOURNAL = 10


def kill(folder: Path, kills: int, seed: int, synchronous: str = "FULL") -> Tally:
    """Kill so many writers; every tenth begins a journal, the others go on with the last one's."""
    chance, tally = random.Random(seed), Tally()
    # What is written depends on the event's number alone: every writer writes the same.
    with Path(os.devnull).open("wb") as nobody:
        asyncio.run(write(folder / "all.db", seed, TURNS, "OFF", nobody.fileno()))
    written = written_in(folder / "all.db")
    for number in range(kills):
        journal = folder / f"{number // KILLS_A_JOURNAL}.db"
        with Writer(journal, seed + number, synchronous) as writer:
            writer.work(chance.random() * RUN_S)
            writer.kill()
            said = writer.said
        if said:
            tally.judge(journal, said, written)
        else:
            tally.gone(said)  # It did not go on with what was left.
        if (number + 1) % KILLS_A_JOURNAL == 0:
            for file in folder.glob(f"{journal.name}*"):
                file.unlink()
    return tally


def main() -> int:
    """Kill as often as asked; 1 where it did harm, or, of writers that speak too early, none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--too-early", action="store_true", help="the negative control")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        synchronous = TOO_EARLY if asked.too_early else "FULL"
        tally = kill(Path(folder), asked.kills, asked.seed, synchronous)
    print(f"kills of a writer{', too early' * asked.too_early}: {tally}")  # noqa: T201 - what it is for
    return int((tally.left[Left.WHOLE] == asked.kills) is asked.too_early)


if __name__ == "__main__":
    sys.exit(main())
