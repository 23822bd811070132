"""Following a journal from outside: whatever becomes of its file, one goes on and says so."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.keeping.archiving import archive
from events import Record
from events.witness import witness_path
from ops.watch.follower import PAGE, PAUSE_MAX, Follower
from projections import State
from projections.canonical import state_hash
from tests.builders import a_bar, a_deposit
from tests.journals import a_story, changed, read, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def follower(path: Path) -> Iterator[Follower]:
    following = Follower(path)
    yield following
    following.close()


def append(path: Path, *closes: str) -> None:
    asyncio.run(write(path, *map(a_bar, closes)))


def look_on(follower: Follower, looks: int = PAUSE_MAX + 1) -> list[Record]:
    """Look until nothing is left to be folded, and past any pause behind a look that failed."""
    told = list(follower.look())
    for _ in range(looks):
        told += follower.look()
    return told


def hash_of(state: State) -> str:
    return state_hash(state, {})


def books_of(path: Path) -> str:
    """Return the hash of the books as a plain fold of everything has them."""
    state = State()
    for record in read(path):
        state.apply(record)
    return hash_of(state)


# A journal that grows.


def test_a_journal_that_is_not_there_yet_is_named_and_taken_up_when_it_comes(
    path: Path, follower: Follower
) -> None:
    assert list(follower.look()) == []
    assert follower.problem == f"there is no journal at {path}"
    asyncio.run(write(path, *a_story()))
    assert list(follower.look()) == []
    assert follower.problem == ""
    assert follower.state.seq == 5
    assert hash_of(follower.state) == books_of(path)


def test_each_new_event_is_told_once_and_folded(path: Path, follower: Follower) -> None:
    asyncio.run(write(path, *a_story()))
    follower.look()
    append(path, "110", "111")
    assert [record.seq for record in follower.look()] == [6, 7]
    assert list(follower.look()) == []
    append(path, "112")
    assert [record.seq for record in follower.look()] == [8]
    assert hash_of(follower.state) == books_of(path)


def test_a_journal_far_ahead_is_folded_in_pages_and_shown_when_it_is_whole(
    path: Path, follower: Follower
) -> None:
    asyncio.run(write(path, *a_story(bars=3 * PAGE)))  # and two events before the bars
    follower.look()
    assert follower.state.seq == 0, "half a history would be shown as if it were now"
    assert follower.problem == f"reading the journal: event {PAGE} of {3 * PAGE + 2}"
    assert follower.behind == 2 * PAGE + 2
    for _ in range(3):
        follower.look()
    assert (follower.problem, follower.behind) == ("", 0)
    assert hash_of(follower.state) == books_of(path)


def test_a_burst_is_told_in_pages_and_says_how_much_is_left(path: Path, follower: Follower) -> None:
    asyncio.run(write(path))
    follower.look()
    append(path, *["100"] * (PAGE + 10))
    assert len(follower.look()) == PAGE
    assert follower.behind == 10
    assert len(follower.look()) == 10
    assert follower.behind == 0


# A file that is another.


def test_an_archived_journal_is_the_same_journal(path: Path, follower: Follower) -> None:
    asyncio.run(write(path, *a_story()))
    follower.look()
    before = follower.state
    archive(path)
    append(path, "120")
    told = look_on(follower)
    # What goes on behind the seal is event 6, `journal.continued`.
    assert [record.seq for record in told] == [6, 7]
    assert follower.state is before
    assert follower.problem == ""


def test_a_journal_that_was_archived_before_is_read_from_its_segments(
    path: Path, follower: Follower
) -> None:
    asyncio.run(write(path, *a_story(bars=2 * PAGE)))
    archive(path)
    append(path, "120")
    look_on(follower)
    assert hash_of(follower.state) == books_of(path)
    assert follower.state.seq == 2 * PAGE + 4


def test_a_restored_journal_with_the_same_beginning_goes_on_where_it_was(
    path: Path, follower: Follower
) -> None:
    asyncio.run(write(path, *a_story()))
    follower.look()
    kept = path.with_name("kept.db")
    shutil.copy(path, kept)
    path.unlink()
    shutil.copy(kept, path)
    append(path, "130")
    assert [record.seq for record in look_on(follower)] == [6]
    assert hash_of(follower.state) == books_of(path)


def test_another_history_at_the_same_place_is_read_anew(
    path: Path, follower: Follower, tmp_path: Path
) -> None:
    asyncio.run(write(path, *a_story()))
    follower.look()
    before = follower.state
    other = tmp_path / "other" / "journal.db"
    other.parent.mkdir()
    asyncio.run(write(other, a_deposit("5"), *map(a_bar, "123456")))
    witness_path(path).unlink()
    path.unlink()
    other.rename(path)
    witness_path(other).rename(witness_path(path))
    assert list(look_on(follower)) == []
    assert follower.state is not before
    assert hash_of(follower.state) == books_of(path)


def test_a_file_written_over_in_place_is_read_anew(
    path: Path, follower: Follower, tmp_path: Path
) -> None:
    asyncio.run(write(path, *a_story(bars=5)))
    shorter = tmp_path / "shorter" / "journal.db"
    shorter.parent.mkdir()
    asyncio.run(write(shorter, a_deposit("5")))
    follower.look()
    same_file = path.stat().st_ino
    path.write_bytes(shorter.read_bytes())
    witness_path(path).write_bytes(witness_path(shorter).read_bytes())
    look_on(follower)
    assert path.stat().st_ino == same_file
    assert follower.state.seq == 2
    assert hash_of(follower.state) == books_of(path)


# What cannot be read.


def test_a_journal_that_goes_away_leaves_its_books_and_says_so(
    path: Path, follower: Follower
) -> None:
    asyncio.run(write(path, *a_story()))
    follower.look()
    away = path.with_name("away.db")
    path.rename(away)
    follower.look()
    assert "is missing, and journal.db.witness of an earlier journal" in follower.problem
    assert follower.state.seq == 5
    away.rename(path)
    append(path, "140")
    # What came while it was away is told all the same.
    assert [record.seq for record in look_on(follower)] == [6]
    assert follower.problem == ""


def test_a_damaged_row_is_named_and_what_lies_before_it_is_shown(
    path: Path, follower: Follower
) -> None:
    asyncio.run(write(path, *a_story()))
    changed(path, "UPDATE event SET body = replace(body, '101', '999') WHERE seq = 4")
    look_on(follower)
    assert "row 4 (bar.closed) does not have the hash it should have" in follower.problem
    assert follower.state.seq == 3


def test_a_row_that_is_damaged_while_it_is_followed_is_never_folded(
    path: Path, follower: Follower
) -> None:
    asyncio.run(write(path, *a_story()))
    follower.look()
    append(path, "150", "151")
    changed(path, "UPDATE event SET body = replace(body, '151', '999') WHERE seq = 7")
    assert [record.seq for record in look_on(follower)] == [6]
    assert "row 7" in follower.problem
    changed(path, "UPDATE event SET body = replace(body, '999', '151') WHERE seq = 7")
    assert [record.seq for record in look_on(follower)] == [7]
    assert follower.problem == ""


def test_a_tail_that_is_lost_is_noticed_while_nothing_new_comes(
    path: Path, follower: Follower
) -> None:
    asyncio.run(write(path, *a_story()))
    follower.look()
    changed(path, "DELETE FROM event WHERE seq > 3")
    look_on(follower)
    assert f"{path} ends at event 3, its witness remembers 5: 2 events are lost" in follower.problem
    assert follower.state.seq == 5, "the books as they were last known"


def test_a_damaged_journal_is_not_read_again_and_again(path: Path, follower: Follower) -> None:
    path.write_bytes(b"no journal at all" * 1_000)
    follower.look()
    assert follower.problem
    tried = 0
    for _ in range(400):
        before, follower.problem = follower.problem, ""
        follower.look()
        tried += bool(follower.problem)
        follower.problem = before
    # Pauses of 2, 4, 8, 16, 32, then 40 looks: of 400 looks 5 try in the first 67, then every 41st.
    assert tried <= 15
