"""The real daemon on a disk that fails it: a sample of what `tests.disk_campaign` tries."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaigns import INCONCLUSIVE

ROOT = Path(__file__).parents[2]


def campaign(part: str, *words: str) -> None:
    """Let the campaign's own process break disks: what it mounts ends with it."""
    command = [sys.executable, "-m", "tests.disk_campaign", "--part", part, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == INCONCLUSIVE:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_first_call_that_fails_is_the_last_an_order_leaves_before() -> None:
    campaign("calls", "--rounds", "2")


def test_a_write_or_sync_of_a_backtest_that_fails_costs_nothing_that_was_acknowledged() -> None:
    campaign("every", "--every", "1000")


def test_a_build_that_goes_on_after_a_failed_append_is_found() -> None:
    campaign("control")


def test_writes_that_the_disk_takes_in_parts_change_nothing() -> None:
    campaign("short", "--every", "100")


def test_a_backtest_whose_files_may_not_grow_ends_and_goes_on_where_they_may() -> None:
    campaign("quota", "--rounds", "2")


def test_a_limit_on_files_ends_it_as_a_full_disk_does() -> None:
    campaign("limit", "--rounds", "1")


def test_a_full_disk_ends_it_and_still_takes_a_kill() -> None:
    campaign("full", "--rounds", "2")


def test_a_file_system_that_turns_read_only_ends_it() -> None:
    campaign("read-only", "--rounds", "1")


def test_a_disk_that_gets_low_is_said_at_first_and_then_holds_new_orders() -> None:
    campaign("guard")
