"""Does what ops/writing-a-strategy.md says, with the very files it shows."""

import csv
import gzip
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.command_line import traded

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ops" / "writing-a-strategy.md").read_text()
DEMO_BARS = ROOT / "ops" / "demo" / "us-equities-daily-2000-2013.csv.gz"


def shown(name: str) -> str:
    """Return the block of code that follows the file name in the page."""
    found = re.search(rf"`{re.escape(name)}`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found, name
    return found[1]


def tables() -> dict[str, str]:
    """Return the page's bits of configuration by the name of their table."""
    blocks = re.findall(r"```toml\n(\[(\w+)\]\n.*?)```", PAGE, re.DOTALL)
    return {name: block for block, name in blocks}


def told_by(*words: str, cwd: Path) -> str:
    done = traded(*words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder as the page's reader would have it, with IBM's days as bars."""
    (tmp_path / "my_strategies.py").write_text(shown("my_strategies.py"))
    (tmp_path / "traded.toml").write_text(shown("traded.toml"))
    (tmp_path / "bars").mkdir()
    with gzip.open(DEMO_BARS, "rt") as source, (tmp_path / "bars" / "IBM.csv").open("w") as made:
        writer = csv.writer(made)
        writer.writerow(["date", "open", "high", "low", "close", "volume"])
        writer.writerows(row[1:7] for row in csv.reader(source) if row[0] == "IBM")
    return tmp_path


def test_the_strategy_of_the_page_trades_and_can_be_explained(folder: Path) -> None:
    commands = re.findall(r"^traded (.*)$", PAGE, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["check-config", "run", "explain"]
    _, ran, told = [told_by(*command.split(), cwd=folder) for command in commands]
    assert re.search(r"[1-9]\d* fills", ran), ran
    assert "highest" in told or "no dip" in told or "holding until it recovers" in told


def test_its_decisions_come_out_again(folder: Path) -> None:
    told_by("run", "--config", "traded.toml", "--set", "journal.path=j.db", cwd=folder)
    again = json.loads(told_by("replay", "--journal", "j.db", "--redecide", "--json", cwd=folder))
    assert again["decisions"] > 40
    assert again["different"] == 0


def test_the_feed_of_the_page_feeds_and_goes_on_after_a_restart(folder: Path) -> None:
    (folder / "my_feed.py").write_text(shown("my_feed.py"))
    feed = tables()["feed"] + "\n"
    config = re.sub(r"\[feed\]\n.*?\n\n", feed, shown("traded.toml"), flags=re.DOTALL)
    config = config.replace("[feed]", "[journal]\npath = 'j.db'\n\n[feed]")
    (folder / "traded.toml").write_text(config)
    first = datetime(2024, 1, 2, 14, 31, tzinfo=UTC)
    prices = dict.fromkeys(("open", "high", "low", "close"), "100.00")
    lines = [
        {"symbol": "IBM", "end": str(first + n * timedelta(minutes=1)), **prices, "volume": "1000"}
        for n in range(30)
    ]
    bars = folder / "bars.jsonl"
    for count in (20, 30):
        bars.write_text("\n".join(json.dumps(line) for line in lines[:count]))
        told_by("run", "--config", "traded.toml", cwd=folder)
        told = json.loads(told_by("status", "--journal", "j.db", "--json", cwd=folder))
        assert told["bars"] == count


def test_the_broker_of_the_page_gets_every_order_that_was_sent(folder: Path) -> None:
    (folder / "my_broker.py").write_text(shown("my_broker.py"))
    with (folder / "traded.toml").open("a") as config:
        config.write("\n" + tables()["broker"] + "\n[journal]\npath = 'j.db'\n")
    told_by("run", "--config", "traded.toml", cwd=folder)
    orders = json.loads(told_by("orders", "--journal", "j.db", "--json", cwd=folder))["orders"]
    written = (folder / "notebook.txt").read_text().splitlines()
    sent = [order for order in orders if order["state"] != "REFUSED"]
    assert [line.split()[0] for line in written] == [order["client_order_id"] for order in sent]
    assert sent
