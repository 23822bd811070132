"""A process that writes a journal until it is stopped, and says what is durable, event by event.

    python -m tests.power.writer JOURNAL SEED TURNS SYNCHRONOUS

Every line `at N` says that event N is durable. SYNCHRONOUS is FULL, which is what a journal is
opened with, or, for the negative controls, what it is set to behind the journal's back; one that is
`TOO_EARLY` says its word before it has written.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from events.journal import Journal
from tests.builders import a_bar, records
from tests.journals import OPENED, writing

TURN_EVENTS_MAX = 12
TOO_EARLY = "TOO EARLY"
FOLD_EVERY_TURNS = 20
"""How often, in the mean, the write-ahead log is folded back."""


async def write(path: Path, seed: int, turns: int, synchronous: str, says: int) -> None:
    """Write `turns` turns to the journal at `path`, and say what is durable to the file `says`."""
    chance = random.Random(seed)
    async with writing(path) as journal:
        if synchronous not in {"FULL", TOO_EARLY}:
            connection = journal._connection  # noqa: SLF001 - nothing of ours offers to weaken it
            await connection.execute(f"PRAGMA synchronous = {synchronous}")
        if not journal.head.seq:
            await journal.append(list(records(OPENED)))
        for _ in range(turns):
            size = chance.randrange(1, TURN_EVENTS_MAX)
            if synchronous == TOO_EARLY:
                say(journal.head.seq + size, says)
            await append(journal, size)
            say(journal.head.seq, says)
            if chance.randrange(FOLD_EVERY_TURNS) == 0:
                await journal.checkpoint()


def say(seq: int, says: int) -> None:
    os.write(says, f"at {seq}\n".encode())


async def append(journal: Journal, size: int) -> None:
    first = journal.head.seq + 1
    bars = [a_bar(str(seq)) for seq in range(first, first + size)]
    await journal.append(list(records(*bars, first=first)))


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], 1))
