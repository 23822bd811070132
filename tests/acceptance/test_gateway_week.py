"""The first hours of the simulated week: `python -m tests.gateway_week` lives all of it."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.gateway_week import CACHE_MB, Look

pytestmark = pytest.mark.paced

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300


def test_a_daemon_at_the_gateway_occupies_in_the_evening_what_it_did_at_noon() -> None:
    # From seven in the morning of New York to midnight, the close and the night's restart included.
    done = subprocess.run(
        [sys.executable, "-m", "tests.gateway_week", "--days", "0.7", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.stdout, done.stderr
    looks = msgspec.json.decode(done.stdout, type=list[Look])
    first, last = looks[0], looks[-1]
    assert last.events > first.events
    assert last.memory_mb - first.memory_mb < 15
    assert 0 < first.cache_mb <= last.cache_mb <= CACHE_MB
    assert last.files <= first.files + 3
    assert max(each.of_ib_async for each in looks) < 500
    assert last.log_kb < 50
