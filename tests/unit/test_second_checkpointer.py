"""A second program that checkpoints the journal: refused where SQLite does not bear it.

The table of versions is the one of SQLite's own notice of the WAL-reset bug.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from daemon.exit_codes import ExitCode
from events.errors import JournalShared
from events.journal import Journal, JournalReader
from events.journal_file import SQLITE_VERSION
from events.second_checkpointer import (
    assert_no_second_checkpointer,
    checkpointer_of,
    has_wal_reset_bug,
)
from ops.exit_codes import code_for
from ops.readiness import checklist
from tests.journals import a_story, write

# What Litestream 0.3 and 0.5 make in the file they follow.
LITESTREAM = (
    "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)",
    "CREATE TABLE _litestream_lock (id INTEGER)",
    "INSERT INTO _litestream_seq (id, seq) VALUES (1, 7)",
)
AFFECTED = ("3.7.0", "3.40.1", "3.44.5", "3.45.0", "3.50.6", "3.51.0", "3.51.2")
FIXED = ("3.6.23", "3.44.6", "3.44.7", "3.50.7", "3.50.8", "3.51.3", "3.53.0", "4.0.0")


@pytest.fixture
async def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    await write(path, *a_story())
    return path


def follow(journal: Path) -> None:
    """Do to the journal what Litestream does when it begins to follow one."""
    with closing(sqlite3.connect(journal)) as connection, connection:
        for statement in LITESTREAM:
            connection.execute(statement)


@pytest.mark.parametrize("version", AFFECTED)
def test_an_affected_version_is_known(version: str) -> None:
    assert has_wal_reset_bug(version)


@pytest.mark.parametrize("version", FIXED)
def test_a_fixed_version_is_known_backports_included(version: str) -> None:
    assert not has_wal_reset_bug(version)


@pytest.mark.parametrize("version", AFFECTED)
def test_litestream_on_an_affected_version_is_refused(journal: Path, version: str) -> None:
    follow(journal)
    with JournalReader(journal) as reader, pytest.raises(JournalShared, match="_litestream_seq"):
        assert_no_second_checkpointer(journal, reader.tables(), version)


@pytest.mark.parametrize("version", FIXED)
def test_litestream_on_a_fixed_version_is_accepted(journal: Path, version: str) -> None:
    follow(journal)
    with JournalReader(journal) as reader:
        assert_no_second_checkpointer(journal, reader.tables(), version)


@pytest.mark.parametrize("version", AFFECTED)
def test_the_single_connection_is_accepted_on_an_affected_version(
    journal: Path, version: str
) -> None:
    with JournalReader(journal) as reader:
        assert_no_second_checkpointer(journal, reader.tables(), version)


def test_litestreams_folder_alone_shows_it_before_it_has_made_its_tables(journal: Path) -> None:
    assert checkpointer_of(journal, ()) == ""
    (journal.parent / ".journal.db-litestream").mkdir()
    assert ".journal.db-litestream" in checkpointer_of(journal, ())


def opened(journal: Path) -> None:
    async def open_it() -> None:
        await (await Journal.open(journal)).close()

    asyncio.run(open_it())


def test_the_daemons_own_start_asks_and_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    asyncio.run(write(path, *a_story()))
    follow(path)
    before = path.read_bytes()
    if has_wal_reset_bug(SQLITE_VERSION):
        with pytest.raises(JournalShared, match=SQLITE_VERSION) as refused:
            opened(path)
        assert code_for(refused.value) is ExitCode.BAD_CONFIG
        assert path.read_bytes() == before
    else:
        opened(path)


def test_litestreams_tables_are_no_damage(journal: Path) -> None:
    follow(journal)
    with JournalReader(journal) as reader:
        assert reader.check() == []


def test_any_other_table_is(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("CREATE TABLE _litestream_more (id INTEGER)")
    with JournalReader(journal) as reader:
        assert [each.what for each in reader.check()] != []


def test_a_missing_trigger_is_found_beside_them(journal: Path) -> None:
    follow(journal)
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("DROP TRIGGER event_never_goes")
    with JournalReader(journal) as reader:
        assert "tables or triggers" in reader.check()[0].what


def test_ready_warns_of_the_version_and_fails_with_litestream_beside_it(journal: Path) -> None:
    affected = has_wal_reset_bug(SQLITE_VERSION)
    (alone,) = (each for each in checklist(journal) if each.name == "sqlite")
    assert alone.passed
    assert alone.found.startswith(SQLITE_VERSION)
    assert ("one connection is safe" in alone.found) is affected
    follow(journal)
    (beside,) = (each for each in checklist(journal) if each.name == "sqlite")
    assert "Litestream" in beside.found
    assert beside.passed is not affected
