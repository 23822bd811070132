"""What another user of the machine meets: clear words, the right exit code, and no way in."""

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_desk import Daemon, a_daemon

AS_NOBODY = """
import importlib, os, pkgutil, sys
import daemon.stopping.offline, ops.cli, ops.commands
for each in pkgutil.iter_modules(ops.commands.__path__):
    importlib.import_module("ops.commands." + each.name)  # Who has no key reads no code either.
os.setgroups([]); os.setgid({gid}); os.setuid({uid}); os.chdir("/")
sys.argv[0] = "traded"
ops.cli.main()
"""
READING = ["status", "ready", "tail", "verify", "holds", "explain A"]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else: run this file as root as well")
    # Not among the tests' own folders, which are closed from above: what is here may be seen.
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        Path(folder).chmod(0o711)
        with a_daemon(Path(folder) / "d", calm=True) as found:
            found.folder.chmod(0o711)
            yield found
            assert found.tell("ping").exit_code == 0
            assert found.rows("operator.killed", "operator.held") == []
            assert found.permit.exists()


def by_nobody(
    daemon: Daemon, *words: str | Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    nobody = pwd.getpwnam("nobody")
    script = AS_NOBODY.format(uid=nobody.pw_uid, gid=nobody.pw_gid)
    inherited = {name: text for name, text in daemon.environment.items() if "XDG" not in name}
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "--journal", daemon.journal],
        cwd=Path(__file__).parents[2],
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("line", READING)
def test_a_closed_journal_is_not_readable_and_nobody_calls_it_damaged(
    daemon: Daemon, line: str
) -> None:
    done = by_nobody(daemon, *line.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert "j.db' is not readable" in done.stderr


def test_the_daemon_of_another_user_is_said_to_be_so(daemon: Daemon) -> None:
    for words in (["kill"], ["hold", "all", "--why", "x"]):
        done = by_nobody(daemon, *words)
        assert (done.returncode, done.stdout) == (4, "")
        assert f"no daemon of this user's runs for {daemon.journal}, which is user 0's" in (
            done.stderr
        )


def test_a_socket_in_a_folder_that_is_closed_is_not_this_users(daemon: Daemon) -> None:
    folder = str(daemon.socket.parent)
    done = by_nobody(daemon, "hold", "all", "--why", "x", RUNTIME_DIRECTORY=folder)
    assert done.returncode == 4
    assert f"{daemon.socket} is not this user's" in done.stderr


def test_stopping_offline_needs_the_folder_and_says_what_it_could_not_do(daemon: Daemon) -> None:
    done = by_nobody(daemon, "kill", "--offline")
    assert done.returncode == 1
    assert "the permit cannot be taken away" in done.stdout
    assert daemon.permit.exists()
