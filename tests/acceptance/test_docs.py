"""The README, the help and the documents say what is so."""

import re
import subprocess
from pathlib import Path

import pytest

from daemon.exit_codes import ExitCode
from events.codec import TAGS
from ops.cli import GROUPS
from ops.event_list import in_readme
from tests.command_line import traded

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [name for names in GROUPS.values() for name in names]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo")
    done = traded("demo", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def without_seconds(text: str) -> str:
    return re.sub(r"in [0-9.]+ s:", "in N s:", text)


def test_the_readme_shows_what_the_demo_prints(demo: tuple[Path, str]) -> None:
    shown = README.split("`make demo` ends like this")[1].split("```")[1].strip()
    printed = demo[1].split("\nLook for yourself")[0].strip()
    assert without_seconds(shown) == without_seconds(printed)


def test_what_the_demo_says_to_type_next_works(demo: tuple[Path, str]) -> None:
    folder, printed = demo
    lines = re.findall(r"^  \.venv/bin/traded (.*?)\s+#", printed, re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        done = traded(*line.split(), cwd=folder)
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout, line


def test_the_command_alone_shows_its_help_and_that_nothing_was_done(tmp_path: Path) -> None:
    alone, asked = traded(cwd=tmp_path), traded("--help", cwd=tmp_path)
    assert (alone.returncode, alone.stdout, alone.stderr) == (2, "", asked.stdout)
    assert asked.returncode == 0


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= targets
    assert {"demo", "test"} <= targets


def test_every_command_in_the_documents_exists() -> None:
    named = [
        (document.name, name)
        for document in [ROOT / "README.md", *sorted((ROOT / "ops").rglob("*.md"))]
        for name in re.findall(r"(?:`|bin/)traded ([a-z][a-z-]+)", document.read_text("utf-8"))
    ]
    assert len(named) > 5
    assert [each for each in named if each[1] not in COMMANDS] == []


def test_the_readme_walks_a_new_user_from_sample_to_run(tmp_path: Path) -> None:
    sample = traded("sample-config", cwd=tmp_path)
    (tmp_path / "traded.toml").write_text(sample.stdout)
    assert traded("check-config", "--config", "traded.toml", cwd=tmp_path).returncode == 0
    # The sample reads the bars in a folder named bars: two days of them will do.
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "AAPL.csv").write_text(
        "date,open,high,low,close,volume\n"
        "2024-01-02,187.15,188.44,183.89,185.64,82488700\n"
        "2024-01-03,184.22,185.88,183.43,184.25,58414500\n"
    )
    done = traded("run", "--config", "traded.toml", "--set", "journal.path=j.db", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 bars")


def test_the_list_of_events_in_the_readme_is_the_list_of_events() -> None:
    assert in_readme(README) == README
    assert all(f"`{tag}`" in README for tag in TAGS.values())


def test_the_readme_lists_every_exit_code() -> None:
    section = README.split("## Exit codes")[1]
    assert {int(code) for code in re.findall(r"\b(\d+) [a-z]", section)} == set(ExitCode)


def test_help_names_every_command_and_every_exit_code() -> None:
    done = traded("--help", cwd=ROOT)
    assert done.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", done.stdout, re.MULTILINE), name
    assert all(f"{code.value} " in done.stdout for code in ExitCode)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_with_an_example(name: str) -> None:
    done = traded(name, "--help", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert f"traded {name}" in done.stdout
    assert "Example" in done.stdout, "a help text teaches by an example"


def test_the_top_level_is_the_one_that_was_agreed() -> None:
    agreed = {"README.md", "CHANGELOG.md", "LICENSE", "Makefile", "pyproject.toml"}
    agreed |= {"requirements.lock", "requirements-dev.lock", ".ci", ".gitignore"}
    agreed |= {"daemon", "events", "projections", "ops", "systemd", "tests"}
    tracked = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - git is found where it is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert {name.split("/")[0] for name in tracked} == agreed


def test_the_demo_replaces_its_own_journal_and_no_other(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    assert traded("demo", "--folder", str(other), cwd=tmp_path).returncode == 0
    assert traded("demo", "--folder", str(other), cwd=tmp_path).returncode == 0
    assert (other / "notes.txt").read_text() == "mine"

    (other / "journal.db").write_text("not a journal, and not to be lost")
    refused = traded("demo", "--folder", str(other), cwd=tmp_path)
    assert refused.returncode == 7
    assert (other / "journal.db").read_text() == "not a journal, and not to be lost"


def test_the_demo_leaves_the_journal_of_another_account_alone(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(
        "ts,open,high,low,close,volume\n2024-01-02T15:00:00Z,1,1,1,1,5\n"
    )
    (tmp_path / "traded.toml").write_text(
        "[symbols.A]\n[feed]\npaths = ['A.csv']\n[journal]\npath = 'journal.db'\n"
    )
    assert traded("run", "--config", "traded.toml", cwd=tmp_path).returncode == 0
    before = (tmp_path / "journal.db").read_bytes()
    refused = traded("demo", "--folder", ".", cwd=tmp_path)
    assert refused.returncode == 2
    assert "is no demo's" in refused.stderr
    assert (tmp_path / "journal.db").read_bytes() == before


def test_what_is_held_and_configured_no_more_is_said_at_the_start(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-02T15:0{minute}:00Z,9,9,9,9,5000\n" for minute in range(5))
    for name in ("A", "B%2FUSD"):
        (tmp_path / f"{name}.csv").write_text("ts,open,high,low,close,volume\n" + rows)
    config = (
        "[symbols]\n{symbols}\n[strategies.{strategy}]\n"
        "class = 'daemon.strategies.buy_and_hold:BuyAndHold'\nparams = {{ shares = 5 }}\n"
        "[feed]\npaths = ['.']\n[journal]\npath = 'j.db'\n[limits.account]\nmax_order_shares = 9\n"
        "max_order_usd = 99\nmax_position_shares = 9\nmax_position_usd = 99\n"
        "max_daily_loss_usd = 99\nmax_drawdown = 0.9\n"
    )
    both = "A = {}\n'B/USD' = { exchange = '24/7' }"
    (tmp_path / "traded.toml").write_text(config.format(symbols=both, strategy="hold"))
    first = traded("run", "--config", "traded.toml", cwd=tmp_path)
    assert "2 fills" in first.stdout, first.stderr
    (tmp_path / "traded.toml").write_text(config.format(symbols="A = {}", strategy="keep"))
    told = traded("run", "--config", "traded.toml", cwd=tmp_path).stderr
    assert "note: 5 B/USD are held and B/USD is not under [symbols]: nothing marks them" in told
    assert "note: 5 A, 5 B/USD of strategy hold are held, and there is no [strategies.hold]" in told
