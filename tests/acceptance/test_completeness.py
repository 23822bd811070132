"""`traded completeness` on real minutes: half days, a change of clocks, thin names, daily bars.

The expected figures are counted from the files' own text, with New York's hours by hand.
"""

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.command_line import traded

DATA = Path(__file__).parents[3] / "shared" / "data" / "minute"
NEW_YORK = ZoneInfo("America/New_York")
HALF_DAYS = {date(2024, 7, 3), date(2015, 12, 24)}
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared bars are not on this machine")


def hours(day: date) -> tuple[datetime, datetime]:
    """Return New York's 9:30 and 16:00 (13:00 on a half day) in UTC."""
    close = time(13) if day in HALF_DAYS else time(16)
    opens, closes = (datetime.combine(day, at, NEW_YORK) for at in (time(9, 30), close))
    return opens.astimezone(UTC), closes.astimezone(UTC)


def ends_in(path: Path) -> Iterator[datetime]:
    """Yield when each minute of the file ends."""
    with gzip.open(path, "rt", encoding="utf-8") as text:
        for row in csv.DictReader(text):
            yield datetime.fromisoformat(row["ts"]) + MINUTE


def counted(path: Path, day: date, every: int) -> dict[str, Any]:
    """Return what a session of the file comes to when a bar is owed every so many minutes."""
    opens, closes = hours(day)
    of_day = [end for end in ends_in(path) if end.astimezone(NEW_YORK).date() == day]
    regular = [end for end in of_day if opens < end <= closes]
    there = {(end - opens - MINUTE) // (every * MINUTE) for end in regular}
    owed = (closes - opens) // (every * MINUTE)
    # What is left over at the end belongs to the last stretch.
    there = {min(stretch, owed - 1) for stretch in there}
    return {
        "bars": len(regular),
        "off_session": len(of_day) - len(regular),
        "possible": (closes - opens) // MINUTE,
        "expected": owed,
        "missing": owed - len(there),
    }


def journal_of(folder: Path, exchange: str, **files: str) -> Path:
    """Run the daemon over minutes of the given symbols; a bar is owed every minute."""
    paths = ", ".join(f"'{DATA / file}'" for file in files.values())
    tables = "\n".join(
        f"{symbol} = {{ exchange = '{exchange}', bar_every_s = 60 }}" for symbol in files
    )
    config = folder / "traded.toml"
    config.write_text(f"journal.path = 'j.db'\nfeed.paths = [{paths}]\n[symbols]\n{tables}\n")
    done = traded("run", "--config", config)
    assert done.returncode == 0, done.stderr
    return folder / "j.db"


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thin")
    files = {name: f"blaizard/{name}.csv.gz" for name in ("CPAY", "TDG")}
    return journal_of(folder, "NYSE", **files)


def certificates(journal: Path, *words: str, code: int) -> list[dict[str, Any]]:
    done = traded("completeness", *words, "--json", "--journal", journal)
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    assert found["schema_version"] == 1
    assert found["complete"] == (code == 0)
    return [each["certificate"] for each in found["sessions"]]


def figures(certificate: dict[str, Any]) -> dict[str, Any]:
    kept = ("bars", "off_session", "possible", "expected")
    return {name: certificate[name] for name in kept} | {"missing": len(certificate["missing"])}


@pytest.mark.parametrize("day", ["2024-07-03", "2024-07-02", "2024-05-28"])
@pytest.mark.parametrize("every", [1, 45])
def test_thin_names_have_what_the_files_have(thin: Path, day: str, every: int) -> None:
    wanted = {
        name: counted(DATA / "blaizard" / f"{name}.csv.gz", date.fromisoformat(day), every)
        for name in ("CPAY", "TDG")
    }
    code = 3 if any(each["missing"] for each in wanted.values()) else 0
    found = certificates(thin, day, "--every", str(60 * every), code=code)
    assert {each["symbol"]: figures(each) for each in found} == wanted


def test_every_session_of_a_year_is_certified(thin: Path) -> None:
    found = certificates(thin, "--all", "--symbol", "TDG", code=3)
    ends = list(ends_in(DATA / "blaizard" / "TDG.csv.gz"))
    days = sorted({end.astimezone(NEW_YORK).date() for end in ends})
    assert [each["day"] for each in found] == [f"{day}" for day in days]
    regular = [end for end in ends if _is_regular(end)]
    assert sum(each["bars"] for each in found) == len(regular)
    assert sum(each["off_session"] for each in found) == len(ends) - len(regular)
    # A day is 390 minutes, the one half day among them 210; none is missing that is there.
    owed = sum(each["expected"] for each in found)
    assert owed <= 390 * len(days) - 180
    assert sum(len(each["missing"]) for each in found) >= owed - len(regular)


def _is_regular(end: datetime) -> bool:
    opens, closes = hours(end.astimezone(NEW_YORK).date())
    return opens < end <= closes


def test_a_half_day_that_has_every_minute_is_complete(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, "NASDAQ", GOOG="lean/GOOG.csv.gz")
    (found,) = certificates(journal, "2015-12-24", code=0)
    assert figures(found) == counted(DATA / "lean" / "GOOG.csv.gz", date(2015, 12, 24), 1)
    assert (found["bars"], found["closes"]) == (210, "2015-12-24T18:00:00Z")
    refused = traded("completeness", "2015-12-25", "--journal", journal)
    assert refused.returncode == 2
    assert "2015-12-25: no session" in refused.stderr


def test_when_clocks_change_the_session_moves_in_utc(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, "NYSE", SPY="pyalgotrade/SPY_2011-03.csv.gz")
    found = {day: certificates(journal, day, code=0)[0] for day in ("2011-03-11", "2011-03-14")}
    assert found["2011-03-11"]["first"] == "2011-03-11T14:31:00Z"
    assert found["2011-03-14"]["first"] == "2011-03-14T13:31:00Z"
    for day, certificate in found.items():
        path = DATA / "pyalgotrade" / "SPY_2011-03.csv.gz"
        assert figures(certificate) == counted(path, date.fromisoformat(day), 1)


# What people see.


def test_the_last_session_is_shown_with_a_picture_and_the_gaps_by_name(thin: Path) -> None:
    done = traded("completeness", "2024-07-03", "--every", "300", "--journal", thin)
    assert done.returncode == 3
    assert done.stdout.startswith("2024-07-03, 13:30 to 17:00 UTC\n")
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("CPAY ")]
    # Three and a half hours are fourteen quarters.
    assert len(row.split()[-1]) == 14
    assert set(row.split()[-1]) <= set("▁▂▃▄▅▆▇█·")
    assert "CPAY: no bar 13:35 to 13:40" in done.stdout
    assert done.stdout.endswith("2 certificates of 1 session: 2 incomplete\n")
    newest = traded("completeness", "--journal", thin, "--every", "1800")
    assert newest.stdout.splitlines()[0].startswith("2024-08-30")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("yesterday",), "is no date: write 2024-07-03"),
        (("2024-07-04",), "2024-07-04: no session"),
        (("2024-07-03", "--all"), "exclude each other"),
        (("--symbol", "IBM"), "the journal has CPAY, TDG"),
        (("--every", "0"), "0 is not in the range"),
    ],
)
def test_what_cannot_be_shown_is_said(thin: Path, words: tuple[str, ...], said: str) -> None:
    done = traded("completeness", *words, "--journal", thin)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_journal_without_a_session_says_so(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(
        "ts,open,high,low,close,volume\n2024-01-06T15:00:00Z,1,1,1,1,5\n"
    )
    config = tmp_path / "traded.toml"
    config.write_text("journal.path = 'j.db'\nfeed.paths = ['A.csv']\nsymbols.A = {}\n")
    assert traded("run", "--config", config).returncode == 0
    done = traded("completeness", "--journal", tmp_path / "j.db")
    assert (done.returncode, done.stdout) == (2, "")
    assert "covers no session" in done.stderr


# The daemon's own word on it agrees.


def test_watched_recorded_minutes_miss_what_the_certificate_misses(tmp_path: Path) -> None:
    config = tmp_path / "traded.toml"
    path = DATA / "lean" / "GOOG.csv.gz"
    config.write_text(
        f"journal.path = 'j.db'\nfeed.paths = ['{path}']\nfreshness.recorded = true\n"
        "symbols.GOOG = { exchange = 'NASDAQ', bar_every_s = 60 }\n"
    )
    assert traded("run", "--config", config).returncode == 0
    journal = tmp_path / "j.db"
    done = traded("tail", "-n", "9999", "--type", "bar.missing", "--json", "--journal", journal)
    told = {json.loads(line)["event"]["end"] for line in done.stdout.splitlines()}
    found = certificates(journal, "--all", code=3)
    assert told == {each["end"] for session in found for each in session["missing"]}
    assert len(told) > 5
    again = traded("replay", "--redecide", "--json", "--journal", journal)
    assert json.loads(again.stdout)["different"] == 0
