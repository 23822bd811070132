"""After a restart everything is as it was: from the newest snapshot, from an older one, from none.

What a strategy would decide otherwise than it did stops that strategy, and nothing else.
"""

from pathlib import Path

import msgspec
import pytest

from daemon.history.recovery import Recovery
from daemon.history.snapshots import SnapshotFolder
from daemon.strategies.moving_average import MovingAverage
from events import (
    HoldLevel,
    HoldPlaced,
    HoldScope,
    IntentApproved,
    OrderIntended,
    Record,
    SessionStarted,
    StrategyFailed,
)
from events.codec import decode
from events.journal import JournalReader
from tests.small_runs import (
    BUY,
    HOLD,
    TREND,
    A,
    OwnStrategy,
    Place,
    Table,
    every_bar,
    everything,
    hash_of,
)

BOTH = {"trend": TREND, "hold": HOLD}
MOODY = "return Intent(bar.symbol, Decimal(Path(self.note).read_text()))"
RAISE = "raise RuntimeError('no idea')"
PER_START = {
    *("session.started", "session.ended", "config.loaded", "calendar.loaded"),
    *("broker.books-reported", "reconcile.completed"),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place with a snapshot behind every commit; no test changes it."""
    place = Place(tmp_path_factory.mktemp("ran") / "place")
    place.run(BOTH)
    return place


def story(place: Place) -> list[str]:
    """Return all that happened but starts and ends."""
    return [row[6] for row in place.rows() if row[2] not in PER_START]


def without_snapshots(place: Place, after: int = 0) -> None:
    for file in place.snapshot_files():
        if int(file.stem) > after:
            file.unlink()


def intents(place: Place, strategy: str, after: int = 0) -> list[OrderIntended]:
    """Return what `strategy` intended behind row `after`."""
    found = [decode(row[6]) for row in place.rows("order.intended") if row[0] > after]
    return [each for each in found if isinstance(each, OrderIntended) and each.strategy == strategy]


def failures(place: Place) -> list[StrategyFailed]:
    found = [decode(row[6]) for row in place.rows("strategy.failed")]
    return [each for each in found if isinstance(each, StrategyFailed)]


def halted(place: Place) -> list[str]:
    """Return the strategies on HALT, one for each hold ever placed."""
    holds = [decode(row[6]) for row in place.rows("hold.placed")]
    for hold in holds:
        assert isinstance(hold, HoldPlaced)
        assert (hold.scope, hold.level) == (HoldScope.STRATEGY, HoldLevel.HALT)
    return [hold.target for hold in holds if isinstance(hold, HoldPlaced)]


def last_start(place: Place) -> SessionStarted:
    started = decode(place.rows("session.started")[-1][6])
    assert isinstance(started, SessionStarted)
    return started


# Nothing changed.


def test_any_snapshot_and_the_rows_behind_it_are_the_whole_journal(
    ran: Place, tmp_path: Path
) -> None:
    whole = ran.recover(from_snapshot=False)
    copy = ran.cut(whole.head.seq, tmp_path / "copy")
    assert len(copy.snapshot_files()) >= 10
    for file in reversed(copy.snapshot_files()):
        recovered = copy.recover(from_snapshot=True)
        assert recovered.snapshot_seq == int(file.stem)
        assert recovered.events_folded == whole.head.seq - int(file.stem)
        assert recovered.head == whole.head
        assert everything(recovered) == everything(whole)
        assert recovered.differences == []
        file.unlink()


def test_the_state_after_any_row_is_the_same_with_and_without_a_snapshot(ran: Place) -> None:
    for seq in range(1, ran.rows()[-1][0], 7):
        recovered = ran.recover(seq, from_snapshot=True)
        assert recovered.state.seq == seq
        assert everything(recovered) == everything(ran.recover(seq, from_snapshot=False)), seq


@pytest.mark.parametrize("with_snapshots", [True, False])
def test_killed_after_any_commit_the_run_comes_to_the_same_end(
    ran: Place, tmp_path: Path, *, with_snapshots: bool
) -> None:
    # Every snapshot stands behind a commit, the first ones behind those of the start. Half of the
    # commits are tried with snapshots, the other half without.
    end = hash_of(ran.recover(from_snapshot=False))
    for file in ran.snapshot_files()[with_snapshots::2]:
        seq = int(file.stem)
        cut = ran.cut(seq, tmp_path / f"cut-{seq}")
        if not with_snapshots:
            without_snapshots(cut)
        outcome = cut.run(BOTH)
        assert (outcome.state_hash, seq) == (end, seq)
        assert story(cut) == story(ran)
        assert cut.prepared.recovered.snapshot_seq == (seq if with_snapshots else 0)


def test_a_run_that_goes_on_for_days_is_one_that_never_stopped(ran: Place, tmp_path: Path) -> None:
    place = ran.cut(1, tmp_path / "place")  # Event 1 is the journal's identity.
    for minutes in (7, 8, 8, 23, 40):
        outcome = place.run(BOTH, minutes)
    assert outcome.state_hash == hash_of(ran.recover(from_snapshot=False))
    assert story(place) == story(ran)


# A strategy was changed on purpose: new parameters or new code.


def test_a_strategy_with_other_parameters_is_rebuilt_alone(place: Place, own: OwnStrategy) -> None:
    place.run({"trend": TREND, "own": own.table()})
    seq = place.rows()[-1][0]
    own.forget()
    other = {**TREND, "params": {"fast": 2, "slow": 4, "shares": 10}}
    place.run({"trend": other, "own": own.table()})
    assert place.prepared.recovered.snapshot_seq == seq
    assert own.asked == 0, "its memory came from the snapshot"
    (trend, kept) = (run.strategy for run in place.recover(from_snapshot=True).runs)
    assert isinstance(trend, MovingAverage)
    closes = [float(bar.close) for bar in every_bar(40) if bar.symbol == "A"]
    assert sorted(trend.windows[A].closes) == sorted(closes[-4:])
    assert msgspec.to_builtins(kept)["bars"] == 80
    assert (failures(place), halted(place)) == ([], [])


@pytest.mark.parametrize("snapshots_kept", [0, 8, 1_000], ids=["none", "mid-session", "all"])
def test_a_strategy_with_other_code_is_rebuilt_alone_and_trades_on(
    place: Place, own: OwnStrategy, snapshots_kept: int
) -> None:
    place.run({"trend": TREND, "own": own.table()})
    seq = place.rows()[-1][0]
    for file in place.snapshot_files()[snapshots_kept:]:
        file.unlink()
    own.write("return Intent(bar.symbol, Decimal(2))")
    place.run({"trend": TREND, "own": own.table()}, 60)
    # Other code decides otherwise, and is no suspect for that: it was meant to.
    assert last_start(place).diverged == {}
    assert (failures(place), halted(place)) == ([], [])
    assert [str(each.quantity) for each in intents(place, "own", seq)] == ["2", "2"]
    (memory,) = (run for run in place.recover(from_snapshot=False).runs if run.name == "own")
    assert msgspec.to_builtins(memory.strategy)["bars"] == 120


def test_decisions_under_the_new_parameters_are_held_to_as_any_others(
    place: Place, own: OwnStrategy, tmp_path: Path
) -> None:
    # The parameters change once, legitimately; under the new ones the strategy changes its mind.
    mood = tmp_path / "mood"
    mood.write_text("1")
    own.write(MOODY)
    place.run({"own": own.table(note=str(mood))}, 20)
    first = place.rows()[-1][0]
    place.run({"own": own.table(note=str(mood), size=5)}, 40)
    without_snapshots(place, after=first)
    mood.write_text("2")
    place.run({"own": own.table(note=str(mood), size=5)}, 60)
    assert list(last_start(place).diverged) == ["own"]
    assert [each.strategy for each in failures(place)] == ["own"]


def test_new_code_that_fails_on_the_history_is_stopped_and_said(
    place: Place, own: OwnStrategy
) -> None:
    place.run({"trend": TREND, "own": own.table()})
    seq = place.rows()[-1][0]
    own.write(RAISE)
    place.run({"trend": TREND, "own": own.table()}, 60)
    assert [each.strategy for each in failures(place)] == ["own"]
    assert "no idea" in failures(place)[0].error
    assert halted(place) == ["own"]
    assert intents(place, "own", seq) == []
    assert intents(place, "trend", seq)


def test_a_strategy_that_is_gone_leaves_the_others_as_they_were(place: Place) -> None:
    place.run(BOTH)
    before = {run.name: run.fields() for run in place.recover(from_snapshot=True).runs}
    place.run({"hold": HOLD})
    (run,) = place.recover(from_snapshot=False).runs
    assert (run.name, run.fields()) == ("hold", before["hold"])
    assert everything(place.recover(from_snapshot=True)) == everything(
        place.recover(from_snapshot=False)
    )


# A strategy decides otherwise than the journal says it did, with the same code.


@pytest.fixture
def moody(place: Place, own: OwnStrategy, tmp_path: Path) -> Place:
    """Return a place where `own` bought by a file's word, which has been changed since."""
    own.write(MOODY)
    (tmp_path / "mood").write_text("1")
    place.run(with_moody(own, tmp_path))
    without_snapshots(place)
    (tmp_path / "mood").write_text("2")
    return place


def with_moody(own: OwnStrategy, folder: Path) -> dict[str, Table]:
    return {"trend": TREND, "own": own.table(note=str(folder / "mood")), "hold": HOLD}


def test_a_strategy_that_decides_otherwise_is_on_halt_and_the_others_go_on(
    moody: Place, own: OwnStrategy, tmp_path: Path
) -> None:
    seq = moody.rows()[-1][0]
    assert len(intents(moody, "own")) == 4
    moody.run(with_moody(own, tmp_path), 80)
    first = moody.prepared.recovered.differences[0]
    assert first.strategy == "own"
    text = f"decided differently from the journal at {first.seq}"
    assert last_start(moody).diverged == {"own": text}
    assert [(each.strategy, each.error) for each in failures(moody)] == [("own", text)]
    assert halted(moody) == ["own"]
    assert intents(moody, "own", seq) == []
    assert len(intents(moody, "trend", seq)) >= 5


def test_the_first_bar_decided_otherwise_is_the_one_named(
    moody: Place, own: OwnStrategy, tmp_path: Path
) -> None:
    moody.run(with_moody(own, tmp_path))
    # The tenth minute's bar of A is the first it answers.
    caused = [row[5] for row in moody.rows("order.intended") if '"strategy":"own"' in row[6]]
    assert moody.prepared.recovered.differences[0].seq == caused[0]


@pytest.mark.parametrize("mood", ["1", "2"])
@pytest.mark.parametrize("from_snapshot", [True, False])
def test_the_start_after_that_comes_to_the_same(
    moody: Place, own: OwnStrategy, tmp_path: Path, mood: str, *, from_snapshot: bool
) -> None:
    moody.run(with_moody(own, tmp_path), 60)
    seq = moody.rows()[-1][0]
    if not from_snapshot:
        without_snapshots(moody)
    (tmp_path / "mood").write_text(mood)
    moody.run(with_moody(own, tmp_path), 80)
    assert [each.strategy for each in failures(moody)] == ["own"]
    assert halted(moody) == ["own"]
    assert intents(moody, "own", seq) == []
    assert intents(moody, "trend", seq)
    assert everything(moody.recover(from_snapshot=True))[2] == {"own"}


def test_books_and_failed_strategies_are_the_same_from_any_snapshot_on(
    moody: Place, own: OwnStrategy, tmp_path: Path
) -> None:
    moody.run(with_moody(own, tmp_path), 60)
    whole = moody.recover(from_snapshot=False)
    for file in reversed(moody.snapshot_files()):
        recovered = moody.recover(from_snapshot=True)
        assert recovered.snapshot_seq == int(file.stem)
        assert (hash_of(recovered), everything(recovered)) == (hash_of(whole), everything(whole))
        file.unlink()


def test_a_suspect_that_got_other_parameters_meanwhile_is_stopped_all_the_same(
    moody: Place, own: OwnStrategy, tmp_path: Path
) -> None:
    # Which of both it was nobody knows; and a replay must not ask what the run did not ask.
    changed = {"own": own.table(note=str(tmp_path / "mood"), size=7)}
    moody.run(with_moody(own, tmp_path) | changed, 60)
    assert halted(moody) == ["own"]
    for from_snapshot in (True, False):
        assert everything(moody.recover(from_snapshot=from_snapshot))[2] == {"own"}


# A strategy that raises.


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_strategy_that_failed_stays_failed(
    place: Place, own: OwnStrategy, *, from_snapshot: bool
) -> None:
    own.write(RAISE)
    tables = {"trend": TREND, "own": own.table()}
    place.run(tables)
    if not from_snapshot:
        without_snapshots(place)
    own.forget()
    place.run(tables, 60)
    assert own.asked == (0 if from_snapshot else 19), "up to the tenth bar of A, in the replay"
    assert [each.error for each in failures(place)] == ["RuntimeError: no idea"]
    assert halted(place) == ["own"]
    assert last_start(place).diverged == {}


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_failure_whose_reason_is_gone_is_not_forgotten(
    place: Place, own: OwnStrategy, tmp_path: Path, *, from_snapshot: bool
) -> None:
    # The file is not there, so it raises; then somebody makes the file.
    own.write(MOODY)
    place.run(with_moody(own, tmp_path))
    assert halted(place) == ["own"]
    if not from_snapshot:
        without_snapshots(place)
    (tmp_path / "mood").write_text("1")
    place.run(with_moody(own, tmp_path), 60)
    assert [each.strategy for each in failures(place)] == ["own"]
    assert halted(place) == ["own"]
    assert intents(place, "own") == []


def test_a_new_strategy_that_fails_on_the_history_fails_again_in_a_replay(
    place: Place, own: OwnStrategy
) -> None:
    place.run(BOTH)
    own.write(RAISE)
    place.run(BOTH | {"own": own.table()}, 60)
    assert halted(place) == ["own"]
    again = place.recover(from_snapshot=False)
    assert again.differences == []
    assert everything(again)[2] == {"own"}


def test_what_other_code_failed_on_is_no_difference_its_hold_included(
    place: Place, own: OwnStrategy
) -> None:
    own.write(RAISE)
    place.run({"trend": TREND, "own": own.table()})
    own.write(BUY)
    recovered = place.recover(from_snapshot=False)
    assert recovered.differences == []
    assert [hold.target for hold in recovered.state.holds.active.values()] == ["own"]


def test_repaired_code_starts_with_a_clean_sheet_behind_the_hold(
    place: Place, own: OwnStrategy
) -> None:
    own.write(RAISE)
    tables = {"trend": TREND, "own": own.table()}
    place.run(tables)
    own.write(BUY)
    outcome = place.run(tables, 60)
    assert everything(place.recover(from_snapshot=True))[2] == set()
    assert everything(place.recover(from_snapshot=True)) == everything(
        place.recover(from_snapshot=False)
    )
    # It is asked again, and the hold refuses what it wants until somebody lifts it.
    assert len(intents(place, "own")) == 2
    assert outcome.state.strategies.of("own").refused == 2
    assert halted(place) == ["own"]


def with_one_check_less(record: Record) -> Record:
    """Return an approval as an earlier gate would have given it, which asked less."""
    event = record.event
    if isinstance(event, IntentApproved):
        event = msgspec.structs.replace(event, checks=event.checks[:-1])
    return msgspec.structs.replace(record, event=event)


def by_an_earlier_traded(record: Record) -> Record:
    event = record.event
    if isinstance(event, SessionStarted):
        event = msgspec.structs.replace(event, code_version="0.0.9+an earlier one")
    return with_one_check_less(msgspec.structs.replace(record, event=event))


def test_what_an_earlier_traded_decided_otherwise_makes_no_strategy_a_suspect(
    ran: Place, tmp_path: Path
) -> None:
    upgraded = ran.rewritten(tmp_path / "upgraded", by_an_earlier_traded)
    recovered = upgraded.recover(from_snapshot=False)
    assert recovered.differences == []
    assert hash_of(recovered) == hash_of(ran.recover(from_snapshot=False))
    upgraded.run(BOTH, 50)
    assert halted(upgraded) == []


def test_what_this_very_code_decided_otherwise_does(ran: Place, tmp_path: Path) -> None:
    # The same rows without the word that other code wrote them: somebody changed them.
    changed = ran.rewritten(tmp_path / "changed", with_one_check_less)
    assert {found.strategy for found in changed.recover(from_snapshot=False).differences} == {
        "trend",
        "hold",
    }


def test_whoever_waits_for_a_recovery_is_told_that_it_gets_on(ran: Place) -> None:
    told: list[None] = []
    with JournalReader(ran.journal) as reader:
        recovery = Recovery(reader, SnapshotFolder(ran.journal), gets_on=lambda: told.append(None))
        recovery.recover(from_snapshot=False)
    assert told
