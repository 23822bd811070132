"""What strategies, brokers and files write reaches the operator's screen as words alone."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from events import HoldPlaced, Record
from events.codec import TAGS, JournalEvent, decode
from ops.lines import line_of, printed
from ops.render import LINE_LONGEST, TEXT_LONGEST, one_line
from tests.builders import an_order
from tests.command_line import CONFIG, TRADED, a_place, environment, lines, shown, traded
from tests.hostile_texts import HOSTILE, KINDS, a_story_of, write_story
from tests.journals import write
from tests.terminal import SGR, not_shown, on_a_terminal

Story = tuple[Path, list[JournalEvent]]
VERBS = ["status", "status --at 30", "positions", "orders", "orders --open -n 0", "tail -n 1000"]
VERBS += ["verify", "replay", "replay --from-snapshot", "replay --redecide"]
QUIET = {"verify"}
"""What shows no text of anybody else's."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    path = tmp_path_factory.mktemp("hostile") / "journal.db"
    return path, asyncio.run(write_story(path, HOSTILE))


@pytest.fixture(scope="module")
def long_story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "journal.db"
    asyncio.run(write_story(path, "long " * 2_000))
    return path


def assert_harmless(text: str) -> None:
    """Nothing in `text` moves, colours, hides or breaks a line, and no line of it is made up."""
    assert not_shown(text) == set()
    assert [line for line in text.splitlines() if line.startswith("FAKED")] == []


def explained(journal: Path, *subjects: str) -> str:
    """Return all that `explain` says of `subjects`, asked one after the other in one process."""
    source = (
        "import sys\n"
        "from ops.cli import main\n"
        "journal, *subjects = sys.argv[1:]\n"
        "for subject in subjects:\n"
        "    sys.argv = ['traded', 'explain', subject, '--journal', journal]\n"
        "    main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source, journal, *subjects],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# One text on one line.


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain, é, 銘柄, [red] and \\n", "plain, é, 銘柄, [red] and \\n"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
        ("\x1b[2J\x07\x08\x00\x7f\x9b", "\\x1b[2J\\x07\\x08\\x00\\x7f\\x9b"),
        ("\u202eltr\u2066 \u200b\u2028\xa0", "\\u202eltr\\u2066 \\u200b\\u2028\\xa0"),
        ("a lone \ud800, a tag \U000e0041", "a lone \\ud800, a tag \\U000e0041"),
    ],
)
def test_what_does_not_print_is_shown_as_its_escape(text: str, seen: str) -> None:
    assert one_line(text) == seen
    assert one_line(seen) == seen


def test_a_text_is_cut_at_a_stated_length() -> None:
    assert one_line("x" * TEXT_LONGEST) == "x" * TEXT_LONGEST
    assert one_line("x" * (TEXT_LONGEST + 1)) == "x" * (TEXT_LONGEST - 3) + "..."
    assert one_line("\x00" * 10, 12) == "\\x00\\x00\\..."


# A journal with a hostile text in every place for one.


def test_the_story_has_every_kind_of_event() -> None:
    assert {type(event) for event in a_story_of("x")} == set(KINDS)


@pytest.mark.parametrize("words", VERBS)
def test_a_pipe_gets_no_control_character(story: Story, words: str) -> None:
    told = traded(*words.split(), "--journal", story[0])
    assert told.returncode == (3 if "redecide" in words else 0)
    assert_harmless(told.stdout + told.stderr)
    assert ("\\x1b[2J" in told.stdout) is (words not in QUIET)


@pytest.mark.parametrize("words", VERBS)
def test_a_terminal_gets_colours_of_ours_alone(story: Story, words: str) -> None:
    told = on_a_terminal(*words.split(), "--journal", story[0])
    assert_harmless(SGR.sub("", told))
    # Markup is words, too: rich has made nothing of it.
    assert ("[red]\\x1b[31mred\\x1b[0m[/red][/]" in told) is (words not in QUIET)


def test_every_story_that_explain_tells_is_harmless(story: Story) -> None:
    path, events = story
    kinds: dict[type, int] = {}
    for seq, event in enumerate(events, 1):
        kinds[type(event)] = seq
    told = explained(path, HOSTILE, f"{HOSTILE} OrderUnknown", *map(str, kinds.values()))
    assert_harmless(told)
    for said in ("decided on", "the gate refused it", "FAILED, is asked", "nothing followed"):
        assert said in told, said


def test_json_holds_every_text_as_it_is(story: Story) -> None:
    path, events = story
    rows = lines("-n", "1000", "--journal", path)
    assert [row["type"] for row in rows] == [TAGS[type(event)] for event in events]
    assert [decode(json.dumps(row["event"])) for row in rows] == events
    status = shown("status", "--journal", path)
    assert [hold["why"] for hold in status["holds"]] == [HOSTILE]
    assert status["strategies"][0]["failed"] == HOSTILE
    assert shown("explain", HOSTILE, "--journal", path)["symbol"] == HOSTILE


# What does not fit.


def test_a_narrow_terminal_cuts_no_id(tmp_path: Path) -> None:
    order_id = "BTC/USD-20240102T150000-d5c3f1a09b7e24680fedcba9"
    asyncio.run(write(tmp_path / "journal.db", *an_order(order_id)))
    told = on_a_terminal("orders", "--journal", tmp_path / "journal.db", columns=60)
    assert order_id in told
    assert "trend" in told


@pytest.mark.parametrize("words", [*VERBS, "explain 5"])
def test_no_line_is_longer_than_a_line_may_be(long_story: Path, words: str) -> None:
    told = traded(*words.split(), "--journal", long_story)
    assert max(map(len, told.stderr.splitlines()), default=0) <= LINE_LONGEST
    # Here each text is cut where it stands, so that the line as a whole never needs to be.
    assert max(map(len, told.stdout.splitlines())) < LINE_LONGEST


def test_a_long_text_pushes_nothing_else_out_of_its_line() -> None:
    for seq, event in enumerate(a_story_of("long " * 2_000), 1):
        line = printed(line_of(Record(seq, 0, event)))
        assert len(line) < LINE_LONGEST, line[:100]
        if isinstance(event, HoldPlaced):
            assert line.endswith("... (lifted by an operator)")


# Errors.


@pytest.mark.parametrize(
    "words",
    [
        ["explain", f"{HOSTILE} of nobody"],
        ["explain", f"{HOSTILE} O"],
        ["tail", "--type", HOSTILE],
        ["tail", "--since", HOSTILE],
        ["status", "--at", HOSTILE],
        ["orders", "-n", HOSTILE],
        ["status", f"--{HOSTILE}"],
        ["status", HOSTILE],
        [HOSTILE],
    ],
)
def test_a_wrong_word_is_shown_and_not_obeyed(story: Story, words: list[str]) -> None:
    journal: list[str | Path] = ["--journal", story[0]] if len(words) > 1 else []
    told = traded(*words, *journal)
    assert (told.returncode, told.stdout) == (2, "")
    assert_harmless(told.stderr)
    assert "\\x1b[2J" in told.stderr


@pytest.mark.parametrize("verb", ["status", "verify", "tail", "replay"])
def test_a_file_name_that_is_no_journal_is_one_line_of_the_error(tmp_path: Path, verb: str) -> None:
    told = traded(verb, "--journal", tmp_path / HOSTILE.replace("/", ""))
    assert told.returncode == 1
    assert_harmless(told.stderr)
    assert len(told.stderr.splitlines()) == 2
    assert told.stderr.startswith("traded: there is no journal at ")


@pytest.mark.parametrize("verb", ["check-config", "show-config", "run"])
def test_a_hostile_configuration_is_refused_in_harmless_words(tmp_path: Path, verb: str) -> None:
    path = tmp_path / HOSTILE.replace("/", "")
    quoted = json.dumps(HOSTILE)
    path.write_text(f"account = {quoted}\n{quoted} = 1\n[symbols.{quoted}]\n[broker]\nx = {quoted}")
    told = traded(verb, "--config", path)
    assert told.returncode == 78
    assert_harmless(told.stdout + told.stderr)
    assert "\\x1b[2J" in told.stdout + told.stderr


def test_hostile_bars_are_refused_in_harmless_words(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    header = "ts,open,high,low,close,volume"
    (place / "bars" / f"{HOSTILE.replace('/', '')}.csv").write_text(f"{header}\n")
    (place / "bars" / "X.csv").write_text(f'{header}\n2024-01-02T00:00:00Z,"{HOSTILE}",1,1,1,1\n')
    (place / "bars" / "Y.csv").write_text(f'"{HOSTILE}"\n')
    told = traded("run", "--config", place / "traded.toml")
    assert told.returncode == 1
    assert_harmless(told.stderr)
    assert told.stderr.count("\\x1b[2J") >= 2


# A run.


STRATEGY = f"""
from daemon.strategies import NoTrade, Strategy

class Rude(Strategy, kw_only=True):
    fails: bool = False

    def on_bar(self, bar, state):
        if self.fails:
            raise ValueError({HOSTILE!r})
        return NoTrade({HOSTILE!r}, {HOSTILE!r})
"""
FEED = f"""
class Bars:
    live = False
    bars_total = starts_at = ends_at = None

    async def blocks(self, newest):
        raise RuntimeError({HOSTILE!r})
        yield []
"""


@pytest.mark.parametrize("fails", ["true", "false"])
def test_what_a_strategy_says_is_harmless_while_it_runs(tmp_path: Path, fails: str) -> None:
    place = a_place(tmp_path / "rude")
    (place / "rude.py").write_text(STRATEGY)
    table = f'[strategies.rude]\nclass = "rude:Rude"\nparams = {{ fails = {fails} }}\n'
    config = place / "traded.toml"
    config.write_text(f"{CONFIG}\n{table}")
    told = traded("run", "--config", config, "--verbose")
    assert told.returncode == 0
    assert_harmless(told.stdout + told.stderr)
    assert "\\x1b[2J" in told.stderr


def test_even_a_bug_speaks_harmlessly(tmp_path: Path) -> None:
    place = a_place(tmp_path / "rude")
    (place / "rude.py").write_text(FEED)
    words = ("--set", "feed.kind=rude:Bars", "--set", "feed.paths=[]")
    told = subprocess.run(
        [TRADED, "run", "--config", place / "traded.toml", *words],
        env=environment(place),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 1
    assert "RuntimeError: [red]\\x1b[31m" in told.stderr
    # A bug's text may have lines, but nothing in them that does something.
    assert not_shown(told.stderr) == set()
