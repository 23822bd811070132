"""Power cuts in the middle of an archiving and of a restore, on a file system of its own.

    .venv/bin/python -m tests.power.keeping_cuts --cuts 40 [--no-syncs]

A journal whose every event was acknowledged is archived, or restored from a backup, while the file
system is told to drop all that it has not written. What is left then must open as at a start, or be
refused with what to do; and after archiving once more, or restoring once more, every event is there
and the chain comes to its end. With --no-syncs, the control, nothing is made durable on purpose:
then it must harm at least once. Inconclusive without root and a loop device, as `real_cuts`.
"""

import argparse
import asyncio
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from daemon.keeping.archiving import NothingToSeal, archive
from daemon.keeping.bundle import pack
from daemon.keeping.copying import copy_from_outside, copy_path, remove_copy
from daemon.keeping.restoring import restore
from events.errors import JournalError
from events.journal import Journal, JournalReader
from events.segments import segments_path
from events.witness import read_witness, witness_path
from tests.campaigns import INCONCLUSIVE
from tests.journals import a_story, raw_rows, write
from tests.mounts import in_a_namespace_of_its_own, mounted
from tests.power import real_cuts

EVENTS = 6_000
FILE_SYSTEM = "ext4"
NOW = datetime(2024, 1, 2, tzinfo=UTC)


def main() -> int:
    """Cut as often as asked; 1 where it did harm (the control: none), 3 where nothing was tried."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-syncs", action="store_true")
    asked = parser.parse_args()
    if reason := real_cuts.why_not(FILE_SYSTEM) or in_a_namespace_of_its_own():
        say(f"inconclusive: {reason}; nothing was tried")
        return INCONCLUSIVE
    with tempfile.TemporaryDirectory() as folder:
        harm = _cuts(Path(folder), asked.cuts, random.Random(asked.seed), syncs=not asked.no_syncs)
    say(f"{FILE_SYSTEM}, {'no ' if asked.no_syncs else ''}syncs: {asked.cuts} cuts, {harm} harmful")
    return int(bool(harm) is not asked.no_syncs)


def _cuts(folder: Path, cuts: int, chance: random.Random, *, syncs: bool) -> int:
    made = folder / "made" / "journal.db"
    made.parent.mkdir()
    asyncio.run(write(made, *a_story(bars=EVENTS)))
    backup = folder / "backup.tar.gz"
    copy_from_outside(made, lambda _: None)
    pack(copy_path(made), segments_path(made), read_witness(witness_path(made)), {}, NOW, backup)
    remove_copy(made)
    rows = raw_rows(made)
    image, root = folder / "image", folder / "mounted"
    with image.open("wb") as file:
        file.truncate(real_cuts.IMAGE_BYTES)
    subprocess.run([f"mkfs.{FILE_SYSTEM}", "-q", "-F", image], check=True)
    words = ("-o", "loop", str(image))
    harmful = 0
    longest: dict[bool, float] = {}
    for number in range(cuts):
        place, restores = root / str(number) / "journal.db", bool(number % 2)
        with mounted(root, *words):
            shutil.copytree(made.parent, place.parent)
            os.sync()
            # The first of each is let run to its end, for how long one takes.
            span = longest.get(restores)
            wait = None if span is None else chance.random() * span * 1.2
            took = _cut(place, root, backup if restores else None, wait, syncs=syncs)
            longest.setdefault(restores, took)
        with mounted(root, *words):
            if wrong := _wrong(place, backup if restores else None, rows):
                harmful += 1
                say(f"cut {number}, {'restore' if restores else 'archiving'}: {wrong}")
            shutil.rmtree(place.parent)
    return harmful


def _cut(
    journal: Path, root: Path, backup: Path | None, wait: float | None, *, syncs: bool
) -> float:
    """Cut the power so long after it was begun, or at its end; return how long it went on."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        with Path(os.devnull).open("w") as nobody:
            os.dup2(nobody.fileno(), 2)
        try:
            if not syncs:
                os.fsync = lambda fd: None  # noqa: ARG005 - as the real one
            _do(journal, backup)
        except BaseException:  # noqa: BLE001 - the cut itself makes it fail, and so may a mistake
            os._exit(1)
        os._exit(0)
    if wait is None:
        _, status = os.waitpid(child, 0)
        assert status == 0, "it failed before anybody cut anything"
    else:
        time.sleep(wait)
    took = time.monotonic() - began
    opened = os.open(root, os.O_RDONLY)
    fcntl.ioctl(opened, real_cuts.SHUTDOWN, struct.pack("I", real_cuts.WITHOUT_FLUSHING))
    os.close(opened)
    if wait is not None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return took


def _do(journal: Path, backup: Path | None) -> None:
    if backup is None:
        archive(journal)
    else:
        restore(backup, journal, by="ann", why="a cut", accept_loss=True, now=NOW)


def _wrong(journal: Path, backup: Path | None, rows: Sequence[tuple[object, ...]]) -> str:
    """Start on what is left, and say what is wrong with it; nothing where nothing is."""
    try:
        try:
            asyncio.run(_opened(journal))
        except JournalError as error:
            # Between old and new there may be none: then the next start says what to do.
            if backup is None or not error.hint:
                return f"a start is refused: {error.args[0]}"
            _do(journal, backup)
        with suppress(NothingToSeal):
            archive(journal)
        with JournalReader(journal) as reader:
            if findings := reader.check():
                return findings[0].what
            if list(reader.rows(upto=len(rows))) != list(rows):
                return "not every event is there"
    except (JournalError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


async def _opened(journal: Path) -> None:
    await (await Journal.open(journal)).close()


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the campaign is for


if __name__ == "__main__":
    sys.exit(main())
