"""Every verb of an operator as a person types it: right and wrong, the daemon up, down and hung."""

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.live_desk import Daemon, a_daemon

WHY = ("--why", "a test")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with a_daemon(tmp_path_factory.mktemp("told") / "d", calm=True) as found:
        found.busy()
        yield found
        assert "Traceback" not in found.log


@pytest.fixture
def quiet(daemon: Daemon) -> Iterator[Daemon]:
    """Have the daemon killed, with nothing of its own going on; resume it behind the test."""
    assert daemon.tell("kill").exit_code == 0
    yield daemon
    daemon.tell_surely("resume")
    daemon.busy()


def confirmed(daemon: Daemon, *words: str) -> CompletedProcess[str]:
    """Say it, take the token from the answer, if it has one, and say it again with that."""
    asked = daemon.traded(*words)
    assert (asked.returncode, asked.stdout) == (5, "")
    tokens = re.findall(r"--confirm ([0-9a-f]{8})$", asked.stderr, re.MULTILINE)
    return daemon.traded(*words, "--confirm", tokens[0]) if tokens else asked


def held(daemon: Daemon) -> dict[str, str]:
    """Return the cause of each hold by its id."""
    return {hold.hold_id: hold.cause for hold in daemon.holds()}


# Up, and told right.


def test_a_hold_is_placed_shown_and_lifted(daemon: Daemon) -> None:
    done = daemon.traded("hold", "symbol", "E", "--level", "REDUCE", *WHY)
    assert (done.returncode, done.stderr) == (0, "")
    hold_id = re.fullmatch(r"REDUCE on E: hold (operator-\d+)\n", done.stdout)[1]  # type: ignore[index] # it fits
    shown = daemon.traded("holds").stdout
    who = r"REDUCE on E by \w+: operator: a test \(lifted by an operator\)"
    assert re.search(rf"^{hold_id}\n  {who}\n  placed .* UTC \(.* ago\)$", shown, re.MULTILINE)
    done = confirmed(daemon, "lift", hold_id, *WHY)
    assert (done.returncode, done.stdout) == (0, f"lifted: {hold_id}\n")
    assert held(daemon) == {}
    assert hold_id in daemon.traded("holds", "--history", "5").stdout


def test_a_strategy_is_paused_and_resumed_by_name(daemon: Daemon) -> None:
    assert daemon.traded("pause", "trend").returncode == 0
    time.sleep(0.2)
    now = time.monotonic()
    time.sleep(1.2)
    assert daemon.market.heard("sent", "rests", after=now) == []
    done = confirmed(daemon, "resume", "trend", *WHY)
    assert done.returncode == 0
    daemon.busy()


def test_kill_asks_nothing_and_resume_says_what_it_lifts_and_what_stays(daemon: Daemon) -> None:
    daemon.traded("hold", "symbol", "E", *WHY)
    done = daemon.traded("kill", "--why", "odd fills")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("HALT on everything: hold kill-")
    asked = daemon.traded("resume", *WHY)
    assert "lifts HALT on everything (kill switch): odd fills\n" in asked.stderr
    assert "stays: HALT on E (operator): a test\n" in asked.stderr
    assert "orders open\n" in asked.stderr
    assert confirmed(daemon, "resume", *WHY).returncode == 0
    (left,) = held(daemon)
    assert confirmed(daemon, "lift", left, *WHY).returncode == 0
    daemon.busy()


def test_an_order_by_hand_is_echoed_confirmed_and_sent(quiet: Daemon) -> None:
    quiet.tell_surely("resume")
    quiet.tell("hold", scope="strategy", target="trend")
    asked = quiet.traded("order", "buy", "3", "E", *WHY)
    assert "buys 3 E at the market, DAY\n" in asked.stderr
    assert re.search(r"held before: \S+, after: \S+\n", asked.stderr)
    assert "3 E at 100: about 300.00 USD\n" in asked.stderr
    now = time.monotonic()
    done = confirmed(quiet, "order", "buy", "3", "E", *WHY)
    assert (done.returncode, "passed the gate" in done.stdout) == (0, True)
    assert len(quiet.market.heard("sent", after=now)) == 1
    quiet.tell_surely("resume", strategy="trend")


def test_what_the_gate_refuses_of_an_order_by_hand_is_said(daemon: Daemon) -> None:
    done = confirmed(daemon, "order", "buy", "100001", "E", *WHY)
    assert done.returncode == 5
    assert "refused by order_shares: 100001" in done.stderr


def test_a_token_fits_one_command_with_its_numbers_and_no_other(quiet: Daemon) -> None:
    asked = quiet.traded("order", "buy", "3", "E", *WHY).stderr
    (token,) = re.findall(r"--confirm ([0-9a-f]{8})", asked)
    other = quiet.traded("order", "buy", "4", "E", *WHY, "--confirm", token)
    assert (other.returncode, other.stdout) == (5, "")
    assert "the token is not the one for these numbers:\nbuys 4 E" in other.stderr


def test_an_order_is_cancelled_by_the_beginning_of_its_id(daemon: Daemon) -> None:
    daemon.busy()
    order = min(daemon.market.resting())
    done = daemon.traded("cancel", order[:24])
    assert (done.returncode, done.stdout) == (0, f"cancel asked: {order}\n")
    daemon.wait("cancel", lambda: order not in daemon.market.resting())


def test_cancel_all_says_that_none_is_open(quiet: Daemon) -> None:
    done = quiet.traded("cancel-all")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "no order is open")


def test_cancel_all_does_not_wait_for_the_orders_of_strategies_that_go_on(daemon: Daemon) -> None:
    daemon.busy()
    before = daemon.market.resting()
    began = time.monotonic()
    done = daemon.traded("cancel-all")
    assert done.returncode == 0
    assert time.monotonic() - began < 4
    assert not before & daemon.market.resting()
    assert all(f"cancel asked: {order}\n" in done.stdout for order in before)


def test_a_flatten_closes_what_is_held_behind_the_kill(quiet: Daemon) -> None:
    quiet.tell_surely("resume")
    quiet.tell("hold", scope="strategy", target="trend")
    assert quiet.tell_surely("order", symbol="F", quantity="3").exit_code == 0
    quiet.tell("kill")
    asked = quiet.traded("flatten", "F", *WHY)
    assert re.search(r"^closes \d+ F$", asked.stderr, re.MULTILINE)
    done = confirmed(quiet, "flatten", "F", *WHY)
    assert done.returncode == 0, done.stderr
    quiet.wait("flat position", lambda: "F" not in positions(quiet))
    quiet.tell_surely("resume", strategy="trend")


def test_a_strategy_goes_into_shadow_and_out_of_it(daemon: Daemon) -> None:
    done = daemon.traded("shadow", "trend", *WHY)
    assert (done.returncode, done.stdout) == (0, "trend decides from here, and sends nothing\n")
    refused = confirmed(daemon, "promote", "trend", *WHY)
    if refused.returncode:
        assert "intents in shadow: 0, asked is at least 1" in refused.stderr
        daemon.wait("a shadow intent", lambda: _may_be_promoted(daemon))
        assert confirmed(daemon, "promote", "trend", *WHY).returncode == 0
    daemon.busy()


def _may_be_promoted(daemon: Daemon) -> bool:
    done = daemon.traded("check-transition", "trend")
    assert done.returncode in {0, 3}
    assert f"trend may {'not ' * (done.returncode == 3)}be promoted" in done.stdout
    return done.returncode == 0


def test_a_reload_takes_changed_limits_names_them_and_they_hold(daemon: Daemon) -> None:
    path = daemon.folder / "traded.toml"
    before = path.read_text()
    path.write_text(before.replace("max_order_shares = 100000", "max_order_shares = 50"))
    asked = daemon.traded("reload", *WHY)
    assert "limits.account.max_order_shares: 100000 -> 50\n" in asked.stderr
    assert confirmed(daemon, "reload", *WHY).returncode == 0
    refused = confirmed(daemon, "order", "buy", "51", "E", *WHY)
    assert "refused by order_shares: 51" in refused.stderr
    (row,) = daemon.rows("operator.reloaded")
    assert json.loads(row[6])["changes"] == {"limits.account.max_order_shares": ["100000", "50"]}
    path.write_text(before)
    # As `systemctl reload` does it: shown, and taken without a second question.
    done = daemon.traded("reload", "--yes", *WHY)
    assert (done.returncode, "max_order_shares: 50 -> 100000" in done.stderr) == (0, True)
    assert daemon.traded("reload", *WHY).stdout == "nothing has changed\n"


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (("= 100000\n", "= -1\n"), 78, "max_order_shares: must be above 0, it is -1"),
        (("= 100000\n", "= 100000\ncolour = 1\n"), 78, "limits.account.colour"),
        (("[symbols]\n", "[symbols\n"), 78, "traded.toml"),
        (("dry_run = false", "dry_run = true"), 5, "does not take dry_run: restart it"),
        (('Busy"\n', 'Busy"\nsymbols = ["A"]\n'), 5, "does not take strategies.trend.symbols"),
    ],
)
def test_a_reload_of_what_is_wrong_or_needs_a_restart_keeps_the_old(
    daemon: Daemon, change: tuple[str, str], code: int, said: str
) -> None:
    path = daemon.folder / "traded.toml"
    before = path.read_text()
    number = len(daemon.rows("config.loaded"))
    path.write_text(before.replace(*change, 1))
    try:
        done = daemon.traded("reload", *WHY)
    finally:
        path.write_text(before)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(daemon.rows("config.loaded")) == number
    daemon.busy(sent=5, resting=0)


def test_an_answer_may_be_had_for_a_machine(daemon: Daemon) -> None:
    done = daemon.traded("hold", "strategy", "nobody", *WHY, "--json")
    said: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, said["exit_code"], said["schema_version"]) == (5, 5, 1)
    assert said["lines"] == ["refused: there is no strategy nobody; there is trend"]


# Up, and told wrong.


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["hold", "all"], 2, "Missing option '--why'"),
        (["hold", "everything", *WHY], 2, "'everything' is not one of"),
        (["hold"], 2, "Choose from:\n  all,\n  strategy,\n  symbol\n"),
        (["hold", "all", "E", *WHY], 2, "`hold all` holds everything: E is too much"),
        (["hold", "strategy", *WHY], 2, "say which strategy: traded hold strategy NAME"),
        (["hold", "strategy", "nobody", *WHY], 5, "there is no strategy nobody; there is trend"),
        (["hold", "symbol", "ZZZ", *WHY], 5, "ZZZ is not configured"),
        (["hold", "symbol", "a b;", *WHY], 2, "'a b;' is not a symbol"),
        (["hold", "all", "--level", "STOP", *WHY], 2, "'STOP' is not one of"),
        (["hold", "all", "--why", "x" * 501], 2, "why has 501 characters"),
        (["hold", "all", "--why", "a\x1b[31m"], 2, "characters that cannot be shown"),
        (["lift", "hold-9", *WHY], 5, "there is no hold hold-9: `traded holds` lists"),
        (["resume", "nobody", *WHY], 5, "nothing holds the strategy nobody"),
        (["pause", "nobody"], 5, "there is no strategy nobody"),
        (["cancel", "nothing"], 5, "nothing: no open order begins so"),
        (["flatten", "ZZZ", *WHY], 5, "there is nothing to close"),
        (["order", "buy", "-3", "E", *WHY], 2, "QUANTITY is unsigned: say `sell` to sell"),
        (["order", "buy", "3", "--lmit", "E", *WHY], 2, "No such option '--lmit'"),
        (
            ["order", "buy", "3", "ZZZ", *WHY],
            5,
            "refused by valid_input: the symbol is not configured",
        ),
        (["order", "buy", "3000000", "E", *WHY, "--confirm", "x"], 5, "the token is not the one"),
        (["order", "hold", "3", "E", *WHY], 2, "'hold' is not one of"),
        (["order", "buy", "none", "E", *WHY], 2, "'none', which is no number"),
        (["order", "buy", "0", "E", *WHY], 2, "must not be 0"),
        (["order", "buy", "3", "E", "--limit", "0", *WHY], 2, "limit_price must be above 0"),
        (["order", "buy", "3", "E", "--tif", "FOK", *WHY], 2, "'FOK' is not one of"),
        (["shadow", "nobody", *WHY], 5, "there is no strategy nobody"),
        (["promote", "nobody", *WHY], 5, "there is no strategy nobody"),
        (["promote", "trend", *WHY], 5, "refused: in shadow: no, asked is yes"),
        (["check-transition", "nobody"], 2, "knows no strategy nobody; it knows trend"),
        (["kill", "--working", "SOME"], 2, "'SOME' is not one of"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    daemon: Daemon, words: list[str], code: int, said: str
) -> None:
    done = daemon.traded(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert held(daemon) == {}


def test_a_kill_is_never_refused_for_its_reason(daemon: Daemon) -> None:
    done = daemon.traded("kill", "--why", "it went \x1b[31mwrong " + "x" * 600)
    assert done.returncode == 0
    assert done.stderr.startswith(r"note: the reason is kept as: it went \x1b[31mwrong xx")
    (hold,) = [hold for hold in daemon.holds() if hold.cause == "kill switch"]
    assert (len(hold.why), hold.why.isprintable()) == (500, True)
    daemon.tell_surely("resume")
    daemon.busy()


@pytest.mark.parametrize("words", [["cancel", "\udcff"], ["hold", "all", "--why", "\udcff"]])
def test_what_is_no_text_is_said_to_be_none(daemon: Daemon, words: list[str]) -> None:
    done = daemon.traded(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert r"'\udcff' is no text: it is not UTF-8" in done.stderr


def test_resolve_and_every_other_verb_takes_a_why_and_a_reason(daemon: Daemon) -> None:
    for words in (["resolve", "--all", "--adopt"], ["lift", "hold-9"]):
        said = [daemon.traded(*words, option, "x") for option in ("--why", "--reason")]
        assert [done.returncode for done in said] == [5, 5]
        assert said[0].stderr == said[1].stderr


# Hung, and down.


def test_a_hung_daemon_is_said_to_be_hung_and_kill_takes_its_permit(daemon: Daemon) -> None:
    daemon.running.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        done = daemon.traded("kill", "--why", "it hangs")
        assert time.monotonic() - began < 2.5
    finally:
        daemon.running.send_signal(signal.SIGCONT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the permit is gone: no order leaves any more\n" in done.stderr
    assert "`traded kill --offline` waits for nobody" in done.stderr
    # The kill it was told while it was stopped holds once it goes on, as the permit's loss would.
    daemon.wait("kill", lambda: "kill switch" in held(daemon).values())
    daemon.tell_surely("resume")
    daemon.busy()


def test_who_waits_for_a_hung_daemon_is_told_so_and_what_still_works(daemon: Daemon) -> None:
    verbs = {"hold all": "kill", "cancel-all": "cancel-all"}
    daemon.running.send_signal(signal.SIGSTOP)
    try:
        waiting = {verb: daemon.started(*verb.split(), *WHY, "--json") for verb in verbs}
        # Told long before it is given up, after 15 s.
        said = {verb: [each.stderr.readline() for _ in "12"] for verb, each in waiting.items()}  # type: ignore[union-attr] # it is a pipe
        assert [each.poll() for each in waiting.values()] == [None, None]
        heard = {verb: each.communicate(timeout=60) for verb, each in waiting.items()}
    finally:
        daemon.running.send_signal(signal.SIGCONT)
    for verb, way_out in verbs.items():
        first, second = said[verb]
        assert first.startswith("the daemon does not answer: waiting 1")
        assert second.startswith(f"  meanwhile: `traded {way_out} --offline`")
        out, err = heard[verb]
        assert "still no answer: waiting" in err
        assert "has not answered within 15 s" in err
        # What a machine reads is JSON to its end, and what is wrong stands in it.
        answer: dict[str, Any] = json.loads(out)
        assert (waiting[verb].returncode, answer["exit_code"], answer["schema_version"]) == (
            1,
            1,
            1,
        )
        assert "has not answered within 15 s" in answer["lines"][0]
    # Nobody waits for an answer any more, so nothing is done.
    daemon.wait("answer", lambda: daemon.tell("ping").exit_code == 0)
    assert held(daemon) == {}


def test_a_loop_that_is_only_busy_is_said_to_be_hung_until_it_answers(daemon: Daemon) -> None:
    daemon.hang(8)
    done = daemon.traded("hold", "symbol", "H", *WHY)
    assert done.returncode == 0
    assert done.stderr.startswith("the daemon does not answer: waiting 1")
    (hold,) = held(daemon)
    assert done.stdout == f"HALT on H: hold {hold}\n"
    daemon.tell_surely("lift", hold=hold)


def test_a_loop_that_hangs_is_killed_all_the_same_and_others_are_told_so(daemon: Daemon) -> None:
    daemon.hang(3)
    done = daemon.traded("kill", "--why", "it hangs")
    assert (done.returncode, done.stderr) == (0, "")
    assert "killed: no order leaves any more; the trading loop is busy" in done.stdout
    daemon.wait("kill", lambda: "kill switch" in held(daemon).values())
    daemon.tell_surely("resume")
    daemon.busy()


DOWN = ["kill", "cancel-all", "cancel x", "lift x", "resume", "hold all", "pause trend", "reload"]
DOWN += ["flatten all", "order buy 3 E", "shadow trend", "promote trend"]


@pytest.mark.parametrize("line", DOWN)
def test_without_a_daemon_each_verb_says_so_and_what_to_do(tmp_path: Path, line: str) -> None:
    daemon = Daemon(tmp_path / "d")
    try:
        done = daemon.traded(*line.split(), *WHY)
    finally:
        daemon.close()
    assert (done.returncode, done.stdout) == (4, "")
    offline = line in {"kill", "cancel-all"}
    following = f"`traded {line} --offline`" if offline else "start it with `traded run`"
    assert f"traded: no daemon runs for {daemon.journal}\n  next: {following}" in done.stderr


@pytest.mark.parametrize("verb", ["kill", "cancel-all"])
def test_stopping_offline_what_is_not_there_claims_nothing(tmp_path: Path, verb: str) -> None:
    daemon = Daemon(tmp_path / "d")
    try:
        done = daemon.traded(verb, "--offline")
    finally:
        daemon.close()
    assert done.returncode == 1
    assert "j.db does not exist: no daemon that writes it was found" in done.stderr
    assert "no order leaves" not in done.stdout
    assert sorted(each.name for each in daemon.folder.iterdir()) == ["loaded.py", "traded.toml"]


def positions(daemon: Daemon) -> dict[str, Any]:
    shown = json.loads(daemon.traded("positions", "--json").stdout)
    return {each["symbol"]: each for each in shown["positions"] if float(each["quantity"])}
