"""Clocks that are set, machines that sleep, days of 23 and 25 hours: what is due is done once.

More walks than the test suite has time for: `python -m tests.time --walks 1000`.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.time import oracle
from tests.time.mutants import MUTANTS
from tests.time.walk import calendar_until, walk

ROOT = Path(__file__).parents[2]
WALKS = 12
CONTROL_WALKS = 40
PATIENCE_S = 600
BEFELL = (
    *("set ahead", "set back", "slept", "restarted", "jumps noticed", "lifted", "calendar ends"),
    *("orders", "schedules fired", "days ended", "records before their forerunner"),
)
"""What must have been met at least once: else the walks have shown nothing."""


def test_whatever_befalls_the_clock_what_is_due_each_day_is_done_once_and_never_left_out() -> None:
    seen = Counter[str]()
    for seed in range(1, WALKS + 1):
        seen += walk(seed)
    assert {what for what in BEFELL if not seen[what]} == set()


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_daemon_that_goes_by_less_is_found_out(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.time", "--walks", str(CONTROL_WALKS), "--mutant", name],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "again: python -m tests.time --seed " in done.stdout


def test_the_calendar_has_new_yorks_days_and_hours_as_they_are_worked_out_by_hand() -> None:
    known = [
        (each.day, each.open, each.close)
        for each in calendar_until(oracle.SESSIONS[-1].closes).sessions
    ]
    worked_out = [(each.day, each.opens, each.closes) for each in oracle.SESSIONS]
    assert known == worked_out[: len(known)]
    assert len(known) > 250
