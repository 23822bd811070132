"""The service on a booted machine: told ready, watched, killed, wrong, stopped, removed."""

import json
import subprocess

from tests.systemd.booted import PREFIX, ROOT, Booted
from tests.systemd.conftest import QUICK, TRADES

DAEMON = "traded.service"
TOKEN = "a-token-of-these-tests-and-of-nobody-else"  # noqa: S105 - nobody else has it
PAGES = (
    *(f"{PREFIX}/python/bin/python3", "-c"),
    "import socket; socket.create_connection(('127.0.0.1', 8466))",
)


def start(machine: Booted) -> str:
    """Start it, wait until it says that it is ready, and return its process."""
    machine.did("systemctl", "start", DAEMON)
    assert machine.show(DAEMON, "ActiveState") == "active"
    return machine.show(DAEMON, "MainPID")


def is_ready_again(machine: Booted, before: str) -> bool:
    """Say whether another process than `before` is ready."""
    state, pid = machine.show(DAEMON, "ActiveState"), machine.show(DAEMON, "MainPID")
    return state == "active" and pid not in {before, "0"}


def types(machine: Booted) -> list[str]:
    """Return the types of the newest events of its journal."""
    said = machine.did("traded", "tail", "-n", "40", "--json")
    return [json.loads(line)["type"] for line in said.splitlines()]


def test_it_is_ready_when_it_answers_and_whoever_types_status_finds_it(machine: Booted) -> None:
    pid = start(machine)
    assert machine.show(DAEMON, "StatusText").startswith("trading; ")
    # From the top folder, as root, without a variable: /etc/traded names the journal.
    said = machine.did("traded", "status")
    assert f"running (process {pid})" in said
    assert "journal     /var/lib/traded/paper-broker-paper.db" in said
    beats = machine.did("sh", "-c", "cat /run/traded/*.heartbeat.json")
    assert json.loads(beats)["pid"] == int(pid)
    machine.did("systemctl", "stop", DAEMON)
    # An orderly end: nothing is left that says it runs, and the folder stays for the others.
    assert machine.did("ls", "/run/traded") == ""
    assert machine.show(DAEMON, "Result") == "success"
    assert types(machine)[-1] == "session.ended"
    assert "not running: signal SIGTERM" in machine.did("traded", "status")


def test_a_killed_one_is_ready_again_on_the_same_books(machine: Booted) -> None:
    before = start(machine)
    machine.did("systemctl", "kill", "--signal=KILL", "--kill-whom=main", DAEMON)
    # The promise is 10 s; a machine that is busy with others takes a while to load Python.
    machine.wait("second start", lambda: is_ready_again(machine, before))
    assert machine.show(DAEMON, "NRestarts") == "1"
    assert "recovered from" in machine.log("-u", DAEMON)
    assert "running (process" in machine.did("traded", "status")


def test_a_stopped_process_and_a_loop_that_hangs_are_ended_by_the_watchdog(
    machine: Booted,
) -> None:
    machine.drop_in(DAEMON, f"{QUICK}WatchdogSec=4\nTimeoutAbortSec=2\n")
    before = start(machine)
    machine.did("systemctl", "kill", "--signal=STOP", "--kill-whom=main", DAEMON)
    machine.wait("start after SIGSTOP", lambda: is_ready_again(machine, before))
    assert "Watchdog timeout" in machine.log("-u", DAEMON, "-n", "all")
    before = machine.show(DAEMON, "MainPID")
    machine.did("sh", "-c", "echo 600 > /var/lib/traded/hang.new")
    machine.did("chown", "traded", "/var/lib/traded/hang.new")
    machine.did("mv", "/var/lib/traded/hang.new", "/var/lib/traded/hang")
    machine.wait("start after a hang", lambda: is_ready_again(machine, before))
    # Where it hung: the strategy's own line.
    assert 'loaded.py", line' in machine.log("-u", DAEMON, "-n", "200")


def test_a_crash_loop_ends_and_is_alerted(machine: Booted) -> None:
    machine.drop_in(DAEMON, f"{QUICK}ExecStartPre=/bin/false\nRestartSec=100ms\n")
    machine.run("systemctl", "start", DAEMON)
    machine.wait("end of the loop", lambda: machine.show(DAEMON, "ActiveState") == "failed")
    assert machine.show(DAEMON, "NRestarts") == "5"
    alert = "traded: traded.service has failed"
    machine.wait("alert", lambda: alert in machine.log("-p", "alert"))


def test_a_bad_configuration_is_not_tried_again(machine: Booted) -> None:
    machine.write("/etc/traded/traded.toml", "mode = 7\n")
    assert machine.run("systemctl", "start", DAEMON).returncode != 0
    machine.wait("end", lambda: machine.show(DAEMON, "ActiveState") == "failed")
    assert machine.show(DAEMON, "ExecMainStatus") == "78"
    assert machine.show(DAEMON, "NRestarts") == "0"
    assert "/etc/traded/traded.toml: mode: " in machine.log("-u", DAEMON)
    machine.wait("alert", lambda: "has failed" in machine.log("-p", "alert"))


def test_a_disk_that_takes_nothing_restarts_it_slowly_with_an_alert_of_its_own(
    machine: Booted,
) -> None:
    pid = start(machine)
    # Its own user, for this it needs no privilege.
    machine.did("runuser", "-u", "traded", "--", "prlimit", "--pid", pid, "--fsize=0:0")
    machine.wait("end", lambda: machine.show(DAEMON, "ExecMainStatus") == "74")
    machine.wait("wait", lambda: machine.show(DAEMON, "SubState") == "stop-post")
    alert = "traded: traded-cannot-write has failed"
    machine.wait("alert", lambda: alert in machine.log("-p", "alert"))
    # It waits longer than the crash loop's bound allows to count, 300 s / 5 starts.
    machine.did("systemctl", "kill", "--kill-whom=control", DAEMON)
    machine.wait("second start", lambda: is_ready_again(machine, pid))


def test_the_accounts_number_comes_as_a_credential_and_is_seen_nowhere(machine: Booted) -> None:
    number, asked = "DU7654321", "systemd-creds encrypt --name=ibkr_account - "
    gateway = TRADES.replace('kind = "loaded:Market"', 'kind = "ibkr"')
    gateway = gateway.replace('kind = "loaded:Bars"', 'kind = "ibkr"').replace("24/7", "NYSE")
    machine.write("/etc/traded/traded.toml", gateway)
    # Without it the start is refused by its name.
    machine.run("systemctl", "start", DAEMON)
    machine.wait("refusal", lambda: machine.show(DAEMON, "ExecMainStatus") == "78")
    assert "IBKR_ACCOUNT is not set" in machine.log("-u", DAEMON)
    # As credentials.conf shows it.
    machine.did("systemd-creds", "setup")
    where = "/etc/traded/credentials/ibkr_account"
    machine.did("sh", "-c", f"printf {number} | {asked}{where}")
    example = f"/etc/systemd/system/{DAEMON}.d/credentials.conf"
    machine.did("cp", f"{example}.example", example)
    machine.did("systemctl", "daemon-reload")
    try:
        # No gateway is there: the broker is away, the daemon ready, and not restarted for that.
        pid = start(machine)
        said = machine.log("-u", DAEMON) + machine.did("traded", "status")
        seen = machine.did("cat", f"/proc/{pid}/environ", f"/proc/{pid}/cmdline")
        assert number not in said + seen + machine.did("systemctl", "show", DAEMON)
        assert "NOT CONNECTED" in machine.did("traded", "status")
        # A changed byte is no credential.
        machine.did("systemctl", "stop", DAEMON)
        machine.did("sh", "-c", f"sed -i 's/./X/20' {where}")
        assert machine.run("systemctl", "start", DAEMON).returncode != 0
    finally:
        machine.did("rm", example)
        machine.did("systemctl", "daemon-reload")


def test_the_sandbox_hides_and_forbids_what_no_daemon_needs(machine: Booted) -> None:
    unit = (machine.root / "etc/systemd/system" / DAEMON).read_text()
    probe = "/opt/traded/probe.py"
    lines = [
        f"ExecStart={PREFIX}/python/bin/python3 {probe}" if line.startswith("ExecStart=") else line
        for line in unit.replace("Type=notify", "Type=oneshot").splitlines()
        if not line.startswith(("ExecStop", "ExecReload", "Restart", "OnFailure", "Watchdog"))
    ]
    machine.write("/etc/systemd/system/probe.service", "\n".join(lines))
    machine.write(probe, (ROOT / "tests/systemd/probe.py").read_text())
    machine.did("systemctl", "daemon-reload")
    # Another host that would answer, so that it is the filter that stops what goes there.
    machine.run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
    machine.did("systemctl", "start", "probe.service")
    found = [line for line in machine.log("-u", "probe.service").splitlines() if ": " in line]
    told = dict(line.split(": ", 1) for line in found if line.startswith("probe "))
    # Most by the error of the sandbox, which is not that of a user who may not anyway.
    assert told == {
        "probe write the journal's folder": "yes",
        "probe write /etc": "EACCES",
        "probe write the code": "EROFS",
        "probe see /home": "EACCES",
        "probe see /root": "EACCES",
        "probe see other processes": "ENOENT",
        "probe read other credentials": "EACCES",
        "probe open AF_PACKET": "EAFNOSUPPORT",
        "probe open AF_NETLINK": "EAFNOSUPPORT",
        "probe reach another host": "timed out",
        "probe reach this host": "yes",
        "probe map code it wrote": "EPERM",
        "probe set the clock": "EPERM",
        "probe make a namespace": "EPERM",
        "probe make a setuid file": "EPERM",
    }


def test_a_reload_takes_a_changed_limit_and_refuses_a_bad_file(machine: Booted) -> None:
    start(machine)
    config = TRADES.replace("max_order_shares = ", "max_order_shares = 7 #", 1)
    assert config != TRADES
    machine.write("/etc/traded/traded.toml", config)
    machine.did("systemctl", "reload", DAEMON)
    assert machine.show(DAEMON, "ActiveState") == "active"
    reloaded = "limits.account.max_order_shares: 100000 -> 7"
    assert reloaded in machine.log("-u", DAEMON, "-n", "200")
    machine.write("/etc/traded/traded.toml", config.replace("= 7 #", '= "many" #'))
    assert machine.run("systemctl", "reload", DAEMON).returncode != 0
    assert machine.show(DAEMON, "ActiveState") == "active"
    assert "the configuration in force stays" in machine.log("-u", DAEMON)


def test_two_accounts_run_side_by_side_and_one_leaves_the_other_alone(machine: Booted) -> None:
    machine.write("/etc/traded/second.toml", f'account = "second"\n{TRADES}')
    machine.did("systemd-tmpfiles", "--create", "traded.conf")
    second = "traded@second.service"
    own = QUICK.replace("/var/lib/traded", "/var/lib/traded/second")
    machine.drop_in(second, own)
    start(machine)
    machine.did("systemctl", "start", second)
    assert machine.show(second, "ActiveState") == "active"
    asked = ("env", "TRADED_CONFIG=/etc/traded/second.toml", "traded", "status")
    assert "journal     /var/lib/traded/second/second-broker-paper.db" in machine.did(*asked)
    machine.did("systemctl", "stop", DAEMON)
    assert f"running (process {machine.show(second, 'MainPID')})" in machine.did(*asked)
    machine.drop_in(second, "")


def test_a_run_that_is_to_end_by_itself_is_ended_and_not_restarted(machine: Booted) -> None:
    gateway = TRADES.replace('kind = "loaded:Bars"', 'kind = "ibkr"').replace("24/7", "NYSE")
    machine.write("/etc/traded/traded.toml", gateway)
    machine.write("/etc/traded/traded.env", "RUN_OPTIONS=--once --max-runtime 5\n")
    try:
        machine.run("systemctl", "start", DAEMON)
        machine.wait("end", lambda: machine.show(DAEMON, "ExecMainStatus") == "8")
        assert machine.show(DAEMON, "NRestarts") == "0"
        assert "--max-runtime: 5 s are over" in machine.log("-u", DAEMON)
        machine.wait("alert", lambda: "has failed" in machine.log("-p", "alert"))
    finally:
        machine.did("rm", "/etc/traded/traded.env")


def test_timers_are_set_and_what_they_start_does_its_work(machine: Booted) -> None:
    start(machine)
    for job in ("backup", "verify", "ready", "report-daily", "report-weekly"):
        machine.did("systemctl", "start", f"traded-{job}@traded.timer")
        assert machine.show(f"traded-{job}@traded.timer", "NextElapseUSecRealtime")
    for job in ("backup", "verify"):
        machine.did("systemctl", "start", f"traded-{job}@traded.service")
        assert machine.show(f"traded-{job}@traded.service", "Result") == "success"
    assert "backups" in machine.did("ls", "/var/lib/traded")
    machine.run("systemctl", "stop", "traded-*.timer")


def test_whoever_watches_does_so_with_the_daemon_up_and_down(machine: Booted) -> None:
    watch = "traded-watch.service"
    machine.drop_in(watch, f"[Service]\nSetCredential=traded_watch_token:{TOKEN}\n")
    machine.did("systemctl", "start", watch)
    start(machine)
    machine.wait("pages", lambda: machine.run(*PAGES).returncode == 0)
    machine.did("systemctl", "stop", DAEMON)
    assert (machine.show(watch, "ActiveState"), machine.show(watch, "NRestarts")) == ("active", "0")
    # Without its token it does not start, and that is alerted.
    machine.drop_in(watch, "")
    machine.run("systemctl", "restart", watch)
    machine.wait("refusal", lambda: machine.show(watch, "ActiveState") == "failed")
    alert = "traded: traded-watch.service has failed"
    machine.wait("alert", lambda: alert in machine.log("-p", "alert"))


def test_removing_it_leaves_configuration_and_journals(machine: Booted) -> None:
    start(machine)
    machine.did("systemctl", "enable", DAEMON, "traded-verify@traded.timer")
    within = [f"DESTDIR={machine.root}", f"PREFIX={PREFIX}"]
    machine.did("systemctl", "stop", DAEMON)
    # A copy of the installed files, since the code itself is mounted into this one.
    subprocess.run(["make", "-s", "uninstall", *within], cwd=ROOT, check=True, capture_output=True)
    machine.did("systemctl", "daemon-reload")
    left = machine.did(
        "sh", "-c", "find /etc/systemd /etc/sysusers.d /etc/tmpfiles.d -name 'traded*'"
    )
    assert [line for line in left.splitlines() if "service.d" not in line] == []
    assert "paper-broker-paper.db" in machine.did("ls", "/var/lib/traded")
    assert machine.did("ls", "/etc/traded/traded.toml")
    again = [*within, "install-files"]
    subprocess.run(["make", "-s", *again], cwd=ROOT, check=True, capture_output=True)
    machine.did("systemctl", "daemon-reload")
