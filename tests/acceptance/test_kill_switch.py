"""The kill switch of the real daemon under load: each way to it, and what outlives the daemon.

A few trials of each way; `python -m tests.kill_switch_campaign` makes as many as one likes. Each
test finds a daemon that trades, whatever the one before has left. A time that is missed may be the
fault of a machine with other things to do: it is tried again, and fails when it is missed thrice
in a row. An order that leaves too late is wrong at once, on any machine.
"""

import math
import random
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from daemon.stopping.side_file import side_file_path, write_aside
from events import KILL_SWITCH, OperatorKilled
from tests.kill_switch_campaign import (
    ACKNOWLEDGED_S,
    DEADLY,
    WAYS,
    Trial,
    a_place,
    broken,
    in_time,
    negative_control,
    put_on_its_feet,
    resume,
    trial,
    wrong,
)
from tests.live_desk import Daemon

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with a_place(tmp_path_factory.mktemp("stopped") / "d") as found:
        yield found


@pytest.fixture
def daemon(place: Daemon) -> Daemon:
    put_on_its_feet(place)
    return place


@pytest.mark.parametrize("way", WAYS)
def test_no_order_leaves_behind_the_acknowledgement_and_what_works_is_cancelled(
    daemon: Daemon, way: str
) -> None:
    def attempt() -> Trial:
        put_on_its_feet(daemon)
        return trial(daemon, way, random.Random())

    assert list(wrong(in_time(attempt))) == []


@pytest.mark.parametrize("way", DEADLY)
def test_where_the_daemon_dies_of_it_the_next_start_is_on_halt(daemon: Daemon, way: str) -> None:
    def attempt() -> Trial:
        put_on_its_feet(daemon)
        return trial(daemon, way, random.Random())

    found = in_time(attempt)
    assert list(broken(found)) == []
    assert found.took <= ACKNOWLEDGED_S
    # Its cancels leave at the next start: how soon is for the machine to say, which starts Python.
    assert found.cancelled < math.inf
    # Nothing more leaves of itself, bars or not.
    started = time.monotonic()
    time.sleep(1.2)
    assert daemon.market.heard("sent", "rests", after=started) == []
    resume(daemon)
    daemon.busy()


def test_a_time_missed_is_tried_again_and_an_order_that_leaves_late_never_is() -> None:
    slow, late = Trial("socket", 1.5, [], 0.1), Trial("socket", 1.5, [0.2], 0.1)
    fine = Trial("socket", 0.1, [], 0.1)
    for trials, counts in (
        ([slow, fine, late], fine),
        ([slow, slow, fine], fine),
        ([slow, slow, slow, fine], slow),
        ([late, fine], late),
    ):
        assert in_time(iter(trials).__next__) is counts
    assert list(wrong(slow)) == ["acknowledged after 1.50 s"]


def test_a_build_that_ignores_the_switch_is_found(tmp_path: Path) -> None:
    found = negative_control(tmp_path)
    assert any("orders left later" in text for text in found)


# What outlives the daemon.


def kills(daemon: Daemon) -> list[dict[str, str]]:
    return [msgspec.json.decode(row[6]) for row in daemon.rows("operator.killed")]


@pytest.mark.parametrize("how", ["asked to end", "killed"])
def test_the_latch_outlives_the_daemon(daemon: Daemon, how: str) -> None:
    daemon.busy()
    assert daemon.tell("kill", why="before the restart").exit_code == 0
    placed = daemon.holds()
    assert [hold.cause for hold in placed] == [KILL_SWITCH]
    if how == "killed":
        daemon.kill()
    else:
        assert daemon.end() == 0
    daemon.start()
    started = time.monotonic()
    assert daemon.holds() == placed
    assert "kill switch: ENGAGED" in daemon.traded("status").stdout
    time.sleep(1.2)
    assert daemon.market.heard("sent", "rests", after=started) == []
    resume(daemon)
    daemon.busy()


def test_a_kill_while_the_daemon_is_down_is_in_the_journal_before_it_starts(
    daemon: Daemon,
) -> None:
    daemon.busy()
    daemon.kill()
    working = daemon.market.resting()
    done = daemon.traded("kill", "--offline", "--why", "nobody is there")
    assert done.returncode == 0
    assert "recorded at" in done.stdout
    told = kills(daemon)[-1]
    assert (told["why"], told["command_id"].startswith("offline-")) == ("nobody is there", True)
    assert not side_file_path(daemon.journal).exists()
    assert not daemon.permit.exists()
    assert "kill switch: ENGAGED" in daemon.traded("status").stdout
    daemon.start()
    # Its cancels leave at the start.
    daemon.wait("cancels", lambda: not working & daemon.market.resting())
    assert [hold.cause for hold in daemon.holds()] == [KILL_SWITCH]
    resume(daemon)
    daemon.busy()


def test_what_lies_in_the_side_file_is_adopted_once_and_before_anything_is_sent(
    daemon: Daemon,
) -> None:
    daemon.busy()
    assert daemon.end() == 0
    command = OperatorKilled("offline-0123456789", "ann", 1000, "the disk was full")
    write_aside(daemon.journal, command)
    write_aside(daemon.journal, command)  # A hasty operator, or a crash before it was removed.
    for _ in range(2):
        now = time.monotonic()
        daemon.start()
        assert [each["command_id"] for each in kills(daemon)].count(command.command_id) == 1
        assert [(hold.by, hold.why) for hold in daemon.holds()] == [("ann", "the disk was full")]
        assert daemon.market.heard("sent", "rests", after=now) == []
        assert not side_file_path(daemon.journal).exists()
        assert daemon.end() == 0
        write_aside(daemon.journal, command)
    daemon.start()
    resume(daemon)
    daemon.busy()
    # Known for good: it does not come back with the next start either.
    assert daemon.end() == 0
    daemon.start()
    assert daemon.holds() == []


def test_a_side_file_that_cannot_be_read_stops_the_start_and_says_what_to_do(
    daemon: Daemon,
) -> None:
    assert daemon.end() == 0
    path = side_file_path(daemon.journal)
    path.write_bytes(b'{"type":"operator.killed","command_id":"offl')
    with pytest.raises(AssertionError):
        daemon.start()
    assert daemon.running.wait(10) == 5
    assert f"{path.name}: " in daemon.log
    assert "read it, do what it says, and remove it" in daemon.log
    path.unlink()
    daemon.start()


def test_after_all_of_it_every_decision_comes_out_the_same_and_the_journal_is_sound(
    daemon: Daemon,
) -> None:
    daemon.busy()
    assert daemon.end() == 0
    for verb in (["verify"], ["replay", "--redecide"]):
        done = daemon.traded(*verb)
        assert done.returncode == 0, done.stdout + done.stderr
