"""The witness remembers where the journal ended, whatever a power cut leaves of its last write."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from events.errors import JournalDamaged, JournalTailLost
from events.rows import Head
from events.witness import Witness, WitnessFile, check_witness, read_witness, witness_path

SLOT = 4096


def at(seq: int, journal_id: str = "j1") -> Witness:
    return Witness(journal_id, 1, seq, hash_of(seq).hex())


def hash_of(seq: int) -> bytes:
    """Return what stands for the hash of row `seq` in this history; there is none before row 1."""
    return seq.to_bytes(32, "big")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db.witness"


@pytest.fixture
def file(path: Path) -> Iterator[WitnessFile]:
    opened = WitnessFile(path)
    yield opened
    opened.close()


def slots(path: Path) -> list[bytes]:
    content = path.read_bytes()
    assert len(content) == 2 * SLOT
    return [content[:SLOT], content[SLOT:]]


def remembered(path: Path) -> int:
    """Return the seq of the witness at `path`."""
    found = read_witness(path)
    assert found is not None
    return found.seq


# Two slots in turn.


def test_what_was_written_last_is_read(file: WitnessFile, path: Path) -> None:
    for seq in range(1, 8):
        file.write(at(seq))
        assert read_witness(path) == at(seq)


def test_the_slots_are_written_in_turn(file: WitnessFile, path: Path) -> None:
    file.write(at(1))
    for seq in range(2, 8):
        before = slots(path)
        file.write(at(seq))
        after = slots(path)
        # Exactly one slot is another now, and it is not the one that held the newest.
        assert [old == new for old, new in zip(before, after, strict=True)].count(False) == 1
        assert sum(f'"seq":{seq - 1},'.encode() in slot for slot in after) == 1


def test_a_witness_opened_again_overwrites_the_older_slot(path: Path) -> None:
    for seq in range(1, 8):
        again = WitnessFile(path)
        again.write(at(seq))
        again.close()
        held = sorted(f'"seq":{number},'.encode() for number in (seq, seq - 1) if number)
        assert [any(each in slot for slot in slots(path)) for each in held] == [True] * len(held)
        assert remembered(path) == seq


def test_a_slot_is_text_under_its_own_checksum(file: WitnessFile, path: Path) -> None:
    file.write(at(3))
    (slot,) = [slot for slot in slots(path) if slot.strip(b"\0")]
    seal, _, text = slot.rstrip(b"\0\n").partition(b" ")
    assert json.loads(text) == {"journal_id": "j1", "epoch": 1, "seq": 3, "hash": "0" * 63 + "3"}
    assert seal.decode() == sha256(text).hexdigest()


def test_the_slots_lie_on_pages_of_their_own(file: WitnessFile, path: Path) -> None:
    # So that a torn write of one can never reach into the other.
    file.write(at(1))
    file.write(at(2))
    assert all(slot[:64].isalnum() for slot in slots(path))


def test_where_there_is_no_file_there_is_no_witness(path: Path) -> None:
    assert read_witness(path) is None


def test_a_file_that_was_made_and_never_written_is_no_witness(path: Path) -> None:
    # A kill between making the file and the first write leaves zeros, or nothing at all.
    path.write_bytes(bytes(2 * SLOT))
    assert read_witness(path) is None
    path.write_bytes(b"")
    assert read_witness(path) is None


def test_the_witness_lies_beside_its_journal(tmp_path: Path) -> None:
    assert witness_path(tmp_path / "journal.db") == tmp_path / "journal.db.witness"


# A slot that is not whole.


def newest_slot(content: bytearray) -> int:
    """Return where the slot starts that says seq 8."""
    start = content.index(b'"seq":8,') // SLOT * SLOT
    assert content[start : start + 64].isalnum()
    return start


def torn(content: bytearray) -> None:
    # Of the page only the first 100 bytes reached the disk; the rest is what was there before.
    start = newest_slot(content)
    content[start + 100 : start + SLOT] = bytes(SLOT - 100)


def zeroed(content: bytearray) -> None:
    start = newest_slot(content)
    content[start : start + SLOT] = bytes(SLOT)


def another_seq(content: bytearray) -> None:
    place = content.index(b'"seq":8,')
    content[place : place + 8] = b'"seq":9,'


def another_checksum(content: bytearray) -> None:
    content[newest_slot(content)] ^= 1


SPOILT = [torn, zeroed, another_seq, another_checksum]


@pytest.mark.parametrize("spoil", SPOILT)
def test_of_a_slot_that_is_not_whole_the_other_one_counts(
    spoil: Callable[[bytearray], None], file: WitnessFile, path: Path
) -> None:
    for seq in range(1, 9):
        file.write(at(seq))
    spoil_file(path, spoil)
    assert read_witness(path) == at(7)


@pytest.mark.parametrize("spoil", SPOILT)
def test_the_slot_that_is_not_whole_is_written_next(
    spoil: Callable[[bytearray], None], path: Path
) -> None:
    first = WitnessFile(path)
    for seq in range(1, 9):
        first.write(at(seq))
    first.close()
    spoil_file(path, spoil)
    second = WitnessFile(path)
    second.write(at(8))
    second.close()
    # The good one was never overwritten: it is still there, and the new one beside it.
    assert sum(b'"seq":7,' in slot for slot in slots(path)) == 1
    assert remembered(path) == 8


def test_a_file_cut_off_in_its_second_slot_keeps_the_first(file: WitnessFile, path: Path) -> None:
    file.write(at(1))
    file.write(at(2))
    first, second = sorted(slots(path), key=lambda slot: b'"seq":1,' not in slot)
    path.write_bytes(first + second[:50])
    assert remembered(path) == 1


def test_when_neither_slot_is_whole_there_is_nothing_to_trust(
    file: WitnessFile, path: Path
) -> None:
    file.write(at(1))
    file.write(at(2))
    content = bytearray(path.read_bytes())
    for start in (0, SLOT):
        content[start] ^= 1
    path.write_bytes(content)
    with pytest.raises(JournalDamaged, match="neither of its two slots is whole"):
        read_witness(path)


def spoil_file(path: Path, spoil: Callable[[bytearray], None]) -> None:
    content = bytearray(path.read_bytes())
    spoil(content)
    path.write_bytes(content)


# What it sees.


def check(witness: Witness | None, last: int) -> None:
    """Compare `witness` with a journal of `last` rows."""

    def hash_at(seq: int) -> bytes | None:
        return hash_of(seq) if 0 <= seq <= last else None

    check_witness(Path("journal.db"), witness, Head(last, hash_of(last)), hash_at)


def test_a_witness_of_the_last_row_is_content() -> None:
    check(at(5), last=5)


@pytest.mark.parametrize("seq", [1, 4])
def test_a_witness_of_an_earlier_row_of_the_same_history_is_content(seq: int) -> None:
    # A kill between the commit and the witness: the rows are there, and it remembers fewer.
    check(at(seq), last=5)


@pytest.mark.parametrize("last", [0, 1])
def test_a_journal_of_one_event_needs_no_witness_yet(last: int) -> None:
    check(None, last)


def test_a_witness_that_is_missing_is_refused_from_the_second_event_on() -> None:
    with pytest.raises(JournalTailLost, match=r"journal\.db\.witness is missing.*2 events") as lost:
        check(None, last=2)
    assert "put the witness back" in lost.value.hint


@pytest.mark.parametrize(("last", "missing"), [(6, 1), (1, 6), (0, 7)])
def test_a_witness_ahead_of_the_file_says_how_many_events_are_lost(last: int, missing: int) -> None:
    said = f"ends at event {last}, its witness remembers 7: {missing} events are lost"
    with pytest.raises(JournalTailLost, match=said) as lost:
        check(at(7), last)
    assert "-wal" in lost.value.hint
    assert "do not delete the witness" in lost.value.hint


@pytest.mark.parametrize("seq", [5, 3])
def test_a_witness_of_another_history_is_refused(seq: int) -> None:
    forked = Witness("j1", 1, seq, "f" * 64)
    with pytest.raises(JournalTailLost, match=f"not the history .* at event {seq}"):
        check(forked, last=5)
