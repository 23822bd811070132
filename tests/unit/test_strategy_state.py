"""What a strategy holds is there again after a restart, from the snapshot or from the journal.

From the journal where it is what JSON cannot hold; that is said.
"""

from pathlib import Path

import msgspec
import pytest

from daemon.history.code_hash import fold_code_hash
from projections import snapshot
from tests.small_runs import BUY, TREND, OwnStrategy, Place, Table, everything

COUNTS_REFUSALS = """
    def on_refusal(self, refusal, view):
        self.mean = float("nan")
        self.refused += 1
"""


def write(own: OwnStrategy, field: str, do: str = BUY, method: str = "") -> None:
    """Write the strategy with one more field, and perhaps one more method."""
    own.write(do)
    path = own.folder / f"{own.module}.py"
    source = path.read_text(encoding="utf-8")
    known = "bars: int = 0"
    path.write_text(source.replace(known, f"{known}\n    {field}") + method, encoding="utf-8")


def both(own: OwnStrategy, **params: object) -> dict[str, Table]:
    return {"trend": TREND, "own": own.table(**params)}


def kept(place: Place) -> set[str]:
    """Return the strategies that the newest snapshot has."""
    content = place.snapshot_files()[-1].read_bytes()
    return set(snapshot.decode(content, fold_code_hash()).strategies)


def notices(place: Place) -> list[str]:
    return list(place.prepared.notices)


BECOMES = [
    ("mean: float = 0.0", 'float("nan")'),
    ("mean: float = 0.0", 'float("-inf")'),
    ("mean: float | None = None", 'float("nan")'),
    ("mean: list[float] = []", '[1.0, float("inf")]'),
    ("mean: object = None", "bar"),
    ("mean: object = None", "{(1, 2): 3}"),
    ("mean: object = None", "Path('/')"),
    ("mean: int = 0", "'a word'"),
]


@pytest.mark.parametrize(("field", "value"), BECOMES)
def test_what_json_cannot_hold_is_made_again_from_the_journal_and_said(
    place: Place, own: OwnStrategy, field: str, value: str
) -> None:
    write(own, field, f"self.mean = {value}\n{BUY}")
    place.run(both(own))
    seq = place.rows()[-1][0]
    assert kept(place) == {"trend"}
    whole = place.recover(from_snapshot=False)
    again = place.recover(from_snapshot=True)
    assert again.snapshot_seq == seq
    assert everything(again) == everything(whole)
    held, expected = (
        repr(next(run.strategy for run in each.runs if run.name == "own"))
        for each in (again, whole)
    )
    assert held == expected
    (notice,) = again.notices
    assert notice.startswith(f"strategy own does not come back from the snapshot at {seq}: ")
    assert again.differences == []


def test_a_run_goes_on_behind_it_as_if_it_had_never_stopped(
    place: Place, own: OwnStrategy, tmp_path: Path
) -> None:
    write(own, "mean: float = 0.0", f'self.mean = float("nan")\n{BUY}')
    end = place.run(both(own), 60)
    stopped = place.cut(1, tmp_path / "stopped")  # Event 1 is the journal's identity.
    for minutes in (25, 40, 60):
        outcome = stopped.run(both(own), minutes)
    assert notices(stopped)[0].startswith("strategy own does not come back from the snapshot")
    assert outcome.state_hash == end.state_hash
    assert outcome.state.holds.active == {}


def test_what_it_was_told_besides_bars_is_made_again_too(place: Place, own: OwnStrategy) -> None:
    # A hundred shares an order are allowed: each of the four is refused.
    write(own, "mean: float = 0.0\n    refused: int = 0", BUY, COUNTS_REFUSALS)
    place.run(both(own, size=500))
    assert kept(place) == {"trend"}
    again = place.recover(from_snapshot=True)
    (strategy,) = (run.strategy for run in again.runs if run.name == "own")
    assert msgspec.to_builtins(strategy)["refused"] == 4


def test_once_json_can_hold_it_again_snapshots_do(place: Place, own: OwnStrategy) -> None:
    word = 'self.mean = float("nan") if self.bars < 50 else 1.0'
    write(own, "mean: float = 0.0", f"{word}\n{BUY}")
    place.run(both(own), 20)
    assert kept(place) == {"trend"}
    place.run(both(own), 40)
    assert len(notices(place)) == 1
    assert kept(place) == {"trend", "own"}
    place.run(both(own), 60)
    assert notices(place) == []


def test_other_code_starts_afresh_and_nothing_is_said_of_what_the_old_held(
    place: Place, own: OwnStrategy
) -> None:
    write(own, "mean: float = 0.0", f'self.mean = float("nan")\n{BUY}')
    place.run(both(own))
    write(own, "mean: float = 0.0")
    place.run(both(own), 60)
    assert notices(place) == []
    assert kept(place) == {"trend", "own"}
