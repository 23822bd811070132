"""A machine with systemd as its first process: this host's files under a layer of its own.

What is done there is gone when it is closed. It has no network but its own loopback. traded is
installed there as `make install` does it, but for what pip fetches: the environment has the code
and the packages that are under test.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WAIT_S = 240.0
"""Much more than anything takes: a machine may be busy with others."""
PREFIX = "/opt/traded"
_TOOLS = ("systemd-nspawn", "nsenter", "mount", "make")
_CONTAINER = (
    *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network"),
    # Without these the container's systemd cannot enforce IPAddressDeny=.
    "--system-call-filter=bpf",
    "--capability=CAP_BPF,CAP_NET_ADMIN,CAP_SYS_ADMIN,CAP_SYS_RESOURCE,CAP_PERFMON",
    *("--boot", "--console=pipe"),
)
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_ENVIRONMENT = {
    "pyvenv.cfg": f"home = {PREFIX}/python/bin\ninclude-system-site-packages = false\n",
    f"lib/{_VERSION}/site-packages/traded.pth": f"{PREFIX}/code\n{PREFIX}/packages\n",
    "bin/traded": f"""#!{PREFIX}/lib/traded/bin/python
import sys
from ops.cli import main
sys.exit(main())
""",
}
"""What pip makes of an environment and of traded in it."""
_MAKE = ("make", "-s", "-C", f"{PREFIX}/code", f"PREFIX={PREFIX}")


class NoMachine(Exception):
    """It cannot be had here; the text says why."""


class Booted:
    """A booted machine; `folder` is for its layer, and is on a file system that bears one."""

    def __init__(self, folder: Path) -> None:
        """Boot it, and install traded there.

        Raises:
            NoMachine: this host cannot.
        """
        _assert_possible()
        self._folder = folder
        self.root = folder / "root"
        self._nspawn: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._mount()
            self._furnish()
            self._boot()
        except BaseException:
            self.close()
            raise

    def _mount(self) -> None:
        _mount("-t", "tmpfs", "-o", "size=2g", "tmpfs", str(self._folder))
        for each in ("upper", "work", "root"):
            (self._folder / each).mkdir()
        layers = f"lowerdir=/,upperdir={self._folder}/upper,workdir={self._folder}/work"
        _mount("-t", "overlay", "-o", layers, "overlay", str(self.root))

    def _furnish(self) -> None:
        """Leave out what this host starts, and have a place for what is shown."""
        etc = self.root / "etc"
        for wanted in (etc / "systemd" / "system").glob("*.wants/*"):
            wanted.unlink()
        (etc / "fstab").write_text("")
        (etc / "machine-id").unlink(missing_ok=True)
        (etc / "machine-id").write_text("5e0d5e0d5e0d5e0d5e0d5e0d5e0d5e0d\n")
        shutil.rmtree(etc / "traded", ignore_errors=True)
        # Python itself may lie in a home, which the sandbox hides.
        for each in ("code", "packages", "python"):
            (self.root / PREFIX.removeprefix("/") / each).mkdir(parents=True)
        for library in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
            link = self.root / "usr/local/lib" / library.name
            link.unlink(missing_ok=True)
            link.symlink_to(f"{PREFIX}/python/lib/{library.name}")

    def _boot(self) -> None:
        packages = sysconfig.get_paths()["purelib"]
        shown = {"code": ROOT, "packages": packages, "python": sys.base_prefix}
        binds = [f"--bind-ro={path}:{PREFIX}/{name}" for name, path in shown.items()]
        words = [*_CONTAINER, *binds, f"--directory={self.root}"]
        with (self._folder / "boot.log").open("wb") as log:
            self._nspawn = subprocess.Popen(
                words,
                env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        began = time.monotonic()
        while self.run("systemctl", "is-system-running").stdout.strip() not in {
            "running",
            "degraded",
        }:
            if self._nspawn.poll() is not None or time.monotonic() > began + WAIT_S:
                log_text = (self._folder / "boot.log").read_text(errors="replace")
                raise NoMachine(f"systemd-nspawn does not boot here: {log_text[-500:]}")
            time.sleep(0.1)
        self.did("ldconfig")
        self.install()

    def install(self) -> str:
        """Install traded; return what that says."""
        for name, text in _ENVIRONMENT.items():
            self.write(f"{PREFIX}/lib/traded/{name}", text)
        self.did("chmod", "755", f"{PREFIX}/lib/traded/bin/traded")
        python = f"{PREFIX}/python/bin/{_VERSION}"
        self.did("ln", "-s", python, f"{PREFIX}/lib/traded/bin/python")
        return self.did(*_MAKE, "install-commands", "install-files")

    def uninstall(self) -> str:
        """Remove it again; return what that says."""
        return self.did(*_MAKE, "uninstall")

    @property
    def first_process(self) -> int | None:
        """The number of its first process on this host, None before there is one."""
        assert self._nspawn is not None
        task = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
        try:
            children = task.read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def run(self, *words: str, wait_s: float = WAIT_S) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root, at its top folder."""
        pid = self.first_process
        if pid is None:
            return subprocess.CompletedProcess(words, 1, "", "it is not there")
        path = f"{PREFIX}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        into = ["nsenter", "-t", str(pid), "-a", "env", "-i", f"PATH={path}", "HOME=/root"]
        return subprocess.run(
            [*into, *words],
            cwd="/",
            check=False,
            capture_output=True,
            text=True,
            timeout=wait_s,
            stdin=subprocess.DEVNULL,
        )

    def did(self, *words: str) -> str:
        """Run a command that has to end well; return what it says."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}\n{self.log()}"
        return done.stdout

    def log(self, *words: str) -> str:
        """Return the end of the machine's log, or what of it is asked for."""
        return self.run("journalctl", "--no-pager", "-q", "-o", "cat", "-n", "400", *words).stdout

    def show(self, unit: str, name: str) -> str:
        """Return one property of a unit."""
        return self.did("systemctl", "show", unit, "--value", "-p", name).strip()

    def wait(self, what: str, there: Callable[[], Any], seconds: float = WAIT_S) -> float:
        """Wait until something is there; return how long that took."""
        began = time.monotonic()
        while not there():
            waited = time.monotonic() - began
            assert waited < seconds, f"no {what} within {seconds:.0f} s\n{self.log()}"
            time.sleep(0.1)
        return time.monotonic() - began

    def write(self, path: str, text: str) -> None:
        """Write a file in it, with its folders."""
        file = self.root / path.removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def drop_in(self, unit: str, text: str) -> None:
        """Give a unit a drop-in, in place of the one before; an empty one goes."""
        folder = self.root / "etc/systemd/system" / f"{unit}.d"
        folder.mkdir(exist_ok=True)
        (folder / "test.conf").write_text(text)
        if not text:
            (folder / "test.conf").unlink()
            if not any(folder.iterdir()):
                folder.rmdir()
        self.did("systemctl", "daemon-reload")

    def close(self) -> None:
        """Switch it off and forget it."""
        if self._nspawn is not None:
            # Its first process takes all others with it.
            if (first := self.first_process) is not None:
                subprocess.run(["kill", "-9", str(first)], check=False)
            self._nspawn.kill()
            self._nspawn.wait()
        for each in (self.root, self._folder):
            subprocess.run(["umount", "-l", str(each)], check=False, capture_output=True)


def _assert_possible() -> None:
    if os.geteuid() != 0:
        raise NoMachine("only root can boot one")
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise NoMachine(f"{', '.join(missing)} not installed (systemd-container has nspawn)")
    if not Path("/lib/systemd/systemd").exists():
        raise NoMachine("systemd is not installed")


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], check=False, capture_output=True, text=True)
    if done.returncode:
        raise NoMachine(f"nothing can be mounted here: {done.stderr.strip()}")
