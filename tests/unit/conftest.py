"""What the tests of restarts begin with: an empty place, and a strategy of the user's own in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.small_runs import BUY, OwnStrategy, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


@pytest.fixture
def own(place: Place) -> Iterator[OwnStrategy]:
    """Return a strategy that buys a share of A every ten minutes."""
    made = OwnStrategy(place.folder, BUY)
    yield made
    made.forget()
