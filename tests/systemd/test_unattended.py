"""A fresh host from installation to removal, its broker a simulated gateway: as the runbook says.

The tests but the first share one host, and each leaves it trading to the next.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.systemd.booted import PREFIX, Booted
from tests.systemd.trading_host import (
    CONFIG,
    DAEMON,
    PAGE,
    SECRETS,
    WATCH,
    WATCHDOG_S,
    TradingHost,
)

CHAT = "traded-chat.service"
RESTART_MAX_S = 10
"""The promise: so long after a kill it is ready again."""
JOBS = ("backup", "verify", "ready", "report-daily", "report-weekly")
TIMERS = (
    "systemctl enable --now traded-{backup,verify,ready,report-daily,report-weekly}@traded.timer"
)


@pytest.fixture(scope="module")
def host(booted: Booted) -> Iterator[TradingHost]:
    """Return the host with its secrets, nothing of it running."""
    found = TradingHost(booted)
    try:
        found.give_secrets()
        yield found
    finally:
        found.close()


@pytest.fixture
def trading(host: TradingHost) -> TradingHost:
    """Return it trading, in a session that lasts longer than these tests."""
    machine = host.machine
    if machine.show(WATCH, "ActiveState") != "active":
        host.open_gateway("2012-11-06T14:40", 20)
        host.type("systemctl enable --now traded traded-watch")
        host.type(TIMERS)
        host.adopt()
    machine.wait("nothing held", host.is_free)
    # The starts of other tests are no crash loop of this one.
    machine.did("systemctl", "reset-failed", DAEMON)
    return host


def test_a_day_and_a_night_pass_and_the_books_agree(host: TradingHost) -> None:
    """From before one opening to behind the next, at two thousand times the world's speed."""
    machine = host.machine
    host.open_gateway("2012-11-05T14:00", 2000, "--schedule")
    host.type("systemctl start traded")
    host.adopt()
    asked = "schedule timer of balance/rebalance, due 2012-11-06 14:30:00"
    machine.wait("next day", lambda: asked in machine.did("traded", "tail", "-n", "400"))
    machine.wait("nothing held", host.is_free)
    gateway = machine.log("-u", "gateway-sim.service")
    assert ("restart from" in gateway, "servers from" in gateway) == (True, True)
    assert machine.show(DAEMON, "NRestarts") == "0"
    host.type("systemctl stop traded")
    for words in (["verify"], ["breaks"], ["replay", "--redecide"], ["report", "daily"]):
        machine.did("traded", *words)
    assert " fills" in machine.log("-u", DAEMON)
    machine.did("sh", "-c", "rm -rf /var/lib/traded/*")


def test_every_job_does_its_work_in_its_sandbox_and_the_host_is_sound(trading: TradingHost) -> None:
    machine = trading.machine
    machine.wait("readiness", lambda: trading.ready_code() == "200")
    trading.type("systemctl start traded-backup@traded")
    assert JOBS[0] == "backup"
    for job in JOBS[1:]:
        unit = f"traded-{job}@traded.service"
        machine.did("systemctl", "start", unit)
        assert machine.show(unit, "Result") == "success"
        timer = unit.replace(".service", ".timer")
        assert machine.show(timer, "ActiveState") == "active"
    assert "\nready\n" in machine.log("-u", "traded-ready@traded", "-n", "200")
    assert "equity" in machine.log("-u", "traded-report-daily@traded", "-n", "500")
    assert trading.type("traded-verify-host").endswith("\nsound\n")
    # What else was installed.
    assert "TRADED(1)" in machine.did("man", "-M", f"{PREFIX}/share/man", "traded")
    completions = f"{PREFIX}/share/bash-completion/completions/traded"
    typed = f"source {completions}; COMP_WORDS=(traded sta) COMP_CWORD=1; complete -p traded"
    assert "traded" in machine.did("bash", "-c", typed)


def test_a_killed_one_is_ready_again_in_time_on_the_same_books(trading: TradingHost) -> None:
    machine = trading.machine
    before = re.findall(r"positions +\d+", machine.did("traded", "status"))
    kill = ("systemctl", "kill", "--signal=KILL", "--kill-whom=main", DAEMON)
    passed_s, used_s = trading.ready_again("second start", lambda: machine.did(*kill))
    waits_s = 2
    assert machine.show(DAEMON, "RestartUSec") == f"{waits_s}s"
    print(f"ready again {passed_s:.1f} s after the kill, {used_s:.1f} s of CPU")  # noqa: T201 - the figure
    assert waits_s + used_s < RESTART_MAX_S
    machine.wait("nothing held", trading.is_free)
    assert re.findall(r"positions +\d+", machine.did("traded", "status")) == before
    machine.wait("alert", lambda: "the daemon was killed or crashed" in trading.told())
    assert "recovered from" in trading.type("journalctl -u traded -n 50")
    assert 'Status: "trading; broker connected' in trading.type("systemctl status traded")
    trading.type("journalctl -u traded --since -1h -p err")


def test_one_that_hangs_is_ended_by_the_watchdog_and_trades_again(trading: TradingHost) -> None:
    machine = trading.machine
    stop = ("systemctl", "kill", "--signal=STOP", "--kill-whom=main", DAEMON)
    trading.ready_again("start after SIGSTOP", lambda: machine.did(*stop))
    assert "Watchdog timeout" in machine.log("-u", DAEMON, "-n", "2000")
    machine.wait("nothing held", trading.is_free)


def test_a_gateway_that_is_down_restarts_nothing_and_all_goes_on_by_itself(
    trading: TradingHost,
) -> None:
    machine = trading.machine
    machine.wait("readiness", lambda: trading.ready_code() == "200")
    pid = machine.show(DAEMON, "MainPID")
    trading.close_door()
    machine.wait("red", lambda: trading.ready_code() == "503")
    held = "held by BROKER_DISCONNECTED; broker NOT connected"
    machine.wait("hold", lambda: machine.show(DAEMON, "StatusText").startswith(held))
    assert "BROKER_DISCONNECTED" in trading.type("traded holds")
    machine.wait("alert", lambda: "CRITICAL" in trading.told())
    # Longer than the watchdog waits.
    machine.did("sleep", str(WATCHDOG_S + 2))
    assert machine.show(DAEMON, "MainPID") == pid
    trading.open_door()
    machine.wait("nothing held", trading.is_free)
    machine.wait("readiness", lambda: trading.ready_code() == "200")
    assert machine.show(DAEMON, "MainPID") == pid


def test_a_reload_takes_a_limit_and_a_wrong_file_changes_nothing(trading: TradingHost) -> None:
    machine = trading.machine
    pid = machine.show(DAEMON, "MainPID")
    limit = "max_order_shares = 1000"
    machine.did("sed", "-i", f"s/{limit}/max_order_shares = 900/", "/etc/traded/traded.toml")
    trading.type("systemctl reload traded")
    assert "limits.account.max_order_shares: 1000 -> 900" in machine.log("-u", DAEMON)
    machine.did("sed", "-i", "s/= 900/= -1/", "/etc/traded/traded.toml")
    assert machine.run("systemctl", "reload", "traded").returncode != 0
    assert "the configuration in force stays" in trading.type("journalctl -u traded -n 20")
    assert machine.run("traded", "check-config").returncode == 78
    machine.write("/etc/traded/traded.toml", CONFIG)
    assert machine.show(DAEMON, "MainPID") == pid


def test_a_full_disk_is_alerted_once_and_with_room_it_starts_by_itself(
    trading: TradingHost,
) -> None:
    machine = trading.machine
    with a_disk_of_its_own(trading) as sized:
        sized("$(($(df --output=used -k /var/lib/traded | tail -1) + 8))k")
        machine.did("systemctl", "start", "--no-block", DAEMON)
        cannot = "traded.service cannot write its journal"
        # It waits for 75 seconds each time: so slow that it is no crash loop.
        start_now = ("systemctl", "kill", "--kill-whom=control", DAEMON)
        has_failed(machine, 1)
        machine.did(*start_now)
        machine.wait("alert", lambda: cannot in trading.told())
        has_failed(machine, 2)
        trading.type("journalctl --vacuum-size=200M")
        sized("2g")
        machine.did(*start_now)
        machine.wait("nothing held", trading.is_free)
        assert trading.told().count(f"STOP {cannot}") == 1
        machine.did("traded", "verify")
        trading.type("systemctl restart traded")
        machine.wait("nothing held", trading.is_free)


def has_failed(machine: Booted, times: int) -> None:
    """See that it has ended for the disk, so many times by now, and waits."""
    alerted = "traded: traded-cannot-write has failed"
    machine.wait("log", lambda: machine.log("-p", "alert").count(alerted) == times)
    machine.wait("wait", lambda: machine.show(DAEMON, "SubState") == "stop-post")
    assert machine.show(DAEMON, "ExecMainStatus") == "74"


@contextmanager
def a_disk_of_its_own(host: TradingHost) -> Iterator[Callable[[str], object]]:
    """Have the journal on a disk whose size can be changed; nothing runs on it at first."""
    machine, state = host.machine, "/var/lib/traded"

    def did(script: str) -> None:
        machine.did("sh", "-ec", script)

    # In this order the daemon closes the journal last, and keeps no room for what comes next.
    machine.did("systemctl", "stop", WATCH)
    host.type("systemctl stop traded")
    did(f"cp -a {state} /var/lib/copy; mount -t tmpfs -o size=2g none {state}")
    did(f"cp -a /var/lib/copy/. {state}; rm -r /var/lib/copy")
    yield lambda size: did(f"mount -o remount,size={size} {state}")
    host.type("systemctl stop traded")
    machine.did("systemctl", "stop", WATCH)
    did(f"cp -a {state} /var/lib/copy; umount {state}; rm -r {state}; mv /var/lib/copy {state}")
    machine.did("systemctl", "start", WATCH)
    machine.did("systemctl", "reset-failed", DAEMON)
    host.type("systemctl start traded")
    machine.wait("nothing held", host.is_free)


def test_a_chat_that_nobody_may_use_says_so_and_is_not_tried_again(trading: TradingHost) -> None:
    machine = trading.machine
    trading.type("systemctl enable --now traded-chat")
    machine.wait("end", lambda: machine.show(CHAT, "ActiveState") == "failed")
    assert machine.show(CHAT, "ExecMainStatus") == "78"
    assert machine.show(CHAT, "NRestarts") == "0"
    assert "watch.chat.allowed" in machine.log("-u", CHAT)
    trading.type("systemctl disable --now traded-chat")
    machine.did("systemctl", "reset-failed", CHAT)
    trading.type("systemctl restart traded-watch")
    machine.wait("readiness", lambda: trading.ready_code() == "200")
    assert machine.show(DAEMON, "ActiveState") == "active"


def test_it_stops_and_is_removed_and_leaves_what_the_runbook_says(trading: TradingHost) -> None:
    machine = trading.machine
    assert "traded" in trading.type("ss -ltnp 'sport = :8466'")
    # The last resort, where no traded works.
    trading.type("rm /var/lib/traded/*.permit")
    machine.wait("permit", lambda: "GONE, so no order leaves" in trading.type("traded status"))
    trading.type("systemctl stop traded")
    assert machine.show(DAEMON, "Result") == "success"
    assert "not running: signal SIGTERM" in machine.did("traded", "status")
    trading.type("systemctl disable --now traded traded-watch")
    assert machine.show(WATCH, "ActiveState") == "inactive"
    found = (
        "find /etc /usr/local /var/lib /opt/traded/bin /opt/traded/lib /opt/traded/share"
        " -name '*traded*' -not -path '/etc/traded/*' -not -path '/var/lib/traded/*'"
    )
    try:
        said = machine.uninstall()
        assert "What stays: /etc/traded, /var/lib/traded (the journals), the user traded" in said
        assert set(machine.run("sh", "-c", found).stdout.split()) == {
            "/etc/traded",
            "/var/lib/traded",
            *(f"/etc/systemd/system/{unit}.service.d" for unit in SECRETS),
        }
        assert "simulated-broker-paper.db" in machine.did("ls", "/var/lib/traded")
        trading.type("rm -r /etc/traded /var/lib/traded /etc/systemd/system/traded*.d")
        trading.type("userdel traded")
        assert machine.run("sh", "-c", found).stdout == ""
        assert machine.run("systemctl", "list-units", "--no-legend", "traded*").stdout == ""
    finally:
        machine.install()


def test_what_the_runbook_types_at_systemd_is_typed_here() -> None:
    words = r"(?:^|`)((?:systemctl|journalctl|ss|rm|userdel|traded-verify-host)(?: [^`\n#]*)?)"
    typed = {each.strip() for each in re.findall(words, PAGE, re.MULTILINE)}
    assert len(typed) > 15
    sources = "".join(file.read_text() for file in Path(__file__).parent.glob("*.py"))
    edits = {f"systemctl edit {unit}" for unit in (*SECRETS, "traded-chat")}
    # The first is no command, the last two follow a log for ever.
    follow = {f"journalctl -u {unit} -f -o cat" for unit in ("traded", "traded-chat")}
    others = {"systemctl start", "systemctl edit", TIMERS, *follow}
    assert {each for each in typed - edits - others if each not in sources} == set()
