"""The disk refuses to take the journal in the middle of a run: the daemon ends, and a start heals.

The cause is real: the running process is forbidden to write to files, as a full disk would.
"""

import json
import resource
import subprocess
import time
from pathlib import Path

import pytest

from events import OrderSending
from events.journal import JournalReader
from tests.command_line import TRADED, environment, traded

ROOT = Path(__file__).parents[2]
JOURNAL = "demo-backtest.db"
ROWS_BEFORE = 3_000

pytestmark = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="another process's limits are set on Linux only"
)


def words(folder: Path) -> list[str | Path]:
    config = ROOT / "ops" / "demo" / "demo.toml"
    return ["run", "--config", config, "--output", folder / "outcome.json"]


def run_to_the_end(folder: Path) -> str:
    """Return the hash of the books the run ends with."""
    folder.mkdir(exist_ok=True)
    done = traded(*words(folder), cwd=folder, variables={"STATE_DIRECTORY": str(folder)})
    assert done.returncode == 0, done.stderr
    return str(json.loads((folder / "outcome.json").read_bytes())["state_hash"])


def run_into_a_full_disk(folder: Path) -> tuple[int, str]:
    """Return the exit code and the last words of a run that cannot write after so many rows."""
    folder.mkdir()
    with subprocess.Popen(
        [TRADED, *words(folder)],
        cwd=folder,
        env=environment(folder, STATE_DIRECTORY=str(folder)),
        stderr=subprocess.PIPE,
        text=True,
    ) as daemon:
        while rows(folder) < ROWS_BEFORE:
            assert daemon.poll() is None, "it ended before the disk was full"
            time.sleep(0.005)
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, 0))
        _, said = daemon.communicate(timeout=60)
    return daemon.returncode, said


def rows(folder: Path) -> int:
    path = folder / JOURNAL
    if not path.exists():
        return 0
    with JournalReader(path) as reader:
        return reader.head().seq


def sent(folder: Path) -> list[str]:
    with JournalReader(folder / JOURNAL) as reader:
        return [str(record.event.key()) for record in reader.of_kind(OrderSending)]


def test_a_run_that_cannot_write_ends_with_74_and_a_start_comes_to_the_same_books(
    tmp_path: Path,
) -> None:
    unharmed = run_to_the_end(tmp_path / "unharmed")
    folder = tmp_path / "full"
    code, said = run_into_a_full_disk(folder)
    assert code == 74
    assert "they may or may not be in the file" in said
    assert "Traceback" not in said
    assert ROWS_BEFORE <= rows(folder) < rows(tmp_path / "unharmed")
    assert not (folder / "outcome.json").exists()
    with JournalReader(folder / JOURNAL) as reader:
        assert reader.check() == []
    # There is room again.
    assert run_to_the_end(folder) == unharmed
    assert sent(folder) == sent(tmp_path / "unharmed")
    with JournalReader(folder / JOURNAL) as reader:
        assert reader.check() == []
