"""`ops/verify-host` on a host laid out in a folder, a daemon on it: once sound, once broken."""

import json
import os
import pwd
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import environment
from tests.runbook_worlds import World, a_world

ROOT = Path(__file__).parents[2]
USER = "nobody"
ACCOUNT = "DU7654321"
SYSTEMCTL = """#!/bin/sh
for each; do unit=$each; done
case "$*" in
  cat*)
    echo "LoadCredentialEncrypted={name}:/etc/traded/credentials/{name}" ;;
  *)
    printf '%s\\n' LoadState={load} UnitFileState={file} ActiveState={active} SubState=running \\
      Result=success ;;
esac
"""


class Watcher(BaseHTTPRequestHandler):
    """Answers as `traded watch` does."""

    code = 200

    def do_GET(self) -> None:
        self.send_response(self.code)
        self.end_headers()
        self.wfile.write(b'{"status":"healthy"}')

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def a_watcher(code: int) -> Iterator[int]:
    answers = type("Answers", (Watcher,), {"code": code})
    server = HTTPServer(("127.0.0.1", 0), answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def lay_out(world: World, port: int) -> None:
    """Make owners, modes, credentials, a backup and the kernel's table as on a good host."""
    config = world.config
    config.write_text(config.read_text() + f"\n[watch]\nport = {port}\n")
    credentials = config.parent / "credentials"
    credentials.mkdir(mode=0o700)
    for name in ("ibkr_account", "traded_watch_token"):
        (credentials / name).write_text(ACCOUNT)
        (credentials / name).chmod(0o600)
    config.parent.chmod(0o750)
    config.chmod(0o640)
    assert "proved" in "\n".join(world.run("traded backup --to /var/lib/traded/backups"))
    listens(world, "0100007F", port)
    for path in (world.state, world.folder / "run/traded", *world.state.iterdir()):
        shutil.chown(path, USER)
    world.state.chmod(0o700)


def listens(world: World, address: str, port: int) -> None:
    """Have the service's user listen there, as the kernel's table says it."""
    uid = pwd.getpwnam(USER).pw_uid
    table = world.folder / "proc/net/tcp"
    table.parent.mkdir(parents=True, exist_ok=True)
    row = (
        f"0: {address}:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 {uid} 0 1"
    )
    table.write_text(f"sl local_address ...\n{row}\n")


def tools(folder: Path, *, load: str, file: str, active: str, synchronised: str) -> Path:
    """Put a systemctl and a timedatectl there that say this of everything."""
    folder.mkdir(exist_ok=True)
    text = SYSTEMCTL.format(name="{name}", load=load, file=file, active=active)
    by_unit = 'case "$unit" in *watch*) name=traded_watch_token ;; *) name=ibkr_account ;; esac\n'
    text = text.replace("case ", by_unit + "case ", 1).replace("{name}", "$name")
    (folder / "systemctl").write_text(text)
    (folder / "timedatectl").write_text(f"#!/bin/sh\necho {synchronised}\n")
    for each in folder.iterdir():
        each.chmod(0o755)
    return folder


def verified(world: World, path: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [ROOT / "ops" / "verify-host", "--root", world.folder, "--user", USER, *words],
        env=environment(world.folder, PATH=f"{path}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert ACCOUNT not in done.stdout + done.stderr
    return done.returncode, done.stdout


def points(text: str) -> list[tuple[str, str]]:
    told: dict[str, Any] = json.loads(text)
    return [(each["name"], each["verdict"]) for each in told["points"]]


@pytest.mark.skipif(os.geteuid() != 0, reason="owners of files can only be laid out as root")
def test_a_sound_host_passes_and_each_thing_that_is_wrong_is_found(tmp_path: Path) -> None:
    with a_world("tripped") as world:
        with a_watcher(200) as port:
            lay_out(world, port)
            good = tools(
                tmp_path / "good",
                load="loaded",
                file="enabled",
                active="active",
                synchronised="yes",
            )
            code, text = verified(world, good, "--json")
            found = points(text)
            assert [each for each in found if each[1] == "FAIL"] == [], text
            assert code == 0
            # A folder under /tmp keeps the backup on the journal's own disk: that is said.
            assert ("backup", "warn") in found
            plain = verified(world, good)
            assert plain[0] == 0
            assert plain[1].endswith("\nsound\n")
        broken(world, port)
        bad = tools(
            tmp_path / "bad", load="loaded", file="disabled", active="failed", synchronised="no"
        )
        code, text = verified(world, bad, "--json")
        failed = {name for name, verdict in points(text) if verdict == "FAIL"}
        assert code == 3
        assert failed == {
            "traded.service",
            "traded-watch.service",
            "traded-backup@traded.timer",
            "traded-verify@traded.timer",
            "traded-ready@traded.timer",
            "/etc/traded",
            "/etc/traded/traded.toml",
            "/var/lib/traded",
            "/etc/traded/credentials",
            "configuration",
            "ibkr_account",
            "traded_watch_token",
            "clock",
            "journal",
            "control socket",
            "watcher",
            "backup",
            "ports",
        }
        told = json.loads(text)
        assert all(each["next"] for each in told["points"] if each["verdict"] != "pass")


def broken(world: World, port: int) -> None:
    """Break everything there is to break."""
    assert world.daemon is not None
    world.daemon.kill()
    world.config.parent.chmod(0o755)
    world.config.chmod(0o666)
    world.config.write_text(world.config.read_text().replace("fast = 5", "fast = 50"))
    shutil.chown(world.state, "root")
    credentials = world.config.parent / "credentials"
    credentials.chmod(0o755)
    (credentials / "ibkr_account").unlink()
    (credentials / "traded_watch_token").chmod(0o644)
    for each in (world.state / "backups").iterdir():
        each.unlink()
    for file in world.state.glob("*.db*"):
        if file.is_file():
            file.write_bytes(file.read_bytes().replace(b"AAPL", b"AAPI"))
    listens(world, "00000000", port)


def test_a_host_without_traded_is_told_so(tmp_path: Path) -> None:
    shutil.copy(ROOT / "ops" / "verify-host", tmp_path / "verify-host")
    done = subprocess.run(
        [tmp_path / "verify-host"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "not installed" in done.stderr
    assert "make install" in done.stderr
