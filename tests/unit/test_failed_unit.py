"""What systemd says of a unit that has failed, in; what people are told, out."""

import os
from pathlib import Path

import pytest

from daemon.config.file import load
from ops.watch.alerts.alert import Severity
from ops.watch.alerts.failed_unit import (
    FailedUnit,
    alert_of,
    failed_unit,
    how_things_stand,
    is_told,
    keep_told,
)
from ops.watch.alerts.sending import Pace, deliver
from tests.builders import utc
from tests.journals import a_story, write

NOW = utc("2024-01-02T17:00")


@pytest.mark.parametrize(
    ("result", "status", "said"),
    [
        ("exit-code", "78", "bad configuration (exit code 78)"),
        ("exit-code", "203", "exit code 203"),
        ("signal", "KILL", "it was ended by signal KILL"),
        ("watchdog", "ABRT", "it hung, and the watchdog ended it"),
        ("start-limit-hit", "1", "it failed again and again, and is not started any more"),
        ("exec-condition", "", "exec-condition"),
        ("", "", "systemd does not say how"),
    ],
)
def test_how_it_ended_is_said_in_words(result: str, status: str, said: str) -> None:
    given = {"MONITOR_SERVICE_RESULT": result, "MONITOR_EXIT_STATUS": status}
    alert = alert_of(failed_unit("traded.service", given), NOW)
    assert alert.title == f"traded.service has failed: {said}"
    assert alert.next.endswith("`journalctl -u traded.service -n 50`")


def test_what_to_do_about_an_exit_code_of_ours_comes_first() -> None:
    alert = alert_of(FailedUnit("traded.service", "exit-code", "78"), NOW)
    assert alert.next.startswith("Mend what is listed: `traded check-config`")


def test_a_daemon_that_cannot_write_is_told_apart_and_is_started_again() -> None:
    unit = FailedUnit("traded@second-cannot-write")
    alert = alert_of(unit, NOW)
    assert alert.title == "traded@second.service cannot write its journal"
    assert "starts it again every minute or so" in alert.text
    assert alert.next.startswith("Make room on the disk")


@pytest.mark.parametrize(
    ("unit", "severity", "account"),
    [
        (FailedUnit("traded.service", "exit-code", "1"), Severity.STOP, "traded"),
        (FailedUnit("traded@second.service", "watchdog"), Severity.STOP, "second"),
        (FailedUnit("traded-cannot-write"), Severity.STOP, "traded"),
        (FailedUnit("traded-watch.service", "exit-code", "78"), Severity.CRITICAL, "traded"),
        (FailedUnit("traded-ready@second.service", "exit-code", "3"), Severity.CRITICAL, "second"),
        # A damaged journal, whoever finds it.
        (FailedUnit("traded-verify@traded.service", "exit-code", "7"), Severity.STOP, "traded"),
    ],
)
def test_what_ends_the_trading_stops_and_the_rest_is_critical(
    unit: FailedUnit, severity: Severity, account: str
) -> None:
    assert alert_of(unit, NOW).severity is severity
    assert unit.config_file == Path(f"/etc/traded/{account}.toml")


async def test_how_things_stand_is_told_or_why_that_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "traded.toml"
    assert how_things_stand(path, None, NOW) == [
        f"Not known: open orders, positions and all else ({path} cannot be used)."
    ]
    path.write_text(
        'mode = "paper"\n[symbols.AAPL]\n[feed]\npaths = ["bars"]\n[journal]\npath = "j.db"\n'
    )
    config = load(path, {})
    (said,) = how_things_stand(path, config, NOW)
    assert "j.db" in said
    await write(tmp_path / "j.db", *a_story())
    told = "\n".join(how_things_stand(path, config, NOW))
    assert "equity 100,000.00 USD" in told
    assert "Open orders: none" in told


def test_a_disk_that_stays_full_is_told_once_in_a_while_and_a_crash_each_time(
    tmp_path: Path,
) -> None:
    given = {"RUNTIME_DIRECTORY": str(tmp_path)}
    full = FailedUnit("traded-cannot-write")
    assert not is_told(full, 3_600, given)
    keep_told(full, given)
    assert is_told(full, 3_600, given)
    assert not is_told(FailedUnit("traded@second-cannot-write"), 3_600, given)
    (note,) = tmp_path.iterdir()
    old = note.stat().st_mtime - 3_700
    os.utime(note, (old, old))
    assert not is_told(full, 3_600, given)
    crashed = FailedUnit("traded.service", "signal", "SEGV")
    keep_told(crashed, given)
    assert not is_told(crashed, 3_600, given)


async def test_a_message_is_sent_again_until_it_arrives_or_enough_is_enough() -> None:
    answers = ["no", "no", ""]
    sent: list[str] = []

    async def once() -> str:
        sent.append(answers[len(sent)])
        return sent[-1]

    assert await deliver(once, Pace(attempts=4, wait_max_s=0.01)) == ""
    assert sent == ["no", "no", ""]
    sent.clear()
    assert await deliver(once, Pace(attempts=2, wait_max_s=0.01)) == "no"
