"""Processes that all want the same journal at once: never do two have it.

    .venv/bin/python -m tests.lock_campaign --processes 20000 --seed 1

Each takes the lock of a journal as a daemon does, and while it has it, it is alone with a file that
only one can make. Some are killed while they have it; some leave a child behind; now and then the
file of the lock is swept away, after which a holder must notice before it writes.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from events.errors import JournalLocked
from events.lock import FileLock

AT_ONCE = 40
HOLD_S = 0.003
OUTCOMES = ("had it", "refused", "killed", "noticed", "TWO")


def race(folder: Path, processes: int, seed: int, *, is_locked: bool = True) -> Counter[str]:
    """Let so many processes race in `folder`; return what became of them.

    The negative control: where nothing `is_locked`, they do meet.
    """
    chance, tally = random.Random(seed), Counter[str]()
    for start in range(0, processes, AT_ONCE):
        children = {}
        for number in range(start, min(processes, start + AT_ONCE)):
            child = os.fork()
            if not child:
                _one(folder, random.Random(f"{seed}-{number}"), is_locked=is_locked)
            children[child] = number
        if chance.random() < 1 / 5:
            (folder / "journal.db.lock").unlink(missing_ok=True)
        for child in children:
            _, status = os.waitpid(child, 0)
            tally[OUTCOMES[2] if os.WIFSIGNALED(status) else OUTCOMES[os.WEXITSTATUS(status)]] += 1
    return tally


def _one(folder: Path, chance: random.Random, *, is_locked: bool) -> None:
    """Be one of them, and end with what became of it."""
    end = 4
    try:
        end = _try(folder, chance, is_locked=is_locked)
    finally:
        os._exit(end)


def _try(folder: Path, chance: random.Random, *, is_locked: bool) -> int:
    time.sleep(chance.random() * HOLD_S)
    try:
        lock = FileLock(folder / "journal.db.lock") if is_locked else None
    except JournalLocked:
        return 1
    if chance.random() < 1 / 10 and not os.fork():
        # A child without the program of its parent's goes on for a while with what it inherited.
        time.sleep(2 * HOLD_S)
        os._exit(0)
    for _ in range(3):
        try:
            if lock is not None:
                lock.assert_held()
        except OSError:
            return 3
        if not _is_alone(folder, lock):
            return 4
        if chance.random() < 1 / 10:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(chance.random() * HOLD_S)
    return 0


def _is_alone(folder: Path, lock: FileLock | None) -> bool:
    """Write what only one may be writing who has that lock, as a turn does.

    Between the look at the lock and the write somebody may sweep the file away: then it is SQLite's
    own lock, and the row that must follow the last one, that keep two writers apart.
    """
    inode = (folder / "journal.db.lock").stat().st_ino if lock is not None else 0
    name = folder / f"writing-{inode}"
    try:
        fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    os.close(fd)
    time.sleep(HOLD_S / 10)
    name.unlink()
    return True


def main() -> int:
    """Race as often as asked; 1 when two had the journal or when, unlocked, none met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        locked = race(Path(folder), asked.processes, asked.seed)
        control = race(Path(folder), AT_ONCE, asked.seed, is_locked=False)
    print(json.dumps({"locked": locked, "control": control}))  # noqa: T201 - the answer
    return 1 if locked["TWO"] or not control["TWO"] else 0


if __name__ == "__main__":
    sys.exit(main())
