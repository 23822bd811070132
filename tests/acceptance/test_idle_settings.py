"""A setting that changes nothing any more is not passed over in silence."""

from pathlib import Path

import pytest

from tests.acceptance.test_outside import CONFIG, PLUGGED_IN
from tests.command_line import a_place, shown, traded


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return a_place(tmp_path / "place")


def said(place: Path, *words: str) -> list[str]:
    """Start the daemon once and return what it notes."""
    done = traded("run", "--config", place / "traded.toml", *words)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("note: ")]


def test_another_capital_for_a_journal_that_has_one_is_said_to_change_nothing(place: Path) -> None:
    assert said(place) == []
    journal = place / "state" / "journal.db"
    before = shown("status", "--journal", journal)["equity_usd"]
    (note,) = said(place, "--capital", "50000")
    assert note == (
        "note: the journal was opened with capital 100000: "
        "50000 (--capital, broker.capital_usd) changes nothing"
    )
    assert shown("status", "--journal", journal)["equity_usd"] == before
    # Said at every start that asks for it, by whatever means, and at no other.
    assert len(said(place, "--set", "broker.capital_usd=50000")) == 1
    assert said(place) == []


def test_the_capital_a_journal_was_opened_with_may_be_given_again(place: Path) -> None:
    assert said(place, "--capital", "5000.5") == []
    assert said(place, "--capital", "5000.50") == []
    (note,) = said(place)
    assert note.startswith("note: the journal was opened with capital 5000.5: 100000 (--capital")


def test_where_the_broker_has_the_money_a_capital_of_ones_own_changes_nothing(
    tmp_path: Path,
) -> None:
    config = CONFIG.format(mode="broker-paper", dry_run="false", live="true")
    (tmp_path / "traded.toml").write_text(config, encoding="utf-8")
    (tmp_path / "plugged_in.py").write_text(PLUGGED_IN, encoding="utf-8")
    words = ("run", "--config", tmp_path / "traded.toml")
    assert (
        "note: capital is what the broker says is in the account: "
        "50000 (--capital, broker.capital_usd) changes nothing"
    ) in traded(*words, "--capital", "50000").stderr.splitlines()
    assert "note: " not in traded(*words).stderr
