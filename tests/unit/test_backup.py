"""A backup holds the journal row by row, is believed only when it was read back, and makes room."""

import asyncio
import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.keeping import bundle
from daemon.keeping.bundle import BackupDamaged, Manifest, pack, prove, read_manifest, unpack
from daemon.keeping.copying import copy_from_outside, copy_live, copy_path, remove_copy
from daemon.keeping.shelf import backup_name, backups_of, make_room, put_up
from events.errors import JournalTailLost
from events.journal import JournalReader
from events.segments import segments_path
from events.witness import Witness, read_witness, witness_path
from ops.backups import files_beside
from tests.builders import a_bar, records
from tests.journals import OPENED, a_story, changed, raw_rows, write, writing

NOW = datetime(2024, 1, 2, 15, 4, 5, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    asyncio.run(write(path, *a_story(bars=2_500)))
    return path


def backed_up(journal: Path, target: Path, **beside: Path) -> Manifest:
    seen = read_witness(witness_path(journal))
    copy_from_outside(journal, lambda _: None)
    try:
        return pack(copy_path(journal), segments_path(journal), seen, beside, NOW, target)
    finally:
        remove_copy(journal)


def proved(target: Path, scratch: Path) -> Manifest:
    scratch.mkdir()
    manifest = unpack(target, scratch)
    prove(scratch, manifest)
    return manifest


# The copy.


async def test_a_copy_through_the_writers_connection_is_the_rows_up_to_its_beginning(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    async with writing(path) as journal:
        await journal.append(list(records(OPENED)))
        await journal.append(list(records(*a_story(bars=4_000), first=2)))
        began = journal.head
        copying = asyncio.create_task(copy_live(journal, lambda _: None))
        while not copying.done():
            await journal.append(list(records(a_bar("5"), first=journal.head.seq + 1)))
        head = await copying
        # Deposit, bars and the journal's name; what came meanwhile is not in it.
        assert head == began
        assert head.seq == 4_002
        assert journal.head.seq > head.seq
        written = await asyncio.to_thread(raw_rows, path)
    assert raw_rows(copy_path(path)) == written[: head.seq]


def test_a_copy_from_outside_is_the_same(journal: Path) -> None:
    reached: list[int] = []
    head = copy_from_outside(journal, reached.append)
    assert raw_rows(copy_path(journal)) == raw_rows(journal)
    assert reached == [1_000, 2_000, head.seq]


def test_a_copy_is_a_journal_that_needs_no_log_beside_it(journal: Path) -> None:
    copy_from_outside(journal, lambda _: None)
    with JournalReader(copy_path(journal)) as reader:
        # The only thing it has not is a witness, which the backup gives it.
        (missing,) = reader.check()
    assert "witness" in missing.what


def test_what_a_broken_off_copy_has_left_is_no_copy_and_does_not_stay(journal: Path) -> None:
    left = journal.with_name("journal.db.copy.new")
    left.write_bytes(b"half of it")
    copy_from_outside(journal, lambda _: None)
    assert not left.exists()
    remove_copy(journal)
    assert [each.name for each in journal.parent.glob("*.copy*")] == []


def test_a_journal_that_has_lost_its_end_is_not_copied(journal: Path) -> None:
    changed(journal, "DELETE FROM event WHERE seq = 2502")
    with pytest.raises(JournalTailLost):
        copy_from_outside(journal, lambda _: None)
    assert not copy_path(journal).exists()


# The backup.


def test_a_backup_unpacks_to_a_sound_journal_with_its_witness(
    journal: Path, tmp_path: Path
) -> None:
    config = tmp_path / "traded.toml"
    config.write_text('mode = "paper"\n')
    made = backed_up(journal, tmp_path / "b.tar.gz", **{"config/traded.toml": config})
    assert (
        proved(tmp_path / "b.tar.gz", tmp_path / "there")
        == made
        == read_manifest(tmp_path / "b.tar.gz")
    )
    unpacked = tmp_path / "there" / "journal.db"
    assert raw_rows(unpacked) == raw_rows(journal)
    last = raw_rows(journal)[-1]
    # One journal.opened, one deposit, 2,500 bars.
    assert made.events == last[0] == 2_502
    assert made.head_hash == last[7].hex()
    assert read_witness(witness_path(unpacked)) == Witness(
        OPENED.journal_id, 1, 2_502, last[7].hex()
    )
    assert (tmp_path / "there" / "config" / "traded.toml").read_text() == 'mode = "paper"\n'
    assert (made.mode, made.account, made.epoch) == ("paper", "test", 1)
    assert {"code", "python", "sqlite", "traded"} <= made.versions.keys()


def test_a_backup_opens_with_tar_alone_and_says_in_json_what_it_is(
    journal: Path, tmp_path: Path
) -> None:
    backed_up(journal, tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        names = archive.getnames()
        said = json.loads(archive.extractfile("manifest.json").read())  # type: ignore[union-attr] # it is a file
        assert {(each.uid, each.uname, each.mode) for each in archive} == {(0, "", 0o600)}
    assert names == ["manifest.json", "journal.db", "journal.db.witness"]
    assert said["events"] == 2_502


def test_a_copy_that_its_witness_does_not_remember_is_no_backup(
    journal: Path, tmp_path: Path
) -> None:
    copy_from_outside(journal, lambda _: None)
    ahead = Witness(OPENED.journal_id, 1, 2_503, "00" * 32)
    other = Witness(OPENED.journal_id, 1, 2_000, "00" * 32)
    for seen in (ahead, other):
        with pytest.raises(JournalTailLost):
            pack(copy_path(journal), tmp_path, seen, {}, NOW, tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_damaged_row_is_found_when_the_backup_is_read_back(journal: Path, tmp_path: Path) -> None:
    changed(
        journal,
        "UPDATE event SET body = replace(body, '100', '900') WHERE seq = 3",
    )
    backed_up(journal, tmp_path / "b.tar.gz")
    with pytest.raises(BackupDamaged, match="row 3"):
        proved(tmp_path / "b.tar.gz", tmp_path / "there")


def rewritten(target: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    """Write the backup anew with what `change` makes of each file; None leaves one out."""
    with tarfile.open(target) as archive:
        parts = [(m.name, archive.extractfile(m).read()) for m in archive]  # type: ignore[union-attr] # files all
    with tarfile.open(target, "w:gz") as archive:
        for name, content in parts:
            new = change(name, content)
            if new is not None:
                member = tarfile.TarInfo(name)
                member.size = len(new)
                archive.addfile(member, io.BytesIO(new))


def with_field(name: str, value: object) -> Callable[[str, bytes], bytes]:
    def change(file: str, content: bytes) -> bytes:
        if file != "manifest.json":
            return content
        return json.dumps(json.loads(content) | {name: value}).encode()

    return change


WRONG: dict[str, tuple[Callable[[str, bytes], bytes | None], str]] = {
    "another byte in the journal": (
        lambda name, content: content[:-1] + b"!" if name == "journal.db" else content,
        "journal.db is not what the manifest says",
    ),
    "no journal": (
        lambda name, content: None if name == "journal.db" else content,
        "journal.db is missing",
    ),
    "no witness": (
        lambda name, content: None if name.endswith(".witness") else content,
        "journal.db.witness is missing",
    ),
    "no manifest": (
        lambda name, content: None if name == "manifest.json" else content,
        "no backup of traded's",
    ),
    "fewer events than it says": (with_field("events", 2_503), "the manifest says 2503"),
    "another end than it says": (with_field("head_hash", "00" * 32), "it ends at event"),
    "another journal's name": (with_field("journal_id", "f" * 16), "its witness is another one"),
    "a form of the future": (with_field("form", 2), "use a newer one"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_backup_that_was_changed_is_refused(journal: Path, tmp_path: Path, what: str) -> None:
    change, said = WRONG[what]
    target = tmp_path / "b.tar.gz"
    backed_up(journal, target)
    rewritten(target, change)
    with pytest.raises(BackupDamaged, match=said):
        proved(target, tmp_path / "there")


def test_a_backup_that_breaks_off_anywhere_is_refused(journal: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.tar.gz"
    backed_up(journal, target)
    whole = target.read_bytes()
    for number, share in enumerate((0.0, 0.01, 0.3, 0.7, 0.999)):
        target.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(BackupDamaged):
            proved(target, tmp_path / f"there{number}")


@pytest.mark.parametrize("name", ["../outside", "/outside-of-it", "unnamed"])
def test_a_backup_writes_nothing_but_what_its_manifest_names_and_nowhere_else(
    journal: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "b.tar.gz"
    backed_up(journal, target)
    seal = {"size": 1, "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}

    def change(file: str, content: bytes) -> bytes:
        if file != "manifest.json" or name == "unnamed":
            return content
        said = json.loads(content)
        return json.dumps(said | {"files": said["files"] | {name: seal}}).encode()

    rewritten(target, change)
    with tarfile.open(target) as archive:
        parts = [(m, archive.extractfile(m).read()) for m in archive]  # type: ignore[union-attr] # files all
    with tarfile.open(target, "w:gz") as archive:
        outside = tarfile.TarInfo(name)
        outside.size = 1
        for member, content in [*parts[:1], (outside, b"x"), *parts[1:]]:
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(BackupDamaged, match="nothing the manifest names"):
        proved(target, tmp_path / "there")
    assert not (tmp_path / "outside").exists()


# What goes with it.


def test_configuration_corporate_actions_and_units_go_with_it(tmp_path: Path) -> None:
    config = tmp_path / "traded.toml"
    config.write_text('[corporate_actions]\npath = "actions.csv"\n')
    (tmp_path / "actions.csv").write_text("x")
    units = tmp_path / "system"
    (units / "traded.service.d").mkdir(parents=True)
    for name in ("traded.service", "traded.service.d/own.conf", "other.service"):
        (units / name).write_text(name)
    found = dict(files_beside(config, units))
    assert list(found) == [
        "config/traded.toml",
        "config/actions.csv",
        "units/traded.service",
        "units/traded.service.d/own.conf",
    ]
    assert dict(files_beside(None, tmp_path / "nowhere")) == {}


# The shelf.


def a_shelf(folder: Path, count: int, journal_id: str = OPENED.journal_id) -> list[Path]:
    """Put up so many backups, a minute apart, the newest last."""
    return [put_up(unfinished(folder), a_manifest(number, journal_id)) for number in range(count)]


def unfinished(folder: Path) -> Path:
    path = folder / ".unfinished"
    path.write_bytes(b"proved")
    return path


def a_manifest(minute: int, journal_id: str) -> Manifest:
    made_at = NOW + timedelta(minutes=minute)
    return Manifest(
        bundle.FORM, made_at, journal_id, OPENED.mode, "my own", 1, 10, "", 0, 0, {}, {}
    )


def test_the_oldest_backups_make_room_and_nothing_else_does(tmp_path: Path) -> None:
    others = a_shelf(tmp_path, 3, "0" * 16)
    notes = tmp_path / "notes-4d1a7a0c9f32b6e5-19990101T000000Z.tar.gz"
    notes.write_text("mine")
    own = a_shelf(tmp_path, 5)
    assert make_room(OPENED.journal_id, tmp_path, keep=2) == own[:3]
    assert sorted(tmp_path.iterdir()) == sorted([*others, notes, *own[3:]])
    assert make_room(OPENED.journal_id, tmp_path, keep=2) == []


def test_backups_are_named_after_whose_they_are_and_sort_by_time(tmp_path: Path) -> None:
    name = backup_name(a_manifest(0, OPENED.journal_id))
    assert name == "my_own-paper-4d1a7a0c9f32b6e5-20240102T150405Z-000000000010.tar.gz"
    own = a_shelf(tmp_path, 3)
    assert backups_of(OPENED.journal_id, tmp_path) == own
    assert backups_of(OPENED.journal_id, tmp_path / "nowhere") == []
