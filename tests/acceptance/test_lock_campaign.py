"""Two thousand processes race for one journal, and never do two have it."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROCESSES = 2_000


def test_never_do_two_processes_have_the_journal() -> None:
    words = [sys.executable, "-m", "tests.lock_campaign", "--processes", str(PROCESSES)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert sum(found["locked"].values()) == PROCESSES
    assert "TWO" not in found["locked"]
    # What is tried did happen: some had it, some died with it, some lost its file.
    assert min(found["locked"].get(what, 0) for what in ("had it", "killed", "noticed")) > 0
    # The negative control: without the lock they meet.
    assert found["control"]["TWO"] > 0
