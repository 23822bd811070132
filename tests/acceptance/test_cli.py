"""`traded run` and the configuration's verbs as an operator meets them: real processes."""

import json
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import (
    CONFIG,
    MINUTES,
    TRADED,
    a_place,
    environment,
    lines,
    shown,
    traded,
)

Ran = tuple[Path, subprocess.CompletedProcess[str]]
SLOW = ("--set", "feed.kind=slow_feed:Slow", "--set", "feed.paths=[]", "--symbols", "AAPL")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return a_place(tmp_path / "place")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run that tells all, and its place: look, do not touch."""
    place = a_place(tmp_path_factory.mktemp("ran") / "place")
    done = run(place, "--once", "--verbose", "--output", place / "out.json")
    assert done.returncode == 0, done.stderr
    return place, done


def test_a_run_that_is_to_end_by_itself_is_ended_when_it_does_not(place: Path) -> None:
    # 100,000 bars, one every few milliseconds: eight minutes at least.
    slow = (*SLOW, "--set", "feed.params.minutes=100000")
    done = run(place, *slow, "--once", "--max-runtime", "1")
    assert (done.returncode, "--max-runtime: 1 s are over" in done.stderr) == (8, True)
    assert bodies(place, "session.ended")[0]["reason"] == "--max-runtime: 1 s are over"
    refused = run(place, *slow, "--max-runtime", "1")
    assert (refused.returncode, "a resident daemon has no end" in refused.stderr) == (2, True)


def run(place: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the daemon from the root folder, its configuration named."""
    return traded("run", "--config", place / "traded.toml", *words)


def journal(place: Path) -> Path:
    return place / "state" / "journal.db"


def bodies(place: Path, tag: str = "") -> list[dict[str, Any]]:
    """Return the events as the file has them, read past all our code."""
    path = f"file:{journal(place)}?mode=ro"
    with closing(sqlite3.connect(path, uri=True)) as connection:
        rows = connection.execute("SELECT body FROM event ORDER BY seq").fetchall()
    found = [json.loads(body) for (body,) in rows]
    return [each for each in found if tag in {"", each["type"]}]


@contextmanager
def running(place: Path, minutes: int = 100_000) -> Iterator[subprocess.Popen[str]]:
    """Run the daemon on the slow feed; go on once it has filled its first order."""
    words = ("--config", place / "traded.toml", *SLOW, "--set", f"feed.params.minutes={minutes}")
    process = subprocess.Popen(
        (TRADED, "run", "--verbose", *words),
        cwd="/",
        env=environment(place),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "order.filled" in line:
                break
        yield process
    finally:
        process.kill()
        process.communicate()


# What a run says, and where.


def test_a_run_names_configuration_and_journal_on_stderr_and_ends_in_one_line(ran: Ran) -> None:
    place, done = ran
    assert done.stderr.splitlines()[:2] == [
        f"config: {place / 'traded.toml'}",
        f"journal: {journal(place)} (new)",
    ]
    assert re.fullmatch(r"120 bars, \d+ events, .*; stopped: the feed ended\n", done.stdout)


def test_the_outcome_as_json_is_what_the_journal_says(ran: Ran) -> None:
    place, _ = ran
    outcome = json.loads((place / "out.json").read_bytes())
    assert outcome["schema_version"] == 1
    fills = bodies(place, "order.filled")
    assert outcome["fills"] == len(fills) > 10
    assert outcome["bars"] == 3 * MINUTES
    assert outcome["refused"] == len(bodies(place, "intent.refused"))
    assert outcome["seq"] == outcome["events"] == len(bodies(place))
    shares = sum(Decimal(each["quantity"]) for each in fills if each["symbol"] == "AAPL")
    assert Decimal(outcome["positions"]["AAPL"]["quantity"]) == shares
    paid = sum(Decimal(each["quantity"]) * Decimal(each["price"]) for each in fills)
    fees = sum(Decimal(each["amount"]) for each in bodies(place, "commission.charged"))
    assert Decimal(outcome["cash_usd"]) == 100_000 - paid - fees
    assert outcome["state_hash"] == shown("replay", "--journal", journal(place))["state_hash"]


def test_verbose_prints_every_event_but_bars(ran: Ran) -> None:
    place, done = ran
    printed = [line.split()[3].rstrip(":") for line in done.stderr.splitlines()[2:]]
    assert printed == [each["type"] for each in bodies(place) if each["type"] != "bar.closed"]


def test_a_dry_run_decides_and_records_everything_and_sends_nothing(place: Path) -> None:
    done = run(place, "--dry-run")
    assert done.returncode == 0
    assert done.stdout.startswith("DRY RUN, nothing was sent: 120 bars")
    sending = {each["client_order_id"] for each in bodies(place, "order.sending")}
    withheld = bodies(place, "order.withheld")
    assert {each["client_order_id"] for each in withheld} == sending
    assert len(sending) > 10
    assert {each["reason"] for each in withheld} == {"dry run"}
    assert bodies(place, "order.filled") == bodies(place, "order.acknowledged") == []
    assert traded("verify", "--journal", journal(place)).returncode == 0


# Options of a run.


def test_symbols_on_the_command_line_are_the_only_ones_traded(place: Path) -> None:
    done = run(place, "--symbols", " MSFT,BRK B,")
    assert done.stdout.startswith("80 bars")
    assert {each["symbol"] for each in bodies(place, "bar.closed")} == {"MSFT", "BRK B"}


def test_all_bad_symbols_are_listed_at_once_and_nothing_is_started(place: Path) -> None:
    done = run(place, "--symbols", "INVALID@#$,aapl,MSFT,,ABCDEFGHIJKLMNOPQRSTU")
    assert done.returncode == 78
    for name in ("INVALID@#$", "aapl", "ABCDEFGHIJKLMNOPQRSTU"):
        assert f"--symbols: {name!r} is not a symbol" in done.stderr
    assert "MSFT" not in done.stderr
    assert run(place, "--symbols", " , ").returncode == 78
    assert not journal(place).exists()


def test_capital_limits_and_any_option_can_be_set_for_one_run(place: Path) -> None:
    words = ["--capital", "5000.5", "--max-position-usd", "1500"]
    done = run(place, *words, "--set", "strategies.trend.params.shares=20")
    assert done.returncode == 0
    (deposit,) = bodies(place, "cash.moved")
    assert Decimal(deposit["amount"]) == Decimal("5000.5")
    assert {each["quantity"] for each in bodies(place, "order.intended")} == {"20", "500"}
    # Twenty shares at 100 dollars are more than 1500 dollars.
    failed = {
        name
        for each in bodies(place, "intent.refused")
        for name, passed, *_ in each["checks"]
        if not passed
    }
    assert "position_usd" in failed
    assert bodies(place, "order.filled") == []


def test_without_a_configuration_named_the_one_in_the_working_folder_counts(place: Path) -> None:
    done = traded("run", "--symbols", "AAPL", cwd=place)
    assert done.stdout.startswith("40 bars")
    elsewhere = traded("status", variables={"TRADED_CONFIG": str(place / "traded.toml")})
    assert elsewhere.returncode == 0
    assert elsewhere.stderr == f"journal: {journal(place)} (from {place / 'traded.toml'})\n"
    assert elsewhere.stdout.startswith("daemon ")


def test_a_strategy_beside_the_configuration_runs_from_any_folder(place: Path) -> None:
    (place / "mine.py").write_text(
        "from daemon.strategies.buy_and_hold import BuyAndHold\nclass Mine(BuyAndHold): pass\n"
    )
    words = ["--set", "strategies.mine.class=mine:Mine", "--set", "strategies.mine.params.shares=1"]
    assert run(place, *words).returncode == 0
    assert {each["strategy"] for each in bodies(place, "order.intended")} >= {"mine"}


# Being stopped.


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_in_order_and_the_next_start_goes_on(
    place: Path, kind: signal.Signals
) -> None:
    with running(place) as process:
        status = shown("status", "--journal", journal(place))
        assert (status["running"], status["pid"]) == (True, process.pid)
        process.send_signal(kind)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out.endswith(f"stopped: signal {kind.name}\n")
    assert bodies(place)[-1] == {"type": "session.ended", "reason": f"signal {kind.name}"}
    assert shown("status", "--journal", journal(place))["running"] is False
    bars = len(bodies(place, "bar.closed"))
    done = run(place, *SLOW, "--set", f"feed.params.minutes={bars + 20}")
    assert done.returncode == 0
    # Every minute once: what was there is not taken again.
    ends = [each["end"] for each in bodies(place, "bar.closed")]
    assert len(ends) == len(set(ends)) == bars + 20
    assert done.stdout.startswith(f"{bars + 20} bars")
    assert traded("verify", "--journal", journal(place)).returncode == 0


# How it ends: exit codes.


def test_a_second_daemon_on_the_same_journal_ends_with_75(place: Path) -> None:
    with running(place) as process:
        done = run(place)
        assert done.returncode == 75
        assert f"is held by process {process.pid}" in done.stderr
        assert "next: use the running daemon, or stop it first" in done.stderr


def test_a_disk_that_takes_no_more_ends_the_run_with_74(place: Path) -> None:
    with running(place) as process:
        # From here on no file may be written to beyond its first 4096 bytes.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        out, error = process.communicate(timeout=20)
    assert (process.returncode, out) == (74, "")
    assert "Traceback" not in error
    assert "they may or may not be in the file\n  next: check the disk, then start again" in error
    # What was recorded is sound, and the next start goes on from it.
    assert traded("verify", "--journal", journal(place)).returncode == 0
    assert run(place, *SLOW, "--set", "feed.params.minutes=1").returncode == 0


def test_a_changed_journal_ends_with_7(ran: Ran, tmp_path: Path) -> None:
    place = shutil.copytree(ran[0], tmp_path / "copy")
    with closing(sqlite3.connect(journal(place), isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE event SET body = replace(body, '100', '101') WHERE seq = 20")
    done = traded("verify", "--journal", journal(place))
    assert done.returncode == 7
    assert "DAMAGED: do not start the daemon on this journal" in done.stdout
    assert traded("replay", "--journal", journal(place)).returncode == 7


def test_a_lost_tail_ends_with_7_and_nothing_is_started(place: Path) -> None:
    run(place, "--symbols", "AAPL")
    kept = journal(place).read_bytes()
    run(place)
    journal(place).write_bytes(kept)
    done = run(place)
    assert done.returncode == 7
    assert "next: events are missing" in done.stderr
    assert journal(place).read_bytes() == kept


def test_decisions_that_come_out_differently_end_with_3(place: Path) -> None:
    source = (
        "from daemon.strategies.buy_and_hold import BuyAndHold\n"
        "class Mine(BuyAndHold):\n"
        "    def on_bar(self, bar, view):\n"
        "        return super().on_bar(bar, view) if bar.close < 9000 else None\n"
    )
    (place / "mine.py").write_text(source)
    words = ["--set", "strategies.mine.class=mine:Mine", "--set", "strategies.mine.params.shares=1"]
    run(place, *words)
    again = ("replay", "--redecide", "--journal", journal(place), "--json")
    assert traded(*again, cwd=place).returncode == 0
    (place / "mine.py").write_text(source.replace("9000", "100"))
    done = traded(*again, cwd=place)
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert found["different"] > 0
    assert found["first_divergence"]["strategy"] == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--capital", "ten"], "Invalid value for '--capital'"),
        (["--nonsense"], "No such option"),
        (["--output", "/nowhere/out.json"], "--output /nowhere/out.json: there is no folder"),
        (["--output", "/"], "is a directory"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_started(
    place: Path, words: list[str], said: str
) -> None:
    done = run(place, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not journal(place).exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("broker.params.x=1", "broker.params: Object contains unknown field `x`"),
        ("broker.kind=json:JSONDecoder", "broker.kind: json:JSONDecoder is no Broker"),
        ("feed.kind=slow_feed:Slow", "feed.params: slow_feed:Slow cannot be made with them"),
        ("strategies.trend.class=none:X", "strategies.trend.class: importing none failed"),
        ("strategies.trend.params.slw=3", "strategies.trend.params: unknown slw"),
        ("corporate_actions.path=none.csv", "none.csv: cannot be read"),
        ("limits.account.max_drawdown=nan", "limits.account.max_drawdown: NaN is not a finite"),
    ],
)
def test_a_bad_configuration_ends_with_78(place: Path, setting: str, said: str) -> None:
    done = run(place, "--set", setting)
    assert (done.returncode, done.stdout) == (78, "")
    assert said in done.stderr


def test_a_check_lists_everything_at_once_for_people_and_machines(place: Path) -> None:
    config = ("check-config", "--config", place / "traded.toml")
    settings = (
        "strategies.greedy.class=json:JSONDecoder",
        "strategies.trend.params.slw=3",
        "broker.params.x=1",
        "feed.kind=none:X",
        "corporate_actions.path=none.csv",
    )
    words = [word for setting in settings for word in ("--set", setting)]
    done = traded(*config, *words, "--json")
    assert done.returncode == 78
    found = json.loads(done.stdout)
    assert (found["schema_version"], found["config"]) == (1, str(place / "traded.toml"))
    assert [each.split(":")[0] for each in found["problems"]] == [
        "strategies.trend.params",
        "strategies.greedy.class",
        "broker.params",
        "feed.kind",
        str(place / "none.csv"),
    ]
    refused = traded(*config, *words)
    assert (refused.returncode, refused.stderr) == (78, "")
    assert refused.stdout.endswith(": refused, 5 problems\n")


def test_a_check_notes_what_is_allowed_and_probably_not_meant(place: Path) -> None:
    (place / "traded.toml").write_text(CONFIG.replace("max_drawdown = 0.9", ""))
    words = ("--config", place / "traded.toml", "--set", "dry_run=true")
    sound = traded("check-config", *words)
    assert sound.returncode == 0
    assert sound.stdout.splitlines() == [
        "note: no order will pass: limits.account lacks max_drawdown",
        "note: DRY RUN: all is decided and recorded, nothing is sent (dry_run = false sends)",
        f"{place / 'traded.toml'}: ok",
    ]


def test_what_is_in_effect_is_shown_with_the_layer_it_comes_from(place: Path) -> None:
    path = place / "traded.toml"
    words = ("--config", path, "--set", "broker.slippage_bps=5")
    variables = {"TRADED_BROKER__ANSWER_DEADLINE_S": "7"}
    text = traded("show-config", *words, variables=variables).stdout.splitlines()
    assert any(re.fullmatch(r'broker.slippage_bps = "?5"?  # --set', line) for line in text)
    assert "broker.answer_deadline_s = 7  # TRADED_BROKER__ANSWER_DEADLINE_S" in text
    assert f'account = "mine"  # {path}' in text
    assert 'feed.kind = "file"  # default' in text
    found = json.loads(traded("show-config", *words, "--json", variables=variables).stdout)
    assert found["schema_version"] == 1
    assert found["sources"]["broker.answer_deadline_s"] == "TRADED_BROKER__ANSWER_DEADLINE_S"
    assert found["sources"]["broker.slippage_bps"] == "--set"
    assert found["sources"]["strategies.trend.params.fast"] == str(path)
    assert found["config"]["broker"]["answer_deadline_s"] == 7


def test_the_source_of_one_symbol_is_not_taken_for_that_of_another(place: Path) -> None:
    (place / "traded.toml").write_text(CONFIG.replace('AAPL.exchange = "24/7"', "AAPL = {}"))
    words = ("--config", place / "traded.toml", "--set", 'symbols.A={exchange="NASDAQ"}')
    text = traded("show-config", *words).stdout.splitlines()
    assert 'symbols.A.exchange = "NASDAQ"  # --set' in text
    assert 'symbols.AAPL.exchange = "NYSE"  # default' in text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run", "--config", "none.toml"], 78),
        (["run"], 78),
        (["show-config", "--config", "none.toml"], 78),
        (["status"], 2),
        (["status", "--journal", "none.db"], 1),
        (["status", "--journal", "."], 2),
        (["nonsense"], 2),
        (["explain"], 2),
    ],
)
def test_what_is_not_there_is_said_and_has_its_exit_code(
    tmp_path: Path, words: list[str], code: int
) -> None:
    done = traded(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_seen_enough_hears_no_complaint(ran: Ran) -> None:
    place, _ = ran
    assert len(lines("--journal", journal(place), "-n", "300")) == 300
    for command, code in ((f"tail -n 300 --journal {journal(place)}", 0), ("sample-config", 1)):
        done = subprocess.run(
            ["/bin/bash", "-c", f"{TRADED} {command} | true; exit ${{PIPESTATUS[0]}}"],
            env=environment(place),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (code, ""), command
