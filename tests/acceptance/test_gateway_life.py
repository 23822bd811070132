"""Three simulated days of the daemon at the gateway: it needs no more memory for them.

`python -m tests.gateway_life` lives a week, or a month, and prints each day.
"""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.gateway_life import CACHE_MB, Look

ROOT = Path(__file__).parents[2]
PATIENCE_S = 900
"""It takes 30 s of processor, whatever else the machine does."""


@pytest.fixture(scope="module")
def looks() -> list[Look]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.gateway_life", "--days", "3", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.stdout, done.stderr
    return msgspec.json.decode(done.stdout, type=list[Look])


def test_it_has_traded_and_talked_to_the_gateway_all_the_while(looks: list[Look]) -> None:
    first, _, last = looks
    assert last.orders > first.orders > 0
    assert last.events > first.events + 2_000


def test_what_is_resident_stays_what_it_was_after_a_day(looks: list[Look]) -> None:
    first, _, last = looks
    assert last.memory_mb - first.memory_mb < 1.0


def test_neither_c_nor_python_has_more_than_some_orders_need(looks: list[Look]) -> None:
    # An order costs some 40 pieces; circles that nobody swept up were 3,000 in two days.
    first, _, last = looks
    assert last.own_mb - first.own_mb < 0.2
    assert last.blocks - first.blocks < 2_000
    assert max(each.objects for each in looks) < 3_000


def test_what_sqlite_keeps_is_bounded_and_no_file_stays_open(looks: list[Look]) -> None:
    first, _, last = looks
    assert max(each.cache_mb for each in looks) <= CACHE_MB
    assert last.files == first.files
