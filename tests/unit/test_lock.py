"""One writer: who holds the lock, who may ask, and what happens to those who come second."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.exit_codes import ExitCode
from events.errors import JournalLocked
from events.journal import Journal
from events.lock import FileLock, holder, lock_path
from ops.exit_codes import code_for
from tests.journals import writing

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db.lock"


@contextmanager
def held(path: Path) -> Iterator[FileLock]:
    lock = FileLock(path)
    try:
        yield lock
    finally:
        lock.release()


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lock at `path`."""
    script = (
        "import sys, pathlib, signal\n"
        "from events.lock import FileLock\n"
        "lock = FileLock(pathlib.Path(sys.argv[1]))\n"
        "print('held', flush=True)\n"
        "signal.pause()\n"
    )
    words = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_the_second_to_come_is_told_who_holds_it(path: Path) -> None:
    with held_elsewhere(path) as process:
        with pytest.raises(JournalLocked, match=f"held by process {process.pid}") as refused:
            FileLock(path)
        assert refused.value.pid == process.pid
        assert code_for(refused.value) == ExitCode.ALREADY_RUNNING
        assert "stop it first" in refused.value.hint


def test_a_process_locks_out_itself_too(path: Path) -> None:
    with held(path), pytest.raises(JournalLocked, match=f"held by process {os.getpid()}"):
        FileLock(path)


def test_a_holder_killed_at_once_holds_nothing_any_more(path: Path) -> None:
    with held_elsewhere(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert path.read_text() == f"{process.pid}\n"
        assert holder(path) is None
        with held(path):
            assert holder(path) == os.getpid()


def test_a_lock_given_back_can_be_taken_again(path: Path) -> None:
    for _ in range(3):
        with held(path):
            assert holder(path) == os.getpid()
        assert holder(path) is None


def test_a_shorter_pid_leaves_nothing_of_a_longer_one_before_it(path: Path) -> None:
    path.write_text("12345678901234567890\n")
    with held(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_the_file_of_the_lock_stays_for_the_next(path: Path) -> None:
    # Were it removed, one process could hold the old file and another one the new.
    with held(path):
        before = path.stat().st_ino
    assert path.stat().st_ino == before
    with held(path):
        assert path.stat().st_ino == before


# Those who only ask.


def test_asking_who_holds_it_makes_no_file(path: Path) -> None:
    assert holder(path) is None
    assert not path.exists()


def test_asking_who_holds_it_takes_nothing(path: Path) -> None:
    with held(path):
        assert [holder(path) for _ in range(3)] == [os.getpid()] * 3
    assert holder(path) is None
    with held(path):
        pass


def test_a_holder_whose_pid_cannot_be_read_is_a_holder_all_the_same(path: Path) -> None:
    with held(path):
        path.write_text("somebody\n")
        assert holder(path) == 0
        with pytest.raises(JournalLocked, match="held by another process") as refused:
            FileLock(path)
        assert refused.value.pid is None


def test_somebody_who_asks_at_that_moment_keeps_nobody_out(path: Path) -> None:
    # He who asks has the file locked for a moment, shared. This one asks until the lock was taken.
    script = (
        "import fcntl, os, sys, time\n"
        "fd = os.open(sys.argv[1], os.O_RDONLY | os.O_CREAT, 0o600)\n"
        "fcntl.flock(fd, fcntl.LOCK_SH)\n"
        "print('asking', flush=True)\n"
        "time.sleep(0.2)\n"
    )
    words = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as asker:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "asking\n"
        with held(path):
            assert holder(path) == os.getpid()


# The file under the lock is replaced.


def test_a_lock_on_a_file_that_is_still_there_is_held(path: Path) -> None:
    with held(path) as lock:
        lock.assert_held()


def test_a_lock_on_a_file_that_was_removed_is_not_held_any_more(path: Path) -> None:
    with held(path) as lock:
        path.unlink()
        with pytest.raises(OSError, match="replaced or removed"):
            lock.assert_held()


def test_a_lock_on_a_file_that_was_replaced_is_not_held_any_more(path: Path) -> None:
    with held(path) as first:
        other = path.with_suffix(".other")
        other.touch()
        other.rename(path)
        # The second holder is right: the file that counts is the one at the path.
        with held(path) as second:
            second.assert_held()
            with pytest.raises(OSError, match="replaced or removed"):
                first.assert_held()


# The journal's own.


async def test_a_journal_open_for_writing_is_locked(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    async with writing(journal):
        assert holder(lock_path(journal)) == os.getpid()
        with pytest.raises(JournalLocked):
            await Journal.open(journal)
    assert holder(lock_path(journal)) is None


async def test_a_journal_that_cannot_be_opened_is_not_locked(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    write_text(journal, "no journal")
    with pytest.raises(Exception, match="not a journal"):
        await Journal.open(journal)
    assert holder(lock_path(journal)) is None


def write_text(path: Path, text: str) -> None:
    path.write_text(text)


def test_the_lock_does_not_pass_to_a_child(path: Path) -> None:
    # A child that outlives its parent would hold the journal for ever.
    with held(path):
        words = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]
        child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, close_fds=False)
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
    try:
        assert holder(path) is None
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
