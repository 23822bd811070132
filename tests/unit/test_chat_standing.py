"""How others know whether the chat hears: a file beside the socket, and how old it is."""

from datetime import timedelta
from pathlib import Path

from ops.chat.hearing import Counts
from ops.chat.standing import AGE_MAX, ChatBeat, chat_problem, write_chat_beat
from ops.watch.alerts.standing import CHAT, AlertStanding
from tests.builders import utc

NOW = utc("2024-01-02T15:30")


def test_a_chat_that_never_lived_stopped_or_hears_nobody_is_a_problem(tmp_path: Path) -> None:
    journal, given = tmp_path / "j.db", {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert chat_problem(journal, given, NOW) == "it does not run"
    assert write_chat_beat(journal, given, ChatBeat(1, 7, NOW, "", Counts())) == ""
    assert chat_problem(journal, given, NOW + AGE_MAX) == ""
    later = NOW + AGE_MAX + timedelta(seconds=1)
    assert chat_problem(journal, given, later) == "its last sign of life is 31 s old"
    write_chat_beat(journal, given, ChatBeat(1, 7, later, "code 401", Counts()))
    assert chat_problem(journal, given, later) == "code 401"


def test_a_file_that_is_no_sign_of_life_is_none(tmp_path: Path) -> None:
    journal, given = tmp_path / "j.db", {"XDG_RUNTIME_DIR": str(tmp_path)}
    write_chat_beat(journal, given, ChatBeat(1, 7, NOW, "", Counts()))
    (beat,) = tmp_path.rglob("*.chat.json")
    assert beat.stat().st_mode & 0o077 == 0
    beat.write_bytes(b"{}")
    assert chat_problem(journal, given, NOW) == "it does not run"


def test_it_is_one_of_the_ways_that_fail_until_it_hears(tmp_path: Path) -> None:
    standing = AlertStanding(["phone"], pings=False)
    standing.hears("it does not run")
    assert standing.failing_names == {CHAT}
    assert standing.degraded == ["the chat hears nobody: it does not run"]
    standing.hears("")
    assert (standing.failing_names, standing.degraded) == (set(), [])
    problem = write_chat_beat(
        tmp_path / "j.db", {"XDG_RUNTIME_DIR": "/proc"}, ChatBeat(1, 7, NOW, "", Counts())
    )
    assert "/proc" in problem
