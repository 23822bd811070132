"""The log of a daemon nobody looks at: JSON with its ids, and no secret in anything written."""

import json
import os
import subprocess
from pathlib import Path

from tests.command_line import TRADED, a_place, environment
from tests.gateway_walk import ACCOUNT, BARS, Process, Walk, until

SECRETS = {
    "TRADED_WATCH_TOKEN": "planted-token-of-the-watch",
    "TRADED_ALERT_URLS": "json://planted:password@localhost/alerts",
    "TRADED_PING_URL": "http://localhost/planted-ping-address",
}
PLANTED = (ACCOUNT, "planted-token", "planted:password", "planted-ping")


def test_every_line_of_the_log_is_json_and_what_is_of_an_order_names_it(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    walk.variables |= SECRETS | {"TRADED_LOG": "json"}
    with (
        walk.gateway(
            *("gateway-sim", "--bars", BARS, "--start", "2012-11-05T14:25", "--speed", "60"),
            *("--port", str(walk.port), "--clock", "var/gateway.time"),
        ) as gateway,
        walk.daemon("run", "--gateway-time", "var/gateway.time") as daemon,
    ):
        daemon.wait_for("broker.connected")
        daemon.wait_for("RECONCILIATION_BREAK")
        ours = [gateway, daemon]
        shown = [walk.typed(*words) for words in LOOKS]
        assert walk.typed("order", "buy", "1", "AAPL", "--why", f"for {ACCOUNT}").returncode
        until(lambda: daemon.said.count("\n") > 10, lambda: daemon.said)
        _, printed = daemon.stop()
        lines = [json.loads(line) for line in daemon.said.splitlines()]
        assert {"time", "level", "event"} <= set.intersection(*map(set, lines))
        of_journal = [line for line in lines if "seq" in line]
        assert all(line["trace"] and line["type"] and line["at"] for line in of_journal)
        assert {"AAPL", "MSFT"} <= {line.get("symbol") for line in of_journal}
        assert_nothing_planted(tmp_path, ours[1], printed, *(f"{each}" for each in shown))


LOOKS = (
    ("status",),
    ("ready", "--json"),
    ("tail", "--json"),
    ("show-config",),
    ("secrets", "list"),
)


def assert_nothing_planted(folder: Path, daemon: Process, *texts: str) -> None:
    """See that no secret is in what was said, nor in any file that was written."""
    found = [daemon.said, *texts]
    # `str` of a finished command has its words, its stdout and its stderr.
    files = [path for path in folder.rglob("*") if path.is_file() and "gateway" not in path.name]
    found += [path.read_bytes().decode(errors="replace") for path in files]
    assert len(found) > 5, "the journal and its like are among them"
    for planted in PLANTED:
        assert [text[:300] for text in found if planted in text] == []


def test_what_ends_a_daemon_is_one_line_of_its_log_with_the_exit_code(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    (place / "bars" / "AAPL.csv").write_text("nonsense", encoding="utf-8")
    done = run(place, TRADED_LOG="json")
    last = json.loads(done.stderr.splitlines()[-1])
    assert (last["level"], last["exit_code"]) == ("error", done.returncode)
    assert "AAPL.csv" in last["event"]


def test_systemds_journal_gets_priorities_and_nobody_else(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    plain = run(place, TRADED_LOG="json").stderr.splitlines()
    assert plain
    assert all(line.startswith("{") for line in plain)
    # A stream that systemd names and that is another one than stderr.
    assert run(place, TRADED_LOG="json", JOURNAL_STREAM="8:12345").stderr.startswith("{")
    with (tmp_path / "stderr").open("w") as stream:
        found = os.fstat(stream.fileno())
        variables = {"TRADED_LOG": "json", "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        subprocess.run(
            [TRADED, "run", "--config", place / "traded.toml"],
            env=environment(place, **variables),
            stderr=stream,
            stdout=subprocess.DEVNULL,
            check=False,
        )
    lines = (tmp_path / "stderr").read_text(encoding="utf-8").splitlines()
    assert all(line[:4] in {"<3>{", "<4>{", "<5>{", "<6>{"} for line in lines), lines


def test_a_form_of_log_there_is_not_is_refused(tmp_path: Path) -> None:
    done = run(a_place(tmp_path / "place"), TRADED_LOG="xml")
    assert done.returncode == 2
    assert "TRADED_LOG: 'xml' is neither 'human' nor 'json'" in done.stderr


def run(place: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TRADED, "run", "--config", place / "traded.toml"],
        env=environment(place, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
