"""A booted machine set up as the runbook has it: a simulated gateway, alerts taken beside it.

Whoever connects to port 4002 meets a door before the gateway: with the door closed the gateway is
down to everybody, while its time passes.
"""

import re
import time
from collections.abc import Callable

from tests.gateway_walk import ACCOUNT, BARS
from tests.systemd.booted import PREFIX, ROOT, Booted

DAEMON, WATCH = "traded.service", "traded-watch.service"
PAGE = (ROOT / "ops" / "runbook.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
WATCHDOG_S = 15
SECRETS = {
    "traded": ("ibkr_account",),
    "traded-watch": ("traded_watch_token", "traded_alert_urls"),
    "traded-alert@": ("traded_alert_urls",),
}
"""What is edited on the page, and which secrets each unit gets."""
_DEMO = (ROOT / "ops" / "demo" / "gateway.toml").read_text(encoding="utf-8")
CONFIG = (
    re.sub(r"\[journal]\npath = .*\n", "", _DEMO)
    + """
[watch.alerts]
disconnect_grace_s = 2
messages_an_hour = 1000
"""
)
_ENVIRONMENT = """RUN_OPTIONS=--gateway-time /run/gateway/time
IBKR_PORT=4002
TRADED_FRESHNESS__MAX_AGE_S=80000
TRADED_GATEWAY__LATE_AFTER_S=80000
TRADED_BROKER__ANSWER_DEADLINE_S=3600
TRADED_LIMITS__MARGIN__ANSWER_DEADLINE_S=3600
"""
"""A second of the machine is minutes at the gateway, and the machine may be a slow one."""
_UNITS = {
    "gateway-sim.service": f"""[Service]
DynamicUser=yes
RuntimeDirectory=gateway
Environment=HOME=/run/gateway PYTHONDONTWRITEBYTECODE=1
ExecStart={PREFIX}/bin/traded gateway-sim --bars {PREFIX}/code/{BARS} --port 4003 \\
  --clock /run/gateway/time $WORDS
EnvironmentFile=/etc/gateway.env
""",
    "gateway.socket": "[Socket]\nListenStream=127.0.0.1:4002\n",
    "gateway.service": "[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd 127.0.0.1:4003\n",
    "alert-sink.service": f"[Service]\nExecStart={PREFIX}/lib/traded/bin/python /opt/sink.py\n",
}
_DOOR = ("gateway.socket", "gateway.service")
_SINK = """
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

class Web(BaseHTTPRequestHandler):
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(told["title"], told["message"], sep="\\n", flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", 9000), Web).serve_forever()
"""
_TYPED_IN = {
    'systemd-ask-password -n "Account:"': f"printf {ACCOUNT}",
    'systemd-ask-password -n "Alerts go to:"': "printf phone=json://127.0.0.1:9000/",
    "tee /dev/tty": "tee /root/token",
}
"""What asks a person or shows something, and what stands for that here."""


class TradingHost:
    """The machine, and what a person does on it."""

    def __init__(self, machine: Booted) -> None:
        """Lay out what is around traded: nothing of it runs yet."""
        self.machine = machine
        for name, text in _UNITS.items():
            machine.write(f"/etc/systemd/system/{name}", text)
        machine.write("/opt/sink.py", _SINK)
        # Its clock is its host's, and whether that one is synchronised is not about us.
        machine.write("/usr/local/bin/timedatectl", "#!/bin/sh\necho yes\n")
        machine.did("chmod", "755", "/usr/local/bin/timedatectl")
        machine.write("/etc/traded/traded.toml", CONFIG)
        machine.write("/etc/traded/traded.env", _ENVIRONMENT)
        machine.did("systemd-tmpfiles", "--create", "traded.conf")
        watchdog = f"[Service]\nWatchdogSec={WATCHDOG_S}\nTimeoutAbortSec=2\n"
        machine.write(f"/etc/systemd/system/{DAEMON}.d/quick.conf", watchdog)
        machine.did("systemctl", "daemon-reload")
        machine.did("systemctl", "start", "alert-sink.service")

    def give_secrets(self) -> None:
        """Type what the page has for a new host."""
        found = re.search(r"^```sh\n(install -d .*?)```", PAGE, re.DOTALL | re.MULTILINE)
        assert found is not None
        edits = re.findall(r"^systemctl edit (\S+)", found[1], re.MULTILINE)
        assert edits == list(SECRETS)
        script = re.sub(r"^systemctl edit .*\n", "", found[1], flags=re.MULTILINE)
        for shown, typed in _TYPED_IN.items():
            assert shown in script
            script = script.replace(shown, typed)
        self.machine.did("systemd-creds", "setup")
        self.machine.did("bash", "-e", "-o", "pipefail", "-c", script)
        for unit, names in SECRETS.items():
            lines = [
                f"LoadCredentialEncrypted={name}:/etc/traded/credentials/{name}" for name in names
            ]
            self.machine.write("/root/edited", "\n".join(["[Service]", *lines, ""]))
            editor = ("env", "SYSTEMD_EDITOR=cp /root/edited")
            # It wants a terminal.
            self.machine.did(*editor, "script", "-qec", f"systemctl edit {unit}", "/dev/null")

    def type(self, command: str) -> str:
        """Type a command of the runbook or the README; return what it prints."""
        assert command in PAGE or command in README, command
        return self.machine.did("bash", "-c", command)

    def open_gateway(self, start: str, speed: int, *words: str) -> None:
        """Have a gateway at that time, with a fresh account."""
        machine = self.machine
        machine.run("systemctl", "stop", "gateway-sim.service")
        more = " ".join(words)
        # Without quotes, systemd makes words of it.
        machine.write("/etc/gateway.env", f"WORDS=--start {start} --speed {speed} {more}\n")
        machine.did("systemctl", "start", "gateway-sim.service")
        self.open_door()
        there = ("test", "-e", "/run/gateway/time")
        machine.wait("the gateway's time", lambda: machine.run(*there).returncode == 0)

    def open_door(self) -> None:
        """Let everybody in who asks for the gateway."""
        self.machine.did("systemctl", "start", "gateway.socket")

    def close_door(self) -> None:
        """Have the gateway down, for all that anybody can see."""
        self.machine.did("systemctl", "stop", *_DOOR)

    def adopt(self) -> None:
        """Take the opening balance into the books, as on a first day."""
        machine = self.machine
        machine.wait("break", lambda: machine.run("traded", "breaks").returncode == 3)
        words = ("traded", "resolve", "--all", "--adopt", "--why", "opening balance")

        def is_booked() -> bool:
            token = re.search(r"--confirm (\w+)", machine.run(*words).stderr)
            confirmed = (*words, "--confirm", token[1] if token else "none")
            return "booked +1000000.00 USD" in machine.run(*confirmed).stdout

        machine.wait("balance", is_booked)

    def is_free(self) -> bool:
        """Say whether nothing is held: connected, compared, ready to trade."""
        return self.machine.show(DAEMON, "StatusText").startswith("trading; broker connected")

    def ready_code(self) -> str:
        """Return what `/-/ready` answers with."""
        words = ("-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8466/-/ready")
        return self.machine.run("curl", *words).stdout

    def told(self) -> str:
        """Return every alert that has arrived."""
        return self.machine.log("-u", "alert-sink.service", "-n", "5000")

    def ready_again(self, what: str, do: Callable[[], object]) -> tuple[float, float]:
        """Do what ends the daemon; return how long until the next was ready, and its CPU time.

        The first is what a clock on the wall says, in seconds, the second what the new process has
        used by then: a machine that is busy with others makes the first long, and not the second.
        """
        machine = self.machine
        before, began = machine.show(DAEMON, "MainPID"), time.monotonic()
        do()

        def is_back() -> bool:
            state, pid = machine.show(DAEMON, "ActiveState"), machine.show(DAEMON, "MainPID")
            return state == "active" and pid not in {before, "0"}

        machine.wait(what, is_back)
        pid = machine.show(DAEMON, "MainPID")
        fields = machine.did("cat", f"/proc/{pid}/stat").rpartition(") ")[2].split()
        used_s = (int(fields[11]) + int(fields[12])) / 100
        ready_at = int(machine.show(DAEMON, "ActiveEnterTimestampMonotonic")) / 1e6
        return ready_at - began, used_s

    def close(self) -> None:
        """Leave the machine to others as it was."""
        machine = self.machine
        machine.run("bash", "-c", "systemctl disable --now traded{,-watch} traded-*@traded.timer")
        machine.run("systemctl", "kill", "--signal=KILL", "traded*.service")
        machine.run("systemctl", "stop", "traded*", *_DOOR, *_UNITS)
        machine.run("systemctl", "reset-failed")
        machine.run("umount", "/var/lib/traded")
        gone = [f"/etc/systemd/system/{name}" for name in _UNITS]
        gone += [f"/etc/systemd/system/{unit}.service.d/override.conf" for unit in SECRETS]
        gone += [f"/etc/systemd/system/{DAEMON}.d/quick.conf", "/usr/local/bin/timedatectl"]
        everything = "rm -rf /var/lib/traded/* /run/traded/* /etc/traded/* " + " ".join(gone)
        machine.run("sh", "-c", everything)
        machine.run("systemctl", "daemon-reload")
