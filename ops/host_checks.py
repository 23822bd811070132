"""What an installed host must be like for the service to be trusted with it: one look a subject.

Everything is looked at and nothing is changed. No secret is read: that its file is there is enough.
"""

import grp
import json
import pwd
import re
import shutil
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from daemon.config.file import ConfigError, backup_of, load, named_journal
from daemon.config.options import BackupConfig, Config, WatchConfig
from daemon.secrets.names import ACCOUNT, CHAT_TOKEN, WATCH_TOKEN
from ops.backups import backup_folder
from ops.daemon_state import Running, daemon_state
from ops.render import span

USER: Final = "traded"
MADE_BY_INSTALL: Final = "`make install` makes it"
DISK_FAIL_BYTES, DISK_WARN_BYTES = 10**9, 5 * 10**9
BACKUP_WARN, BACKUP_FAIL = timedelta(hours=26), timedelta(days=3)
ASK_S: Final = 30.0
VERIFY_MAX_S: Final = 3600.0
_OTHERS_WRITE, _OTHERS = 0o022, 0o007
_CREDENTIAL: Final = re.compile(
    r"^(LoadCredential|LoadCredentialEncrypted|SetCredentialEncrypted)=(.*)$", re.MULTILINE
)


class Verdict(StrEnum):
    """How a point stands."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    WARN = "warn"
    FAIL = "FAIL"


class Point(msgspec.Struct, frozen=True):
    """One point: what was found, and what to do where it did not pass."""

    name: str
    verdict: Verdict
    found: str
    next: str = ""


class Host:
    """The host below `root`, and the one of its services that has the configuration `name`."""

    def __init__(
        self, root: Path, name: str, environment: Mapping[str, str], user: str = USER
    ) -> None:
        """Look at nothing yet; `user` is the service's."""
        self.root, self.name, self.user = root, name, user
        self.config_file = root / f"etc/traded/{name}.toml"
        self.state = root / "var/lib/traded" / ("" if name == USER else name)
        self.environment = {
            **environment,
            "STATE_DIRECTORY": str(self.state),
            "RUNTIME_DIRECTORY": str(root / "run/traded"),
        }

    def unit(self, base: str) -> str:
        """Return the service `base` as this host calls it."""
        return f"{base}.service" if self.name == USER else f"{base}@{self.name}.service"

    @cached_property
    def config(self) -> Config | None:
        """The configuration, None where it cannot be had."""
        try:
            return load(self.config_file, self.environment)
        except (ConfigError, OSError):
            return None

    @property
    def watch_port(self) -> int:
        """The port of `traded watch`."""
        return (self.config.watch if self.config else WatchConfig()).port

    @cached_property
    def journal(self) -> Path | None:
        """The journal it names, or the one that is there; None where there is none yet."""
        try:
            found = named_journal(self.config_file, self.environment)[0]
        except (ConfigError, OSError):
            return next(iter(sorted(self.state.glob("*.db"))), None)
        return found if found.exists() else None


def points_of(host: Host) -> Iterator[Point]:
    """Yield every point of the host."""
    for look in _LOOKS:
        yield from look(host)


def _judged(name: str, wrong: str, found: str, then: str) -> Point:
    """Return the point: it fails where something is `wrong`."""
    return Point(name, Verdict.FAIL, wrong, then) if wrong else Point(name, Verdict.PASS, found)


def _output(*words: str, wait_s: float = ASK_S) -> tuple[int | None, str]:
    """Run a program; return its exit code and stdout, None where it cannot be run."""
    try:
        done = subprocess.run(  # noqa: S603 - systemd's own tools, and ours
            words, capture_output=True, text=True, check=False, timeout=wait_s
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"{words[0]}: {error}"
    return done.returncode, done.stdout.strip()


def _units(host: Host) -> Iterator[Point]:
    for base in ("traded", "traded-watch"):
        yield _unit(host.unit(base), Verdict.FAIL)
    if _has_chat(host):
        yield _unit(host.unit("traded-chat"), Verdict.FAIL)
    for base in ("backup", "verify", "ready"):
        yield _unit(f"traded-{base}@{host.name}.timer", Verdict.FAIL)
    for base in ("report-daily", "report-weekly"):
        yield _unit(f"traded-{base}@{host.name}.timer", Verdict.WARN)


def _unit(unit: str, otherwise: Verdict) -> Point:
    asked = ("--property=LoadState,UnitFileState,ActiveState,SubState,Result", unit)
    code, text = _output("systemctl", "show", *asked)
    if code != 0:
        said = text or "systemctl does not answer"
        return Point(unit, otherwise, said, "traded is a service of systemd: is it running here?")
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if found.get("LoadState") != "loaded":
        return Point(unit, otherwise, f"not there ({found.get('LoadState')})", MADE_BY_INSTALL)
    said = f"{found.get('UnitFileState') or 'no install state'}, {found.get('ActiveState')}"
    said += f" ({found.get('SubState')})"
    if found.get("UnitFileState") not in {"enabled", "enabled-runtime"}:
        return Point(unit, otherwise, said, f"systemctl enable --now {unit}")
    if found.get("ActiveState") != "active":
        said += "" if found.get("Result") == "success" else f", {found.get('Result')}"
        return Point(unit, otherwise, said, f"journalctl -u {unit} -n 50; systemctl start {unit}")
    return Point(unit, Verdict.PASS, said)


def _user(host: Host) -> Iterator[Point]:
    try:
        entry = pwd.getpwnam(host.user)
    except KeyError:
        yield Point(
            "user", Verdict.FAIL, f"there is no user {host.user}", "systemd-sysusers traded.conf"
        )
        return
    wrong = "it is root" if entry.pw_uid == 0 else ""
    if not wrong and not entry.pw_shell.endswith(("nologin", "false")):
        wrong = f"it can log in: its shell is {entry.pw_shell}"
    then = f"usermod -s /usr/sbin/nologin {host.user}"
    yield _judged("user", wrong, f"{host.user}, number {entry.pw_uid}, no login", then)


def _folders(host: Host) -> Iterator[Point]:
    yield _place(host, host.root / "etc/traded", "root", 0o027, "0750 root:traded")
    yield _place(host, host.config_file, "root", 0o137, "0640 root:traded")
    yield _place(host, host.state, host.user, 0o077, "0700 traded:traded")
    secrets = host.root / "etc/traded/credentials"
    if secrets.exists():
        yield _place(host, secrets, "root", 0o077, "0700 root:root")
    runtime = host.root / "run/traded"
    if runtime.exists():
        yield _place(host, runtime, host.user, 0o077, "0700 traded:traded")
    for secret in ("permit", "witness"):
        for each in sorted(host.state.glob(f"*.{secret}")):
            yield _place(host, each, host.user, 0o077, "0600 traded:traded")


def _place(host: Host, path: Path, owner: str, denied: int, wanted: str) -> Point:
    """Judge a file's or folder's owner, and that it has none of the bits `denied`."""
    name = f"/{path.relative_to(host.root)}"
    try:
        found = path.stat()
    except OSError as error:
        then = "systemd-tmpfiles --create traded.conf"
        return Point(name, Verdict.FAIL, error.strerror or str(error), then)
    mode, (right, whose) = stat.S_IMODE(found.st_mode), wanted.split()
    is_owner = _user_name(found.st_uid) == owner
    said = f"{mode:04o} {_user_name(found.st_uid)}:{_group_name(found.st_gid)}"
    wrong = "" if is_owner and not mode & denied else f"{said}, not {wanted}"
    return _judged(name, wrong, said, f"chown {whose} {name}; chmod {right} {name}")


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _configuration(host: Host) -> Iterator[Point]:
    words = ("-P", "-m", "ops.cli", "check-config", "--json", "--config", str(host.config_file))
    code, text = _output(sys.executable, *words, wait_s=ASK_S * 4)
    then = f"traded check-config --config {host.config_file}"
    try:
        told = json.loads(text)
    except ValueError:
        yield Point("configuration", Verdict.FAIL, f"cannot be checked (exit code {code})", then)
        return
    problems = told["problems"]
    wrong = f"{len(problems)} wrong: {problems[0]}" if problems else ""
    yield _judged("configuration", wrong, "valid", then)
    for note in told["notes"]:
        yield Point("configuration", Verdict.WARN, note, then)


def _credentials(host: Host) -> Iterator[Point]:
    config = host.config
    # One that cannot be read may be of a broker outside.
    if config is None or "ibkr" in {config.broker.kind, config.feed.kind}:
        yield _credential(host, "traded", str(ACCOUNT), Verdict.FAIL)
    yield _credential(host, "traded-watch", str(WATCH_TOKEN), Verdict.WARN)
    if _has_chat(host):
        yield _credential(host, "traded-chat", str(CHAT_TOKEN), Verdict.FAIL)


def _has_chat(host: Host) -> bool:
    return host.config is not None and bool(host.config.watch.chat.allowed)


def _credential(host: Host, base: str, name: str, otherwise: Verdict) -> Point:
    """Judge one secret by where its unit takes it from; its text is not read."""
    unit = host.unit(base)
    given = _credentials_of(unit)
    if name in given and not given[name].startswith("/"):
        return Point(name, Verdict.PASS, f"in {unit}, encrypted")
    if name in given:
        path = host.root / given[name].lstrip("/")
        wrong = ""
        if not path.is_file():
            wrong = f"{unit} takes it from {given[name]}, which is not there"
        elif _is_open(path) and _is_open(path.parent):
            wrong = f"{given[name]} is open to others than its owner"
        return _judged(name, wrong, f"in {given[name]}", "systemd-creds encrypt; chmod 0600")
    file = host.root / f"etc/traded/{host.name}.env"
    if file.is_file() and f"{name.upper()}=" in file.read_text(encoding="utf-8", errors="replace"):
        where = f"/{file.relative_to(host.root)}"
        return Point(
            name, Verdict.WARN, f"in the clear, in {where}", "`traded secrets export-unit`"
        )
    then = f"`traded secrets export-unit`, into a drop-in of {unit}"
    return Point(name, otherwise, f"{unit} gets none", then)


def _is_open(path: Path) -> bool:
    """Return whether others than the owner may read it, or write it."""
    return bool(path.stat().st_mode & (_OTHERS_WRITE | _OTHERS))


def _credentials_of(unit: str) -> dict[str, str]:
    """Return where a unit has each of its credentials from: a file, or a text in the unit.

    Its files are read as systemd reads them: `systemctl show` has no form for credentials.
    """
    _, text = _output("systemctl", "cat", unit)
    given: dict[str, dict[str, str]] = {}
    for setting, value in _CREDENTIAL.findall(text):
        name, _, source = value.partition(":")
        if name:
            given.setdefault(setting, {})[name] = source.strip()
        else:  # An empty one begins anew.
            given.pop(setting, None)
    return {name: source for each in given.values() for name, source in each.items()}


def _clock(_host: Host) -> Iterator[Point]:
    code, text = _output("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if code != 0 or text not in {"yes", "no"}:
        said = "timedatectl does not say"
        yield Point("clock", Verdict.WARN, said, "see that the clock is synchronised: `date -u`")
        return
    wrong = "" if text == "yes" else "not synchronised"
    yield _judged("clock", wrong, "synchronised", "timedatectl set-ntp true")


def _disk(host: Host) -> Iterator[Point]:
    try:
        free = shutil.disk_usage(host.state).free
    except OSError as error:
        yield Point("disk", Verdict.FAIL, str(error), MADE_BY_INSTALL)
        return
    said = f"{free / 1e9:,.1f} GB free"
    then = "make room: older backups, `traded archive`, journalctl --vacuum-size=200M"
    if DISK_FAIL_BYTES <= free < DISK_WARN_BYTES:
        yield Point("disk", Verdict.WARN, said, then)
    else:
        yield _judged("disk", said if free < DISK_FAIL_BYTES else "", said, then)


def _journal(host: Host) -> Iterator[Point]:
    if host.journal is None:
        said = "there is none yet: the first start makes it"
        yield Point("journal", Verdict.WARN, said, f"systemctl start {host.unit('traded')}")
        return
    words = ("-P", "-m", "ops.cli", "verify", "--json", "--journal", str(host.journal))
    code, text = _output(sys.executable, *words, wait_s=VERIFY_MAX_S)
    try:
        told = json.loads(text)
        said = f"{told['events']:,} events against chain and witness"
        wrong = "" if told["sound"] else f"DAMAGED: {told['findings'][0]['what']}"
    except ValueError:
        said, wrong = "", f"cannot be verified (exit code {code})"
    yield _judged("journal", wrong, said, "`traded verify` says more; start nothing on it")


def _daemon(host: Host) -> Iterator[Point]:
    if host.journal is None:
        return
    found = daemon_state(host.journal)
    wrong = "" if found.running is Running.ANSWERS else found.said or "no daemon runs"
    then = f"systemctl start {host.unit('traded')}; one that hangs: `traded kill --offline`"
    yield _judged("control socket", wrong, f"process {found.pid}: {found.said}", then)


def _watcher(host: Host) -> Iterator[Point]:
    port = host.watch_port
    then = f"systemctl status {host.unit('traded-watch')}"
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/healthy", timeout=5) as answer:
            said = answer.read(2000).decode(errors="replace")
        wrong = ""
    except urllib.error.HTTPError as error:
        said, wrong = "", f"{error.code}: {error.read(2000).decode(errors='replace')}"
        then = "`traded status` says what is wrong"
    except OSError as error:
        said, wrong = "", f"port {port} does not answer: {error}"
    yield _judged("watcher", wrong, f"port {port}: {said}", then)


def _backup(host: Host) -> Iterator[Point]:
    if host.journal is None:
        return
    try:
        config = backup_of(host.config_file, host.environment)
    except (ConfigError, OSError):
        config = BackupConfig()  # That it cannot be read is a point of its own.
    folder = backup_folder(host.journal, host.config_file, config)
    then = f"systemctl start traded-backup@{host.name}.service"
    newest = max((file.stat().st_mtime for file in folder.glob("*.tar.gz")), default=None)
    if newest is None:
        yield Point("backup", Verdict.FAIL, f"none in {folder}", then)
        return
    age = timedelta(seconds=max(0.0, time.time() - newest))
    said = f"the newest is {span(age / timedelta(seconds=1))} old"
    if BACKUP_WARN < age <= BACKUP_FAIL:
        yield Point("backup", Verdict.WARN, said, then)
    else:
        yield _judged("backup", said if age > BACKUP_FAIL else "", said, then)
    if folder.stat().st_dev == host.journal.stat().st_dev:
        said = f"{folder} is on the journal's own disk, and lost with it"
        yield Point("backup", Verdict.WARN, said, "backup.to on another disk, or backup.after")


def _ports(host: Host) -> Iterator[Point]:
    """Judge who may reach what listens as our user, or on the watcher's port."""
    try:
        uid = pwd.getpwnam(host.user).pw_uid
    except KeyError:
        uid = -1
    listening = [
        (where, number)
        for table in ("tcp", "tcp6")
        for where, number, owner in _listening(host.root / "proc/net" / table)
        if owner == uid or number == host.watch_port
    ]
    outside = [f"{where}:{number}" for where, number in listening if not _is_loopback(where)]
    wrong = f"open to others: {', '.join(outside)}" if outside else ""
    found = ", ".join(sorted({str(number) for _, number in listening})) or "none"
    then = "see what listens: ss -ltnp; `traded watch` never does but on 127.0.0.1"
    yield _judged("ports", wrong, f"on this host alone: {found}", then)


def _listening(table: Path) -> Iterator[tuple[str, int, int]]:
    """Yield address (the kernel's hex), port and user of each socket that listens."""
    try:
        rows = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return
    for row in rows:
        fields = row.split()
        if fields[3] == "0A":
            where, _, port = fields[1].partition(":")
            yield where, int(port, 16), int(fields[7])


def _is_loopback(address: str) -> bool:
    """Return whether the kernel's hex is 127.0.0.0/8 or ::1, also where it is mapped."""
    six = address in {"0" * 24 + "01000000", "0" * 16 + "FFFF0000" + "0100007F"}
    return six or (len(address) == len("0100007F") and address.endswith("7F"))


_LOOKS: Final[tuple[Callable[[Host], Iterator[Point]], ...]] = (
    _units,
    _user,
    _folders,
    _configuration,
    _credentials,
    _clock,
    _disk,
    _journal,
    _daemon,
    _watcher,
    _backup,
    _ports,
)
