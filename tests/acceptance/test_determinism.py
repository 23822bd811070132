"""The same configuration and the same bars give the same journal, row by row, in any process."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import traded

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "ops" / "demo" / "demo.toml"
JOURNAL = "demo-backtest.db"

Row = tuple[Any, ...]


def run(folder: Path, environment: dict[str, str], *settings: str) -> dict[str, Any]:
    """Run the demo's configuration with its state in `folder`; return what the run says of it."""
    folder.mkdir()
    words: list[str | Path] = ["run", "--config", CONFIG, "--output", folder / "outcome.json"]
    words += [word for setting in settings for word in ("--set", setting)]
    done = traded(*words, cwd=folder, variables={"STATE_DIRECTORY": str(folder), **environment})
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads((folder / "outcome.json").read_bytes())
    return said


def rows_of(folder: Path) -> list[Row]:
    """Return every row with every column, wall times and hashes included."""
    connection = sqlite3.connect(f"file:{folder / JOURNAL}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT * FROM event ORDER BY seq").fetchall()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Row]]:
    folder = tmp_path_factory.mktemp("determinism") / "first"
    said = run(folder, {"PYTHONHASHSEED": "1"})
    return said, rows_of(folder)


ELSEWHERE = {
    "TZ": "Australia/Lord_Howe",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "HOME": "/nowhere",
}
"""Half an hour of summer time, and files that are ASCII unless somebody says otherwise."""


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONHASHSEED": "2"}, {"PYTHONHASHSEED": "3", **ELSEWHERE}],
    ids=["other hash seed", "other time zone and locale"],
)
def test_another_process_writes_the_same_journal(
    environment: dict[str, str], first: tuple[dict[str, Any], list[Row]], tmp_path: Path
) -> None:
    said, rows = first
    assert run(tmp_path / "again", environment) == said
    again = rows_of(tmp_path / "again")
    assert (
        next((pair for pair in zip(rows, again, strict=True) if pair[0] != pair[1]), None) is None
    )
    assert len(rows) > 16_000


def test_deciding_again_comes_to_the_same(
    first: tuple[dict[str, Any], list[Row]], tmp_path: Path
) -> None:
    run(tmp_path / "run", {"PYTHONHASHSEED": "4"})
    words = ("replay", "--redecide", "--json", "--journal", tmp_path / "run" / JOURNAL)
    done = traded(*words, variables={"PYTHONHASHSEED": "5", **ELSEWHERE})
    assert done.returncode == 0, done.stderr
    replayed = json.loads(done.stdout)
    assert (replayed["different"], replayed["first_divergence"]) == (0, None)
    assert replayed["state_hash"] == first[0]["state_hash"]
    # All that is neither a bar nor another input: intents, answers of the gate, sendings and so on.
    decided = {"order.intended", "intent.approved", "intent.refused", "order.sending"}
    decided |= {"strategy.declined", "corporate-action.applied", "hold.placed", "hold.lifted"}
    decided |= {"reconcile.completed"}
    assert replayed["decisions"] == sum(row[2] in decided for row in first[1]) > 2_000


@pytest.mark.parametrize("setting", ["strategies.trend.params.fast=21", "broker.slippage_bps=3"])
def test_another_parameter_gives_another_journal(
    setting: str, first: tuple[dict[str, Any], list[Row]], tmp_path: Path
) -> None:
    # So equal hashes mean something.
    other = run(tmp_path / "other", {"PYTHONHASHSEED": "1"}, setting)
    assert other["state_hash"] != first[0]["state_hash"]
