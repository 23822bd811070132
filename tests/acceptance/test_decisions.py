"""`traded decisions`: what was decided, and what stood in the way, counted from the journal."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import a_place, lines, shown, traded

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = a_place(tmp_path_factory.mktemp("decisions") / "place")
    done = traded("run", "--config", place / "traded.toml")
    assert done.returncode == 0, done.stderr
    return place / "state" / "journal.db"


@pytest.fixture(scope="module")
def rows(journal: Path) -> Rows:
    return lines("-n", "100000", "--journal", journal)


def of_type(rows: Rows, *tags: str) -> Rows:
    return [row for row in rows if row["type"] in tags]


def test_the_counts_are_those_of_the_journal(journal: Path, rows: Rows) -> None:
    found = shown("decisions", "--last", "9999", "--top", "99", "--journal", journal)
    assert found["mode"] == "paper"
    (live,) = found["data"]
    refused, approved = of_type(rows, "intent.refused"), of_type(rows, "intent.approved")
    declined = of_type(rows, "strategy.declined")
    assert (live["refused"], live["approved"]) == (len(refused), len(approved))
    assert live["decisions"] == len(refused) + len(approved) + len(declined)
    # Each answer counts as often as the next one says, the last one once, 0 times never.
    told = sum(max(row["event"]["evaluations"], 1) for row in declined)
    firsts = {(row["event"]["strategy"], row["event"]["symbol"]) for row in declined}
    assert live["declined"] >= len(declined)
    assert live["declined"] <= told + len(firsts)
    # A check of the gate stood in the way as often as it failed.
    failed: Counter[str] = Counter()
    for row in refused:
        failed.update(name for name, passed, *_ in row["event"]["checks"] if not passed)
    gate = {
        each["name"]: each["evaluations"] for each in live["blockers"] if each["source"] == "gate"
    }
    assert gate == failed
    assert failed


def test_each_grouping_adds_up_to_the_whole(journal: Path) -> None:
    found = shown("decisions", "--last", "9999", "--journal", journal)
    (live,) = found["data"]
    for groups in found["by"].values():
        for name in ("decisions", "evaluations", "declined", "refused", "approved"):
            assert sum(each[name] for each in groups) == live[name]
    assert [each["group"] for each in found["by"]["strategy"]] == ["greedy", "trend"]
    assert [each["group"] for each in found["by"]["day"]] == ["2024-01-02"]
    assert {each["group"] for each in found["by"]["symbol"]} == {"AAPL", "MSFT", "BRK B"}
    assert all(len(each["blockers"]) <= 3 for each in (*found["by"]["strategy"], live))


def test_only_what_is_asked_for_is_counted(journal: Path, rows: Rows) -> None:
    of_greedy = shown("decisions", "--strategy", "greedy", "--journal", journal)
    (live,) = of_greedy["data"]
    intents = {
        row["event"]["client_order_id"]: row["event"] for row in of_type(rows, "order.intended")
    }
    refused = [
        row
        for row in of_type(rows, "intent.refused")
        if intents[row["event"]["client_order_id"]]["strategy"] == "greedy"
    ]
    assert live["refused"] == len(refused) > 0
    assert live["approved"] == 0
    of_apple = shown("decisions", "--symbol", "AAPL", "--journal", journal)
    assert [each["group"] for each in of_apple["by"]["symbol"]] == ["AAPL"]
    newest = shown("decisions", "--last", "1", "--journal", journal)
    decided = of_type(rows, "intent.refused", "intent.approved", "strategy.declined")
    assert newest["decisions"] == 1
    blockers = newest["data"][0]["blockers"]
    assert not blockers or blockers[0]["seq"] == decided[-1]["seq"]
    assert shown("decisions", "--day", "2024-01-03", "--journal", journal)["decisions"] == 0


def test_the_data_mode_is_shown_and_asked_for(journal: Path) -> None:
    found = shown("decisions", "--last", "9999", "--journal", journal)
    assert [each["group"] for each in found["by"]["data_mode"]] == ["REPLAY"]
    assert {tuple(each["data_modes"]) for each in found["by"]["strategy"]} == {("REPLAY",)}
    same = shown("decisions", "--last", "9999", "--data-mode", "replay", "--journal", journal)
    assert same["decisions"] == found["decisions"] > 0
    other = shown("decisions", "--last", "9999", "--data-mode", "PAPER_LIVE", "--journal", journal)
    assert other["decisions"] == 0
    done = traded("decisions", "--by", "data-mode", "--journal", journal)
    assert "data mode" in done.stdout
    for words in (("status",), ("positions",)):
        assert shown(*words, "--journal", journal)["data_mode"] == "REPLAY"
        assert "REPLAY" in traded(*words, "--journal", journal).stdout


def test_people_see_the_top_reasons_and_a_line_for_each(journal: Path) -> None:
    done = traded("decisions", "--top", "1", "--by", "symbol", "--journal", journal)
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout.splitlines()
    assert "mode paper" in text[0]
    assert text[6].split()[:3] == ["symbol", "data", "mode"]
    assert [line.split()[-8:].count("REPLAY") for line in text[7:]] == [1, 1, 1]
    assert text[2].startswith("live: ")
    assert "refused by the gate" in text[2]
    # Under the summary one blocker, under it one line for each of three symbols.
    assert [line.split("  ")[0] for line in text[6:]] == ["symbol", "AAPL", "BRK B", "MSFT"]


def test_nothing_decided_is_said_and_is_no_failure(journal: Path) -> None:
    done = traded("decisions", "--strategy", "nobody", "--journal", journal)
    assert (done.returncode, done.stdout) == (0, "no such decision was made\n")


def test_a_day_that_is_none_is_refused(journal: Path) -> None:
    done = traded("decisions", "--day", "monday", "--journal", journal)
    assert done.returncode == 2
    assert "is no date: write 2024-07-03" in done.stderr


def test_strategies_in_shadow_are_shown_apart(journal: Path) -> None:
    # None of this journal's is: the word is not even mentioned.
    assert "shadow" not in traded("decisions", "--journal", journal).stdout
