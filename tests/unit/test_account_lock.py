"""One daemon an account at a gateway, whichever journal it writes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.brokers.gateway.account_lock import AccountLocked, holding_account
from daemon.brokers.gateway.settings import GatewaySettings
from daemon.exit_codes import ExitCode
from ops.exit_codes import code_for

ROOT = Path(__file__).parents[2]
NUMBER = "DU7654321"
SCRIPT = """
import signal, sys
from daemon.brokers.gateway.account_lock import holding_account
from daemon.brokers.gateway.settings import GatewaySettings
with holding_account(GatewaySettings("127.0.0.1", int(sys.argv[1]), 1001, sys.argv[2], "mine")):
    print("held", flush=True)
    signal.pause()
"""


def settings(port: int = 1, account: str = NUMBER) -> GatewaySettings:
    """Return settings of a gateway at a port where none listens."""
    return GatewaySettings("127.0.0.1", port, 1001, account, "mine")


@contextmanager
def held_elsewhere() -> Iterator["subprocess.Popen[str]"]:
    words = [sys.executable, "-c", SCRIPT, "1", NUMBER]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_the_second_is_told_who_trades_the_account_and_never_its_number() -> None:
    with (
        held_elsewhere() as first,
        pytest.raises(AccountLocked) as caught,
        holding_account(settings()),
    ):
        pass
    assert caught.value.pid == first.pid
    assert f"account mine at 127.0.0.1:1 is traded by process {first.pid}" in str(caught.value)
    assert NUMBER not in str(caught.value)
    assert code_for(caught.value) is ExitCode.ALREADY_RUNNING


def test_one_killed_at_once_holds_nothing_any_more() -> None:
    with held_elsewhere() as first:
        first.kill()
        first.wait()
        with holding_account(settings()):
            pass


def test_one_that_ended_holds_nothing_any_more() -> None:
    for _ in range(2):
        with holding_account(settings()):
            pass


@pytest.mark.parametrize("other", [settings(port=2), settings(account="DU7654322")])
def test_another_account_or_another_gateway_is_free(other: GatewaySettings) -> None:
    with holding_account(settings()), holding_account(other):
        pass


def test_the_name_of_the_lock_says_no_account_number() -> None:
    with holding_account(settings()):
        names = Path("/proc/net/unix").read_text(encoding="utf-8")
    assert "@traded/" in names
    assert NUMBER not in names
