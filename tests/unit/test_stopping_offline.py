"""Stopping without the daemon: the permit, the journal or the side file, and whom it may end."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.control.address import UnsafeFolder, make_folder, socket_path
from daemon.stopping.offline import stop_offline
from daemon.stopping.permit import Permit, permit_path
from daemon.stopping.side_file import (
    SideFileDamaged,
    drop_aside,
    read_aside,
    side_file_path,
    write_aside,
)
from events import (
    KILL_SWITCH,
    CancelSending,
    ConfigLoaded,
    HoldPlaced,
    OperatorCancelAsked,
    OperatorKilled,
    OrderAcknowledged,
    Record,
    nanoseconds,
)
from events.codec import JournalEvent
from events.errors import JournalMissing
from events.journal import JournalReader
from events.lock import lock_path
from events.operator import WHY_MAX
from projections import State
from tests.builders import a_bar, a_config, an_intent, an_order, utc
from tests.core_desk import of
from tests.journals import changed, read, write, writing
from tests.operators import said
from tests.other_writer import other_writer

SLEEPS = "import time; time.sleep(60)"
KILL = said(OperatorKilled, command_id="offline-1")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return a journal with an order working, its permit beside it, and nobody who writes it."""
    path = tmp_path / "j.db"
    asyncio.run(write(path, *a_working_order()))
    Permit(permit_path(path)).grant()
    return path


def a_working_order(feed: str = "own:Feed") -> list[JournalEvent]:
    # Its strategy's class is nowhere to be found: nothing that stops may need it.
    config: dict[str, object] = {
        "feed": {"kind": feed},
        "strategies": {"trend": {"class": "gone:Gone"}},
    }
    loaded = ConfigLoaded(config, a_config("A").symbols)
    bought = an_intent().client_order_id
    return [loaded, a_bar(), *an_order(), OrderAcknowledged(bought)]


async def begin(path: Path) -> None:
    """Make a journal without a first event, as a daemon that died right then leaves it."""
    async with writing(path):
        pass


def added(path: Path, before: int) -> list[Record]:
    return [record for record in read(path) if record.seq > before]


def test_the_permit_is_gone_before_what_takes_long_is_loaded(journal: Path) -> None:
    source = (
        "import sys; from pathlib import Path; from daemon.stopping.offline import stop_offline\n"
        "print(next(stop_offline(Path(sys.argv[1]), 'kill', '')))\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source, str(journal)], capture_output=True, text=True, check=True
    )
    said, modules = done.stdout.splitlines()
    assert said == "the permit is gone: no order leaves any more"
    slow = {"daemon.core.core", "daemon.gate", "events.journal", "projections.state", "pandas"}
    assert not slow & set(modules.split())


def test_a_kill_takes_the_permit_first_and_then_records_itself_and_its_cancels(
    journal: Path,
) -> None:
    before = len(read(journal))
    began = time.time_ns()
    steps = stop_offline(journal, "kill", "a fire")
    assert next(steps) == "the permit is gone: no order leaves any more"
    assert not permit_path(journal).exists()
    assert len(read(journal)) == before
    assert list(steps) == [f"recorded at {before + 1}; 1 cancels leave at the next start"]
    records = added(journal, before)
    (killed,), (hold,) = of(records, OperatorKilled), of(records, HoldPlaced)
    assert (killed.why, killed.uid) == ("a fire", os.getuid())
    assert (hold.cause, hold.why) == (KILL_SWITCH, "a fire")
    assert len(of(records, CancelSending)) == 1
    assert began <= records[0].at <= time.time_ns()
    assert not side_file_path(journal).exists()


@pytest.mark.parametrize("verb", ["kill", "cancel-all"])
@pytest.mark.parametrize(
    ("why", "kept"),
    [
        ("x" * 100_000, "x" * 497 + "..."),
        ("\x1b[31mred\nline\u202e", r"\x1b[31mred\nline\u202e"),
        ("\udcff\udcfe", r"\udcff\udcfe"),
        ("\x1b" * 500, (r"\x1b" * 125)[:497] + "..."),
    ],
)
def test_nobody_is_refused_a_stop_for_his_words(
    journal: Path, verb: str, why: str, kept: str
) -> None:
    (command,) = [
        each.event
        for each in (list(stop_offline(journal, verb, why)), read(journal))[1]
        if isinstance(each.event, OperatorKilled | OperatorCancelAsked)
    ]
    assert command.why == kept
    assert len(command.why) <= WHY_MAX


def test_what_stands_in_the_way_of_the_journal_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    asyncio.run(begin(path))
    steps = list(stop_offline(path, "kill", ""))
    assert steps[1] == f"the journal cannot be written: {path} has no first event yet"


def test_cancel_all_cancels_and_leaves_the_permit_where_it_is(journal: Path) -> None:
    before = len(read(journal))
    steps = list(stop_offline(journal, "cancel-all", ""))
    assert steps == [f"recorded at {before + 1}; 1 cancels leave at the next start"]
    assert len(of(added(journal, before), OperatorCancelAsked)) == 1
    assert permit_path(journal).exists()


@pytest.mark.parametrize("verb", ["kill", "cancel-all"])
def test_what_is_recorded_is_what_a_replay_comes_to(journal: Path, verb: str) -> None:
    list(stop_offline(journal, verb, ""))
    with JournalReader(journal) as reader:
        assert reader.check() == []
        state = State()
        for record in reader.records():
            state.apply(record)
    assert all(order.cancel_requested for order in state.orders.open.values())


def test_a_journal_of_recorded_bars_keeps_to_their_time(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    asyncio.run(write(path, *a_working_order("file")))
    list(stop_offline(path, "kill", ""))
    assert read(path)[-1].at == nanoseconds(utc("2024-01-02T15:00"))


def test_a_second_kill_says_that_there_was_no_permit_any_more(journal: Path) -> None:
    list(stop_offline(journal, "kill", ""))
    first, second = stop_offline(journal, "kill", "")
    assert first == f"there was no permit any more: {permit_path(journal)}"
    assert second.endswith("0 cancels leave at the next start")


def test_a_journal_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing, match="no daemon that writes it was found"):
        list(stop_offline(tmp_path / "typo.db", "kill", ""))
    assert list(tmp_path.iterdir()) == []


# Whom it may end.


def test_a_holder_that_does_not_answer_is_ended_within_seconds(journal: Path) -> None:
    with other_writer(journal) as writer:
        before = len(read(journal))
        began = time.monotonic()
        steps = list(stop_offline(journal, "kill", ""))
        assert time.monotonic() - began < 4
        assert steps[1] == f"process {writer.pid} held the journal and did not answer: killed"
        assert writer.process.wait(5) == -signal.SIGKILL
    assert steps[2].startswith(f"recorded at {before + 1}")


def test_a_process_that_only_has_the_pid_is_not_ended(journal: Path) -> None:
    with other_writer(journal), subprocess.Popen([sys.executable, "-c", SLEEPS]) as innocent:
        lock_path(journal).write_text(f"{innocent.pid}\n")
        steps = list(stop_offline(journal, "kill", "a fire"))
        assert innocent.poll() is None
        innocent.kill()
        assert steps[1] == (
            f"process {innocent.pid} is said to hold the journal and cannot be made sure of"
        )
    # Nobody could write it, so it waits beside the journal.
    assert steps[-1] == "kept in the side file; the next start adopts it before anything else"
    (kept,) = read_aside(journal)
    assert (type(kept), kept.why) == (OperatorKilled, "a fire")


@pytest.mark.parametrize("harm", ["damaged", "not begun"])
def test_a_journal_that_cannot_be_written_leaves_the_command_in_the_side_file(
    tmp_path: Path, harm: str
) -> None:
    path = tmp_path / "j.db"
    if harm == "damaged":
        asyncio.run(write(path, *a_working_order()))
        changed(path, "UPDATE event SET body = replace(body, '1000', '1001') WHERE seq = 3")
    else:
        asyncio.run(begin(path))
    Permit(permit_path(path)).grant()
    steps = list(stop_offline(path, "kill", "a fire"))
    assert steps[0] == "the permit is gone: no order leaves any more"
    assert steps[1].startswith("the journal cannot be written: ")
    assert [each.why for each in read_aside(path)] == ["a fire"]


# The side file.


def test_the_side_file_gives_back_what_went_in_in_order(journal: Path) -> None:
    assert read_aside(journal) == []
    cancel = said(OperatorCancelAsked, command_id="offline-2")
    write_aside(journal, KILL)
    write_aside(journal, cancel)
    assert read_aside(journal) == [KILL, cancel]
    assert side_file_path(journal).stat().st_mode & 0o777 == 0o600
    drop_aside(journal)
    drop_aside(journal)
    assert read_aside(journal) == []


@pytest.mark.parametrize(
    "text",
    [b"{", b'{"type":"operator.killed"}\n', b'{"type":"operator.resumed"}\n', b"\xff\n", b"[]\n"],
)
def test_a_side_file_with_anything_else_in_it_is_refused(journal: Path, text: bytes) -> None:
    write_aside(journal, KILL)
    with side_file_path(journal).open("ab") as file:
        file.write(text)
    with pytest.raises(SideFileDamaged, match="read it, do what it says, and remove it"):
        read_aside(journal)


def test_a_disk_that_fills_up_in_the_middle_of_a_command_leaves_the_side_file_whole(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_aside(journal, KILL)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:10]))
    with pytest.raises(OSError, match="only a part"):
        write_aside(journal, said(OperatorCancelAsked, command_id="offline-2"))
    assert read_aside(journal) == [KILL]


# The permit, and the folder of the socket.


def test_a_permit_that_cannot_be_looked_at_is_not_granted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not Permit(tmp_path / "file" / "below").granted
    assert not Permit(tmp_path / "none").granted
    permit = Permit(tmp_path / "permit")
    permit.grant()
    assert permit.granted
    assert permit.path.stat().st_mode & 0o777 == 0o600
    permit.revoke()
    permit.revoke()
    assert not permit.granted


def test_a_permit_that_a_full_disk_cuts_short_is_none(tmp_path: Path) -> None:
    permit = Permit(tmp_path / "permit")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            permit.grant()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not permit.granted
    assert list(tmp_path.iterdir()) == []


def test_each_journal_has_a_short_path_for_its_socket_whatever_it_is_called(
    tmp_path: Path,
) -> None:
    deep = tmp_path / ("x" * 100) / "j.db"
    found = {socket_path(path, {"XDG_RUNTIME_DIR": "/run/user/1000"}) for path in (deep, tmp_path)}
    assert len(found) == 2
    assert all(len(os.fsencode(path)) < 60 for path in found)
    # By whatever way it is named.
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "real.db")
    assert socket_path(link, {}) == socket_path(tmp_path / "real.db", {})


def test_systemds_folder_comes_before_the_sessions_and_tmp_last(tmp_path: Path) -> None:
    session = {"XDG_RUNTIME_DIR": "/run/user/1"}
    both = session | {"RUNTIME_DIRECTORY": "/run/traded:/run/more"}
    assert socket_path(tmp_path, both).parent == Path("/run/traded")
    assert socket_path(tmp_path, session).parent == Path("/run/user/1/traded")
    assert socket_path(tmp_path, {}).parent == Path(f"/tmp/traded-{os.geteuid()}")  # noqa: S108 - as it says


def test_the_folder_is_closed_to_others_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "run" / "traded" / "x.sock"
    make_folder(path)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.parent.chmod(0o755)
    make_folder(path)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    link = tmp_path / "link"
    link.symlink_to(path.parent)
    with pytest.raises(UnsafeFolder):
        make_folder(link / "x.sock")
    if os.geteuid() == 0:
        os.chown(path.parent, 65534, 65534)
        with pytest.raises(UnsafeFolder):
            make_folder(path)
