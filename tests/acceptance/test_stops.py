"""The end of a run at a market outside, and a run that sends nothing there: told and recorded."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.live_desk import Daemon, a_daemon


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> Iterator[Daemon]:  # noqa: ANN401 - pytest's
    """Start a daemon under the variables that a test names."""
    for name, text in getattr(request, "param", {}).items():
        monkeypatch.setenv(name, text)
    with a_daemon(tmp_path / "d", calm=True) as found:
        yield found
        assert "Traceback" not in found.log


def bodies(daemon: Daemon, tag: str) -> list[dict[str, Any]]:
    """Return the events of that kind as the file has them, past all our code."""
    with closing(sqlite3.connect(f"file:{daemon.journal}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT body FROM event WHERE type = ? ORDER BY seq", (tag,))
        return [json.loads(body) for (body,) in rows]


def redecided(daemon: Daemon) -> None:
    done = daemon.traded("replay", "--redecide")
    assert done.returncode == 0, done.stdout


def test_a_stop_leaves_the_orders_at_the_market_and_names_them(daemon: Daemon) -> None:
    daemon.busy(sent=0, resting=4)
    resting = daemon.market.resting()
    assert daemon.end() == 0
    assert "on_stop = leave: 4 orders stay open at the broker\n" in daemon.log
    assert all(f"  ACKNOWLEDGED {each}\n" in daemon.log for each in resting)
    (ended,) = bodies(daemon, "session.ended")
    assert (ended["reason"], set(ended["left"])) == ("signal SIGTERM", resting)
    assert daemon.market.heard("cancel") == []
    redecided(daemon)


@pytest.mark.parametrize("daemon", [{"TRADED_DAEMON__ON_STOP": "cancel"}], indirect=True)
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_that_cancels_ends_with_no_order_open(daemon: Daemon, kind: signal.Signals) -> None:
    daemon.busy(sent=0, resting=4)
    daemon.running.send_signal(kind)
    assert daemon.running.wait(20) == 0
    assert daemon.market.resting() == set()
    assert " cancelled" in daemon.log
    assert "; no order is open\n" in daemon.log
    (stopping,) = bodies(daemon, "session.stopping")
    (ended,) = bodies(daemon, "session.ended")
    assert stopping["reason"] == f"signal {kind.name}"
    assert "left" not in ended
    redecided(daemon)


@pytest.mark.parametrize("daemon", [{"TRADED_DRY_RUN": "1"}], indirect=True)
def test_a_dry_run_decides_and_records_and_says_so_everywhere(daemon: Daemon) -> None:
    daemon.wait("withheld orders", lambda: len(bodies(daemon, "order.withheld")) >= 3)
    status, ready = daemon.traded("status"), daemon.traded("ready")
    assert "DRY RUN: nothing is sent" in status.stdout
    assert "DRY RUN: nothing is sent" in ready.stdout
    assert json.loads(daemon.traded("status", "--json").stdout)["dry_run"] is True
    assert json.loads(daemon.traded("ready", "--json").stdout)["dry_run"] is True
    ordered = daemon.tell_surely("order", symbol="A", quantity="1")
    assert ordered.lines[-1] == "DRY RUN: nothing is sent"
    assert daemon.end() == 0
    assert "note: TRADED_DRY_RUN says that this is a DRY RUN, whatever the file says" in daemon.log
    assert "note: DRY RUN: all is decided and recorded, nothing is sent" in daemon.log
    assert "DRY RUN, nothing was sent: " in daemon.log
    assert daemon.market.heard("sent", "rests", "cancel") == []
    assert {each["reason"] for each in bodies(daemon, "order.withheld")} == {"dry run"}
    (config,) = bodies(daemon, "config.loaded")
    assert config["config"]["dry_run"] is True
    redecided(daemon)


def test_a_kill_in_a_dry_run_leaves_no_order_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADED_DRY_RUN", "1")
    with a_daemon(tmp_path / "d", calm=True) as daemon:
        daemon.wait("withheld orders", lambda: len(bodies(daemon, "order.withheld")) >= 3)
        daemon.kill()
        monkeypatch.setenv("TRADED_DRY_RUN", "0")
        daemon.start()
        daemon.busy(sent=3, resting=1)
        assert daemon.end() == 0
        assert "note: TRADED_DRY_RUN says that this is no dry run" in daemon.log
        assert [each["config"]["dry_run"] for each in bodies(daemon, "config.loaded")] == [
            True,
            False,
        ]
        assert bodies(daemon, "order.unknown") == []


def test_turning_a_dry_run_off_halts_a_live_account_until_somebody_has_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADED_DRY_RUN", "1")
    with a_daemon(tmp_path / "d", calm=True, mode="live") as daemon:
        daemon.tell_surely("resume")
        daemon.wait("withheld orders", lambda: len(bodies(daemon, "order.withheld")) >= 1)
        assert daemon.end() == 0
        monkeypatch.setenv("TRADED_DRY_RUN", "0")
        daemon.start()
        whys = [hold.why for hold in daemon.holds()]
        assert whys == ["the configuration changed: dry_run"]
        assert daemon.market.heard("sent", "rests") == []
        daemon.tell_surely("resume")
        daemon.busy(sent=1, resting=1)
