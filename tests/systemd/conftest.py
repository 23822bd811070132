"""One booted machine for all that is tried on it: a boot takes seconds."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_desk import CONFIG, LOADED, SYMBOLS
from tests.systemd.booted import Booted, NoMachine

TRADES = CONFIG.format(mode="broker-paper").replace('path = "j.db"\n', "") + "".join(
    f'{name}.exchange = "24/7"\n' for name in SYMBOLS
)
"""What is traded there, and how: see tests.live_desk. The journal lies where the service has it."""
QUICK = """[Service]
Environment=MARKET=2 CALM=yes
WorkingDirectory=/var/lib/traded
ExecStartPre=/bin/touch cancelled
"""
"""The market writes to the log; it and a strategy look for their files where the journal is."""


@pytest.fixture(scope="session")
def booted() -> Iterator[Booted]:
    """Boot it, once."""
    # A layer cannot lie on a layer, such as a container's own root, so it lies in memory.
    with tempfile.TemporaryDirectory(prefix="traded-boot-", ignore_cleanup_errors=True) as folder:
        try:
            machine = Booted(Path(folder) / "layer")
        except NoMachine as why:
            pytest.skip(f"no machine is booted, and no unit is tried on one: {why}")
        try:
            yield machine
        finally:
            machine.close()


@pytest.fixture
def machine(booted: Booted) -> Iterator[Booted]:
    """Return it with a configuration that trades, nothing running and no journal."""
    booted.write("/etc/traded/traded.toml", TRADES)
    booted.write("/etc/traded/loaded.py", LOADED)
    booted.did("chmod", "0644", "/etc/traded/loaded.py")
    booted.did("systemd-tmpfiles", "--create", "traded.conf")
    booted.drop_in("traded.service", QUICK)
    yield booted
    booted.run("systemctl", "kill", "--signal=KILL", "traded.service")
    booted.run("systemctl", "stop", "traded*.service")
    booted.run("systemctl", "reset-failed")
    booted.run("sh", "-c", "rm -rf /var/lib/traded/* /run/traded/* /etc/traded/*.toml")
    booted.run("journalctl", "--rotate", "--vacuum-time=1s")
