"""What a person meets who starts `traded run` at Interactive Brokers with something wrong."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.brokers.gateway.account_lock import holding_account
from daemon.brokers.gateway.settings import GatewaySettings
from events.journal import JournalReader
from tests.command_line import TRADED, environment, traded
from tests.gateway_walk import Process

ACCOUNT = "DU1234567"
CONFIG = """
mode = "{mode}"
dry_run = false
account = "main"
[symbols.AAPL]
exchange = "NASDAQ"
{symbols}
[strategies.hold]
class = "daemon.strategies.buy_and_hold:BuyAndHold"
params = {{ shares = 5 }}
[broker]
kind = "ibkr"
[feed]
kind = "ibkr"
[gateway]
port = {port}
[journal]
path = "j.db"
[control]
enabled = false
"""
BARS = """ts,open,high,low,close,volume
2024-01-02T14:30:00Z,150,150,150,150,1000
2024-01-02T14:31:00Z,150,150,150,150,1000
"""


@contextmanager
def a_gateway(folder: Path, *words: str) -> Iterator[int]:
    """Run a simulated gateway as a process of its own; yield its port."""
    (folder / "AAPL.csv").write_text(BARS)
    bars = str(folder / "AAPL.csv")
    command = [str(TRADED), "gateway-sim", "--bars", bars, "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, *words], cwd=folder, env=environment(folder), stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield int(said["port"])
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with a_gateway(tmp_path_factory.mktemp("gateway")) as found:
        yield found


def run(
    folder: Path,
    port: int,
    *words: str,
    account: str | None = ACCOUNT,
    mode: str = "broker-paper",
    symbols: str = "",
) -> tuple[int, str]:
    """Run the daemon until it ends; return how, and what it said."""
    (folder / "traded.toml").write_text(CONFIG.format(port=port, mode=mode, symbols=symbols))
    variables = {"IBKR_ACCOUNT": account} if account is not None else {}
    done = traded(
        "run", "--config", "traded.toml", "--no-wait", *words, cwd=folder, variables=variables
    )
    assert "DU" not in done.stderr.replace("IBKR_ACCOUNT", ""), "a number of an account"
    return done.returncode, done.stderr


def free_port() -> int:
    with socket.socket() as spare:
        spare.bind(("127.0.0.1", 0))
        found: int = spare.getsockname()[1]
        return found


def test_a_missing_account_is_named_and_nothing_is_begun(tmp_path: Path) -> None:
    code, said = run(tmp_path, 4002, account=None)
    assert (code, "IBKR_ACCOUNT is not set" in said) == (78, True)
    assert not (tmp_path / "j.db").exists()


def test_a_wrong_port_ends_with_its_code_where_nobody_wants_to_wait(tmp_path: Path) -> None:
    code, said = run(tmp_path, free_port())
    assert code == 6
    assert "Connect" in said


def test_a_second_daemon_of_the_account_is_refused_whichever_journal_it_has(tmp_path: Path) -> None:
    port = free_port()
    with holding_account(GatewaySettings("127.0.0.1", port, 1, ACCOUNT, "main")):
        code, said = run(tmp_path, port)
    assert code == 75
    assert f"account main at 127.0.0.1:{port} is traded by process {os.getpid()}" in said
    assert not (tmp_path / "j.db").exists()


def test_a_client_id_in_use_is_said_with_what_to_do_about_it_here(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nkind = "busy-id"\non = "nextValidId"\n')
    with a_gateway(tmp_path, "--faults", str(faults)) as port:
        run(tmp_path, port, account="DU7654321")  # Gone, and the gateway has not noticed.
        code, said = run(tmp_path, port)
    assert (code, "326: client id 1001 is in use at this gateway" in said) == (6, True)
    assert "unique" not in said


def test_another_account_than_the_logins_is_refused(tmp_path: Path, port: int) -> None:
    code, said = run(tmp_path, port, account="DU7654321")
    assert code == 78
    assert "IBKR_ACCOUNT" in said
    assert "none of them" in said


def test_an_unknown_symbol_is_refused_with_its_name(tmp_path: Path, port: int) -> None:
    code, said = run(tmp_path, port, symbols='[symbols.NOSUCH]\nexchange = "NASDAQ"')
    assert code == 78
    assert "symbols.NOSUCH: the gateway knows no US stock NOSUCH at NASDAQ" in said


def test_an_ambiguous_symbol_is_refused_with_the_candidates_and_taken_once_it_is_clear(
    tmp_path: Path,
) -> None:
    with a_gateway(tmp_path, "--twin", "AAPL") as port:
        # At the exchange NYSE are the hours of Arca's and American's stocks, too.
        code, said = run(tmp_path, port, "--set", "symbols.AAPL.exchange=NYSE")
        assert code == 78
        assert (
            "symbols.AAPL: is 2 stocks; set primary_exchange to one of "
            "NASDAQ (APPLE INC), AMEX (AAPL HOLDINGS)"
        ) in said
        home = ("--set", "symbols.AAPL.primary_exchange=AMEX")
        words = ("run", "--config", "traded.toml", "--set", "symbols.AAPL.exchange=NYSE", *home)
        with Process(words, tmp_path, {"IBKR_ACCOUNT": ACCOUNT}) as daemon:
            daemon.wait_for("connected to")
            assert daemon.stop()[0] == 0


def test_a_symbol_without_data_permission_is_held_with_what_to_do(tmp_path: Path) -> None:
    with a_gateway(tmp_path, "--no-data", "AAPL") as port:
        (tmp_path / "traded.toml").write_text(
            CONFIG.format(port=port, mode="broker-paper", symbols="")
        )
        words = ("run", "--config", "traded.toml")
        with Process(words, tmp_path, {"IBKR_ACCOUNT": ACCOUNT}) as daemon:
            daemon.wait_for("REDUCE on AAPL by core: MARKET_DATA_IMPAIRED: no permission: ")
            daemon.wait_for("subscribe to its exchange's data at the broker, or drop it from [sym")
            daemon.wait_for("(420: Invalid Real-time Query:No market data permissions")
            daemon.wait_for("then: traded lift MARKET_DATA_IMPAIRED-AAPL-")
            assert daemon.stop()[0] == 0
    held = traded("holds", "--journal", tmp_path / "j.db")
    assert "no permission: subscribe to its exchange's data at the broker" in held.stdout


@pytest.mark.parametrize(
    ("mode", "account", "said"),
    [
        ("live", ACCOUNT, "IBKR_ACCOUNT: names a paper account"),
        ("broker-paper", "U7654321", "IBKR_ACCOUNT: names an account with real money"),
    ],
)
def test_a_mode_and_an_account_that_do_not_go_together_are_refused(
    tmp_path: Path, mode: str, account: str, said: str
) -> None:
    code, told = run(
        tmp_path, 4002, *(["--live"] if mode == "live" else []), account=account, mode=mode
    )
    assert (code, said in told) == (78, True)


def test_real_money_has_to_be_said_twice(tmp_path: Path) -> None:
    code, said = run(tmp_path, 7496, account="U7654321", mode="live")
    assert (code, "say --live" in said) == (78, True)
    code, said = run(tmp_path, 7497, "--live")
    assert (code, "--live: mode is 'broker-paper'" in said) == (78, True)


def test_a_gateway_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "traded.toml").write_text(
        CONFIG.format(port=free_port(), mode="broker-paper", symbols="")
    )
    process = subprocess.Popen(
        [TRADED, "run", "--config", "traded.toml"],
        cwd=tmp_path,
        env=environment(tmp_path, IBKR_ACCOUNT=ACCOUNT),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = ""
        while "trying again" not in said:
            said = process.stderr.readline()
            assert said, "it ended"
        assert process.poll() is None
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0
    with JournalReader(tmp_path / "j.db") as reader:
        kinds = [row[2] for row in reader.rows()]
    assert "broker.disconnected" in kinds
    assert "order.sending" not in kinds


def test_a_configuration_for_the_gateway_can_be_checked_without_one(tmp_path: Path) -> None:
    text = CONFIG.format(port=4002, mode="broker-paper", symbols="")
    (tmp_path / "traded.toml").write_text(text)
    done = traded("check-config", "--config", "traded.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
