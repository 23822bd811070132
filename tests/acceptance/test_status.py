"""`traded status`: what the daemon does, what holds it, what room is left; up, hung and dead."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.daemon_state import Running, daemon_state
from tests.command_line import a_place, traded
from tests.journals import write
from tests.live_desk import Daemon, a_daemon

WIDTH = 80


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with a_daemon(tmp_path_factory.mktemp("seen") / "d", calm=True) as found:
        found.busy()
        yield found
        assert "Traceback" not in found.log


def shown(daemon: Daemon) -> dict[str, Any]:
    done = daemon.traded("status", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def first_line(daemon: Daemon) -> str:
    done = daemon.traded("status")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[0]


def test_a_daemon_that_answers_runs(daemon: Daemon) -> None:
    assert first_line(daemon) == f"daemon      running (process {daemon.running.pid})"
    status = shown(daemon)
    assert status["daemon"]["running"] == "running"
    assert status["daemon"]["troubles"] == []
    assert status["dry_run"] is False
    assert status["limits_not_set"] == []


def test_a_daemon_that_is_stopped_in_its_tracks_is_hung(daemon: Daemon) -> None:
    daemon.running.send_signal(signal.SIGSTOP)
    try:
        line = first_line(daemon)
        assert shown(daemon)["daemon"]["running"] == "hung"
        ready = daemon.traded("ready")
    finally:
        daemon.running.send_signal(signal.SIGCONT)
    pid = daemon.running.pid
    assert line.startswith(f"daemon      HUNG (process {pid}): its trading loop does not answer")
    assert "`traded kill --offline` stops it" in line
    assert "FAIL  control socket" in ready.stdout
    daemon.busy(sent=1, resting=0)


def test_a_loop_that_hangs_is_hung_though_its_socket_lives(daemon: Daemon) -> None:
    daemon.hang(8)
    assert "HUNG" in first_line(daemon)
    daemon.busy(sent=1, resting=0)
    assert "running" in first_line(daemon)


def test_one_whose_socket_is_not_to_be_had_runs_and_cannot_be_asked(daemon: Daemon) -> None:
    aside = daemon.socket.with_suffix(".aside")
    daemon.socket.rename(aside)
    try:
        line = first_line(daemon)
        assert shown(daemon)["daemon"]["running"] == "unheard"
    finally:
        aside.rename(daemon.socket)
    assert line.startswith(
        f"daemon      running (process {daemon.running.pid}), and cannot be asked"
    )


def test_limits_come_the_tightest_first_and_data_the_stalest(daemon: Daemon) -> None:
    status = shown(daemon)
    shares = [float(each["share"]) for each in status["headroom"]]
    assert shares == sorted(shares, reverse=True)
    assert {"daily_loss", "drawdown", "gross_usd", "leverage", "order_rate"} <= {
        each["limit_name"] for each in status["headroom"]
    }
    ages = [each["age_s"] for each in status["data"]]
    assert ages == sorted(ages, reverse=True)
    assert len(ages) == 8


def test_it_fits_on_eighty_columns_and_a_pipe_gets_no_colour(daemon: Daemon) -> None:
    text = daemon.traded("status").stdout
    assert "\x1b" not in text
    tables = text[text.index("limits, with one more order:") :]
    long = [line for line in tables.splitlines() if len(line) > WIDTH]
    # What a strategy or a hold says is as long as it is; the tables are not.
    assert [line for line in long if not line.startswith(("strategy", "session", " "))] == []


def test_of_a_past_moment_nobody_asks_the_daemon_of_today(daemon: Daemon) -> None:
    past = daemon.traded("status", "--at", "20")
    assert past.stdout.startswith("daemon      running then\n")
    told = json.loads(daemon.traded("status", "--at", "20", "--json").stdout)
    assert (told["daemon"], told["running"], told["pid"]) == (None, True, None)


def test_what_was_killed_did_not_say_why(tmp_path: Path) -> None:
    with a_daemon(tmp_path / "d", calm=True) as daemon:
        assert shown(daemon)["running"] is True
        daemon.kill()
        assert first_line(daemon) == (
            "daemon      not running: it did not say why it stopped, so it was killed or crashed"
        )
        status = shown(daemon)
        assert (status["daemon"]["running"], status["pid"]) == ("stopped", None)
        # The socket it left behind takes nobody for a daemon.
        assert daemon.socket.exists()
        assert daemon_state(daemon.journal).running is Running.STOPPED
        assert daemon.traded("hold", "all", "--why", "x").returncode == 4


def test_a_journal_of_one_event_has_a_status(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    asyncio.run(write(path))
    done = traded("status", "--journal", path)
    assert done.returncode == 0, done.stderr
    assert "mode        paper, account test\n" in done.stdout
    assert "limits       NOT SET, so no order passes: max_order_shares" in done.stdout
    ready = traded("ready", "--journal", path)
    assert (ready.returncode, "NOT READY" in ready.stdout) == (3, True)


# Whatever is wrong with the file that names the journal.


def test_a_file_that_a_start_would_refuse_still_says_which_journal_it_is(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    assert traded("run", "--config", place / "traded.toml").returncode == 0
    path = place / "traded.toml"
    path.write_text(path.read_text().replace("max_drawdown = 0.9", "max_drawdown = lots"))
    broken = traded("status", cwd=place)
    assert broken.returncode == 78
    assert broken.stderr.endswith("next: give --journal FILE to do without it\n")
    path.write_text(path.read_text().replace("max_drawdown = lots", "max_drawdown = -5"))
    done = traded("status", cwd=place)
    assert done.returncode == 0, done.stderr
    assert f"note: a start would refuse {path}: see `traded check-config`\n" in done.stderr
    assert traded("kill", cwd=place).returncode == 4, "nobody runs, but it knows where"
    path.write_text('account = "a/b"\n' + path.read_text().replace('account = "mine"', ""))
    assert traded("status", cwd=place).returncode == 78


def test_the_journal_of_another_account_is_no_damaged_one(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    words = ("run", "--config", place / "traded.toml")
    assert traded(*words).returncode == 0
    other = traded(*words, "--set", "account=yours")
    assert other.returncode == 78
    assert "is the journal of mine in mode paper" in other.stderr
    assert "next: set journal.path to another file, or mode and account back" in other.stderr
    assert traded(*words).returncode == 0


def test_a_permit_that_is_gone_is_said_though_nobody_has_taken_note_of_it_yet(
    daemon: Daemon,
) -> None:
    daemon.running.send_signal(signal.SIGSTOP)
    try:
        assert daemon.traded("kill", "--why", "it hangs").returncode == 1
        done = daemon.traded("status")
        assert shown(daemon)["permit_lost"] is True
    finally:
        daemon.running.send_signal(signal.SIGCONT)
    assert (
        "\npermit       GONE, so no order leaves: `traded resume` gives it again\n" in done.stdout
    )
    daemon.wait("kill", lambda: any(hold.cause == "kill switch" for hold in daemon.holds()))
    daemon.tell_surely("resume")
    assert shown(daemon)["permit_lost"] is False
    daemon.busy(sent=1, resting=0)
