"""Power cuts in a real kernel: a file system of its own, shut down as a power cut does.

    .venv/bin/python -m tests.power.real_cuts --file-system ext4 --cuts 2000

The file system lies in a file; a writer of the journal runs on it until the file system is told to
drop all that it has not written. Then it is mounted again, as after a power cut, and what is left
of the journal is judged. It takes root and a loop device, in a mount namespace of its own, so that
nothing is left mounted. Without them it is inconclusive, and says so.
"""

import argparse
import asyncio
import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.campaigns import INCONCLUSIVE
from tests.mounts import in_a_namespace_of_its_own, mounted
from tests.power.forked import TURNS, Writer
from tests.power.left import Left, Tally, written_in
from tests.power.writer import write

SHUTDOWN = 0x8004587D
"""The request that drops all that is not written; of XFS by origin, ext4 knows it too."""
WITHOUT_FLUSHING = 2
IMAGE_BYTES = 320 * 2**20
JOURNAL = "journal.db"
RUN_S = 0.15


def why_not(file_system: str) -> str:
    """Return what is missing on this machine to try it; nothing where nothing is."""
    if shutil.which(f"mkfs.{file_system}") is None:
        return f"mkfs.{file_system} is not installed"
    if not Path("/dev/loop-control").exists():
        return "there is no loop device"
    return ""


def cut(folder: Path, file_system: str, cuts: int, seed: int, synchronous: str = "FULL") -> Tally:
    """Cut the power of a writer on `file_system` so many times; scratch files are in `folder`."""
    chance, tally = random.Random(seed), Tally()
    # What is written depends on the event's number alone: every writer writes the same.
    with Path(os.devnull).open("wb") as nobody:
        asyncio.run(write(folder / "all.db", seed, TURNS, "OFF", nobody.fileno()))
    written = written_in(folder / "all.db")
    image, root = folder / "image", folder / "mounted"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    quiet = ["-q", "-F"] if file_system == "ext4" else ["-q"]
    subprocess.run([f"mkfs.{file_system}", *quiet, image], check=True)
    words = ("-o", "loop", str(image))
    for number in range(cuts):
        place = root / str(number)
        with mounted(root, *words):
            place.mkdir()
            said = _cut(place / JOURNAL, root, seed + number, synchronous, chance)
        with mounted(root, *words):
            if place.exists() and (place / JOURNAL).exists():
                tally.judge(place / JOURNAL, said, written)
                shutil.rmtree(place)
            else:
                tally.gone(said)
    return tally


def _cut(journal: Path, root: Path, seed: int, synchronous: str, chance: random.Random) -> int:
    """Cut the power under a writer; return the last event that was said to be durable before."""
    with Writer(journal, seed, synchronous) as writer:
        writer.work(chance.random() * RUN_S)
        # Only what was heard before the cut counts: a word in the pipe may be spoken after it.
        said = writer.said
        opened = os.open(root, os.O_RDONLY)
        fcntl.ioctl(opened, SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING))
        os.close(opened)
    return said


def main() -> int:
    """Cut as often as asked; 1 where it did harm (a control: none), 3 where nothing was tried."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file-system", choices=["ext4", "xfs"], default="ext4")
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--synchronous", choices=["FULL", "NORMAL", "OFF"], default="FULL")
    asked = parser.parse_args()
    if reason := why_not(asked.file_system) or in_a_namespace_of_its_own():
        say(f"inconclusive: {reason}; nothing was tried")
        return INCONCLUSIVE
    with tempfile.TemporaryDirectory() as folder:
        tally = cut(Path(folder), asked.file_system, asked.cuts, asked.seed, asked.synchronous)
    say(f"{asked.file_system}, synchronous {asked.synchronous}: {tally}")
    if asked.synchronous == "FULL":
        return 0 if tally.left[Left.WHOLE] == asked.cuts else 1
    return 0 if tally.harmed and not tally.unnoticed else 1


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the campaign is for


if __name__ == "__main__":
    sys.exit(main())
