"""The real daemon through simulated trading days, and daemons with a promise less, found out.

More days than the test suite has time for: `python -m tests.simulation --days 10000`.
"""

import os
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from tests.simulation.campaign import drills, worlds
from tests.simulation.mutants import MUTANTS
from tests.simulation.world import DAYS_A_WORLD, every_moment, simulate

ROOT = Path(__file__).parents[2]
DAYS = 200
FIRST_SEED = 1
LOSES_ITS_PERMIT = 102
"""A seed whose journal has the name of a file in it."""
DRILL_SEED = 3
JOBS = 2
WAIT_S = 1_200.0
"""For a process that may have to share the machine with many."""
STRIKES = (
    "a write failed",
    "at the broker: corrections",
    "at the broker: over-fills",
    "at the broker: rejections that were none",
    "at the broker: trades by hand",
    "broker raised",
    "clock set",
    "command during a write",
    "command with the bars",
    "connection lost",
    "disk: it says it failed, and it is there",
    "disk: nothing is written",
    "disk: the rows are there, the witness is not",
    "killed before an order leaves",
    "killed while it was down",
    "killed before the commit",
    "killed before the turn is written",
    "killed behind an order that left",
    "killed behind the commit",
    "killed behind the witness",
    "killed between two callbacks",
    "list that did not end",
    "permit removed",
    "power cut on a disk that lies",
    "report doubled",
    "report late or out of order",
    "report lost",
    "sent into a broken wire",
    "snapshot spoilt",
    "stopped",
    "suspended",
)
"""What must have struck at least once in so many days: else they have shown nothing."""


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )


def test_two_hundred_days_keep_every_promise_whatever_strikes() -> None:
    struck: Counter[str] = Counter()
    for outcome in worlds(FIRST_SEED, DAYS // DAYS_A_WORLD, JOBS):
        assert outcome.broken == ""  # It names the seed, and the command that repeats it.
        struck.update(outcome.struck)
    assert {what for what in STRIKES if not struck[what]} == set()
    assert struck["at the broker: orders"] > 10 * DAYS, "hardly anything was traded"


def test_a_seed_makes_the_same_journal_to_the_byte_in_processes_that_hash_otherwise() -> None:
    once, again = (run("--seed", str(LOSES_ITS_PERMIT), PYTHONHASHSEED=salt) for salt in ("1", "2"))
    assert once.returncode == 0, once.stdout + once.stderr
    (journal,) = (line for line in once.stdout.splitlines() if line.startswith("journals: "))
    assert journal in again.stdout
    here, other = (simulate(seed).digest for seed in (LOSES_ITS_PERMIT, LOSES_ITS_PERMIT + 1))
    assert journal == f"journals: {sha256(here).hexdigest()}"
    assert here != other


def test_a_process_may_die_at_any_moment_of_an_hours_trading() -> None:
    struck: Counter[str] = Counter()
    for outcome in drills(DRILL_SEED, list(every_moment(DRILL_SEED, stride=8)), JOBS):
        assert outcome.broken == ""
        killed = [what for what in outcome.struck if what.startswith("killed")]
        assert len(killed) == 1, "it was to die"
        struck.update(killed)
    assert struck["killed between two callbacks"] > 20
    assert len(struck) > 5, "it died at too few kinds of places"


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_daemon_with_a_promise_less_is_found_out(name: str) -> None:
    found = run("--mutant", name, "--seed", str(FIRST_SEED), "--days", str(DAYS))
    assert found.returncode == 1, found.stdout + found.stderr
    assert "again: python -m tests.simulation --seed " in found.stdout
