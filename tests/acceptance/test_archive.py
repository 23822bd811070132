"""`traded archive` as a person uses it: what every command says before, it says afterwards."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from daemon.keeping.archiving import archive
from events import OrderFilled
from events.journal import JournalReader
from events.segments import segment_files, segments_path
from ops.bench.workload import synthetic, trade
from tests.archive_campaign import BYTES_AN_EVENT, written
from tests.command_line import a_place, traded

# What is counted and timed differs by the one event that the archiving adds, or not at all.
SAME = (
    ("positions",),
    ("orders", "-n", "500"),
    ("explain", "AAPL"),
    ("decisions",),
    ("tail", "-n", "500", "--type", "order.filled"),
    ("limits",),
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a place that was run twice, and its twin that was archived in between."""
    folder = tmp_path_factory.mktemp("archive")
    plain, archived = a_place(folder / "plain"), folder / "archived"
    assert traded("run", cwd=plain).returncode == 0
    shutil.copytree(plain, archived)
    done = traded("archive", cwd=archived)
    assert done.returncode == 0, done.stderr
    assert "read back one by one" in done.stdout
    for place in (plain, archived):
        assert traded("run", cwd=place).returncode == 0
    return plain, archived


def shown(place: Path, *words: str) -> str:
    done = traded(*words, cwd=place)
    assert done.returncode == 0, done.stderr
    # The archiving itself is one event more.
    return re.sub(r"as of event [0-9,]+", "as of event N", done.stdout)


@pytest.mark.parametrize("words", SAME, ids=lambda words: words[0])
def test_each_command_sees_the_whole_history(
    places: tuple[Path, Path], words: tuple[str, ...]
) -> None:
    plain, archived = places
    expected = shown(plain, *words)
    assert expected.strip()
    assert shown(archived, *words) == expected


def test_what_is_verified_and_decided_again_is_all_of_it(places: tuple[Path, Path]) -> None:
    plain, archived = (place / "state" / "journal.db" for place in places)
    with JournalReader(plain) as before, JournalReader(archived) as after:
        events = after.head().seq
        assert events == before.head().seq + 1
    verified = traded("verify", "--json", "--journal", archived)
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["events"] == events
    replays = [
        json.loads(traded("replay", "--redecide", "--json", "--journal", each).stdout)
        for each in (plain, archived)
    ]
    assert replays[0]["state_hash"] == replays[1]["state_hash"]
    assert [each["different"] for each in replays] == [0, 0]
    assert replays[0]["decisions"] == replays[1]["decisions"] > 50


def test_a_walk_that_was_sealed_is_shown(places: tuple[Path, Path]) -> None:
    plain, archived = (place / "state" / "journal.db" for place in places)
    with JournalReader(plain) as reader:
        (filled, *_) = reader.of_kind(OrderFilled)
    words = ("tail", "--trace", str(filled.trace), "--journal")
    told = [traded(*words, journal).stdout for journal in (plain, archived)]
    assert told[0] == told[1]
    assert "order.intended" in told[0]


def test_a_backup_of_an_archived_journal_has_its_segments_and_comes_back(
    places: tuple[Path, Path], tmp_path: Path
) -> None:
    _, archived = places
    done = traded("backup", "--to", tmp_path / "b", "--json", cwd=archived)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)["backup"]
    assert sum(name.startswith("journal.db.segments/") for name in made["manifest"]["files"]) == 2
    drill = traded("drill", "restore", made["file"], cwd=archived)
    assert drill.returncode == 0, drill.stdout
    place = tmp_path / "fresh" / "journal.db"
    place.parent.mkdir()
    assert traded("restore", made["file"], "--journal", place).returncode == 0
    assert traded("verify", "--journal", place).returncode == 0
    assert len(segment_files(segments_path(place))) == 2
    # On top of a journal with segments: they are kept with it.
    again = traded("restore", made["file"], "--journal", place, "--accept-loss", "--json")
    assert again.returncode == 0, again.stderr
    kept = Path(json.loads(again.stdout)["restored"]["kept"])
    assert traded("verify", "--journal", kept).returncode == 0
    assert traded("verify", "--journal", place).returncode == 0


def test_there_is_nothing_to_archive_twice(places: tuple[Path, Path], tmp_path: Path) -> None:
    journal = tmp_path / "state" / "journal.db"
    shutil.copytree(places[0] / "state", tmp_path / "state")
    first, second = (traded("archive", "--journal", journal, "--json") for _ in range(2))
    assert first.returncode == 0, first.stderr
    said = json.loads(first.stdout)["archived"]
    assert said["size_after"] < said["size_before"]
    assert (second.returncode, second.stdout) == (5, "")
    assert "all of it is sealed" in second.stderr


def test_an_archived_event_takes_at_most_sixty_bytes_and_reads_as_it_did(tmp_path: Path) -> None:
    # A run's events, and then twice more in other years: four blocks.
    source, journal, rows = (tmp_path / f"{name}.db" for name in ("source", "long", "rows"))
    trade(synthetic(2_000), source)
    with JournalReader(source) as reader:
        events = 3 * reader.head().seq - 100
    written(source, journal, events)
    os.link(journal, rows)
    assert archive(journal).packed / events <= BYTES_AN_EVENT
    with JournalReader(rows) as before, JournalReader(journal) as after:
        assert after.check() == []
        assert list(after.records(0, events)) == list(before.records())
