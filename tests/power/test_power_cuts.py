"""A power cut takes nothing from a journal that was said to be durable; weaker settings lose it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaigns import INCONCLUSIVE
from tests.power import recorded_disk, simulated_cuts
from tests.power.left import Left

ROOT = Path(__file__).parents[2]
SIMULATED_CUTS, REAL_CUTS, CONTROL_CUTS = 10_000, {"ext4": 100, "xfs": 50}, 100
WEAKER = ["NORMAL", "OFF"]
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory; what is made in it is gone at the end


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    if reason := recorded_disk.why_not():
        pytest.skip(f"inconclusive, no cut was made up: {reason}")
    return MEMORY if MEMORY.is_dir() else tmp_path


def test_no_cut_takes_what_was_durable_and_ours_goes_on_with_what_is_left(scratch: Path) -> None:
    tally = simulated_cuts.cut(scratch, SIMULATED_CUTS, seed=1)
    assert tally.left == {Left.WHOLE: SIMULATED_CUTS}, str(tally)
    assert tally.events_said > SIMULATED_CUTS


@pytest.mark.parametrize("synchronous", WEAKER)
def test_with_weaker_settings_the_same_cuts_lose_events_and_ours_notices_each(
    synchronous: str, scratch: Path
) -> None:
    tally = simulated_cuts.cut(scratch, CONTROL_CUTS, seed=1, synchronous=synchronous)
    assert tally.harmed > 0, str(tally)
    assert tally.unnoticed == 0, str(tally)


def test_a_disk_that_lies_about_its_syncs_loses_events(scratch: Path) -> None:
    """No process can prevent it: a backup on another host is what there is against it."""
    tally = simulated_cuts.cut(scratch, CONTROL_CUTS, seed=1, lies=True)
    assert tally.harmed > 0, str(tally)


def test_the_same_seed_is_the_same_cut(scratch: Path) -> None:
    first, again = (
        simulated_cuts.cut(scratch, CONTROL_CUTS, seed=2, synchronous="OFF") for _ in range(2)
    )
    assert first == again


def real(file_system: str, cuts: int, synchronous: str) -> None:
    """Let the campaign's own process mount and cut: what it mounts ends with it."""
    words = [sys.executable, "-m", "tests.power.real_cuts", "--file-system", file_system]
    words += ["--cuts", str(cuts), "--synchronous", synchronous]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == INCONCLUSIVE:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file_system", REAL_CUTS)
def test_a_real_file_system_keeps_it_too(file_system: str) -> None:
    real(file_system, REAL_CUTS[file_system], "FULL")


@pytest.mark.parametrize("synchronous", WEAKER)
def test_a_real_file_system_loses_it_with_weaker_settings(synchronous: str) -> None:
    real("ext4", 12, synchronous)


@pytest.mark.parametrize("words", [(), ("--no-syncs",)], ids=["synced", "control"])
def test_a_cut_while_archiving_or_restoring_loses_nothing_unless_nothing_is_synced(
    words: tuple[str, ...],
) -> None:
    module = [sys.executable, "-m", "tests.power.keeping_cuts", "--cuts", "6", *words]
    done = subprocess.run(module, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == INCONCLUSIVE:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
