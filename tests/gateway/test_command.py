"""`traded gateway-sim` as a person starts it, and what it says to wrong input."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import msgspec
import pytest

from tests.command_line import environment, traded
from tests.gateway_desk import Desk

ROOT = Path(__file__).parents[2]
SCRIPTED = ("gateway-sim", "--start", "2024-01-02T15:00:00Z", "--port", "0")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gateway-sim",), "give --bars, or --start"),
        (("gateway-sim", "--start", "soon"), "--start soon"),
        (("gateway-sim", "--bars", "nowhere"), "nowhere"),
        ((*SCRIPTED, "--faults", "faults.toml"), "faults.toml"),
    ],
)
def test_wrong_input_is_told_and_ends_with_2(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "faults.toml").write_text('[[fault]]\nkind = "lost"\non = "openOrders"\n')
    done = traded(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr


def test_bars_that_are_none_are_told_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text("ts,open\n1,2\n")
    done = traded("gateway-sim", "--bars", "AAPL.csv", "--port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert "AAPL.csv:1" in done.stderr


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = traded("gateway-sim", "--start", "2024-01-02", "--port", port, cwd=tmp_path)
    assert done.returncode == 1
    assert port in done.stderr


def test_a_state_of_another_account_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    done = traded(*SCRIPTED, "--state", "state.json", cwd=tmp_path)
    assert done.returncode == 1
    assert "state.json" in done.stderr


async def test_it_says_where_it_is_serves_and_ends_orderly(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", *SCRIPTED, "--json", "--fault-seed", "1"),
        stdout=asyncio.subprocess.PIPE,
        env=environment(tmp_path, PYTHONPATH=str(ROOT)),
        cwd=ROOT,
    )
    assert process.stdout is not None
    said = msgspec.json.decode(await process.stdout.readline(), type=dict[str, object])
    assert (said["schema_version"], said["account"]) == (1, "DU1234567")
    assert said["faults"]
    desk = Desk()
    await desk.ib.connectAsync("127.0.0.1", int(str(said["port"])), 7, timeout=5)
    desk.ib.disconnect()
    told = msgspec.json.decode(await process.stdout.readline(), type=dict[str, object])
    assert told["log"] == "client 7 is here, version 178"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 5) == 0
