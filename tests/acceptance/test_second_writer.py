"""One journal has one writer: whoever comes second is told who that is, and disturbs nothing."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from events.errors import JournalLocked, JournalWriteFailed
from events.journal import Journal, JournalReader
from events.lock import holder, lock_path
from tests.builders import a_bar, records
from tests.command_line import a_place, traded
from tests.journals import read, write, writing
from tests.other_writer import ROOT, OtherWriter, other_writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def is_sound(path: Path) -> bool:
    with JournalReader(path) as reader:
        return reader.check() == []


async def test_a_second_writer_is_told_the_first_ones_pid_and_disturbs_nothing(path: Path) -> None:
    with other_writer(path) as first:
        for seq in (2, 3, 4):
            with pytest.raises(JournalLocked, match=f"held by process {first.pid}") as refused:
                await Journal.open(path)
            assert refused.value.pid == first.pid
            assert first.ask(1) == f"at {seq}"
    assert [record.seq for record in read(path)] == [1, 2, 3, 4]
    assert is_sound(path)


def test_traded_run_on_a_journal_that_is_written_ends_with_75(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    journal = place / "state" / "journal.db"
    with other_writer(journal) as first:
        done = traded("run", "--config", place / "traded.toml", cwd=place)
        assert done.returncode == 75
        assert done.stdout == ""
        assert f"is held by process {first.pid}" in done.stderr
        assert "next: use the running daemon, or stop it first" in done.stderr
        assert first.ask(1) == "at 2"
        # To read it, nobody needs to be alone.
        assert traded("verify", "--journal", journal, cwd=place).returncode == 0


async def test_after_a_kill_the_next_writer_goes_on_at_the_last_durable_event(path: Path) -> None:
    with other_writer(path) as first:
        assert first.ask(300) == "at 301"
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        assert holder(lock_path(path)) is None
        async with writing(path) as journal:
            assert journal.head.seq == 301
            await journal.append(list(records(a_bar("302"), first=302)))
    assert [record.seq for record in read(path)] == list(range(1, 303))
    assert is_sound(path)


def test_of_many_that_start_at_once_one_gets_the_journal(path: Path) -> None:
    writers = [OtherWriter(path) for _ in range(4)]
    try:
        said = {writer.pid: writer.hear() for writer in writers}
        (winner,) = (pid for pid, text in said.items() if text == "at 1")
        # One that comes in the very moment of locking cannot read a pid yet.
        refused = re.compile(rf"JournalLocked: .* is held by (process {winner}|another process)")
        assert all(refused.fullmatch(text) for pid, text in said.items() if pid != winner)
        (first,) = (writer for writer in writers if writer.pid == winner)
        assert first.ask(5) == "at 6"
    finally:
        for writer in writers:
            writer.close()
    assert is_sound(path)


async def test_when_the_lock_is_replaced_the_one_who_lost_it_stops(path: Path) -> None:
    # A broom went through the folder, and a second process finds no lock. Its own is the one that
    # counts; what the first still wants to write stays out of the file.
    await write(path, a_bar("2"))
    async with writing(path) as first:
        lock_path(path).unlink()
        with other_writer(path) as second:
            assert holder(lock_path(path)) == second.pid
            assert second.ask(2) == "at 4"
            with pytest.raises(JournalWriteFailed, match="another process may be writing"):
                await first.append(list(records(a_bar("3"), first=3)))
            assert first.poisoned
            assert second.ask(2) == "at 6"
    assert [record.seq for record in read(path)] == [1, 2, 3, 4, 5, 6]
    assert is_sound(path)


def test_a_writer_that_cannot_write_lets_go_of_the_journal(path: Path) -> None:
    # The disk takes a small file, and not the log; then there is room again, in the same process.
    script = """
import asyncio, pathlib, resource, sys
from events.errors import JournalWriteFailed
from tests.journals import write

path = pathlib.Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
try:
    asyncio.run(write(path))
except JournalWriteFailed as error:
    print(error.__cause__.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
asyncio.run(write(path))
print("written")
"""
    words = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout == "File too large\nwritten\n", done.stderr
    assert is_sound(path)


def test_the_first_process_says_so_when_its_lock_was_replaced(path: Path) -> None:
    with other_writer(path) as first:
        lock_path(path).rename(path.with_name("swept away"))
        assert first.ask(1).startswith("JournalWriteFailed: ")
        assert first.process.wait(timeout=10) == 0
    assert [record.seq for record in read(path)] == [1]
