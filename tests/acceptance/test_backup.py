"""Backups as a person makes them: of a daemon that trades on, and back again on another disk."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.keeping.steps import in_silence
from events import HoldLevel
from events.journal import JournalReader
from events.lock import FileLock, lock_path
from ops.backups import make_backup
from tests.backup_campaign import judge
from tests.command_line import a_place, traded
from tests.journals import raw_rows
from tests.live_desk import Daemon, a_daemon

AWAY = """
import pathlib, shutil, sys
shutil.copy(sys.argv[1], pathlib.Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a place whose daemon has come to its end; tests add backups, and change nothing."""
    place = a_place(tmp_path_factory.mktemp("backup") / "place")
    done = traded("run", "--config", place / "traded.toml", cwd=place)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with a_daemon(tmp_path / "d") as found:
        found.busy()
        yield found


def backed_up(place: Path, *words: str | Path) -> dict[str, Any]:
    done = traded("backup", *words, "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["schema_version"] == 1
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Return what is in each file of the journal; locks and readers' empty logs say nothing."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith((".lock", "-shm", "-wal"))
    }


# With a daemon.


def test_a_daemon_is_backed_up_trades_on_and_comes_back_on_halt(
    daemon: Daemon, tmp_path: Path
) -> None:
    before = len(daemon.rows())
    done = daemon.traded("backup", "--to", str(tmp_path / "away"), "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)["backup"]
    # The daemon itself has copied it, is the same one, and trades on.
    assert made["from_outside"] == ""
    assert made["manifest"]["events"] > before
    assert made["manifest"]["files"].keys() == {
        *("journal.db", "journal.db.witness"),
        "config/traded.toml",
    }
    daemon.busy()
    held = daemon.traded("restore", made["file"])
    assert held.returncode == 75, held.stderr
    daemon.kill()
    rows = raw_rows(daemon.journal)
    events = made["manifest"]["events"]

    # Behind the backup it traded on: those events are known, and not lost by oversight.
    refused = daemon.traded("restore", made["file"])
    assert refused.returncode == 5
    assert "--accept-loss" in refused.stderr
    assert raw_rows(daemon.journal) == rows
    done = daemon.traded("restore", made["file"], "--accept-loss", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["restored"]["lost"] == len(rows) - events
    assert raw_rows(daemon.journal)[:events] == rows[:events]

    daemon.start()
    came = len(daemon.rows("bar.closed"))
    daemon.wait("bars", lambda: len(daemon.rows("bar.closed")) > came + 2, 60)
    assert "order.sending" not in {row[2] for row in daemon.rows()[events:]}
    assert HoldLevel.HALT in {hold.level for hold in daemon.holds() if hold.cause == "start"}
    answer = daemon.tell_surely("resume")
    assert answer.exit_code == 0, answer.lines
    daemon.busy(resting=0)


def test_a_daemon_that_takes_no_call_is_read_from_outside_and_that_is_said(
    ran: Path, tmp_path: Path
) -> None:
    journal = ran / "state" / "journal.db"
    held = FileLock(lock_path(journal))
    try:
        made = make_backup(journal, None, tmp_path, 10, in_silence)
    finally:
        held.release()
    assert "no daemon runs" in made.from_outside
    assert made.manifest.events == raw_rows(journal)[-1][0]


# Without one.


def test_a_backup_has_everything_is_said_to_and_leaves_nothing_behind(ran: Path) -> None:
    before = files(ran)
    done = traded("backup", cwd=ran)
    assert done.returncode == 0, done.stderr
    after = files(ran)
    (made,) = after.keys() - before.keys()
    assert {name: content for name, content in after.items() if name in before} == before
    assert made.startswith("state/backups/mine-paper-")
    assert "chain, count, head and witness" in done.stdout
    assert str(ran / made) in done.stdout.replace("\n", "")


def test_only_so_many_stay(ran: Path, tmp_path: Path) -> None:
    made = [backed_up(ran, "--to", tmp_path / "b", "--keep", "1")["backup"] for _ in range(2)]
    left = [str(file) for file in (tmp_path / "b").iterdir()]
    assert left == [made[1]["file"]]
    assert made[0]["file"] in {*made[1]["removed"], made[1]["file"]}


def test_the_configuration_says_where_to_how_many_and_who_takes_it_further(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    (place / "away.py").write_text(AWAY, encoding="utf-8")
    words = json.dumps([sys.executable, str(place / "away.py"), "{file}", str(tmp_path / "away")])
    config = place / "traded.toml"
    table = f'[backup]\nto = "kept here"\nkeep = 2\nafter = {words}\n'
    config.write_text(config.read_text() + table, encoding="utf-8")
    assert traded("run", cwd=place).returncode == 0
    found = backed_up(place)
    assert found["after"] == "done"
    file = Path(found["backup"]["file"])
    assert file.parent == place / "kept here"
    assert (tmp_path / "away").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (["sh", "-c", "echo no such remote >&2; exit 9", "{file}"], "exit code 9: no such remote"),
        (["./not-there", "{file}"], "No such file or directory"),
    ],
)
def test_a_backup_that_got_no_further_is_kept_and_the_exit_code_says_so(
    ran: Path, tmp_path: Path, after: list[str], said: str
) -> None:
    variables = {"TRADED_BACKUP__AFTER": json.dumps(after)}
    done = traded("backup", "--to", tmp_path / "b", cwd=ran, variables=variables)
    assert done.returncode == 1
    assert said in done.stderr
    (file,) = (tmp_path / "b").iterdir()
    assert str(file) in done.stderr
    place = tmp_path / "there" / "journal.db"
    place.parent.mkdir()
    assert traded("restore", file, "--journal", place).returncode == 0


def test_a_command_that_takes_no_file_away_is_a_mistake_in_the_configuration(ran: Path) -> None:
    variables = {"TRADED_BACKUP__AFTER": '["rclone"]'}
    done = traded("backup", cwd=ran, variables=variables)
    assert done.returncode == 78
    assert "backup.after: names no {file}" in done.stderr


def test_a_damaged_journal_makes_no_backup_and_costs_none(ran: Path, tmp_path: Path) -> None:
    good = backed_up(ran, "--to", tmp_path / "b")["backup"]["file"]
    broken = tmp_path / "broken"
    (broken / "state").mkdir(parents=True)
    for end in ("", ".witness"):
        source = ran / "state" / f"journal.db{end}"
        (broken / "state" / source.name).write_bytes(source.read_bytes())
    journal = broken / "state" / "journal.db"
    content = journal.read_bytes()
    at = content.index(b'"type":"cash.moved"')
    journal.write_bytes(content[:at] + content[at:].replace(b"opening", b"closing", 1))
    done = traded("backup", "--journal", journal, "--to", tmp_path / "b", "--keep", "1")
    assert done.returncode == 7
    assert [str(file) for file in (tmp_path / "b").glob("*.tar.gz")] == [good]


# And back.


def test_a_restored_journal_is_sound_and_its_decisions_are_made_again(
    ran: Path, tmp_path: Path
) -> None:
    made = backed_up(ran, "--to", tmp_path / "b")["backup"]
    journal = tmp_path / "fresh" / "journal.db"
    journal.parent.mkdir()
    done = traded("restore", made["file"], "--journal", journal, "--why", "a new disk")
    assert done.returncode == 0, done.stderr
    assert "on HALT" in done.stdout
    assert "traded resume" in done.stdout
    assert traded("verify", "--journal", journal).returncode == 0
    assert traded("replay", "--redecide", "--journal", journal).returncode == 0
    told = traded("tail", "-n", "2", "--journal", journal).stdout
    assert "epoch 2" in told
    assert "a new disk" in told


def test_what_is_no_backup_is_not_restored(ran: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.tar.gz").write_text("mine")
    done = traded("restore", tmp_path / "notes.tar.gz", "--journal", tmp_path / "j.db")
    assert done.returncode == 7
    assert not (tmp_path / "j.db").exists()
    assert traded("restore", ran / "no-such-file", cwd=ran).returncode == 2


# The drill.


def test_a_drill_restores_the_newest_backup_elsewhere_and_says_what_would_be_lost(
    tmp_path: Path,
) -> None:
    place = a_place(tmp_path / "place")
    assert traded("run", cwd=place).returncode == 0
    none = traded("drill", "restore", cwd=place)
    assert none.returncode == 7
    assert "traded backup" in none.stderr
    events = backed_up(place)["backup"]["manifest"]["events"]
    assert traded("run", cwd=place).returncode == 0
    before = files(place)
    done = traded("drill", "restore", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    drill = json.loads(done.stdout)
    assert drill["problems"] == []
    with JournalReader(place / "state" / "journal.db") as reader:
        assert drill["rpo_events"] == reader.head().seq - events > 0
    assert 0 < drill["rto_s"] == pytest.approx(drill["restored_s"] + drill["recovered_s"], abs=0.01)
    assert files(place) == before
    told = traded("drill", "restore", cwd=place).stdout
    assert "RTO" in told
    assert "RPO" in told
    assert "would have helped" in told


def test_a_drill_finds_a_backup_that_is_no_part_of_the_journal(ran: Path, tmp_path: Path) -> None:
    other = a_place(tmp_path / "other")
    assert traded("run", cwd=other).returncode == 0
    file = backed_up(other)["backup"]["file"]
    done = traded("drill", "restore", file, cwd=ran)
    assert done.returncode == 3
    assert "is not a part of" in done.stdout
    assert "DO NOT COUNT" in done.stdout


# The control.


def test_under_full_load_every_backup_is_good_and_a_copied_file_is_not(tmp_path: Path) -> None:
    judged = asyncio.run(judge(tmp_path, backups=6, events=5_000, seed=1))
    assert (judged.good["backup"], judged.made["backup"]) == (6, 6), judged.wrong
    # Most of what was acknowledged is in the log, which such a copy does not have.
    assert judged.good["cp db"] < judged.made["cp db"], judged.wrong
