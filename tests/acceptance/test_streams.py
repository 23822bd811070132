"""Whatever stdout and stderr are, each verb says what it has to say and ends as it should."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.command_line import TRADED, a_place, environment, traded
from tests.hostile_texts import HOSTILE, write_story
from tests.terminal import on_a_terminal

READS = ["status", "positions", "orders", "explain 11", "tail -n 100", "verify", "replay"]
READS += ["decisions"]
MACHINES = ["status --json", "orders --json", "tail --json", "replay --json", "verify --json"]
MACHINES += ["decisions --json"]
OTHERS = ["version", "sample-config", "sample-config --env", "--help", "explain --help"]
ASCII = {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C"}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a journal with an é in every text, in a folder whose name is no UTF-8."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path_factory.mktemp("streams")) + b"/\xff"))
    folder.mkdir()
    asyncio.run(write_story(folder / "journal.db", HOSTILE))
    return folder / "journal.db"


def ran(*words: str | Path, redirected: str = "", **variables: str) -> tuple[int, bytes, bytes]:
    """Run a command with its streams `redirected` by a shell; return its exit code and the rest."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", TRADED, *words],
        cwd="/",
        env=environment(Path("/"), **variables),
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


# A stdout that has not all characters.


@pytest.mark.parametrize("words", [*READS, *OTHERS])
def test_what_ascii_lacks_is_shown_as_its_escape(journal: Path, words: str) -> None:
    of: list[str | Path] = ["--journal", journal] if words in READS else []
    code, out, err = ran(*words.split(), *of, **ASCII)
    assert code == 0
    assert (out + err).isascii()
    assert b"Traceback" not in err
    if words in {"positions", "tail -n 100"}:
        assert "\\xe9" in out.decode() or "..." in out.decode()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_the_demo_draws_its_chart_with_what_there_is(tmp_path: Path, encoding: str) -> None:
    code, out, err = ran("demo", "--folder", tmp_path, PYTHONIOENCODING=encoding)
    assert (code, out.isascii(), b"Traceback" in err) == (0, True, False)
    chart = out.decode().split("Equity, USD\n")[1].split("\n\n")[0].splitlines()
    # The curve ends higher than it began: its last column is filled to near the top.
    assert [line[-1] for line in chart[:9]] == ["#"] * 9
    assert sum(line.count("#") for line in chart) > 200
    assert chart[9].endswith("+" + "-" * 68)


def test_a_terminal_without_unicode_gets_tables_too(journal: Path) -> None:
    shown = on_a_terminal("orders", "--journal", journal, variables=ASCII)
    assert shown.isascii()
    assert "intended" in shown
    assert "UNKNOWN" in shown


@pytest.mark.parametrize("words", MACHINES)
def test_json_is_utf_8_whatever_the_encoding(journal: Path, words: str) -> None:
    code, out, _ = ran(*words.split(), "--journal", journal, **ASCII)
    assert code == 0
    found = [json.loads(line) for line in out.split(b"\n")[:-1]] if "tail" in words else out
    assert found if "tail" in words else json.loads(out)["schema_version"] == 1
    usual = ran(*words.split(), "--journal", journal)[1]
    assert usual.count("é".encode()) == out.count("é".encode())


# A file name that no encoding has.


def test_a_file_name_that_is_no_text_is_shown_escaped(journal: Path) -> None:
    _, out, _ = ran("status", "--journal", journal)
    assert b"/\\udcff/journal.db" in out
    _, out, _ = ran("status", "--json", "--journal", journal)
    assert json.loads(out)["journal"].endswith("/\\udcff/journal.db")
    code, _, err = ran("status", "--journal", journal.with_name("none"))
    assert (code, b"no journal at " in err) == (1, True)


def test_a_folder_that_is_no_text_can_be_run_in(journal: Path) -> None:
    place = a_place(journal.parent / "place")
    for words in ("check-config", "check-config --json", "show-config --json", "run --verbose"):
        code, _, err = ran(*words.split(), "--config", place / "traded.toml")
        assert (code, b"Traceback" in err) == (0, False), words


# No stdout at all.


@pytest.mark.parametrize("words", ["status", "orders", "tail", "verify --json", "explain 11"])
def test_a_closed_stdout_is_no_reason_to_fail(journal: Path, words: str) -> None:
    assert ran(*words.split(), "--journal", journal, redirected=">&-") == (0, b"", b"")


def test_with_all_streams_closed_a_run_still_writes_its_journal_and_nothing_else(
    tmp_path: Path,
) -> None:
    # Otherwise a file opened next would be number 1, and what is printed would be in it.
    place = a_place(tmp_path / "place")
    words = ("run", "--verbose", "--config", place / "traded.toml")
    assert ran(*words, redirected="<&- >&- 2>&-") == (0, b"", b"")
    assert traded("verify", "--journal", place / "state" / "journal.db").returncode == 0


@pytest.mark.parametrize("words", ["status", "orders", "tail", "status --json"])
def test_data_that_cannot_be_written_is_a_failure_and_is_said(journal: Path, words: str) -> None:
    code, _, err = ran(*words.split(), "--journal", journal, redirected=">/dev/full")
    assert code == 1
    assert err.decode() == "traded: No space left on device\n"


def test_messages_that_cannot_be_written_do_not_change_how_it_ends(tmp_path: Path) -> None:
    assert ran("nosuch", redirected="2>/dev/full")[0] == 2
    assert ran("status", "--journal", tmp_path / "none", redirected="2>&-")[0] == 1
    place = a_place(tmp_path / "place")
    words = ("run", "--verbose", "--config", place / "traded.toml")
    code, out, _ = ran(*words, redirected="2>/dev/full")
    assert code == 0
    assert b"stopped: the feed ended" in out
