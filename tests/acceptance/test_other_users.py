"""What another user of the machine meets: clear words, the right exit code, and no way in."""

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.control.access import passing
from daemon.control.address import make_folder
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


@pytest.fixture
def guests() -> Iterator[Daemon]:
    """Make a daemon that nobody is a guest of; it is not started."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else: run this file as root as well")
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        Path(folder).chmod(0o711)
        found = Daemon(Path(folder) / "d", calm=True)
        found.folder.chmod(0o711)
        with (found.folder / "traded.toml").open("a", encoding="utf-8") as config:
            config.write(f"[control]\nallowed_uids = [{pwd.getpwnam('nobody').pw_uid}]\n")
        yield found
        found.close()


def by_nobody(
    daemon: Daemon, *words: str | Path, user: str = "nobody", **variables: str
) -> subprocess.CompletedProcess[str]:
    nobody = pwd.getpwnam(user)
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


def test_a_guest_may_command_by_name_and_another_user_still_may_not(guests: Daemon) -> None:
    folder = guests.socket.parent
    folder.parent.chmod(0o711)
    guests.start()
    said = by_nobody(guests, "kill", "--why", "I may", RUNTIME_DIRECTORY=str(folder))
    assert (said.returncode, said.stderr) == (0, "")
    (killed,) = guests.rows("operator.killed")
    assert '"by":"nobody"' in killed[6]
    other = by_nobody(guests, "resume", "--why", "x", user="daemon", RUNTIME_DIRECTORY=str(folder))
    assert other.returncode == 4
    assert "is not this user's" in other.stderr
    # Least privilege: others have nothing of either, guests may pass and call, not look or write.
    assert (folder.stat().st_mode & 0o7007, folder.stat().st_mode & 0o070) == (0, 0o010)
    assert (guests.socket.stat().st_mode & 0o7007, guests.socket.stat().st_mode & 0o070) == (
        0,
        0o060,
    )


def test_a_daemon_beside_it_leaves_the_guests_their_way_in(guests: Daemon) -> None:
    guests.socket.parent.parent.chmod(0o711)
    make_folder(guests.socket, {pwd.getpwnam("nobody").pw_uid})
    make_folder(guests.socket)
    assert passing(guests.socket.parent) == {pwd.getpwnam("nobody").pw_uid}
    make_folder(guests.socket, {1})
    assert passing(guests.socket.parent) == {1, pwd.getpwnam("nobody").pw_uid}
    guests.socket.parent.chmod(0o755)
    make_folder(guests.socket)
    assert passing(guests.socket.parent) == set()
    assert guests.socket.parent.stat().st_mode & 0o777 == 0o700


def test_a_start_whose_guests_could_not_get_in_is_refused_without_a_trace(guests: Daemon) -> None:
    closed = guests.socket.parent.parent
    closed.chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", "run", "--config", "traded.toml"],
        cwd=guests.folder,
        env=guests.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, guests.journal.exists()) == (78, False)
    uid = pwd.getpwnam("nobody").pw_uid
    assert f"control.allowed_uids: user {uid} cannot get to {guests.socket.parent}: {closed}" in (
        done.stderr
    )
    assert "next: give the daemon a folder that can be reached in RUNTIME_DIRECTORY" in done.stderr
