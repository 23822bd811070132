"""A restore: proved first, on HALT in an epoch of its own, and what was there stays."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.keeping.bundle import BackupDamaged, pack
from daemon.keeping.copying import copy_from_outside, copy_path, remove_copy
from daemon.keeping.restoring import Restored, RestoreRefused, restore
from daemon.stopping.permit import Permit, permit_path
from events import (
    AT_START,
    HoldLevel,
    HoldPlaced,
    JournalOpened,
    JournalRestored,
    Mode,
    OperatorResumed,
)
from events.errors import JournalError, JournalLocked, JournalTailLost
from events.journal import Journal, JournalReader
from events.lock import FileLock, lock_path
from events.segments import segments_path
from events.witness import read_witness, witness_path
from ops.sentences import sentence
from projections import State
from tests.builders import a_bar, records
from tests.core_desk import CoreDesk
from tests.journals import OPENED, a_story, changed, raw_rows, read, write, writing
from tests.operators import said

NOW = datetime(2024, 1, 2, 15, 4, 5, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "journal.db"
    path.parent.mkdir()
    asyncio.run(write(path, *a_story(bars=20)))
    return path


@pytest.fixture
def backup(journal: Path, tmp_path: Path) -> Path:
    """Return a backup of the journal's first 22 events."""
    return backed_up(journal, tmp_path / "b.tar.gz")


def backed_up(journal: Path, target: Path) -> Path:
    copy_from_outside(journal, lambda _: None)
    seen, segments = read_witness(witness_path(journal)), segments_path(journal)
    pack(copy_path(journal), segments, seen, {}, NOW, target)
    remove_copy(journal)
    return target


def restored(backup: Path, journal: Path, *, accept_loss: bool = False) -> Restored:
    return restore(backup, journal, by="ann", why="why not", accept_loss=accept_loss, now=NOW)


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in each file; a lock names who asked last, and readers leave empty logs."""
    files = (path for path in folder.rglob("*") if path.is_file())
    kept = (path for path in files if not path.name.endswith((".lock", "-shm", "-wal")))
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def kept_of(journal: Path) -> list[Path]:
    """Return the journals that restores have set aside."""
    witnesses = journal.parent.glob("*.before-restore-*.witness")
    return [each.with_suffix("") for each in witnesses]


def go_on(journal: Path, events: int) -> None:
    asyncio.run(write(journal, *(a_bar(str(200 + number)) for number in range(events))))


def books(journal: Path) -> State:
    state = State()
    for record in read(journal):
        state.apply(record)
    return state


# The restored journal.


def test_on_a_fresh_host_every_event_is_back_behind_a_halt_that_only_an_operator_lifts(
    journal: Path, backup: Path, tmp_path: Path
) -> None:
    place = tmp_path / "fresh" / "journal.db"
    place.parent.mkdir()
    done = restored(backup, place)
    assert (done.epoch, done.lost, done.kept) == (2, 0, "")
    rows = raw_rows(place)
    assert rows[:22] == raw_rows(journal)
    began, hold = (each.event for each in read(place)[22:])
    assert began == JournalRestored(2, "b.tar.gz", 0, "ann", "why not")
    assert isinstance(hold, HoldPlaced)
    assert (hold.level, hold.cause, hold.lifts) == (HoldLevel.HALT, AT_START, "operator")
    assert done.seq == rows[-1][0] == 24
    with JournalReader(place) as reader:
        assert reader.check() == []
        assert reader.epoch() == 2


def test_the_witness_goes_on_in_the_new_epoch(backup: Path, tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    restored(backup, place)
    witness = read_witness(witness_path(place))
    assert witness is not None
    assert (witness.journal_id, witness.epoch, witness.seq) == (OPENED.journal_id, 2, 24)
    go_on(place, 1)
    witness = read_witness(witness_path(place))
    assert witness is not None
    assert (witness.epoch, witness.seq) == (2, 25)


def test_each_restore_is_an_epoch_more_also_of_a_backup_from_before_the_last_one(
    journal: Path, backup: Path
) -> None:
    assert restored(backup, journal).epoch == 2
    # The backup is of epoch 1; the witness at the place remembers 2, and its two events.
    again = restored(backup, journal, accept_loss=True)
    assert (again.epoch, again.lost) == (3, 2)
    # In the same second: neither takes the other's name.
    assert sorted(len(raw_rows(each)) for each in kept_of(journal)) == [22, 24]
    later = backed_up(journal, journal.parent / "later.tar.gz")
    assert restored(later, journal).epoch == 4


def test_nothing_of_the_bundle_stays_beside_the_journal(journal: Path, backup: Path) -> None:
    restored(backup, journal)
    names = {each.name for each in journal.parent.iterdir()}
    kept = {name for name in names if "before-restore" in name}
    assert names - kept == {"journal.db", "journal.db.witness", "journal.db.lock"}


def test_resume_lifts_the_halt_of_a_restore() -> None:
    desk = CoreDesk()
    desk.step(JournalRestored(2, "b.tar.gz", 5, "ann", ""))
    (hold,) = desk.core.state.holds.active.values()
    assert "5 events are lost" in hold.why
    assert desk.core.state.identity.epoch == 2
    desk.step(said(OperatorResumed))
    assert not desk.core.state.holds.active


def test_a_restore_reads_as_a_sentence() -> None:
    told = sentence(JournalRestored(2, "b.tar.gz", 5, "ann", "new disk"))
    assert told == "restored from b.tar.gz, 5 events lost, epoch 2, by ann: new disk"


# What is known to be lost.


def test_an_older_backup_than_the_witness_is_refused_and_nothing_is_touched(
    journal: Path, backup: Path
) -> None:
    go_on(journal, 3)
    before = contents(journal.parent)
    with pytest.raises(RestoreRefused, match="ends at 25, the backup at 22: 3 events would be"):
        restored(backup, journal)
    assert contents(journal.parent) == before


def test_the_witness_alone_is_enough_to_refuse(journal: Path, backup: Path) -> None:
    go_on(journal, 3)
    journal.unlink()
    with pytest.raises(RestoreRefused, match=r"the witness of .* ends at 25"):
        restored(backup, journal)


def test_the_journal_alone_is_enough_to_refuse(journal: Path, backup: Path) -> None:
    go_on(journal, 3)
    witness_path(journal).unlink()
    with pytest.raises(RestoreRefused, match="ends at 25"):
        restored(backup, journal)


def test_a_damaged_witness_is_reason_enough_to_refuse(journal: Path, backup: Path) -> None:
    witness_path(journal).write_bytes(b"x" * 8192)
    journal.unlink()
    with pytest.raises(RestoreRefused, match="cannot be known"):
        restored(backup, journal)
    assert restored(backup, journal, accept_loss=True).epoch == 2


def test_another_history_of_the_same_journal_is_refused(backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "state" / "other.db"
    asyncio.run(write(other, *a_story(bars=10)[:-1], a_bar("999")))
    with pytest.raises(RestoreRefused, match="another history at event 12"):
        restored(backup, other)


def test_who_accepts_the_loss_gets_the_backup_and_the_count_is_recorded(
    journal: Path, backup: Path
) -> None:
    go_on(journal, 3)
    done = restored(backup, journal, accept_loss=True)
    assert done.lost == 3
    began = read(journal)[22].event
    assert isinstance(began, JournalRestored)
    assert began.lost == 3


def test_what_was_there_stays_readable_under_another_name(journal: Path, backup: Path) -> None:
    go_on(journal, 3)
    before = raw_rows(journal)
    done = restored(backup, journal, accept_loss=True)
    kept = Path(done.kept)
    assert raw_rows(kept) == before
    with JournalReader(kept) as reader:
        assert reader.check() == []


def test_a_journal_that_cannot_be_read_any_more_stays_as_it_is(journal: Path, backup: Path) -> None:
    content = b"SQLite format 3\0" + b"\0" * 5_000
    journal.write_bytes(content)
    done = restored(backup, journal)
    assert Path(done.kept).read_bytes() == content
    assert raw_rows(journal)[21][0] == 22


def test_the_kill_that_waits_in_the_side_file_still_waits(journal: Path, backup: Path) -> None:
    aside = journal.with_name("journal.db.commands")
    aside.write_text("a kill\n")
    restored(backup, journal)
    assert aside.read_text() == "a kill\n"


def test_a_restore_gives_no_permit(journal: Path, backup: Path) -> None:
    restored(backup, journal)
    assert not Permit(permit_path(journal)).granted


# What refuses it whatever is accepted.


def test_another_journal_is_never_replaced(backup: Path, tmp_path: Path) -> None:
    place = tmp_path / "other.db"

    async def make() -> None:
        async with writing(place) as other:
            name = JournalOpened("0" * 16, Mode.LIVE, "real")
            await other.append(list(records(name)))

    asyncio.run(make())
    before = raw_rows(place)
    with pytest.raises(RestoreRefused, match="lies journal 0000"):
        restored(backup, place, accept_loss=True)
    assert raw_rows(place) == before


def test_while_a_daemon_has_the_journal_nothing_is_restored(journal: Path, backup: Path) -> None:
    lock = FileLock(lock_path(journal))
    before = contents(journal.parent)
    try:
        with pytest.raises(JournalLocked):
            restored(backup, journal, accept_loss=True)
    finally:
        lock.release()
    assert contents(journal.parent) == before


def test_a_backup_that_is_not_sound_restores_nothing(journal: Path, tmp_path: Path) -> None:
    changed(journal, "UPDATE event SET body = replace(body, '100', '900') WHERE seq = 3")
    backup = backed_up(journal, tmp_path / "b.tar.gz")
    before = contents(journal.parent)
    with pytest.raises(BackupDamaged, match="row 3"):
        restored(backup, journal, accept_loss=True)
    assert contents(journal.parent) == before


# A power cut in the middle.


@pytest.mark.parametrize("done", range(1, 4))
def test_half_of_a_restore_never_starts_a_daemon(journal: Path, tmp_path: Path, done: int) -> None:
    # The steps in their order: journal aside, new witness, new journal. Each but the last alone.
    backup = backed_up(journal, tmp_path / "b.tar.gz")
    place = tmp_path / "whole" / "journal.db"
    place.parent.mkdir()
    restored(backup, place)
    steps = (
        (journal, journal.with_name("aside")),
        (witness_path(place), witness_path(journal)),
        (place, journal),
    )
    for source, target in steps[:done]:
        source.replace(target)
    if done == len(steps):
        asyncio.run(opened(journal))
        return
    with pytest.raises(JournalTailLost, match="is missing"):
        asyncio.run(opened(journal))


async def opened(journal: Path) -> None:
    await (await Journal.open(journal)).close()


def test_an_attempt_that_was_broken_off_is_in_nobodys_way(journal: Path, backup: Path) -> None:
    left = journal.with_name("journal.db.restoring")
    left.mkdir()
    (left / "journal.db").write_bytes(b"half of it")
    restored(backup, journal)
    assert not left.exists()


def test_an_old_journal_without_epochs_has_the_first_one(journal: Path) -> None:
    with JournalReader(journal) as reader:
        assert reader.epoch() == 1
    with pytest.raises(JournalError), JournalReader(journal.with_name("none")):
        pass
