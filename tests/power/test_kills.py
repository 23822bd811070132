"""A process killed while it writes the journal has lost nothing that it said was durable."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory; what is made in it is gone at the end


def kills(*words: str) -> None:
    """Let a process of its own kill: this one has threads, which no fork should have."""
    place = {"TMPDIR": str(MEMORY)} if MEMORY.is_dir() else {}
    command = [sys.executable, "-m", "tests.power.kills", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_kill_takes_what_was_said_to_be_durable_and_the_next_writer_goes_on() -> None:
    kills("--kills", "1000")


def test_a_writer_that_speaks_too_early_is_found() -> None:
    kills("--kills", "20", "--too-early")
