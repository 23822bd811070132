"""What a start finds lost or doubtful is said; where orders leave the process it stops all."""

from pathlib import Path

import pytest

from daemon.core.core import CoreSettings
from daemon.history.journal_doubts import journal_doubts
from daemon.history.recovery import Recovered
from daemon.history.replay import Difference
from daemon.stopping.side_file import write_aside
from events import (
    HoldLevel,
    HoldLifts,
    HoldScope,
    JournalOpened,
    Mode,
    OperatorCancelAsked,
    OperatorKilled,
    OperatorLifted,
    OperatorResumed,
    OrderIntended,
    SessionStarted,
    Trip,
)
from events.codec import decode
from events.journal import Head
from events.witness import witness_path
from projections import State
from tests.core_desk import OPENING, CoreDesk, Scripted, buy, of
from tests.operators import said
from tests.small_runs import HOLD, TREND, Place

TABLES = {"trend": TREND, "hold": HOLD}
DOUBTS = ("a snapshot is odd", "the witness is old")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a place whose daemon ran and ended in order."""
    made = Place(tmp_path / "place")
    made.run(TABLES, 20, snapshots_kept=3)
    return made


def doubts(place: Place) -> tuple[str, ...]:
    """Return what the last start found doubtful."""
    started = decode(place.rows("session.started")[-1][6])
    assert isinstance(started, SessionStarted)
    return started.doubts


def started_again(place: Place) -> tuple[str, ...]:
    place.run(TABLES, 30, snapshots_kept=3)
    return doubts(place)


def in_mode(mode: Mode, *found: tuple[str, ...]) -> CoreDesk:
    """Return a core in that mode, after starts that found these doubts."""
    desk = CoreDesk(Scripted(bars=[buy()]), opening=(JournalOpened("j", mode, "mine"),))
    for each in found:
        desk.step(SessionStarted("1.0", {}, {}, doubts=each))
    desk.step(said(OperatorResumed, command_id="cmd-first"))  # A new live journal waits for that.
    return desk


# What is found.


def test_a_start_behind_an_end_in_order_finds_nothing(place: Place) -> None:
    assert started_again(place) == ()


def test_a_spoilt_snapshot_is_doubtful(place: Place) -> None:
    newest = place.snapshot_files()[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    (doubt,) = started_again(place)
    assert doubt.startswith(f"snapshot {newest.name}: its content does not have the hash")


def test_a_snapshot_of_rows_that_are_gone_is_doubtful(place: Place, tmp_path: Path) -> None:
    ends = place.rows()[-1][0]
    cut = place.cut(ends - 5, tmp_path / "cut")
    newest = place.snapshot_files()[-1]
    (cut.snapshots.path / newest.name).write_bytes(newest.read_bytes())
    (doubt,) = started_again(cut)
    assert doubt == (
        f"snapshot {newest.name}: the journal has another row at {ends}: look at the disk"
    )


def test_a_snapshot_of_other_code_is_not(place: Place) -> None:
    for file in place.snapshot_files():
        header, _, body = file.read_bytes().partition(b"\n")
        file.write_bytes(header.replace(b'"fold_code":"', b'"fold_code":"0') + b"\n" + body)
    assert started_again(place) == ()
    assert place.prepared.recovered.snapshots_skipped


def test_a_witness_behind_an_end_in_order_is_doubtful(place: Place) -> None:
    witness = witness_path(place.journal)
    older, seq = witness.read_bytes(), place.rows()[-1][0]
    assert started_again(place) == ()
    witness.write_bytes(older)
    ends = place.rows()[-1][0]
    place.run(TABLES, 40)
    found = f"the journal ended in order at event {ends}, its witness remembers only {seq}"
    assert doubts(place) == (f"{found}: run `traded verify`",)


def test_a_witness_behind_a_crash_is_not(place: Place, tmp_path: Path) -> None:
    started_again(place)
    crashed = place.cut(place.rows()[-1][0] - 1, tmp_path / "crashed")
    assert crashed.recover(from_snapshot=False).state.identity.ended == ""
    witness_path(crashed.journal).write_bytes(_witness_of(crashed, tmp_path / "short"))
    assert started_again(crashed) == ()


def _witness_of(place: Place, folder: Path) -> bytes:
    """Return the witness that the journal of `place` had some rows ago."""
    return witness_path(place.cut(place.rows()[-1][0] - 3, folder).journal).read_bytes()


def test_a_command_from_the_side_file_is_doubtful_and_is_adopted(place: Place) -> None:
    write_aside(place.journal, OperatorCancelAsked("offline-1", "ann", 1000, "hung"))
    kept = "operator.cancel-asked was kept in the side file, for the journal could not be written"
    assert started_again(place) == (f"{kept}: see why in the log",)
    assert len(place.rows("operator.cancel-asked")) == 1


def test_a_kill_from_the_side_file_needs_no_doubt_for_it_stops_everything_itself(
    place: Place,
) -> None:
    write_aside(place.journal, OperatorCancelAsked("offline-1", "ann", 1000, "hung"))
    write_aside(place.journal, OperatorKilled("offline-2", "ann", 1000, "hung"))
    assert started_again(place) == ()
    assert len(place.rows("hold.placed")) == 1


def test_decisions_of_the_core_that_come_out_otherwise_are_doubtful(place: Place) -> None:
    differences = [Difference(5, None, None, "trend"), Difference(9, None, None, "")]
    recovered = Recovered(State(), [], CoreSettings(), Head(), 0, differences, 0)
    found = "1 decisions of the core come out otherwise, the first at 9"
    expected = (f"{found}: see `traded replay --redecide`",)
    assert journal_doubts(recovered, place.journal, ()) == expected


# What follows.


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.BROKER_PAPER])
def test_where_orders_leave_the_process_doubts_stop_everything(mode: Mode) -> None:
    desk = in_mode(mode, DOUBTS)
    (hold,) = desk.state.holds.active.values()
    assert hold.why == "a snapshot is odd; the witness is old"
    assert (hold.cause, hold.scope) == (Trip.JOURNAL_DOUBT, HoldScope.ALL)
    assert (hold.level, hold.lifts) == (HoldLevel.HALT, HoldLifts.OPERATOR)
    for event in OPENING[1:]:
        desk.step(event)
    desk.step(said(OperatorResumed, command_id="cmd-resume"))
    assert list(desk.state.holds.active) == [hold.hold_id], "resume is not the word for it"
    taken = desk.minute()
    assert of(taken, OrderIntended)
    assert not desk.effects()


@pytest.mark.parametrize("mode", [Mode.BACKTEST, Mode.PAPER])
def test_where_the_broker_is_inside_nothing_could_contradict_the_journal(mode: Mode) -> None:
    assert not in_mode(mode, DOUBTS).state.holds.active


def test_the_same_doubt_at_the_next_start_is_no_second_hold_but_another_one_is() -> None:
    desk = in_mode(Mode.LIVE, DOUBTS, (), DOUBTS)
    (first,) = desk.state.holds.active
    desk.step(SessionStarted("1.0", {}, {}, doubts=DOUBTS[:1]))
    assert len(desk.state.holds.active) == 2
    desk.step(said(OperatorLifted, first, command_id="cmd-1"))
    desk.step(SessionStarted("1.0", {}, {}, doubts=DOUBTS))
    assert len(desk.state.holds.active) == 2, "it is still so at a start after it was lifted"
