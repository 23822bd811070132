"""`traded watch` as a process: its token, its port, its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.watch_site import TOKEN, WAIT_S, Site, free_port

ROOT = Path(__file__).parents[2]
CONFIG = """
mode = "paper"
[journal]
path = "journal.db"
[feed]
paths = ["bars"]
[symbols]
AAPL.exchange = "NASDAQ"
[watch]
port = {port}
"""


@pytest.fixture(autouse=True)
def port(tmp_path: Path) -> int:
    found = free_port()
    (tmp_path / "traded.toml").write_text(CONFIG.format(port=found))
    (tmp_path / "bars").mkdir()
    return found


def watch(folder: Path, token: str | None, *words: str) -> subprocess.Popen[str]:
    variables = {name: value for name, value in os.environ.items() if "TRADED" not in name}
    variables |= {"PYTHONPATH": str(ROOT)} | (
        {} if token is None else {"TRADED_WATCH_TOKEN": token}
    )
    command = [sys.executable, "-m", "ops.cli", "watch", *words]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=variables,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=WAIT_S)
    return process.returncode, said


def test_without_a_token_and_without_a_terminal_it_does_not_start(tmp_path: Path) -> None:
    code, said = ended(watch(tmp_path, None))
    assert code == 78
    assert "the secret traded_watch_token is missing" in said
    assert "TRADED_WATCH_TOKEN" in said


def test_a_token_that_could_be_guessed_is_refused_and_not_repeated(tmp_path: Path) -> None:
    code, said = ended(watch(tmp_path, "correct horse battery"))
    assert code == 78
    assert "has to have 32 ASCII characters" in said
    assert "horse" not in said


@pytest.mark.parametrize("option", ["--host", "--bind", "--address", "--listen"])
def test_there_is_no_option_for_another_address(tmp_path: Path, port: int, option: str) -> None:
    code, _ = ended(watch(tmp_path, TOKEN, option, "0.0.0.0"))  # noqa: S104 - it is refused
    assert code == 2
    (tmp_path / "traded.toml").write_text(
        CONFIG.format(port=port) + f'{option.strip("-")} = "0.0.0.0"\n'
    )
    assert ended(watch(tmp_path, TOKEN))[0] == 78


def test_it_serves_before_there_is_a_journal_and_ends_at_once_when_told(
    tmp_path: Path, port: int
) -> None:
    pages = Site(tmp_path / "elsewhere.db")
    pages.port = port
    with watch(tmp_path, TOKEN) as process:
        pages.wait_for(pages.answers)
        assert "there is no journal" in pages.ask("/api/v1/status").json["problem"]
        second = watch(tmp_path, TOKEN)
        code, said = ended(second)
        assert code == 78
        assert f"port {port} of 127.0.0.1" in said
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, said = ended(process)
    assert code == 0
    assert time.monotonic() - begun < WAIT_S / 2
    assert TOKEN not in said
