"""Snapshots are believed only where the journal confirms them; a bad one costs time and no more."""

import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from daemon.history.code_hash import fold_code_hash
from daemon.history.snapshots import SnapshotFolder
from events.journal import JournalReader
from projections import State, snapshot
from projections.snapshot import Snapshot, SnapshotUnusable
from tests.small_runs import HOLD, TREND, Place, everything

STRATEGIES = {"trend": TREND, "hold": HOLD}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place with a snapshot behind every block of bars; no test changes it."""
    place = Place(tmp_path_factory.mktemp("ran") / "place")
    place.run(STRATEGIES)
    assert len(place.snapshot_files()) >= 10
    return place


@pytest.fixture
def place(ran: Place, tmp_path: Path) -> Place:
    """Return a copy that a test may spoil."""
    return ran.cut(ran.recover(from_snapshot=False).state.seq, tmp_path / "place")


def newest(place: Place, upto: int | None = None) -> tuple[int, list[str]]:
    """Return which snapshot is used (0: none), and what is said of those that are not."""
    folder = place.snapshots
    with JournalReader(place.journal) as reader:
        found = folder.newest(reader, upto)
    return found.seq if found else 0, folder.skipped


def seqs(place: Place) -> list[int]:
    return [int(file.stem) for file in place.snapshot_files()]


def a_snapshot(place: Place) -> Snapshot:
    return snapshot.decode(place.snapshot_files()[-1].read_bytes(), fold_code_hash())


# What is used.


def test_a_snapshot_comes_back_as_it_was(place: Place) -> None:
    made = a_snapshot(place)
    assert made.state.orders.closed, "there is something in it"
    assert snapshot.decode(snapshot.encode(made), made.fold_code) == made


def test_the_newest_one_is_used(place: Place) -> None:
    assert newest(place) == (max(seqs(place)), [])


def test_for_a_moment_in_the_past_the_newest_one_up_to_it_is_used(place: Place) -> None:
    third, fourth = seqs(place)[2:4]
    assert newest(place, upto=fourth) == (fourth, [])
    assert newest(place, upto=fourth - 1) == (third, [])
    assert newest(place, upto=seqs(place)[0] - 1) == (0, [])


def test_without_a_folder_there_is_none(tmp_path: Path, ran: Place) -> None:
    with JournalReader(ran.journal) as reader:
        assert SnapshotFolder(tmp_path / "elsewhere.db").newest(reader) is None


# What is not used: each is skipped and said, and the one before it is taken.


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def torn_in_its_header(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:20])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def zeros(file: Path) -> None:
    # What a file system may leave of a file that was never synced.
    file.write_bytes(bytes(file.stat().st_size))


def no_file(file: Path) -> None:
    file.unlink()
    file.mkdir()


def of_other_code(file: Path) -> None:
    made = snapshot.decode(file.read_bytes(), fold_code_hash())
    file.write_bytes(snapshot.encode(msgspec.structs.replace(made, fold_code="f" * 64)))


def of_another_form(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"form":1', b'"form":2', 1))


def of_another_history(file: Path) -> None:
    made = snapshot.decode(file.read_bytes(), fold_code_hash())
    file.write_bytes(snapshot.encode(msgspec.structs.replace(made, row_hash="f" * 64)))


def of_another_moment(file: Path) -> None:
    # Whole and true, but of another row than its name says.
    older = min(file.parent.glob("*.json"))
    file.write_bytes(older.read_bytes())


def of_what_json_does_not_give_back(file: Path) -> None:
    # Written as null, which no number is: whole, of the right hash, and not to be read.
    made = snapshot.decode(file.read_bytes(), fold_code_hash())
    made.state.at = float("nan")  # type: ignore[assignment] # on purpose
    file.write_bytes(snapshot.encode(made))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (of_what_json_does_not_give_back, "its content cannot be read"),
        (torn, "its content does not have the hash it should have"),
        (torn_in_its_header, "its header cannot be read"),
        (empty, "its header cannot be read"),
        (zeros, "its header cannot be read"),
        (no_file, "it cannot be read"),
        (of_other_code, "other code made it"),
        (of_another_form, "other code made it"),
        (of_another_history, "the journal has another row at"),
        (of_another_moment, "it is of event"),
    ],
)
def test_a_bad_one_is_skipped_and_said(
    spoil: Callable[[Path], None], said: str, place: Place
) -> None:
    second, last = place.snapshot_files()[-2:]
    spoil(last)
    used, skipped = newest(place)
    assert used == int(second.stem)
    assert len(skipped) == 1
    assert re.match(f"{last.name}: {said}", skipped[0])


def test_one_ahead_of_the_journal_is_skipped_and_said(ran: Place, tmp_path: Path) -> None:
    # The journal came back from a backup, its snapshots did not.
    third, fourth = ran.snapshot_files()[2:4]
    restored = ran.cut(int(fourth.stem) - 1, tmp_path / "restored")
    (restored.snapshots.path / fourth.name).write_bytes(fourth.read_bytes())
    used, skipped = newest(restored)
    assert used == int(third.stem)
    assert skipped == [f"{fourth.name}: the journal has another row at {int(fourth.stem)}"]


def test_one_of_another_journal_is_skipped(ran: Place, tmp_path: Path) -> None:
    # The same bars, one strategy less: another history of the same length so far.
    foreign = Place(tmp_path / "foreign")
    foreign.run({"hold": HOLD})
    target = foreign.snapshot_files()[3]
    with JournalReader(ran.journal) as reader:
        row_hash = reader.hash_at(int(target.stem))
    assert row_hash is not None, "the row is there, with another hash"
    for file in foreign.snapshot_files():
        file.unlink()
    made = a_snapshot(ran)
    moved = msgspec.structs.replace(made, seq=int(target.stem), row_hash=row_hash.hex())
    target.write_bytes(snapshot.encode(moved))
    assert newest(foreign) == (
        0,
        [f"{target.name}: the journal has another row at {moved.seq}"],
    )


def test_when_all_are_bad_the_journal_alone_is_enough(place: Place) -> None:
    whole = place.recover(from_snapshot=False)
    for file in place.snapshot_files():
        torn(file)
    recovered = place.recover(from_snapshot=True)
    assert recovered.snapshot_seq == 0
    assert len(recovered.snapshots_skipped) == len(place.snapshot_files())
    assert everything(recovered) == everything(whole)


def test_no_flipped_bit_goes_unnoticed(place: Place) -> None:
    content = place.snapshot_files()[1].read_bytes()
    header = content.index(b"\n") + 1
    chance = random.Random(1)
    places = [*range(header), *chance.sample(range(header, len(content)), 200)]
    for index in places:
        flipped = bytearray(content)
        flipped[index] ^= 1 << chance.randrange(8)
        with pytest.raises(SnapshotUnusable):
            snapshot.decode(bytes(flipped), fold_code_hash())


def test_no_torn_one_goes_unnoticed(place: Place) -> None:
    content = place.snapshot_files()[1].read_bytes()
    for length in {*range(0, len(content), 97), len(content) - 1}:
        with pytest.raises(SnapshotUnusable):
            snapshot.decode(content[:length], fold_code_hash())


def test_a_file_of_another_name_is_nobodys_snapshot(place: Place) -> None:
    before = newest(place)
    for name in ("notes", "\N{SUPERSCRIPT TWO}", "-1", ""):
        (place.snapshots.path / f"{name}.json").write_bytes(b"{}")
    assert newest(place) == before


# What is kept.


def some(place: Place, numbers: range) -> Iterator[Snapshot]:
    """Yield small snapshots of the rows in `numbers`."""
    with JournalReader(place.journal) as reader:
        for seq in numbers:
            row_hash = reader.hash_at(seq)
            assert row_hash is not None
            yield Snapshot("id", seq, row_hash.hex(), fold_code_hash(), State(seq=seq))


def test_the_last_ten_are_kept_and_the_others_dropped(ran: Place, tmp_path: Path) -> None:
    place = ran.cut(50, tmp_path / "place")
    for made in some(place, range(20, 41)):
        place.snapshots.write(made.seq, snapshot.encode(made), 10)
    assert seqs(place) == list(range(31, 41))
    assert newest(place) == (40, [])


def test_a_run_keeps_as_many_as_the_configuration_says(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.run(STRATEGIES, snapshots_kept=3)
    assert len(seqs(place)) == 3
    assert seqs(place)[-1] == place.recover(from_snapshot=False).state.seq


def test_a_start_with_a_long_way_behind_it_makes_one(ran: Place, tmp_path: Path) -> None:
    # Killed before its own events were enough for one, as often as one likes: 150 in all.
    place = ran.cut(150, tmp_path / "place")
    shutil.rmtree(place.snapshots.path)
    place.run(STRATEGIES, every=150)
    first, end = seqs(place)
    assert 150 < first < 160
    assert end == place.rows()[-1][0] < 300


def test_snapshots_of_a_lost_future_never_crowd_out_those_of_the_present(
    ran: Place, tmp_path: Path
) -> None:
    # Ten of rows 31 to 40 in the folder, and a journal restored to row 25.
    place = ran.cut(25, tmp_path / "place")
    for made in some(ran, range(31, 41)):
        place.snapshots.write(made.seq, snapshot.encode(made), 10)
    for made in some(ran, range(25, 26)):
        place.snapshots.write(made.seq, snapshot.encode(made), 10)
    assert newest(place) == (25, [])


def test_one_that_was_never_finished_is_not_looked_at_and_goes_with_the_next(
    place: Place,
) -> None:
    unfinished = place.snapshots.path / "000000000009999.new"
    unfinished.write_bytes(b"half of it")
    before = newest(place)
    assert before == (max(seqs(place)), [])
    made = a_snapshot(place)
    place.snapshots.write(made.seq, snapshot.encode(made), 10)
    assert not unfinished.exists()
    assert newest(place) == before
